"""Files that keep what they knew: what is read and written again is unchanged in all that is said of pixels."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

from classicseg import io
from classicseg.errors import InputError
from tests.strategies.files import AFFINE, write_map, write_scan, write_zarr

RNG = np.random.default_rng(0)
BANDS = RNG.integers(1, 200, (3, 40, 50)).astype(np.uint8)
VOXELS = RNG.integers(-100, 900, (6, 7, 5)).astype(np.int16)
LABELS = RNG.integers(0, 4, (40, 50))


def said_of(path):
    """Everything that rasterio knows of a file, and its pixels."""
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(path) as file:
        spaces = [space for space in file.tag_namespaces() if space != "DERIVED_SUBDATASETS"]
        return {
            "profile": dict(file.profile),
            "tags": {space: file.tags(ns=space or None) for space in ["", *spaces]},
            "tags of bands": [file.tags(i) for i in file.indexes],
            "overviews": [file.overviews(i) for i in file.indexes],
            "bands": (file.descriptions, file.scales, file.offsets, file.units, file.colorinterp),
            "points": file.gcps,
            "polynomials": file.rpcs,
            "masks": file.mask_flag_enums,
            "pixels": file.read().tolist(),
            "held": file.dataset_mask().tolist(),
        }


def described(path):
    """A map with everything that a GeoTIFF can say."""
    rasterio = pytest.importorskip("rasterio")
    from rasterio.enums import ColorInterp, Resampling

    write_map(path, BANDS.astype(np.uint16) * 9, nodata=9, predictor=2, interleave="band")
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("red", "green", None)
        file.scales, file.offsets, file.units = (0.1, 0.1, 0.2), (1, 2, 3), ("counts",) * 3
        file.update_tags(TIFFTAG_DATETIME="2020:01:02 03:04:05", AREA_OR_POINT="Point")
        file.update_tags(ns="SENSOR", NAME="eye")
        file.update_tags(2, gain="3")
        file.colorinterp = [ColorInterp.gray, ColorInterp.undefined, ColorInterp.undefined]
        file.build_overviews([2, 4], Resampling.nearest)
    return path


def test_a_map_is_unchanged(tmp_path):
    image = io.read_image(described(tmp_path / "map.tif"))
    assert isinstance(image, io.Raster)
    assert image.shape == (40, 50, 3)
    assert image.spacing == image.pixel_size == (10, 10)
    assert (image.nodata, image.band_names, image.affine) == (9, ("red", "green", None), None)
    assert image.crs.to_epsg() == 32632
    assert image.transform.c == 500_000
    io.write_image(tmp_path / "again.tif", image)
    assert said_of(tmp_path / "again.tif") == said_of(tmp_path / "map.tif")


def test_a_cloud_optimised_map_stays_one(tmp_path):
    shutil = pytest.importorskip("rasterio.shutil")
    shutil.copy(described(tmp_path / "map.tif"), tmp_path / "cog.tif", driver="COG", compress="zstd", blocksize=128)
    image = io.read_image(tmp_path / "cog.tif")
    io.write_image(tmp_path / "again.tif", image)
    assert said_of(tmp_path / "again.tif") == said_of(tmp_path / "cog.tif")
    io.write_labels(tmp_path / "labels.tif", LABELS, like=image)
    said = said_of(tmp_path / "labels.tif")
    assert said["tags"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG"
    assert said["pixels"] == [LABELS.tolist()]


def test_masks_palettes_alpha_and_control_points_are_kept(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    inside = LABELS > 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write_map(tmp_path / "masked.tif", BANDS, photometric="rgb")
        with rasterio.open(tmp_path / "masked.tif", "r+") as file:
            file.write_mask(inside)
    write_map(tmp_path / "palette.tif", LABELS[np.newaxis].astype(np.uint8))
    with rasterio.open(tmp_path / "palette.tif", "r+") as file:
        file.write_colormap(1, {0: (1, 2, 3, 255), 1: (200, 0, 0, 255)})
    write_map(tmp_path / "alpha.tif", np.concatenate([BANDS, inside[np.newaxis] * np.uint8(255)]), alpha="yes")
    points = [rasterio.control.GroundControlPoint(0, 0, 5, 6), rasterio.control.GroundControlPoint(40, 50, 7, 9)]
    with rasterio.open(
        tmp_path / "points.tif", "w", driver="GTiff", height=40, width=50, count=1, dtype="uint8", gcps=points,
        crs="EPSG:4326",
    ) as file:  # fmt: skip
        file.write(BANDS[:1])
    for name in ("masked", "palette", "alpha", "points"):
        image, mask = io.read_masked_image(tmp_path / f"{name}.tif")
        io.write_image(tmp_path / "again.tif", io.read_image(tmp_path / f"{name}.tif"))
        told, again = said_of(tmp_path / f"{name}.tif"), said_of(tmp_path / "again.tif")
        for said in (told, again) if name == "points" else ():  # which have no equality
            said["points"] = [(p.row, p.col, p.x, p.y) for p in said["points"][0]], said["points"][1].to_epsg()
        assert again == told, name
        if name in ("masked", "alpha"):
            np.testing.assert_array_equal(mask, inside)
            assert image.shape == (40, 50, 3)


def test_pixels_of_no_data_in_all_bands_take_no_part(tmp_path):
    bands = BANDS.astype(np.float32)
    bands[:, :3], bands[0] = -9999, -9999
    write_map(tmp_path / "a.tif", bands, nodata=-9999)
    assert np.flatnonzero(~io.read_masked_image(tmp_path / "a.tif")[1].all(1)).tolist() == [0, 1, 2]
    bands[:, :2] = np.nan
    write_map(tmp_path / "b.tif", bands, nodata=np.nan)
    assert np.flatnonzero(~io.read_masked_image(tmp_path / "b.tif")[1].all(1)).tolist() == [0, 1]
    write_map(tmp_path / "c.tif", BANDS)
    assert io.read_masked_image(tmp_path / "c.tif")[1] is None


def test_labels_lie_where_their_map_does_and_are_stored_without_loss(tmp_path):
    write_map(tmp_path / "jpeg.tif", BANDS, compress="jpeg", photometric="ycbcr", interleave="pixel")
    image = io.read_image(tmp_path / "jpeg.tif")
    io.write_labels(tmp_path / "labels.tif", LABELS, like=image, nodata=255)
    labels = io.read_labels(tmp_path / "labels.tif")
    np.testing.assert_array_equal(labels, LABELS)
    assert (labels.crs, labels.transform, labels.nodata) == (image.crs, image.transform, 255)
    assert labels.dtype == np.uint8
    assert labels.profile.stored["compress"] == "deflate"
    marginals = RNG.random((4, 40, 50)).astype(np.float32)
    io.write_marginals(tmp_path / "p.tif", marginals, like=image)
    np.testing.assert_array_equal(io.read_probabilities(tmp_path / "p.tif"), marginals)
    assert io.read_probabilities(tmp_path / "p.tif").crs == image.crs
    with pytest.raises(InputError, match=r"labels\.tif would have shape .* 40 x 50"):
        io.write_labels(tmp_path / "labels.tif", LABELS[1:], like=image)
    np.testing.assert_array_equal(io.read_labels(tmp_path / "labels.tif"), LABELS)
    io.write_labels(tmp_path / "labels.png", LABELS, like=image)
    io.write_labels(tmp_path / "plain.tif", LABELS)
    assert not isinstance(io.read_labels(tmp_path / "plain.tif"), io.Raster)


def test_a_place_may_be_said_in_a_file_beside(tmp_path):
    import tifffile

    pytest.importorskip("rasterio")
    tifffile.imwrite(tmp_path / "a.tif", BANDS[0])
    assert type(io.read_image(tmp_path / "a.tif")) is np.ndarray
    (tmp_path / "a.tfw").write_text("10\n0\n0\n-10\n500005\n4999995\n")  # the middle of the first pixel
    image = io.read_image(tmp_path / "a.tif")
    assert (image.spacing, image.transform.c, image.transform.f) == ((10, 10), 500_000, 5_000_000)
    io.write_labels(tmp_path / "labels.tif", LABELS, like=image)
    assert io.read_labels(tmp_path / "labels.tif").transform == image.transform


def test_degrees_are_no_metres_and_feet_are_fewer(tmp_path):
    write_map(tmp_path / "degrees.tif", BANDS, size=0.001, crs="EPSG:4326")
    image = io.read_image(tmp_path / "degrees.tif")
    assert image.spacing == pytest.approx((0.001, 0.001))
    assert image.pixel_size is None
    write_map(tmp_path / "feet.tif", BANDS, crs="EPSG:2263")
    assert io.read_image(tmp_path / "feet.tif").pixel_size == pytest.approx((3.048, 3.048), rel=1e-4)


def stored_bytes(path):
    return gzip.decompress(path.read_bytes())


def test_a_scan_is_unchanged_to_the_byte(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    scan = nibabel.Nifti1Image(VOXELS, AFFINE)
    scan.header.set_xyzt_units("mm", "sec")
    scan.set_sform(AFFINE, 2)
    scan.set_qform(AFFINE, 1)
    scan.header["descrip"], scan.header["cal_max"] = b"a head", 500
    scan.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"who has seen it"))
    nibabel.save(scan, tmp_path / "scan.nii.gz")
    write_scan(tmp_path / "scaled.nii.gz", RNG.random((6, 7, 5)), dtype=np.int16)
    for name in ("scan", "scaled"):
        image = io.read_image(tmp_path / f"{name}.nii.gz")
        assert image.spacing == (2, 1.5, 5)
        assert image.pixel_size == (0.002, 0.0015, 0.005)
        np.testing.assert_array_equal(image.affine, AFFINE)
        io.write_image(tmp_path / "again.nii.gz", image)
        assert stored_bytes(tmp_path / "again.nii.gz") == stored_bytes(tmp_path / f"{name}.nii.gz")
    image = io.read_image(tmp_path / "scan.nii.gz")
    labels = (VOXELS > 300) * 1
    for name in ("labels.nii", "labels.nii.gz"):
        io.write_labels(tmp_path / name, labels, like=image)
        np.testing.assert_array_equal(io.read_labels(tmp_path / name), labels)
        header = nibabel.load(tmp_path / name).header
        assert header.get_data_dtype() == np.uint8
        assert (header["descrip"].item(), header["cal_max"], header["sform_code"]) == (b"a head", 0, 2)
        assert header.extensions[0].get_content() == b"who has seen it"
    marginals = RNG.random((3, 6, 7, 5)).astype(np.float32)
    io.write_marginals(tmp_path / "p.nii.gz", marginals, like=image)
    assert nibabel.load(tmp_path / "p.nii.gz").shape == (6, 7, 5, 3)
    np.testing.assert_array_equal(io.read_probabilities(tmp_path / "p.nii.gz"), marginals)
    with pytest.raises(InputError, match=r"labels.nii would have shape .* \(6, 7, 5\)"):
        io.write_labels(tmp_path / "labels.nii", labels[1:], like=image)
    io.write_labels(tmp_path / "alone.nii", labels)
    assert io.read_labels(tmp_path / "alone.nii").spacing == (1, 1, 1)


def test_metres_of_a_header_become_millimetres_and_no_size_is_none(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    scan = nibabel.Nifti1Image(VOXELS, np.diag([0.002, 0.002, 0.005, 1]))
    scan.header.set_xyzt_units("meter")
    nibabel.save(scan, tmp_path / "a.nii")
    assert io.read_image(tmp_path / "a.nii").spacing == (2, 2, 5)
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[80:84] = np.float32(np.nan).tobytes()  # pixdim[1]
    (tmp_path / "a.nii").write_bytes(content)
    assert io.read_image(tmp_path / "a.nii").spacing is None


@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_a_stack_keeps_its_sizes(tmp_path, kind):
    import tifffile

    stack = RNG.integers(0, 9000, (4, 12, 15)).astype(np.uint16)
    metadata = {"spacing": 3.0, "unit": "um", "axes": "ZYX"}
    if kind == "ome":
        metadata = {f"PhysicalSize{a}": size for a, size in zip("XYZ", (0.5, 0.5, 3.0), strict=True)} | {"axes": "ZYX"}
    tifffile.imwrite(tmp_path / "a.tif", stack, **{kind: True}, resolution=(2.0, 2.0), metadata=metadata)
    image = io.read_image(tmp_path / "a.tif")
    assert image.spacing == (3, 0.5, 0.5)
    assert image.pixel_size == pytest.approx((3e-6, 5e-7, 5e-7))
    io.write_image(tmp_path / "again.tif", image)
    again = io.read_image(tmp_path / "again.tif")
    np.testing.assert_array_equal(again, stack)
    assert again.profile == image.profile
    for largest in (200, 70_000):  # ImageJ has no integers of 32 bits
        labels = (stack > 4000) * largest
        io.write_labels(tmp_path / "labels.tif", labels, like=image)
        found = io.read_labels(tmp_path / "labels.tif")
        np.testing.assert_array_equal(found, labels)
        assert found.spacing == image.spacing


def test_an_array_of_zarr_is_unchanged(tmp_path):
    zarr = pytest.importorskip("zarr")
    stored = np.moveaxis(BANDS, 0, -1)
    shards = {"chunks": (8, 8, 3), "shards": (16, 24, 3), "dimension_names": ("y", "x", "band")}
    write_zarr(tmp_path / "a.zarr", stored, **shards, attributes={"where": "here"}, fill_value=7)
    image = io.read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(image, stored)
    io.write_image(tmp_path / "b.zarr", image)
    assert zarr.open(tmp_path / "b.zarr").metadata == zarr.open(tmp_path / "a.zarr").metadata
    io.write_labels(tmp_path / "b.zarr", LABELS, like=image)
    labels = zarr.open(tmp_path / "b.zarr")
    assert (labels.chunks, labels.shards, labels.dtype) == ((8, 8), (16, 24), np.uint8)
    assert (labels.metadata.dimension_names, labels.attrs["where"]) == (("y", "x"), "here")
    np.testing.assert_array_equal(io.read_labels(tmp_path / "b.zarr"), LABELS)
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    group.create_array("one", shape=(2, 3), dtype="u1")
    assert io.read_image(tmp_path / "g.zarr").shape == (2, 3)
    group.create_array("two", shape=(2, 3), dtype="u1")
    with pytest.raises(InputError, match="2 arrays \\(one, two\\)"):
        io.read_image(tmp_path / "g.zarr")


def test_what_is_computed_of_an_image_knows_nothing(tmp_path):
    image = io.read_image(write_map(tmp_path / "a.tif", BANDS))
    for derived in (image[:5], image + 1, image.T, image.astype(float), np.flip(image, 0), image.copy(), image.view()):
        assert getattr(derived, "profile", None) is None
    assert image.mean() == np.asarray(image).mean()
    assert io.Raster(BANDS).spacing is None
    assert type(io.read_image(Path(__file__).parents[1] / "docs/pictures/refine.png")) is np.ndarray


def test_a_system_of_coordinates_that_nobody_can_read_is_an_error(tmp_path):
    import tifffile

    keys = (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 9999)  # projected, in a system that does not exist
    tags = [(33550, "d", 3, (10.0, 10.0, 0.0)), (33922, "d", 6, (0.0, 0, 0, 5e5, 5e6, 0)), (34735, "H", 12, keys)]
    tifffile.imwrite(tmp_path / "a.tif", BANDS[0], extratags=[(*tag, True) for tag in tags])
    pytest.importorskip("rasterio")
    with pytest.raises(InputError, match=r"a\.tif has a system of coordinates that cannot be read"):
        io.read_image(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", BANDS[0], extratags=[(*tag, True) for tag in tags[:2]])
    assert io.read_image(tmp_path / "a.tif").spacing == (10, 10)


def test_without_rasterio_a_map_is_an_image_and_a_warning(tmp_path, monkeypatch):
    write_map(tmp_path / "a.tif", BANDS)
    image = io.read_image(tmp_path / "a.tif")
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.warns(UserWarning, match="pip install rasterio"):
        plain = io.read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(plain, image)
    assert type(plain) is np.ndarray
    with pytest.raises(InputError, match=r"labels\.tif needs rasterio, of the extra geo: pip install rasterio"):
        io.write_labels(tmp_path / "labels.tif", LABELS, like=image)

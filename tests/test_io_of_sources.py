"""Files of every kind are read in windows, and give what they give as a whole."""

import concurrent.futures
import importlib.util
import os
import shutil
import sys
import tempfile

import numpy as np
import pytest
from PIL import Image

import classicseg as cs
from classicseg import io
from classicseg.errors import InputError
from classicseg.io.windows import as_source, label_file, mask_of
from tests.strategies.files import write_map, write_scan, write_zarr

RNG = np.random.default_rng(0)
BANDS = RNG.integers(0, 200, (3, 40, 50)).astype(np.uint8)
VOXELS = RNG.integers(-100, 900, (6, 7, 5)).astype(np.int16)
SCORES = RNG.random((6, 7, 5, 2)).astype(np.float32)
STACK = RNG.integers(0, 9000, (4, 12, 15)).astype(np.uint16)


def write_stack(path, **more):
    import tifffile

    tifffile.imwrite(path, STACK, photometric="minisblack", **more)


KINDS = {
    "map.tif": lambda path: write_map(path, BANDS),
    "gray.tif": lambda path: write_map(path, BANDS[:1], tiled=False, blockxsize=50, blockysize=1, compress="lzw"),
    "scan.nii.gz": lambda path: write_scan(path, VOXELS),
    "scaled.nii": lambda path: write_scan(path, VOXELS / 900, dtype=np.int16),
    "scores.nii.gz": lambda path: write_scan(path, SCORES),
    "scores4.nii.gz": lambda path: write_scan(path, SCORES[:, :, :, np.newaxis]),
    "plain.tif": write_stack,
    "big-endian.tif": lambda path: write_stack(path, byteorder=">"),
    "zipped.tif": lambda path: write_stack(path, compression="zlib"),
    "shards.zarr": lambda path: write_zarr(path, BANDS, chunks=(3, 8, 8), shards=(3, 16, 24)),
}


@pytest.mark.parametrize("name", KINDS)
def test_windows_of_a_file_are_those_of_its_array(tmp_path, name):
    path = tmp_path / name
    KINDS[name](path)
    for what, read in (("image", io.read_image), ("logits", io.read_probabilities)):
        source, array = as_source(path, what), np.asarray(read(path))
        if what == "image" and name == "scores4.nii.gz":
            continue  # an image over time
        assert tuple(source.shape) == array.shape
        assert source.dtype.newbyteorder("=") == array.dtype
        assert getattr(source.profile, "spacing", None) == getattr(read(path), "spacing", None)
        for low, high in ((0, 0), (1, 0), (1, 1), (3, 5)):
            window = tuple(slice(min(low, n - 1), max(n - high, min(low, n - 1) + 1)) for n in array.shape)
            np.testing.assert_array_equal(source[window], array[window])
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        windows = [(slice(i, i + 1), *(slice(0, n) for n in array.shape[1:])) for i in range(array.shape[0])] * 3
        for window, part in zip(windows, pool.map(source.__getitem__, windows), strict=True):
            np.testing.assert_array_equal(part, array[window])


def test_scratch_space_of_scans_goes_with_them(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    source = as_source(write_scan(tmp_path / "scan.nii.gz", VOXELS), "image")
    assert [file.stat().st_size for file in (tmp_path / "scratch").iterdir()] == [VOXELS.nbytes]
    del source
    assert not list((tmp_path / "scratch").iterdir())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 0, 9))
    with pytest.raises(OSError, match=r"takes 420 bytes of scratch space.*has 9; TMPDIR names another"):
        as_source(tmp_path / "scan.nii.gz", "image")


def test_plans_count_where_scans_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    write_scan(tmp_path / "scan.nii.gz", VOXELS)
    p = np.full((2, *VOXELS.shape), 0.5, np.float32)
    write_scan(tmp_path / "p.nii.gz", np.moveaxis(p, 0, -1))
    write_scan(tmp_path / "mask.nii", np.ones(VOXELS.shape, np.uint8))
    scan, scores, mask = (str(tmp_path / name) for name in ("scan.nii.gz", "p.nii.gz", "mask.nii"))
    plan = cs.plan_streamed(scan, scores, mask=mask, preset="firm")
    assert plan.unpacked == VOXELS.nbytes + p.nbytes + VOXELS.size
    assert f"MiB more in {tmp_path}, where scans are unpacked" in str(plan)
    opened = as_source(scan, "image")
    plan = cs.plan_streamed(opened, p, preset="firm")
    assert plan.unpacked == VOXELS.nbytes
    assert cs.plan_split_and_merge(scan, 50, mask=mask).unpacked == VOXELS.nbytes + VOXELS.size
    assert cs.plan_minimum_cut(scores, 2.0, image=scan).unpacked == p.nbytes + VOXELS.nbytes
    plan = cs.plan_minimum_cut(p, 2.0)
    assert plan.unpacked == 0
    assert "unpacked" not in str(plan)


def test_which_pixels_of_a_map_hold_data_is_read_in_windows(tmp_path):
    bands = BANDS.copy()
    bands[:, :5] = 7
    opaque = (BANDS[:1] > 90) * np.uint8(255)
    write_map(tmp_path / "nodata.tif", bands, nodata=7)
    write_map(tmp_path / "alpha.tif", np.concatenate([BANDS, opaque]), alpha="yes")
    write_map(tmp_path / "all.tif", BANDS)
    for name in ("nodata", "alpha"):
        source = as_source(tmp_path / f"{name}.tif", "image")
        assert source.shape == (40, 50, 3)
        mask = io.read_masked_image(tmp_path / f"{name}.tif")[1]
        np.testing.assert_array_equal(source.inside[3:20, 5:50], mask[3:20, 5:])
    whole = as_source(tmp_path / "all.tif", "image")
    assert whole.inside is mask_of(whole, None) is None
    drawn = RNG.integers(0, 2, (40, 50)).astype(np.uint8) * 255
    nodata = as_source(tmp_path / "nodata.tif", "image")
    assert mask_of(whole, drawn) is drawn
    assert mask_of(nodata, None) is nodata.inside
    np.testing.assert_array_equal(mask_of(nodata, drawn)[0:9, 5:50], drawn[:9, 5:] * (np.arange(9) >= 5)[:, None])


def test_what_cannot_be_read_in_windows_is_named(tmp_path, monkeypatch):
    import tifffile

    tifffile.imwrite(tmp_path / "turned.tif", BANDS[0], extratags=[(274, "H", 1, 6, True)])
    with pytest.raises(InputError, match=r"turned\.tif is stored on its side"):
        as_source(tmp_path / "turned.tif", "image")
    with pytest.raises(InputError, match=r"image must be .*photo\.jpg"):
        as_source(tmp_path / "photo.jpg", "image")
    with pytest.raises(FileNotFoundError, match=r"no such file: .*none\.tif"):
        as_source(tmp_path / "none.tif", "image")
    write_map(tmp_path / "a.tif", RNG.integers(0, 255, (3, 90, 90)).astype(np.uint8))
    content = (tmp_path / "a.tif").read_bytes()
    source = as_source(tmp_path / "a.tif", "image")
    os.truncate(tmp_path / "a.tif", len(content) // 2)
    with pytest.raises(InputError, match=r"a\.tif cannot be read"):
        source[0:90, 0:90, 0:3]


@pytest.mark.parametrize("suffix", [".tif", ".nii.gz", ".zarr", ".npy"])
def test_labels_that_come_piece_by_piece_are_written_as_a_whole(tmp_path, suffix):
    like, labels, stored = None, RNG.integers(0, 3, (40, 50)), "plain"
    if suffix == ".tif":
        like, stored = as_source(write_map(tmp_path / "image.tif", BANDS), "image"), "map"
    elif suffix == ".nii.gz":
        labels = RNG.integers(0, 3, VOXELS.shape)
        like, stored = as_source(write_scan(tmp_path / "image.nii.gz", VOXELS), "image"), "scan"
    elif suffix == ".zarr":
        write_zarr(tmp_path / "image.zarr", np.moveaxis(BANDS, 0, -1), chunks=(8, 8, 3), shards=(16, 24, 3))
        like, stored = as_source(tmp_path / "image.zarr", "image"), "zarr"
    before = {path.name for path in tmp_path.iterdir()}
    target = tmp_path / f"labels{suffix}"
    sink = label_file(target, labels.shape, np.uint8, 9, like=like, nodata=9)
    sink.write(0, labels.reshape(-1)[:77])
    sink.discard()
    assert {path.name for path in tmp_path.iterdir()} == before
    sink = label_file(target, labels.shape, np.uint8, 9, like=like, nodata=9)
    for start in (100, 0):
        sink.write(start, labels.reshape(-1)[start : start + 100])
    assert not target.exists()
    sink.finish()
    assert {path.name for path in tmp_path.iterdir()} == {*before, target.name}
    found = io.read_labels(target).reshape(-1)
    np.testing.assert_array_equal(found[:200], labels.reshape(-1)[:200])
    assert (found[200:] == 9).all()
    image = {"map": "image.tif", "scan": "image.nii.gz"}.get(stored)
    if image is not None:
        assert io.read_labels(target).spacing == io.read_image(tmp_path / image).spacing
    if stored == "map":
        assert io.read_labels(target).nodata == 9
    if stored == "zarr":
        assert io.read_labels(target).profile.shards == (16, 24)
    label_file(tmp_path / "alone.tif", (4, 5), np.uint8, 0).finish()
    assert io.read_labels(tmp_path / "alone.tif").shape == (4, 5)


def test_each_shard_is_written_once(tmp_path, monkeypatch):
    zarr = pytest.importorskip("zarr")
    from classicseg.io import zarr_arrays

    monkeypatch.setattr(zarr_arrays, "_AT_ONCE", 100)
    stored = zarr.create_array(store=tmp_path / "a.zarr", shape=(40, 50), dtype="u1", chunks=(4, 8), shards=(12, 24))
    rows = []

    class Watched:
        shards, chunks = stored.shards, stored.chunks

        def __setitem__(self, window, values):
            rows.append((window[0].start, values.shape[0]))
            stored[window] = values

    zarr_arrays.write_whole_shards(Watched(), BANDS[0])
    assert rows == [(0, 12), (12, 12), (24, 12), (36, 4)]
    np.testing.assert_array_equal(stored[...], BANDS[0])


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
@pytest.mark.parametrize("axes", ["YX", "YXS", "SYX"])
def test_compressions_that_tifffile_does_not_know_are_read_by_gdal(tmp_path, axes, monkeypatch):
    path, bands = tmp_path / "lzw.tif", BANDS[:1] if axes == "YX" else BANDS
    interleave = "BAND" if axes == "SYX" else "PIXEL"
    write_map(path, bands, crs=None, transform=None, compress="lzw", interleave=interleave, photometric="minisblack")
    expected = {"YX": bands[0], "YXS": np.moveaxis(bands, 0, -1), "SYX": bands}[axes]
    np.testing.assert_array_equal(io.read_probabilities(path), expected)
    np.testing.assert_array_equal(io.read_image(path), expected)
    if importlib.util.find_spec("imagecodecs") is None:
        monkeypatch.setitem(sys.modules, "rasterio", None)
        with pytest.raises(InputError, match=r"LZW, needs rasterio, of the extra geo, or imagecodecs"):
            io.read_image(path)


def test_so_are_stacks_in_such_a_compression(tmp_path):
    pytest.importorskip("rasterio")
    first, *others = map(Image.fromarray, STACK)
    first.save(tmp_path / "lzw.tif", compression="tiff_lzw", save_all=True, append_images=others)
    np.testing.assert_array_equal(io.read_image(tmp_path / "lzw.tif"), STACK)
    source = as_source(tmp_path / "lzw.tif", "image")
    np.testing.assert_array_equal(source[1:3, 4:6, 2:], STACK[1:3, 4:6, 2:])

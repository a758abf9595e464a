"""Files that know more than pixels: maps, scans, stacks, Zarr arrays. Each is skipped where its library is missing."""

import numpy as np
import pytest

AFFINE = np.array([[0.0, -1.5, 0, 10], [2, 0, 0, -4], [0, 0, 5, 7], [0, 0, 0, 1]])
"""Of a scan whose axes are not those of the body; its voxels are 2 x 1.5 x 5 mm."""


def write_map(path, bands, *, size=10, crs="EPSG:32632", **more):
    """A GeoTIFF of bands (B, H, W), with square pixels of this size in metres."""
    rasterio = pytest.importorskip("rasterio")
    n, height, width = bands.shape
    transform = rasterio.Affine(size, 0, 500_000, 0, -size, 5_000_000)
    place = {"crs": crs, "transform": transform}
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=n, dtype=bands.dtype, **(place | tiles | more)
    ) as file:
        file.write(bands)
    return path


def write_scan(path, voxels, affine=AFFINE, **more):
    """A NIfTI file."""
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(voxels, affine, **more)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path


def write_zarr(path, array, **more):
    """An array of Zarr in shards of several chunks."""
    zarr = pytest.importorskip("zarr")
    stored = zarr.create_array(store=path, shape=array.shape, dtype=array.dtype, **more)
    stored[...] = array
    return path

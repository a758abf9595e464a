"""Pages of TIFF files in a compression that tifffile leaves to imagecodecs, such as LZW: GDAL knows most of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.io.extras import is_there
from classicseg.io.geotiff import opened

_CODECS = "imagecodecs"  # what tifffile names in its error if it needs it


def values_of_page(path: Path, page: Any) -> np.ndarray:
    """The values of a page of an open file of tifffile; without imagecodecs by rasterio, if that is there."""
    try:
        values: np.ndarray = page.asarray()
    except ValueError as failure:
        if _CODECS not in str(failure):
            raise
        values = _by_gdal(path, page)
    return values


def values_of_series(path: Path, series: Any) -> np.ndarray:
    """The same of all pages of a series."""
    try:
        values: np.ndarray = series.asarray()
    except ValueError as failure:
        if _CODECS not in str(failure):
            raise
        pages = [values_of_page(path, page) for page in series.pages]
        values = np.stack(pages).reshape(series.shape)
    return values


def _by_gdal(path: Path, page: Any) -> np.ndarray:
    if not is_there("rasterio"):
        raise InputError(
            f"its compression, {page.compression.name}, needs rasterio, of the extra geo, or imagecodecs: "
            "pip install rasterio, or pip install imagecodecs"
        )
    with opened(Path(f"GTIFF_DIR:{page.index + 1}:{path}")) as file:
        bands: np.ndarray = file.read()
    if page.axes.endswith("S"):
        bands = np.moveaxis(bands, 0, -1)
    return np.ascontiguousarray(bands.reshape(page.shape), page.dtype)

"""GeoTIFF through rasterio: where a map lies, and all else that its file says beside pixels."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.io.extras import extra
from classicseg.io.files import TIFF
from classicseg.io.raster import Place

_TAGS = (33550, 33922, 34264, 34735, 42112, 42113)  # scale, tie points, matrix, keys, and what GDAL adds
_KEYS, _SYSTEMS = 34735, (2048, 3072)  # keys that name a geographic and a projected system
_UNKNOWN = ("LOCAL_CS", "ENGCRS")  # what GDAL takes a system for that it cannot read
_SIDECARS = (".tfw", ".tifw", ".tiffw")  # that say it in place of the file, as GDAL's .aux.xml does
_LOSSY = ("jpeg", "webp", "jpeg2000")
_OWN_SPACES = ("IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "SUBDATASETS", "RPC", "COLOR_PROFILE")  # written by GDAL
_ROWS = 2**24  # bytes that are written at once, about
_CACHE = 64 * 2**20  # bytes: the default is a share of the memory, which is what streaming is to save


@dataclass(frozen=True)
class GeoProfile:
    """What a GeoTIFF says beside pixels.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns.
    crs, transform
        As rasterio has them.
    nodata : float or None
    band_names : tuple
    stored : dict
        How pixels are stored: tiles, compression, predictor, the order of bands.
    overviews : tuple of int
        Factors.
    is_cog : bool
    tags : dict of dict
        Of the whole file, by namespace.
    bands : tuple of dict
        Scale, offset, unit, colour, tags and palette of each.
    more : dict
        Ground control points and rational polynomials.
    mask : ndarray or None
        A mask that is stored in the file.
    """

    shape: tuple[int, int]
    crs: Any
    transform: Any
    nodata: float | None
    band_names: tuple[str | None, ...]
    stored: dict[str, Any]
    overviews: tuple[int, ...]
    is_cog: bool
    tags: dict[str, dict[str, str]]
    bands: tuple[dict[str, Any], ...]
    more: dict[str, Any]
    mask: np.ndarray | None = field(default=None, repr=False)

    suffixes = TIFF

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Height and width of a pixel in the units of the map."""
        return None if self.place is None else self.place.steps

    @property
    def metres(self) -> tuple[float, ...] | None:
        """Height and width of a pixel in metres, if the map is projected."""
        if self.spacing is None or self.crs is None or not self.crs.is_projected:
            return None
        return tuple(step * self.crs.linear_units_factor[1] for step in self.spacing)

    @property
    def place(self) -> Place | None:
        """Where it lies; None if nothing but tags and control points are known."""
        if self.transform.is_identity and (self.crs is None or self.more["gcps"]):
            return None
        a, b, c, d, e, f = tuple(self.transform)[:6]
        return Place(self.crs, np.array([[b, a, c], [e, d, f], [0, 0, 1]]), self.shape)

    def write(self, temporary: Path, target: Path, array: Any, *, nodata: float | None, whole: bool) -> None:
        """See :class:`~classicseg.io.raster.Profile`."""
        planes = np.moveaxis(array, -1, 0) if whole and array.ndim == 3 else array
        if tuple(planes.shape[-2:]) != self.shape or len(planes.shape) not in (2, 3):
            raise InputError(
                f"{target} would have shape {planes.shape}, but lies where an image of {self.shape[0]} x "
                f"{self.shape[1]} pixels does"
            )
        whole = whole and _n_bands(planes) == len(self.bands)
        with _rasterio(target):
            if self.is_cog:
                self._write_cog(temporary, target, planes, nodata, whole)
            else:
                self._write(temporary, planes, nodata, whole)
            _check_written(temporary, target, planes)

    def _write_cog(self, temporary: Path, target: Path, planes: Any, nodata: float | None, whole: bool) -> None:
        from rasterio.shutil import copy

        plain = temporary.with_name(f".{uuid.uuid4().hex[:16]}")
        try:
            self._write(plain, planes, nodata, whole)
            _check_written(plain, target, planes)
            kept = {name: value for name, value in self._options(planes.dtype, whole).items() if name in _OF_COG}
            with contextlib.suppress(Exception):  # rasterio's are of no public kind; what is not there is told next
                copy(plain, temporary, driver="COG", blocksize=self.stored.get("blockxsize", 512), **kept)
        finally:
            plain.unlink(missing_ok=True)

    def _options(self, dtype: np.dtype[Any], whole: bool) -> dict[str, Any]:
        """How to store pixels of a dtype: as the image, but without loss."""
        options: dict[str, Any] = {"bigtiff": "IF_SAFER", **self.stored}
        if options.get("compress", "") in _LOSSY:
            options["compress"] = "deflate"
        if not whole:
            options = {name: value for name, value in options.items() if name not in ("photometric", "nbits")}
            options["interleave"] = "band"
            if options.get("predictor") == "3" and dtype.kind != "f":
                options["predictor"] = "2"
        return options

    def _write(self, path: Path, planes: Any, nodata: float | None, whole: bool) -> None:
        import rasterio

        n, (height, width) = _n_bands(planes), self.shape
        options = self._options(planes.dtype, whole)
        place = {name: value for name, value in self.more.items() if value}
        if not (place.get("gcps") and self.transform.is_identity):
            place["transform"] = self.transform
        with rasterio.open(
            path, "w", driver="GTiff", height=height, width=width, count=n, dtype=planes.dtype, nodata=nodata,
            crs=self.crs, **place, **options,
        ) as file:  # fmt: skip
            self._describe(file, whole)
            for values, rows in _pieces(planes, file.block_shapes[0][0]):
                file.write(values, window=rows)
            if whole and self.mask is not None:
                file.write_mask(self.mask)
        if self.overviews:
            with rasterio.open(path, "r+") as file:
                file.build_overviews(self.overviews, rasterio.enums.Resampling.nearest)  # which invents no label

    def _describe(self, file: Any, whole: bool) -> None:
        for space, tags in self.tags.items():
            file.update_tags(ns=space or None, **tags)
        if not whole:
            return
        for i, band in enumerate(self.bands, 1):
            if self.band_names[i - 1] is not None:
                file.set_band_description(i, self.band_names[i - 1])
            if band["unit"]:
                file.set_band_unit(i, band["unit"])
            for space, tags in band["tags"].items():
                file.update_tags(i, ns=space or None, **tags)
            if band["palette"]:
                file.write_colormap(i, band["palette"])
        for name in ("scale", "offset"):
            setattr(file, f"{name}s", [band[name] for band in self.bands])
        if not any(band["palette"] for band in self.bands):
            file.colorinterp = [band["color"] for band in self.bands]


def _pieces(planes: Any, block: int) -> Iterator[tuple[np.ndarray, tuple[slice, slice]]]:
    """Values (B, h, W) of rows that follow each other, whole blocks of them, and where they are."""
    height, width = planes.shape[-2:]
    n, bands = _n_bands(planes), (slice(None),) * (len(planes.shape) - 2)
    step = max(1, _ROWS // max(1, width * n * planes.dtype.itemsize))
    step = -(-step // block) * block
    for start in range(0, height, step):
        rows = (slice(start, min(start + step, height)), slice(0, width))
        yield np.ascontiguousarray(planes[(*bands, *rows)]).reshape(n, -1, width), rows


def _check_written(path: Path, target: Path, planes: Any) -> None:
    """Raise an error unless a file holds what was written: what the disk has no room for, GDAL loses in silence."""
    import rasterio

    try:
        with rasterio.open(path, sharing=False) as file:
            is_whole = all(
                np.array_equal(file.read(window=rows), values, equal_nan=values.dtype.kind == "f")
                for values, rows in _pieces(planes, file.block_shapes[0][0])
            )
    except rasterio.errors.RasterioError:
        is_whole = False
    if not is_whole:
        is_full = shutil.disk_usage(path.parent).free < planes.dtype.itemsize * np.prod(planes.shape, dtype=float)
        text = os.strerror(errno.ENOSPC) if is_full else "what was written cannot be read back; is the disk full?"
        raise OSError(errno.ENOSPC if is_full else errno.EIO, text, str(target))


def _n_bands(planes: Any) -> int:
    return planes.shape[0] if len(planes.shape) == 3 else 1


_OF_COG = ("compress", "predictor", "bigtiff")


def is_georeferenced(path: Path) -> bool:
    """Whether a TIFF file, or one beside it, says where it lies or which value holds no data."""
    import tifffile

    beside = [path.with_name(f"{path.name}.aux.xml"), *(path.with_suffix(suffix) for suffix in _SIDECARS)]
    if any(file.is_file() for file in beside):
        return True
    try:
        with tifffile.TiffFile(path) as file:
            known = any(tag in file.pages.first.tags for tag in _TAGS)
            return known and all(_kind(file.pages[i]) for i in range(1, len(file.pages)))  # overviews, masks
    except Exception as failure:
        raise InputError(f"{path} cannot be read: {failure}") from failure


def _kind(page: Any) -> int:
    """0 of a page that is one of several, else what it is of another."""
    tag = page.tags.get("NewSubfileType")
    return 0 if tag is None else int(tag.value)


def read_geotiff(path: Path, *, nodata: bool = True) -> tuple[np.ndarray, np.ndarray | None, GeoProfile]:
    """The bands of a GeoTIFF, (B, H, W), which pixels hold data, None if all do, and what else the file says.

    Without `nodata`, pixels that have the value of those without data hold data as well.
    """
    with opened(path) as file:
        bands, profile = file.read(), profile_of_file(file, path)
        return bands, held(bands, profile, profile.mask, nodata=nodata), profile


def held(bands: np.ndarray, profile: GeoProfile, mask: np.ndarray | None, *, nodata: bool = True) -> np.ndarray | None:
    """Which pixels of some bands (B, h, w) hold data by alpha, the `mask` of the file and, if wanted, their value."""
    colored = [not is_alpha(band) for band in profile.bands]
    parts = [bands[i] > 0 for i, band in enumerate(profile.bands) if is_alpha(band)]
    if mask is not None:
        parts.append(mask)
    if nodata and profile.nodata is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            value = np.array(profile.nodata).astype(bands.dtype)
        if np.isnan(profile.nodata):
            parts.append(~np.isnan(bands[colored]).all(axis=0))
        elif value == profile.nodata or bands.dtype.kind == "f":
            parts.append((bands[colored] != value).any(axis=0))
    inside = np.logical_and.reduce(parts) if parts else None
    return None if inside is None or inside.all() else inside


def is_alpha(band: dict[str, Any]) -> bool:
    """Whether a band says how opaque pixels are."""
    return band["color"].name == "alpha"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A file of rasterio; what goes wrong is an error of the file."""
    with _rasterio(path), open_map(path) as file:
        try:
            yield file
        except OSError as failure:  # of rasterio, too
            raise InputError(f"{path} cannot be read: {failure.__cause__ or failure}") from failure


def open_map(path: Path) -> Any:
    """A file of rasterio that stays open, for one thread."""
    with _rasterio(path):
        import rasterio

        try:
            return rasterio.open(path, sharing=False)
        except rasterio.errors.RasterioError as failure:
            raise InputError(f"{path} cannot be read: {failure.__cause__ or failure}") from failure


def small_cache() -> Any:
    """While this lasts, GDAL keeps few blocks in memory."""
    import rasterio

    return rasterio.Env(GDAL_CACHEMAX=_CACHE, GDAL_TIFF_INTERNAL_MASK=True)


@contextlib.contextmanager
def _rasterio(path: Path) -> Iterator[None]:
    """Settings of rasterio, for a moment."""
    extra("rasterio", "geo", path)
    from rasterio.errors import CRSError, NotGeoreferencedWarning

    with small_cache(), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            yield
        except CRSError as failure:
            raise InputError(f"{path} has a system of coordinates that cannot be read: {failure}") from failure


def profile_of_file(file: Any, path: Path, *, masked: bool = True) -> GeoProfile:
    """All that an open file says beside pixels; its mask if it has one and that is to be read."""
    is_known = file.crs is not None and not file.crs.wkt.startswith(_UNKNOWN)
    if not is_known and not file.gcps[0] and _names_a_system(path):
        raise InputError(
            f"{path} has a system of coordinates that cannot be read; set it anew, as by gdal_edit.py -a_srs EPSG:32632"
        )
    structure = file.tags(ns="IMAGE_STRUCTURE")
    stored = {"compress": file.profile.get("compress"), "interleave": file.profile.get("interleave")}
    stored["photometric"] = "rgb" if [c.name for c in file.colorinterp[:3]] == ["red", "green", "blue"] else None
    stored["predictor"], stored["nbits"] = structure.get("PREDICTOR"), structure.get("NBITS")
    rows, columns = file.block_shapes[0]
    if file.profile.get("tiled"):
        stored |= {"tiled": True, "blockxsize": columns, "blockysize": rows}
    elif rows < file.height:
        stored["blockysize"] = rows
    points, system = file.gcps
    mask = None
    if masked and any(flag.name == "per_dataset" for flag in file.mask_flag_enums[0]) and not _has_alpha(file):
        mask = file.read_masks(1) > 0
    return GeoProfile(
        (file.height, file.width),
        file.crs or system,
        file.transform,
        file.nodata,
        tuple(file.descriptions),
        {name: value for name, value in stored.items() if value is not None},
        tuple(file.overviews(1)),
        structure.get("LAYOUT") == "COG",
        _spaces(file),
        tuple(_band(file, i) for i in file.indexes),
        {"gcps": points, "rpcs": file.rpcs},
        mask,
    )


def _has_alpha(file: Any) -> bool:
    return any(color.name == "alpha" for color in file.colorinterp)


def _band(file: Any, i: int) -> dict[str, Any]:
    try:
        palette = file.colormap(i)
    except ValueError:
        palette = None
    return {
        "scale": file.scales[i - 1],
        "offset": file.offsets[i - 1],
        "unit": file.units[i - 1],
        "color": file.colorinterp[i - 1],
        "tags": _spaces(file, i),
        "palette": palette,
    }


def _spaces(file: Any, *band: int) -> dict[str, dict[str, str]]:
    """Tags of a file or a band by namespace."""
    names = [
        "", *(n for n in file.tag_namespaces(*band) if n not in _OWN_SPACES and not n.startswith("xml:"))
    ]  # fmt: skip
    found = {name: file.tags(*band, ns=name or None) for name in names}
    return {name: tags for name, tags in found.items() if tags}


def _names_a_system(path: Path) -> bool:
    """Whether the keys of a GeoTIFF name a system of coordinates."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags.get(_KEYS)
        keys = () if tag is None else tuple(tag.value)
    return any(key in _SYSTEMS for key in keys[4::4])

"""TIFF stacks of microscopes: what ImageJ and OME write beside pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.io.files import TIFF
from classicseg.io.raster import Place

_METRES = {
    "nm": 1e-9, "nanometer": 1e-9, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "\\u00B5m": 1e-6, "micron": 1e-6,
    "microns": 1e-6, "micrometer": 1e-6, "mm": 1e-3, "millimeter": 1e-3, "cm": 1e-2, "m": 1.0,
}  # fmt: skip
_OME_AXES = re.compile(r'PhysicalSize([XYZ])="([^"]+)"')
_OME_UNITS = re.compile(r'PhysicalSize([XYZ])Unit="([^"]+)"')


@dataclass(frozen=True)
class StackProfile:
    """What a TIFF file of ImageJ or of OME says beside pixels.

    Attributes
    ----------
    shape : tuple of int
    axes : str
        Their letters, such as ZYX.
    sizes : dict
        Size of a pixel by letter, in `unit`.
    unit : str or None
    imagej : dict or None
        All that ImageJ knows.
    ome : str or None
        All that OME knows, as XML.
    resolution : tuple
        Pixels for each unit of the page, along x and y, and what that unit is.
    """

    shape: tuple[int, ...]
    axes: str
    sizes: dict[str, float]
    unit: str | None
    imagej: dict[str, Any] | None = field(repr=False)
    ome: str | None = field(repr=False)
    resolution: tuple[Any, Any, int] | None

    nodata = None
    place: Place | None = None
    band_names = ()
    suffixes = TIFF

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Size of a pixel along the axes of space, in the unit of the file; None if any of them is unknown."""
        found = [self.sizes.get(letter) for letter in self.axes if letter in "ZYX"]
        return tuple(size for size in found if size) if found and all(found) else None

    @property
    def metres(self) -> tuple[float, ...] | None:
        """The same in metres, if the unit is a length."""
        factor = _METRES.get(self.unit or "")
        return None if self.spacing is None or factor is None else tuple(factor * size for size in self.spacing)

    def write(self, temporary: Path, target: Path, array: Any, *, nodata: float | None, whole: bool) -> None:
        """See :class:`~classicseg.io.raster.Profile`."""
        import tifffile

        is_colored = whole and self.axes.endswith("S")
        more: dict[str, Any] = {"compression": "zlib", "photometric": "rgb" if is_colored else "minisblack"}
        if self.resolution is not None:
            more |= {"resolution": self.resolution[:2], "resolutionunit": self.resolution[2]}
        if whole and self.ome is not None:
            tifffile.imwrite(temporary, array, description=self.ome.encode(), metadata=None, **more)
        elif whole or (self.imagej is not None and array.dtype in (np.uint8, np.uint16, np.float32)):
            axes = self.axes if whole else self._axes_of(array)
            tifffile.imwrite(temporary, array, imagej=True, metadata={**(self.imagej or {}), "axes": axes}, **more)
        else:
            sizes = {f"PhysicalSize{letter}": size for letter, size in self.sizes.items()}
            units = {
                f"{name}Unit": "µm" if _METRES.get(self.unit) == 1e-6 else self.unit for name in sizes if self.unit
            }
            metadata = {"axes": self._axes_of(array), **sizes, **units}
            tifffile.imwrite(temporary, array, ome=True, metadata=metadata, **more)

    def _axes_of(self, array: np.ndarray) -> str:
        """Letters of the axes of labels, or of something with labels in front."""
        space = "".join(letter for letter in self.axes if letter in "ZYX")
        if array.ndim - len(space) not in (0, 1):
            raise InputError(f"labels of shape {array.shape} do not fit a stack of shape {self.shape} ({self.axes})")
        return "C" * (array.ndim - len(space)) + space


def stack_profile(path: Path) -> StackProfile | None:
    """What a TIFF file says that ImageJ or OME has written; None of others."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            if not (file.is_imagej or file.is_ome):
                return None
            series = file.series[0]
            tags = file.pages.first.tags
            resolution = None
            if "XResolution" in tags and "YResolution" in tags:
                unit = tags["ResolutionUnit"].value if "ResolutionUnit" in tags else 1
                resolution = (tags["XResolution"].value, tags["YResolution"].value, int(unit))
            if file.is_ome:
                text = file.ome_metadata or ""
                sizes = {letter: float(size) for letter, size in _OME_AXES.findall(text)}
                units = set(dict(_OME_UNITS.findall(text)).values()) or {"µm"}  # as its schema has it
                unit_name = units.pop() if len(units) == 1 else None
                return StackProfile(series.shape, series.axes, sizes, unit_name, None, text, resolution)
            known = dict(file.imagej_metadata or {})
            sizes = {"Z": float(known.get("spacing", 0))}
            if resolution is not None:
                sizes |= {"X": _size(resolution[0]), "Y": _size(resolution[1])}
            sizes = {letter: size for letter, size in sizes.items() if size > 0}
            return StackProfile(series.shape, series.axes, sizes, known.get("unit"), known, None, resolution)
    except Exception as failure:
        raise InputError(f"{path} cannot be read: {failure}") from failure


def _size(resolution: tuple[int, int]) -> float:
    """Of a pixel, of a resolution that is stored as a fraction."""
    pixels, units = resolution
    return float(f"{units / pixels:.9g}") if pixels else 0.0

"""Arrays of xarray: which of their dimensions are meant, whether they lie on each other, and labels like them."""

from __future__ import annotations

from typing import Any

import numpy as np

from classicseg.errors import InputError


def is_labelled(array: Any) -> bool:
    """Whether it is an array of xarray, which need not be installed."""
    return all(hasattr(array, part) for part in ("dims", "coords", "variable"))


def axis_of(array: Any, axis: Any, what: str) -> Any:
    """The axis that a dimension of an array is; axes and other words as they are."""
    if not (isinstance(axis, str) and is_labelled(array)) or axis in ("infer", "auto"):
        return axis
    if axis not in array.dims:
        raise InputError(f"{what} must be one of the dimensions {tuple(array.dims)} or an axis, got {axis!r}")
    return array.dims.index(axis)


def check_on_image(image: Any, other: Any, name: str, without: int | None) -> None:
    """Raise if another array, but for its axis `without`, has the dimensions of an image, and lies elsewhere."""
    if not (is_labelled(image) and is_labelled(other)):
        return
    dims = [dim for axis, dim in enumerate(other.dims) if without is None or axis != without % other.ndim]
    if not set(dims) <= set(image.dims):
        return
    of_image = [dim for dim in image.dims if dim in dims]
    if dims != of_image:
        raise InputError(f"{name} has the dimensions {dims} in another order than image, {of_image}; transpose it")
    for dim in dims:
        if dim in image.coords and dim in other.coords and image.sizes[dim] == other.sizes[dim]:
            here, there = image.coords[dim].values, other.coords[dim].values
            if not np.array_equal(here, there):
                raise InputError(
                    f"{name} has other coordinates along {dim!r} than image, from {there[0]} to {there[-1]} and from "
                    f"{here[0]} to {here[-1]}; align them first"
                )


def like(image: Any, channel_axis: int | None, labels: np.ndarray) -> Any:
    """Labels with the coordinates of the pixels of an image."""
    import xarray

    dims = [dim for axis, dim in enumerate(image.dims) if axis != channel_axis]
    coords = {name: of for name, of in image.coords.items() if set(of.dims) <= set(dims)}
    return xarray.DataArray(labels, coords, dims, name="labels")

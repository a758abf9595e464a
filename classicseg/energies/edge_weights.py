"""Weights of the edges of a grid, as users give them: of each edge, or one for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.grid import NEIGHBOURHOODS, Offset, directions, edge_ends, edge_length, edge_shape
from classicseg.errors import InputError, InputTypeError

_BOTH_SIGNS = "; pixel_graph makes a GraphCRF of pixels, which has weights of both signs"


def given_weights(
    weights: Mapping[str, ArrayLike], shape: tuple[int, ...], connectivity: int | None, inside: np.ndarray | None
) -> tuple[int, dict[str, np.ndarray]]:
    """The connectivity and the flat weights of each direction; 0 where an end is not `inside`, if that is given."""
    largest = connectivity_of(weights, len(shape))
    connectivity = largest if connectivity is None else connectivity
    flat = {}
    for name, offset in directions(len(shape), connectivity).items():
        if name not in weights:
            raise InputError(f"weights has no direction {name!r}, which connectivity={connectivity} needs")
        given, size = inputs.read(weights[name], f"weights[{name!r}]"), edge_shape(shape, offset)
        if inside is not None and given.shape == size:
            given = np.where(_within(offset, inside), given, given.dtype.type(0))
        flat[name] = inputs.as_edge_weights(given, size, f"weights[{name!r}]", _BOTH_SIGNS).reshape(-1)
    return connectivity, flat


def connectivity_of(weights: Mapping[str, Any], n_axes: int) -> int:
    """The largest connectivity for which there are weights of all directions; the smallest if there is none."""
    known = directions(n_axes, NEIGHBOURHOODS[n_axes][-1]) if n_axes in NEIGHBOURHOODS else directions(0)
    for name in weights:
        if name not in known:
            raise InputError(f"weights must name directions of {', '.join(known)}, got {name!r}")
    sizes = [size for size in NEIGHBOURHOODS[n_axes] if set(directions(n_axes, size)) <= set(weights)]
    return sizes[-1] if sizes else NEIGHBOURHOODS[n_axes][0]


def equal_weights(
    weights: Any, shape: tuple[int, ...], connectivity: int | None, spacing: Any, inside: np.ndarray | None
) -> tuple[int, dict[str, np.ndarray]]:
    """The same of a single number, divided by the lengths of edges if there is a spacing."""
    given = inputs.read(1 if weights is None else weights, "weights")
    if given.ndim > 0:
        raise InputTypeError(
            f"weights must be a number or a mapping of directions to arrays, got an array of shape {given.shape}"
        )
    offsets = directions(len(shape), connectivity)
    weight = inputs.as_edge_weights(given, (), "weights", _BOTH_SIGNS).reshape(1)
    if spacing is None:
        flat = dict.fromkeys(offsets, weight)
    else:
        distances = inputs.as_scale(spacing, "spacing", len(shape))
        flat = {name: weight / edge_length(offset, distances) for name, offset in offsets.items()}
    if inside is not None:
        flat = {
            name: np.where(_within(offset, inside).reshape(-1), flat[name], flat[name].dtype.type(0))
            for name, offset in offsets.items()
        }
    return NEIGHBOURHOODS[len(shape)][0] if connectivity is None else connectivity, flat


def _within(offset: Offset, inside: np.ndarray) -> np.ndarray:
    """Which edges of a direction have both ends inside."""
    first, second = edge_ends(offset)
    both: np.ndarray = inside[first] & inside[second]
    return both

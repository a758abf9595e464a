"""The points of a dense CRF that lie inside of its mask, as an energy of their own."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from classicseg.energies.frozen import Frozen
from classicseg.filters.features import Column
from classicseg.machine.memory import check_memory

E = TypeVar("E", bound=Frozen)

_FORBIDDEN = np.float32(1e38)
"""In place of an infinite cost: beyond all that costs and messages of at most 1e30 add up to, and finite in sums."""


def energy_of_points(crf: E, costs: np.ndarray, mask: np.ndarray) -> E:
    """The same energy over the pixels inside of `mask` alone, as an array of one axis; `costs` are those of all pixels.

    It goes by the same `mask` where features are gathered, so that kernels are those of the whole image.
    """
    check_memory(4.0 * len(costs) * np.count_nonzero(mask), "the costs of the pixels inside of the mask")
    unary = costs[:, mask]
    unary.setflags(write=False)
    points = object.__new__(type(crf))
    points._set(**{**crf.__getstate__(), "unary": unary, "shape": unary.shape[1:]})
    return points


def gathered(columns: list[Column], mask: np.ndarray) -> list[Column]:
    """The features of the pixels inside of `mask`."""
    return [Column(column.values[mask], column.sigma) for column in columns]


def finite_costs(unary: np.ndarray) -> np.ndarray:
    """A unary with numbers in place of infinity that leave a label no probability."""
    return np.minimum(unary, _FORBIDDEN)


def only_inside(values: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Values of the pixels that take part, of values of all pixels: those inside of `mask`, or all without one."""
    return values if mask is None else values.reshape(mask.shape)[mask]


def spread(values: np.ndarray, mask: np.ndarray, outside: float = 0) -> np.ndarray:
    """Values (..., n) of the pixels inside of `mask` as (..., *spatial), `outside` everywhere else."""
    whole = np.full((*values.shape[:-1], *mask.shape), outside, values.dtype)
    whole[..., mask] = values
    return whole

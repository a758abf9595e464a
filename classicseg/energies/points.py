"""The points of a dense CRF that lie inside of its mask, as an energy of their own."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from classicseg.energies.frozen import Frozen
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.filters.features import Column
from classicseg.machine.memory import check_memory

E = TypeVar("E", bound=Frozen)

_AT_ONCE = 2**16  # pixels


def energy_of_points(crf: E, grid: UnaryGrid, mask: np.ndarray) -> E:
    """The same energy, of the costs `grid`, over the pixels inside of `mask` alone, as an array of one axis.

    It goes by the same `mask` where features are gathered, so that kernels are those of the whole image.
    """
    flat = mask.reshape(-1)
    n = int(np.count_nonzero(flat))
    check_memory(4.0 * grid.n_labels * n, "the costs of the pixels inside of the mask")
    unary, filled = np.empty((grid.n_labels, n), np.float32), 0
    for begin in range(0, flat.size, _AT_ONCE):
        some = flat[begin : begin + _AT_ONCE]
        end = filled + int(np.count_nonzero(some))
        if end > filled:
            unary[:, filled:end] = grid.read(begin, begin + some.size)[:, some]
        filled = end
    unary.setflags(write=False)
    points = object.__new__(type(crf))
    points._set(**{**crf.__getstate__(), "unary": unary, "shape": (n,)})
    return points


def gathered(columns: list[Column], mask: np.ndarray | None) -> list[Column]:
    """The features of the pixels inside of `mask`, or of all without one."""
    return columns if mask is None else [Column(column.values[mask], column.sigma) for column in columns]


def only_inside(values: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Values of the pixels that take part, of values of all pixels: those inside of `mask`, or all without one."""
    return values if mask is None else values.reshape(mask.shape)[mask]


def spread(values: np.ndarray, mask: np.ndarray, outside: float = 0) -> np.ndarray:
    """Values (..., n) of the pixels inside of `mask` as (..., *spatial), `outside` everywhere else."""
    whole = np.full((*values.shape[:-1], *mask.shape), outside, values.dtype)
    whole[..., mask] = values
    return whole

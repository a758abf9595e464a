"""Scores as costs, window by window."""

from __future__ import annotations

import threading
import warnings
from typing import NamedTuple

import numpy as np

from classicseg import inputs
from classicseg.energies.unary import unary_from_logits, unary_from_probabilities
from classicseg.energies.unary_grid import finite_costs
from classicseg.errors import InputError
from classicseg.inputs.probabilities import are_one, as_unnormalised, of_another_axis, warn_of_sums
from classicseg.streaming.raster import Box, Digest, Planes, Steps, of_mask, pass_through, told_of_place


class Factors(NamedTuple):
    """By what costs are divided and multiplied."""

    temperature: np.float32 = np.float32(1)
    factor: np.float32 = np.float32(1)

    def applied(self, costs: np.ndarray) -> np.ndarray:
        """The costs that are used."""
        if self.temperature != 1:
            costs = costs / self.temperature
        return costs if self.factor == 1 else costs * self.factor


class Costs:
    """Scores as costs, window by window.

    Parameters
    ----------
    planes : Planes
        The scores.
    kind : {"probabilities", "logits", "unary"}
    factors : Factors
        What is done to costs afterwards.
    """

    def __init__(self, planes: Planes, kind: str, factors: Factors) -> None:
        self.planes, self.kind, self.factors, self._sum_to_one = planes, kind, factors, True

    def look(self, digest: Digest, n_threads: int, mask: Planes | None, steps: Steps) -> None:
        """Read all scores once, and refuse what cannot work."""
        sums: list[tuple[float, float]] = []

        def look(_: int, box: Box, values: np.ndarray) -> None:
            inside = None if mask is None else of_mask(mask.read(box))
            if inside is not None and not inside.any():
                return
            if self.kind == "probabilities":
                of_pixels = values if inside is None else values[:, inside]
                with np.errstate(over="ignore", invalid="ignore"):
                    total = of_pixels.astype(np.float32).sum(axis=0)
                sums.append((float(total.min()), float(total.max())))
                if not are_one(*sums[-1]):
                    return
            try:
                self.of(values, inside)
            except InputError as failure:
                raise InputError(f"{failure} (counted in the window at {told_of_place(box)})") from failure

        with warnings.catch_warnings():
            warnings.simplefilter("once")
            pass_through(self.planes, steps, digest, n_threads, look)
            low, high = min((low for low, _ in sums), default=1.0), max((high for _, high in sums), default=1.0)
            if not are_one(low, high):
                self._sum_to_one = False
                self._look_along_axes(n_threads, mask, steps)
                warn_of_sums(low, high, self.kind)

    def _look_along_axes(self, n_threads: int, mask: Planes | None, steps: Steps) -> None:
        """Read all scores once more, and refuse those that sum to 1 along another axis than that of the labels."""
        grid, lock = self.planes.grid, threading.Lock()
        along_first, ends = (
            np.zeros((self.planes.count, *grid[1:])),
            {axis: [1.0, 1.0] for axis in range(2, 1 + len(grid))},
        )

        def look(_: int, box: Box, values: np.ndarray) -> None:
            inside = None if mask is None else of_mask(mask.read(box))
            self.of(values, inside)
            p = np.asarray(inputs.probabilities_inside(values, inside)[0], np.float32)
            with lock:
                along_first[(slice(None), *box[1:])] += p.sum(axis=1)
                for axis, (low, high) in ends.items():
                    whole = p.shape[axis] == grid[axis - 1]  # steps of large volumes are cut
                    sums = p.sum(axis=axis) if whole else np.zeros(1)
                    ends[axis] = [min(low, float(sums.min())), max(high, float(sums.max()))]

        pass_through(self.planes, steps, Digest(), n_threads, look)
        ends[1] = [float(along_first.min()), float(along_first.max())]
        other = next((axis for axis in sorted(ends) if are_one(*ends[axis])), None)
        if other is not None:
            assert self.planes.axis is not None
            raise of_another_axis(self.planes.shape, self.planes.axis, other, self.kind)

    def of(self, values: np.ndarray, inside: np.ndarray | None) -> np.ndarray:
        """Costs of a window of scores, (L, *box) float32, where no infinite one is left."""
        n = values[0].size
        if n == 1:  # NumPy adds the labels of a single pixel in another order than those of many
            values = np.repeat(values, 2, axis=-1)
            inside = None if inside is None else np.repeat(inside, 2, axis=-1)
        if inside is not None and not inside.any():  # a mask of nothing is an error only for the whole image
            values, inside = np.zeros_like(values), None
            values[0] = self.kind == "probabilities"
        if self.kind == "probabilities":
            p = inputs.probabilities_inside(values, inside)[0]
            costs = unary_from_probabilities(p if self._sum_to_one else as_unnormalised(p))
        else:
            filled = inputs.without_outside(values, inside, 0, name=self.kind)[0]
            costs = unary_from_logits(filled) if self.kind == "logits" else inputs.as_unary(filled)
        costs = finite_costs(self.factors.applied(costs))
        return costs[..., :1] if n == 1 else costs

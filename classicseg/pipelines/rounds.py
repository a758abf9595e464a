"""The rounds of :func:`cutout`: cut by the colours that labels have, learn the colours from the cut, and so on.

A large image has far more pixels than colours need to be learned from. There the rounds are made on every k-th pixel in
each direction, and one cut of all pixels follows. The small image has the colours of the large one, noise included,
which an average of k x k pixels would not; a block with a stroke is represented by a pixel of the stroke.

Rounds end in a minimum, and there may be a lower one. Where a box, and not strokes, tells where the object is, they are
made from two starts on a thinned image: from the box, and from what rounds with a dearer boundary find in an image that
is thinner still, which see the object as a whole. What ends lower is where the rounds of all pixels start, unless an
object has vanished: no object at all is often cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from classicseg.energies.compatibility import Potts
from classicseg.energies.grid_crf import GridCRF
from classicseg.pipelines.evidence import Evidence, How, Models, costs_of_distance, stretched
from classicseg.pipelines.prepared_image import PreparedImage
from classicseg.pipelines.strokes import NONE
from classicseg.solvers.run import Run

_LARGE, _LEARNED_FROM = 2**20, 2**18
"""Images of more pixels than the first are thinned out for the rounds, to about the second."""
_COMPARED, _FEWEST = 2**15, 2**13
"""Pixels of the image on which two starts are compared: about the first, of smaller images a quarter, but not less than
the second."""
_DEARER = 2.0  # the boundary where the second start is found

First = Callable[[np.ndarray, np.ndarray], Models]
"""Models of colours (C, N) whose labels (N,) are known, or NONE."""


def cut_by(
    evidence: Evidence, prepared: PreparedImage, how: How, strokes: np.ndarray, start: np.ndarray, owner: Any, run: Run
) -> tuple[GridCRF, np.ndarray, list[np.ndarray]]:
    """The energy that the evidence makes, its best labels, spatial shape, and the component of each pixel by label.

    `start` are labels to start from, NONE where nothing is known; `owner` may go on from the flow.
    """
    whole = tuple(slice(0, length) for length in strokes.shape)
    unary, components = evidence.costs(prepared.colors, strokes, whole, run.n_threads)
    crf = GridCRF(unary, Potts(how.weight), prepared.weights, mask=prepared.mask)
    start = np.maximum(start, 0).reshape(strokes.shape)
    return crf, prepared.minimum(crf, how.weight, start, run.n_threads, owner), components


def alternate(
    run: Run, prepared: PreparedImage, how: How, strokes: np.ndarray, labels: np.ndarray, first: First, owner: Any
) -> tuple[Evidence, GridCRF, np.ndarray]:
    """Cut and learn in turn until nothing changes; returns evidence, energy and labels of the last cut.

    Parameters
    ----------
    run : Run
        Records each cut of all pixels.
    prepared : PreparedImage
    how : How
    strokes : ndarray, spatial shape, int32
    labels : ndarray, (N,), int32
        To start from, NONE where nothing is known.
    first : callable
        Learns the first models from them.
    owner : object
        May go on from the flow of the last cut.
    """
    step = _step(strokes, how)
    if step == 1 or run.max_iter == 1:
        evidence = _evidence(first(prepared.colors, labels), prepared, how, strokes, run)
        return _rounds(run, prepared, how, strokes, labels, evidence, owner)
    thin = _Thinned.of(prepared, strokes, labels, first, step)
    evidence, found, converged = _learned(run, thin, how)
    evidence, labels = thin.enlarged(evidence, found)
    once = None
    if strokes.size > _LARGE:
        once = f"one cut, by colours that were learned at every {step} pixels", converged
    return _rounds(run, prepared, how, strokes, labels, evidence, owner, once)


def _step(strokes: np.ndarray, how: How) -> int:
    """Every how many pixels to learn from first."""
    size = fewer = strokes.size
    if size > _LARGE:
        fewer = _LEARNED_FROM
    elif not how.by_strokes and size >= 4 * _FEWEST:
        fewer = min(_COMPARED, size // 4)
    return round((size / fewer) ** (1 / strokes.ndim))


def _rounds(
    run: Run, prepared: PreparedImage, how: How, strokes: np.ndarray, labels: np.ndarray, evidence: Evidence,
    owner: Any, once: tuple[str, bool] | None = None,
) -> tuple[Evidence, GridCRF, np.ndarray]:  # fmt: skip
    """Rounds from this evidence; or `once` one cut, with what to say of it and whether that is converged."""
    while not run.ended:
        crf, found, components = cut_by(evidence, prepared, how, strokes, labels, owner, run)
        change = float((found.reshape(-1) != labels).sum() / crf.n_points)
        labels = found.reshape(-1)
        run.record(energy=crf.energy(found), change=change, labels=partial(np.asarray, found))
        if once is not None and not run.stopped:
            run.stop(once[0], converged=once[1])
        elif change == 0:
            run.stop("no pixel changed", converged=True)
        if not run.ended:
            evidence = evidence.refitted(prepared.colors, labels, components, run.n_threads)
    return evidence, crf, found


def _evidence(models: Models, prepared: PreparedImage, how: How, strokes: np.ndarray, run: Run) -> Evidence:
    if not how.by_strokes:
        return Evidence(models)
    return Evidence(models, costs_of_distance(models, prepared.colors, strokes, prepared.spacing, run.n_threads))


@dataclass(frozen=True, eq=False)
class _Thinned:
    """One pixel of each block of an image, and what is known of it."""

    image: PreparedImage
    strokes: np.ndarray
    labels: np.ndarray
    models: Models
    step: int
    shape: tuple[int, ...]

    @classmethod
    def of(cls, prepared: PreparedImage, strokes: np.ndarray, labels: np.ndarray, first: First, step: int) -> _Thinned:
        """Blocks of `step` pixels a side."""
        chosen = _chosen(strokes.shape, step, prepared.mask, strokes, labels)
        small, few = prepared.at(chosen), labels[chosen.reshape(-1)]
        marked = labels != NONE
        all_are_few = np.count_nonzero(marked) <= chosen.size
        if all_are_few or not np.array_equal(_labels_of(few), _labels_of(labels)):  # tiny objects may share a block
            models = first(prepared.colors[:, marked], labels[marked])
        else:
            models = first(small.colors, few)
        return cls(small, strokes.reshape(-1)[chosen], few, models, step, strokes.shape)

    def enlarged(self, evidence: Evidence, found: np.ndarray) -> tuple[Evidence, np.ndarray]:
        """What was found for blocks as evidence and labels of all pixels."""
        near = evidence.nearness
        for axis in range(len(self.shape)):
            found = np.repeat(found, self.step, axis=axis)
        near = None if near is None else np.stack([stretched(costs, self.shape) for costs in near])
        return Evidence(evidence.models, near), found[tuple(map(slice, self.shape))].reshape(-1)


def _learned(run: Run, thin: _Thinned, how: How) -> tuple[Evidence, np.ndarray, bool]:
    """Make all rounds but one in a thinned image: evidence and labels, and whether the rounds converged."""

    def rounds() -> Run:
        return Run("cutout", max_iter=run.max_iter - 1, n_threads=run.n_threads)

    def first(*_: Any) -> Models:
        return thin.models

    if not how.by_strokes:  # a border has a `step`-th of its pixels left, what it surrounds the square of that
        how = replace(how, weight=how.weight / thin.step)
    if how.by_strokes or thin.labels.size > 2 * _COMPARED:
        once = rounds()
        evidence, _, found = alternate(once, thin.image, how, thin.strokes, thin.labels, first, None)
        return evidence, found, once.converged
    thinner, dearer = (
        _Thinned.of(thin.image, thin.strokes, thin.labels, first, 2),
        replace(how, weight=_DEARER * how.weight),
    )
    evidence = Evidence(thinner.models)
    evidence, _, found = _rounds(rounds(), thinner.image, dearer, thinner.strokes, thinner.labels, evidence, None)
    starts = [(Evidence(thin.models), thin.labels), thinner.enlarged(evidence, found)]
    runs = [rounds() for _ in starts]
    ends = [
        _rounds(each, thin.image, how, thin.strokes, labels, evidence, None)
        for each, (evidence, labels) in zip(runs, starts, strict=True)
    ]
    order = [(-_labels_of(found).size, crf.energy(found)) for _, crf, found in ends]  # no object is to vanish
    best = order.index(min(order))
    return ends[best][0], ends[best][2], runs[best].converged


def _labels_of(labels: np.ndarray) -> np.ndarray:
    """Which labels there are, without NONE."""
    found: np.ndarray = np.unique(labels)
    return found[found != NONE]


def _chosen(
    shape: tuple[int, ...], step: int, mask: np.ndarray | None, strokes: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """One pixel of each block of `step` pixels a side, flat numbers in the shape of the blocks.

    The one in the middle, unless a mask leaves it out, or it has no stroke while another of the block has one, or all
    pixels of a label would be passed over.
    """
    axes = [np.minimum(np.arange(0, n, step) + step // 2, n - 1) for n in shape]
    chosen = np.ravel_multi_index(np.ix_(*axes), shape)

    def choose(there: np.ndarray) -> None:
        chosen[tuple(i // step for i in np.unravel_index(there, shape))] = there

    for better in (mask, strokes != NONE if mask is None else mask & (strokes != NONE)):
        if better is None:
            continue
        good = better.reshape(-1)[chosen]
        for axis in range(len(shape)):
            good = np.repeat(good, step, axis=axis)
        choose(np.flatnonzero(better & ~good[tuple(map(slice, shape))]))
    for label in np.setdiff1d(_labels_of(labels), labels[chosen]):
        choose(np.flatnonzero(labels == label))
    return chosen

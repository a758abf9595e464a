"""How strongly and at which range to refine, told from the image and the probabilities alone.

Three things decide. How wide is the band along borders in which the network is unsure: a sharp network knows its
borders better than the colours do, a coarse one leaves them to the image, and where the band takes much of the image
the network does not know what is there, which colours cannot tell. How many borders are there: strong
refinements reach over a share of the image, and objects are to be larger. And what would a strong refinement erase: it
is tried on a small picture, one pixel for each block of the image, and is too strong if it takes a label, or what the
network is sure of, away. The limits were chosen by leaving whole data sets out (``benchmarks/pipelines/strength.py``).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.kernels import PairwiseKernel
from classicseg.energies.softmax import softmax
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.kernels.dense.blocks import block_sums
from classicseg.machine.memory import writable_alias
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines import presets
from classicseg.pipelines.appearance import Appearance, at_middles
from classicseg.pipelines.image import box_around
from classicseg.solvers.minimize import minimize

_log = logging.getLogger("classicseg")

_SIDES = {1: 16, 2: 4, 3: 3}  # of a block, in pixels: a trial costs a sixteenth or less
_SOON_SUMMED = 2**22  # values that are summed over blocks in a few milliseconds
_FEWEST, _MOST = 256, 2**15  # blocks: fewer tell nothing, more tell nothing new
_ALIVE = 0.1  # mean probability that a label reaches in some block, if it counts in a trial
_UPDATES = 3  # of a trial: what is going to vanish is shrinking by then
_SHARE = 0.02  # of the image: labels that are expected on more have their areas watched
_SURE, _SURE_SHARE = 0.9, 0.001  # probability of a block of which a network is sure; share of such blocks of a label


@dataclass(frozen=True)
class Limits:
    """Where one strength ends and the next begins.

    Attributes
    ----------
    sharp, coarse : float
        Widths in pixels below which to refine gently, and from which a strong refinement is tried.
    doubtful : float
        Width as a share of the mean side of the image from which on to refine gently, too: no band along borders.
    crowded : float
        Borders that a line across the image may cross, at most, for a strong refinement to be tried: its ranges are a
        share of the image, and objects are to be larger.
    area : tuple of float
        What of each label must be left, at least, by strong and by strongest.
    kept : tuple of float
        What of the blocks of which a network is sure must keep their label, at least.
    noisy : float
        Noise above which borders and areas are not looked at for strong: they are mostly noise.
    """

    sharp: float = 1.6
    coarse: float = 2.0
    doubtful: float = 0.033
    crowded: float = 4.0
    area: tuple[float, float] = (0.88, 1.0)
    kept: tuple[float, float] = (0.85, 0.9)
    noisy: float = 1.7


@dataclass(frozen=True)
class Evidence:
    """What is known without any trial.

    Attributes
    ----------
    means : ndarray, (L, *blocks), float32
        Mean probabilities of blocks, over the pixels that take part.
    inside : ndarray, (*blocks), bool, or None
        Blocks that take part; None if all do.
    width : float
        Pixels along a line across a border for which the network is unsure: the sum of p (1 - p) by the number of
        borders. 0 without borders.
    share : float
        The same as a share of the mean side of the image.
    crossings : float
        Borders between blocks that a line across the image crosses, the mean over the axes.
    noise : float
        Borders between pixels by what those between blocks would make.
    """

    means: np.ndarray
    inside: np.ndarray | None
    width: float
    share: float
    crossings: float
    noise: float


def blocks_of(shape: tuple[int, ...], spacing: tuple[float, ...]) -> tuple[int, ...]:
    """Sides of blocks that are about as long as wide."""
    mean = float(np.exp(np.mean(np.log(spacing))))

    def block(side: int) -> tuple[int, ...]:
        sides = tuple(max(1, min(n, round(side * mean / step))) for n, step in zip(shape, spacing, strict=True))
        return sides if len(shape) <= 3 else (*(1 for _ in shape[:-2]), *sides[-2:])  # see `_three_axes`

    def count(side: int) -> int:
        return math.prod(-(-n // b) for n, b in zip(shape, block(side), strict=True))

    side = _SIDES.get(len(shape), 4)
    while side > 1 and count(side) < _FEWEST:
        side -= 1
    while count(side) > _MOST and side < max(shape):
        side += 1
    return block(side)


def _side(scores: UnaryGrid) -> float:
    """Mean side of the image in pixels."""
    return float(scores.n_points ** (1 / len(scores.shape)))


def evidence_of(scores: UnaryGrid, mask: np.ndarray | None, block: tuple[int, ...], n_threads: int) -> Evidence:
    """What costs say when they are looked at through blocks of pixels; `mask` is that of the pixels."""
    grid = scores.values.shape[1:]
    counts = tuple(-(-n // b) for n, b in zip(scores.shape, block, strict=True))
    if scores.is_stretched and all(m <= n for m, n in zip(grid, counts, strict=True)):
        few = UnaryGrid(scores.values, counts, scores.align_corners)
        return _evidence_of_few(few, mask, block, _side(scores))
    ratios = [n / m for n, m in zip(scores.shape, grid, strict=True)]
    sides = tuple(max(1, round(b / ratio)) for b, ratio in zip(block, ratios, strict=True))
    counts = tuple(-(-m // b) for m, b in zip(grid, sides, strict=True))
    inside = np.ones(grid, bool) if mask is None else at_middles(mask, grid)
    sums, sizes = np.empty((scores.n_labels, *counts), np.float32), np.empty(counts, np.float32)
    labels, unsure = np.empty(grid, np.int32), np.empty(math.prod(counts[:-1]))
    values = writable_alias(scores.values.reshape(-1))
    run(
        block_sums, resolve_threads(n_threads, values.size), new_sync(1), values, inside.reshape(-1),
        _three_axes(grid), _three_axes(sides), sums.reshape(scores.n_labels, -1), sizes.reshape(-1),
        labels.reshape(-1), unsure, brief=values.size <= _SOON_SUMMED,
    )  # fmt: skip
    means = sums / np.maximum(sizes, 1)
    borders = _borders(labels, ratios)
    blocks = np.where(sizes > 0, means.argmax(0), -1)
    coarse = _borders(blocks, [b * ratio for b, ratio in zip(sides, ratios, strict=True)])
    width = float(unsure.sum() / sizes.sum(dtype=np.float64)) / 2 / borders if borders > 0 else 0.0
    inside_blocks, side, noise = (
        None if mask is None else sizes > 0,
        _side(scores),
        borders / coarse if coarse > 0 else 1.0,
    )
    return Evidence(means, inside_blocks, width, width / side, coarse * side, noise)


def _evidence_of_few(scores: UnaryGrid, mask: np.ndarray | None, block: tuple[int, ...], side: float) -> Evidence:
    """The same where there are fewer scores than blocks: interpolated ones are without noise."""
    means = softmax(-scores.full())
    inside = np.ones(scores.shape, bool) if mask is None else at_middles(mask, scores.shape)
    borders = _borders(np.where(inside, means.argmax(0), -1), block)
    if borders == 0:  # nor, perhaps, any middle of a block inside of the mask
        return Evidence(means, None if mask is None else inside, 0.0, 0.0, 0.0, 1.0)
    width = (1 - float(np.square(means[:, inside]).sum(axis=0, dtype=np.float64).mean())) / 2 / borders
    return Evidence(means, None if mask is None else inside, width, width / side, borders * side, 1.0)


def _three_axes(sides: Sequence[int]) -> np.ndarray:
    """Sides of a picture of any number of axes as those of a volume, or of its blocks."""
    return np.array([math.prod(sides[:-2]), *(1, *sides)[-2:]])


def _borders(labels: np.ndarray, steps: Sequence[float]) -> float:
    """How many borders a line across a picture crosses per pixel, the mean over the axes; `steps` are in pixels.

    Labels of -1 take no part.
    """
    crossings = []
    for axis, step in enumerate(steps):
        before, after = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        pairs = (before >= 0) & (after >= 0)
        crossed, all_of_them = int(np.count_nonzero((before != after) & pairs)), int(np.count_nonzero(pairs))
        crossings.append(crossed / max(1, all_of_them) / step)
    return float(np.mean(crossings))


@dataclass(frozen=True)
class Trial:
    """What a refinement of the picture of the blocks would leave.

    Attributes
    ----------
    area : float
        The least share of its area that a label has left, among those expected on 2 % of the picture: of the smaller
        of the area expected, which is the sum of its probabilities, and of that where it was the most probable.
    kept : float
        The least share of the blocks of one label, of which the network is sure, that keep it.
    """

    area: float
    kept: float


def choose(scores: UnaryGrid, seen: Appearance, changes: dict[str, Any], n_threads: int) -> str:
    """The name of the preset for the costs of an image, whatever of it will be changed."""
    if seen.mask is not None and not scores.is_stretched:
        scores, seen = _cropped(scores, seen, box_around(seen.mask))
    evidence = evidence_of(scores, seen.mask, blocks_of(scores.shape, seen.spacing), n_threads)

    def trial(name: str) -> Trial:
        small = seen.thinned(evidence.means.shape[1:])
        kernels = small.kernels(small.in_units(presets.find(name), changes))
        return trial_of(evidence, kernels, n_threads)

    name = decide(evidence, trial, Limits())
    _log.info("auto: %s, as the network is unsure for %.2g pixels across a border", name, evidence.width)
    return name


def _cropped(scores: UnaryGrid, seen: Appearance, box: tuple[slice, ...]) -> tuple[UnaryGrid, Appearance]:
    """A part of the image: how much of it lies outside of a mask is to tell nothing."""
    assert seen.mask is not None
    values = np.ascontiguousarray(scores.values[(slice(None), *box)])
    mask = np.ascontiguousarray(seen.mask[box])
    part = replace(seen, channels=seen.channels[(slice(None), *box)], mask=mask)
    return UnaryGrid(values, mask.shape, scores.align_corners), part


def decide(evidence: Evidence, trial: Callable[[str], Trial], limits: Limits) -> str:
    """The name of the preset; `trial` of a name is called only where it counts."""
    if evidence.width < limits.sharp or evidence.share >= limits.doubtful:
        return "gentle"
    in_noise = evidence.noise > limits.noisy
    if evidence.width < limits.coarse or (evidence.crossings > limits.crowded and not in_noise):
        return "firm"

    def harmless(left: Trial, at: int, noise: bool = False) -> bool:
        return left.kept >= limits.kept[at] and (noise or left.area >= limits.area[at])

    strong = trial("strong")
    if not harmless(strong, 0, noise=in_noise):
        return "firm"
    # what strong takes away strongest takes, too: where that is too much already there is no need to try
    return "strongest" if harmless(strong, 1) and harmless(trial("strongest"), 1) else "strong"


def trial_of(evidence: Evidence, kernels: list[PairwiseKernel], n_threads: int) -> Trial:
    """Refine the probabilities of blocks and see what is left."""
    means = evidence.means[evidence.means.reshape(len(evidence.means), -1).max(1) >= _ALIVE]
    n_labels = len(means)
    if n_labels < 2:
        return Trial(1.0, 1.0)
    crf = DenseCRF(-np.log(np.maximum(means, np.float32(1e-5))), kernels, mask=evidence.inside)
    after = minimize(crf, "mean_field", max_iter=_UPDATES, n_threads=n_threads).labels
    inside = evidence.inside
    flat = (means if inside is None else means[:, inside]).reshape(n_labels, -1)
    after = after[slice(None) if inside is None else inside].reshape(-1)
    before, sure, expected = flat.argmax(0), flat.max(0) > _SURE, flat.sum(1)

    def count(where: np.ndarray) -> np.ndarray:
        return np.bincount(where, minlength=n_labels)

    areas = np.minimum(expected, count(before))
    large = (expected >= _SHARE * before.size) & (areas > 0)
    certain = count(before[sure])
    counted = certain >= max(3, _SURE_SHARE * before.size)
    kept = count(before[sure & (before == after)])
    return Trial(
        float(np.min(count(after)[large] / areas[large], initial=np.inf)),
        float(np.min(kept[counted] / certain[counted], initial=1.0)),
    )

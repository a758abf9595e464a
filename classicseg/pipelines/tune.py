"""Which parameters should the CRF have? Those that did best on images whose truth is known."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.unary import unary_from_probabilities
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.errors import InputError, InputTypeError
from classicseg.metrics import boundary_f_score, confusion_matrix, scores_of
from classicseg.pipelines.fit import is_within
from classicseg.pipelines.image import eight_bit_unit, find_channel_axis
from classicseg.pipelines.refine import refine
from classicseg.pipelines.space import Space, check_taken, random_search, space_of, space_of_refine, tpe_search
from classicseg.solvers.run import progress_bar
from classicseg.types import Shown

METRICS = ("miou", "boundary")
SEARCHES = ("random", "tpe")


@dataclass(frozen=True)
class Trial:
    """Keyword arguments of :func:`refine`, or of another CRF, and the score they reached."""

    parameters: Mapping[str, Any]
    score: float


@dataclass(frozen=True, repr=False)
class Tuned(Shown):
    """What a search found.

    Attributes
    ----------
    parameters : mapping
        Keyword arguments for :func:`refine`, or for the CRF that was tuned.
    score : float
        What they reach on the images of the search. On others it will be somewhat less.
    default_score : float
        What the default parameters reach.
    unrefined_score : float
        What the probabilities reach without a CRF.
    history : tuple of Trial
        All that was tried, in order: ``parameters`` and ``score`` of each.
    held_out_score : float or None
        With `folds`: what a search on the other folds reaches on each, all folds together.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample()
    >>> image, p, truth = s.image[::5, ::5], s.probabilities[:, ::5, ::5], s.truth[::5, ::5]
    >>> tuned = cs.tune([image], [p], [truth], ignore_label=255, budget=2)
    >>> [dict(trial.parameters) for trial in tuned.history]
    [{'preset': 'auto'}, {'preset': 'default'}]
    """

    parameters: Mapping[str, Any]
    score: float
    default_score: float
    unrefined_score: float
    history: tuple[Trial, ...]
    held_out_score: float | None = None

    def __repr__(self) -> str:
        held_out = "" if self.held_out_score is None else f", held_out_score={self.held_out_score:.4g}"
        return (
            f"Tuned(score={self.score:.4g}, default_score={self.default_score:.4g}, "
            f"unrefined_score={self.unrefined_score:.4g}{held_out}, parameters={dict(self.parameters)}, "
            f"trials={len(self.history)})"
        )


def tune(
    images: Sequence[ArrayLike],
    probabilities: Sequence[ArrayLike],
    truths: Sequence[ArrayLike],
    *,
    masks: Sequence[ArrayLike | None] | None = None,
    crf: Callable[..., np.ndarray] | None = None,
    space: Mapping[str, Any] | None = None,
    metric: Literal["miou", "boundary"] = "miou",
    budget: int = 60,
    search: Literal["random", "tpe"] = "random",
    ignore_label: int | None = None,
    tolerance: float | None = None,
    folds: int | None = None,
    rng: int | np.random.Generator = 0,
    n_threads: int | None = None,
    progress: bool = False,
) -> Tuned:
    """Search for the parameters of :func:`refine`, or another CRF, that do best on images whose truth is known.

    The presets are tried first, or with a `space` the defaults of the CRF. Half of the rest of the budget is spread
    widely, the other half around the best.

    Parameters
    ----------
    images : sequence of array_like
        As for :func:`refine`. Ranges in pixels will suit images of about their size.
    probabilities : sequence of array_like, (L, *spatial) or smaller
        Of a network that has *not* seen these images in training: on those it is too sure of itself, and the
        parameters found would be too weak.
    truths : sequence of array_like of int, spatial
    masks : sequence of array_like of bool, spatial, optional
        Pixels of each image that take part, and are scored; None for an image of which all do.
    crf : callable, optional
        What is tuned instead of :func:`refine`: ``crf(image, probabilities, **parameters)`` that returns labels. It
        needs a `space`, and defaults of all its parameters. With `masks` it gets ``mask=`` as well, None
        where all pixels take part.
    space : mapping, optional
        What is tried of each parameter: a tuple ``(low, high)`` of positive numbers between which real ones are
        searched, on a logarithmic scale, or a list of values.
    metric : {"miou", "boundary"}
        Mean IoU over all pixels, or mean :func:`boundary_f_score` of the images (2-D only).
    budget : int
        How many sets of parameters are tried, at least 1.
    search : {"random", "tpe"}
        "tpe", a tree-structured Parzen estimator [1]_ [2]_, needs ``pip install optuna``.
    ignore_label : int, optional
        True label of what is not scored.
    tolerance : float, optional
        Of :func:`boundary_f_score`.
    folds : int, optional
        Also tell what to expect on other images: image i belongs to fold ``i % folds``, and for each fold the whole
        search is done on the other folds. The parameters stay those of the search on all images. What one search has
        computed serves the others, so that all of them together cost about 1 + `folds` / 2 searches.
    rng : int or Generator
        The same seed gives the same result.
    n_threads : int, optional
        Threads of :func:`refine`; the result does not depend on it.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.

    Returns
    -------
    Tuned

    Raises
    ------
    ValueError
        If numbers or shapes do not fit, a label is out of range, there are more folds than images, or optuna is
        needed and missing, the space or the labels of `crf` do not fit, or truths hold nothing but label 0 and
        `ignore_label`.
    TypeError
        If `crf` cannot be called or has no `space`, or the space is no mapping.

    Warns
    -----
    UserWarning
        If the truths have no pixel of a label.

    References
    ----------
    .. [1] J. Bergstra, Y. Bengio, "Random search for hyper-parameter optimization", JMLR 2012.
    .. [2] J. Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample()
    >>> image, p, truth = s.image[::4, ::4], s.probabilities[:, ::4, ::4], s.truth[::4, ::4]
    >>> tuned = cs.tune([image], [p], [truth], ignore_label=255, budget=8)
    >>> tuned.score >= tuned.default_score
    True
    >>> labels = cs.refine(image, p, **tuned.parameters)

    Any other CRF, here one on the grid:

    >>> def grid(image, probabilities, strength=1.0, method="expansion"):
    ...     weights = {name: strength * w for name, w in cs.contrast_weights(image).items()}
    ...     crf = cs.GridCRF(cs.unary_from_probabilities(probabilities), cs.Potts(1), weights)
    ...     return cs.minimize(crf, method).labels
    >>> space = {"strength": (0.1, 10), "method": ["expansion", "trws"]}
    >>> tuned = cs.tune([image], [p], [truth], crf=grid, space=space, ignore_label=255, budget=4)
    >>> labels = grid(image, p, **tuned.parameters)
    """
    inputs.choice(metric, "metric", METRICS)
    inputs.choice(search, "search", SEARCHES)
    n_trials = inputs.as_count(budget, "budget", 1)
    if crf is not None and not callable(crf):
        raise InputTypeError(f"crf must be callable, got {type(crf).__name__}")
    if crf is not None and space is None:
        raise InputTypeError("space must be given with crf: what to try of each of its parameters")
    if crf is not None and masks is not None:
        check_taken(["mask"], crf, "masks are given as")
    call = partial(refine, n_threads=n_threads) if crf is None else crf
    seed = rng if isinstance(rng, (int, np.integer)) else int(inputs.as_generator(rng).integers(2**63))
    inputs.as_generator(seed)
    score = _Score(images, probabilities, truths, masks, metric, ignore_label, tolerance, call)
    searched = space_of_refine(score.unit()) if space is None else space_of(space, crf)
    n_folds = 0 if folds is None else inputs.as_count(folds, "folds", 2)
    if n_folds > len(score.images):
        raise InputError(f"folds must be at most the number of images, {len(score.images)}, got {n_folds}")
    _check_counts(score, ignore_label)
    everyone = range(len(score.images))
    bar = progress_bar("tune", n_trials * (1 + n_folds)) if inputs.as_flag(progress, "progress") else None
    try:
        history = _searched(score, everyone, n_trials, searched, search, seed, bar)
        chosen: dict[int, Mapping[str, Any]] = {}
        for fold in range(n_folds):
            others = [i for i in everyone if i % n_folds != fold]
            best = _best(_searched(score, others, n_trials, searched, search, seed, bar))
            chosen.update({i: best.parameters for i in everyone if i % n_folds == fold})
    finally:
        if bar is not None:
            bar.close()
    best = _best(history)
    return Tuned(
        parameters=best.parameters,
        score=best.score,
        default_score=history[0].score,
        unrefined_score=score.unrefined(),
        history=tuple(history),
        held_out_score=score.of_each(chosen) if chosen else None,
    )


def _shape_of(truth: ArrayLike, p: np.ndarray, name: str) -> tuple[int, ...]:
    """What the shape of a truth is to be: any, where it has as many axes and the probabilities are nowhere larger."""
    given = inputs.read(truth, name).shape
    return given if is_within(p.shape[1:], given) else p.shape[1:]


def _check_counts(score: _Score, ignored: int | None) -> None:
    """Refuse truths of label 0 alone beside what is ignored, and warn of labels without a pixel."""
    counts, n_ignored = np.zeros(score.n_labels, np.int64), 0
    for truth, mask in zip(score.truths, score.masks, strict=True):
        inside = truth.ravel() if mask is None else truth[mask]
        scored = inside if ignored is None else inside[inside != ignored]
        counts += np.bincount(scored, minlength=score.n_labels)
        n_ignored += inside.size - scored.size
    if n_ignored and counts[0] and not counts[1:].any():
        raise InputError(
            f"truths hold 0 and {ignored} only, and ignore_label={ignored} leaves nothing to be scored but label 0; if "
            f"{ignored} means label 1, pass truth == {ignored} and no ignore_label"
        )
    missing = np.flatnonzero(counts == 0)
    if missing.size and counts.any():
        warnings.warn(f"truths have no pixel of label {', '.join(map(str, missing))}", stacklevel=3)


def _best(history: list[Trial]) -> Trial:
    return max(history, key=lambda trial: trial.score)


def _searched(
    score: _Score, members: Sequence[int], n_trials: int, space: Space, search: str, seed: int | np.integer, bar: Any
) -> list[Trial]:
    """All trials of one search on some of the images; the first is the default."""
    history: list[Trial] = []

    def attempt(parameters: dict[str, Any]) -> float:
        history.append(Trial(MappingProxyType(parameters), score.of_each(dict.fromkeys(members, parameters))))
        if bar is not None:
            bar.update()
        return history[-1].score

    for parameters in space.first[:n_trials]:
        attempt(parameters)
    explore = random_search if search == "random" else tpe_search
    explore(attempt, n_trials - len(history), space, np.random.default_rng(seed))
    return history


class _Score:
    """The score of a set of parameters on all images."""

    def __init__(
        self,
        images: Sequence[ArrayLike],
        probabilities: Sequence[ArrayLike],
        truths: Sequence[ArrayLike],
        masks: Sequence[ArrayLike | None] | None,
        metric: str,
        ignore_label: int | None,
        tolerance: float | None,
        crf: Callable[..., np.ndarray],
    ) -> None:
        images = inputs.as_sequence(images, "images", "arrays")
        probabilities = inputs.as_sequence(probabilities, "probabilities", "arrays")
        truths = inputs.as_sequence(truths, "truths", "arrays")
        if not len(images) == len(probabilities) == len(truths) or len(images) == 0:
            raise InputError(
                "images, probabilities and truths must be as many, at least 1, got "
                f"{len(images)}, {len(probabilities)} and {len(truths)}"
            )
        self.has_masks = masks is not None
        given = [None] * len(images) if masks is None else inputs.as_sequence(masks, "masks", "arrays or None")
        if len(given) != len(images):
            raise InputError(f"masks must be as many as images, {len(images)}, got {len(given)}")
        self.images = [inputs.read(image, f"images[{i}]") for i, image in enumerate(images)]
        self.probabilities: list[np.ndarray] = []
        self.masks: list[np.ndarray | None] = []
        for i, (p, mask) in enumerate(zip(probabilities, given, strict=True)):
            filled, inside = inputs.probabilities_inside(p, mask, name=f"probabilities[{i}]")
            self.probabilities.append(inputs.as_numbers(filled, f"probabilities[{i}]", range(2, 5)))
            self.masks.append(inside)
        self.n_labels = len(self.probabilities[0])
        if any(len(p) != self.n_labels for p in self.probabilities):
            raise InputError("all probabilities must have the same number of labels")
        pairs = zip(truths, self.probabilities, strict=True)
        shapes = [_shape_of(truth, p, f"truths[{i}]") for i, (truth, p) in enumerate(pairs)]
        self.masks = [
            None if mask is None else inputs.as_mask(mask, shape, name=f"masks[{i}]")
            for i, (mask, shape) in enumerate(zip(self.masks, shapes, strict=True))
        ]
        self.truths = [
            inputs.as_labels(truth, shape, self.n_labels, ignore_label, name=f"truths[{i}]", mask=mask)
            for i, (truth, shape, mask) in enumerate(zip(truths, shapes, self.masks, strict=True))
        ]
        if tolerance is not None:
            tolerance = inputs.as_positive_number(tolerance, "tolerance")
        self.metric, self.ignore, self.tolerance, self.crf = metric, ignore_label, tolerance, crf
        self._known: dict[tuple[int, frozenset[tuple[str, type, Any]]], Any] = {}

    def unit(self) -> float:
        """What a step of an 8-bit image is in the first image; all of them have to be images for :func:`refine`."""
        units = []
        for i, (image, truth) in enumerate(zip(self.images, self.truths, strict=True)):
            axis = find_channel_axis(image, truth.shape, f"probabilities[{i}]")
            mask = self.masks[i]
            seen = inputs.image_inside(image, mask, axis, name=f"images[{i}]")
            channels = inputs.as_image(seen, truth.shape, axis, name=f"images[{i}]", keep_bytes=True)
            units.append(eight_bit_unit(*inputs.value_range(channels if mask is None else channels[:, mask], 0)))
        return units[0]

    def of_each(self, parameters: Mapping[int, Mapping[str, Any]]) -> float:
        """Of some images, given by number, each with parameters of its own."""
        return self._joined([self._part(i, chosen) for i, chosen in parameters.items()])

    def unrefined(self) -> float:
        """Of the probabilities alone."""
        return self._joined([self._compared(i, self._cheapest(i)) for i in range(len(self.images))])

    def _cheapest(self, i: int) -> np.ndarray:
        p, shape = self.probabilities[i], self.truths[i].shape
        if p.shape[1:] == shape:
            return p.argmax(0)
        return UnaryGrid(unary_from_probabilities(p), shape, align_corners=False).cheapest()

    def _part(self, i: int, parameters: Mapping[str, Any]) -> Any:
        """What an image adds to the score; folds share most of these."""
        key = i, frozenset((name, type(value), value) for name, value in parameters.items())  # 1 is not True
        if key not in self._known:
            p, mask = self.probabilities[i], self.masks[i]
            labels = self.crf(self.images[i], p, **({"mask": mask} if self.has_masks else {}), **parameters)
            shape = self.truths[i].shape
            checked = inputs.as_labels(labels, shape, self.n_labels, None, name="labels of crf", mask=mask)
            self._known[key] = self._compared(i, checked)
        return self._known[key]

    def _compared(self, i: int, labels: np.ndarray) -> Any:
        truth, mask, ignored = self.truths[i], self.masks[i], self.ignore
        if mask is not None:
            ignored = inputs.OUTSIDE if ignored is None else ignored
            truth = np.where(mask, truth, np.int32(ignored))
        if self.metric == "miou":
            return confusion_matrix(labels, truth, self.n_labels, ignore_label=ignored)
        return boundary_f_score(labels, truth, self.n_labels, tolerance=self.tolerance, ignore_label=ignored)

    def _joined(self, parts: list[Any]) -> float:
        return scores_of(np.sum(parts, axis=0)).mean_iou if self.metric == "miou" else float(np.mean(parts))

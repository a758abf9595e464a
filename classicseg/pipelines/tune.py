"""Which parameters should the CRF have? Those that did best on images whose truth is known."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.pipelines.presets import check_names, names_of
from classicseg.pipelines.refine import refine
from classicseg.pipelines.space import Space, check_taken, random_search, space_of, space_of_refine, tpe_search
from classicseg.pipelines.tune_score import Examples, Given, Score
from classicseg.solvers.run import progress_bar
from classicseg.types import Shown

METRICS = ("miou", "boundary")
SEARCHES = ("random", "tpe")
_BUDGET = 60  # half of it finds the region, half of it the best in there
_GIVEN_AS = {"mask": "masks are given as", "temperature": "calibrate=True finds"}


class Options(TypedDict, total=False):
    """What a call of :func:`tune` may say of how to search; None is as if not given."""

    metric: Literal["miou", "boundary"] | None
    budget: int | None
    search: Literal["random", "tpe"] | None
    tolerance: float | None
    folds: int | None
    rng: int | np.random.Generator | None
    n_threads: int | None
    progress: bool | None


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
    temperature : float or None
        With `calibrate`: what scores are divided by, as logits. It is one of the `parameters` as well.

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
    temperature: float | None = None

    def __repr__(self) -> str:
        held_out = "" if self.held_out_score is None else f", held_out_score={self.held_out_score:.4g}"
        return (
            f"Tuned(score={self.score:.4g}, default_score={self.default_score:.4g}, "
            f"unrefined_score={self.unrefined_score:.4g}{held_out}, parameters={dict(self.parameters)}, "
            f"trials={len(self.history)})"
        )


def tune(
    images: Sequence[ArrayLike],
    probabilities: Sequence[ArrayLike] | None = None,
    truths: Sequence[ArrayLike] | None = None,
    *,
    logits: Sequence[ArrayLike] | None = None,
    masks: Sequence[ArrayLike | None] | None = None,
    crf: Callable[..., np.ndarray] | None = None,
    space: Mapping[str, Any] | None = None,
    ignore_label: int | None = None,
    calibrate: bool = False,
    **options: Unpack[Options],
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
    logits : sequence of array_like, (L, *spatial) or smaller, optional
        Instead of probabilities: ``tune(images, truths=truths, logits=logits)``.
    masks : sequence of array_like of bool, spatial, optional
        Pixels of each image that take part, and are scored; None for an image of which all do.
    crf : callable, optional
        What is tuned instead of :func:`refine`: ``crf(image, probabilities, **parameters)`` that returns labels, or
        ``crf(image, logits, **parameters)`` if logits are given. It needs a `space`, and defaults of all its
        parameters. With `masks` it gets ``mask=`` as well, None where all pixels take part, and with `calibrate`
        ``temperature=``.
    space : mapping, optional
        What is tried of each parameter: a tuple ``(low, high)`` of positive numbers between which real ones are
        searched, on a logarithmic scale, or a list of values.
    ignore_label : int, optional
        True label of what is not scored.
    calibrate : bool
        First find the temperature [3]_ at which the scores explain the truths best, and use it in all trials. It is
        one of the parameters that are found, so that ``refine(image, p, **tuned.parameters)`` applies it.
    **options
        How to search:

        metric : {"miou", "boundary"}
            Mean IoU over all pixels, the default, or mean :func:`boundary_f_score` of the images (2-D only).
        budget : int
            How many sets of parameters are tried, at least 1 and by default 60.
        search : {"random", "tpe"}
            "tpe", a tree-structured Parzen estimator [1]_ [2]_, needs ``pip install optuna``.
        tolerance : float
            Of :func:`boundary_f_score`.
        folds : int
            Also tell what to expect on other images: image i belongs to fold ``i % folds``, and for each fold the whole
            search is done on the other folds. The parameters stay those of the search on all images. What one search
            has computed serves the others, so that all of them together cost about 1 + `folds` / 2 searches; with
            `calibrate` each has a temperature of its own and they cost 1 + `folds`.
        rng : int or Generator
            The same seed gives the same result; 0 if not given.
        n_threads : int
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
        If not exactly one of `probabilities` and `logits` is given, or no `truths`, `crf` cannot be called or has no
        `space`, the space is no mapping, or there is no such option.

    Warns
    -----
    UserWarning
        If the truths have no pixel of a label.

    References
    ----------
    .. [1] J. Bergstra, Y. Bengio, "Random search for hyper-parameter optimization", JMLR 2012.
    .. [2] J. Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011.
    .. [3] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
       :arxiv:`1706.04599`

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample()
    >>> image, p, truth = s.image[::4, ::4], s.probabilities[:, ::4, ::4], s.truth[::4, ::4]
    >>> tuned = cs.tune([image], [p], [truth], ignore_label=255, budget=8)
    >>> tuned.score >= tuned.default_score
    True
    >>> labels = cs.refine(image, p, **tuned.parameters)

    A network that is too sure of itself gets a temperature above 1:

    >>> tuned = cs.tune([image], [p], [truth], ignore_label=255, budget=1, calibrate=True)
    >>> dict(tuned.parameters), tuned.temperature > 1
    ({'preset': 'auto', 'temperature': ...}, ...)

    Any other CRF, here one on the grid:

    >>> def grid(image, probabilities, strength=1.0, method="expansion"):
    ...     weights = {name: strength * w for name, w in cs.contrast_weights(image).items()}
    ...     crf = cs.GridCRF(cs.unary_from_probabilities(probabilities), cs.Potts(1), weights)
    ...     return cs.minimize(crf, method).labels
    >>> space = {"strength": (0.1, 10), "method": ["expansion", "trws"]}
    >>> tuned = cs.tune([image], [p], [truth], crf=grid, space=space, ignore_label=255, budget=4)
    >>> labels = grid(image, p, **tuned.parameters)
    """
    check_names(options, names_of(tune, Options), "tune has no parameter")
    asked: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    metric = inputs.choice(asked.get("metric", METRICS[0]), "metric", METRICS)
    search = inputs.choice(asked.get("search", SEARCHES[0]), "search", SEARCHES)
    n_trials = inputs.as_count(asked.get("budget", _BUDGET), "budget", 1)
    calibrated = inputs.as_flag(calibrate, "calibrate")
    _check_crf(crf, space, [name for name, has in (("mask", masks is not None), ("temperature", calibrated)) if has])
    rng = asked.get("rng", 0)
    seed = int(rng if isinstance(rng, (int, np.integer)) else inputs.as_generator(rng).integers(2**63))
    inputs.as_generator(seed)
    examples = Examples(Given(images, probabilities, logits, truths, masks, ignore_label))
    call = _refine_by(examples.kind, asked.get("n_threads")) if crf is None else crf
    score = Score(examples, metric, asked.get("tolerance"), call)
    searched = space_of_refine(examples.unit()) if space is None else space_of(space, crf)
    n_folds = inputs.as_count(asked["folds"], "folds", 2) if "folds" in asked else 0
    if n_folds > len(examples.images):
        raise InputError(f"folds must be at most the number of images, {len(examples.images)}, got {n_folds}")
    _check_counts(examples)
    everyone = range(len(examples.images))
    shown = inputs.as_flag(asked.get("progress", False), "progress")
    bar = progress_bar("tune", n_trials * (1 + n_folds)) if shown else None

    def found_on(members: Sequence[int]) -> tuple[Trial, ...]:
        fixed = {"temperature": examples.temperature(members)} if calibrated else {}
        return _searched(partial(score.of_all, members), n_trials, searched, search, seed, fixed, bar)

    try:
        history = found_on(everyone)
        chosen: dict[int, Mapping[str, Any]] = {}
        for fold in range(n_folds):
            best = _best(found_on([i for i in everyone if i % n_folds != fold]))
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
        history=history,
        held_out_score=score.of_each(chosen) if chosen else None,
        temperature=best.parameters["temperature"] if calibrated else None,
    )


def _check_crf(crf: Any, space: Mapping[str, Any] | None, passed: Sequence[str]) -> None:
    """Refuse a CRF without a space, or without a parameter that is `passed` to it, and a space of such."""
    if crf is not None and not callable(crf):
        raise InputTypeError(f"crf must be callable, got {type(crf).__name__}")
    if crf is not None and space is None:
        raise InputTypeError("space must be given with crf: what to try of each of its parameters")
    for name in passed:
        if crf is not None:
            check_taken([name], crf, _GIVEN_AS[name])
        if space is not None and name in space:
            raise InputError(f"space must not name {name!r}: {_GIVEN_AS[name]} {name!r}")


def _refine_by(kind: str, n_threads: int | None) -> Callable[..., np.ndarray]:
    """:func:`refine` as a CRF of an image and scores of this kind."""

    def call(image: np.ndarray, scores: np.ndarray, **parameters: Any) -> np.ndarray:
        if kind == "logits":
            return refine(image, logits=scores, n_threads=n_threads, **parameters)
        return refine(image, scores, n_threads=n_threads, **parameters)

    return call


def _check_counts(examples: Examples) -> None:
    """Refuse truths of label 0 alone beside what is ignored, and warn of labels without a pixel."""
    ignored = examples.ignore
    counts, n_ignored = np.zeros(examples.n_labels, np.int64), 0
    for truth, mask in zip(examples.truths, examples.masks, strict=True):
        inside = truth.ravel() if mask is None else truth[mask]
        scored = inside if ignored is None else inside[inside != ignored]
        counts += np.bincount(scored, minlength=examples.n_labels)
        n_ignored += inside.size - scored.size
    if n_ignored and counts[0] and not counts[1:].any():
        raise InputError(
            f"truths hold 0 and {ignored} only, and ignore_label={ignored} leaves nothing to be scored but label 0; if "
            f"{ignored} means label 1, pass truth == {ignored} and no ignore_label"
        )
    missing = np.flatnonzero(counts == 0)
    if missing.size and counts.any():
        warnings.warn(f"truths have no pixel of label {', '.join(map(str, missing))}", stacklevel=3)


def _best(history: Sequence[Trial]) -> Trial:
    return max(history, key=lambda trial: trial.score)


def _searched(
    scored: Callable[[Mapping[str, Any]], float],
    n_trials: int,
    space: Space,
    search: str,
    seed: int,
    fixed: Mapping[str, Any],
    bar: Any,
) -> tuple[Trial, ...]:
    """All trials of one search, with some parameters `fixed`; the first is the default."""
    history: list[Trial] = []

    def attempt(parameters: dict[str, Any]) -> float:
        parameters = {**parameters, **fixed}
        history.append(Trial(MappingProxyType(parameters), scored(parameters)))
        if bar is not None:
            bar.update()
        return history[-1].score

    for parameters in space.first[:n_trials]:
        attempt(parameters)
    explore = random_search if search == "random" else tpe_search
    explore(attempt, n_trials - len(history), space, np.random.default_rng(seed))
    return tuple(history)

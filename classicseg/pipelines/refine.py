"""From the scores of a network to a crisp segmentation."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.unary import unary_from_logits, unary_from_probabilities
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines import presets, strength
from classicseg.pipelines.appearance import Appearance
from classicseg.pipelines.fit import fit_scores, pixels_by_point
from classicseg.pipelines.presets import Changes, Preset
from classicseg.solvers.minimize import minimize

_INSTEAD = {"max_iter": "max_iter", "exact": "prune"}  # what a parameter of `refine` is called in `minimize`


def refine(
    image: ArrayLike,
    probabilities: ArrayLike | None = None,
    *,
    logits: ArrayLike | None = None,
    unary: ArrayLike | None = None,
    preset: str | Preset = presets.AUTO,
    label_axis: int = 0,
    channel_axis: int | Literal["infer"] | None = "infer",
    n_threads: int | None = None,
    progress: bool = False,
    **changes: Unpack[Changes],
) -> np.ndarray:
    """Segment an image: probabilities of a network in, crisp labels that follow the image out.

    Builds a dense CRF of a smoothness and an appearance kernel [1]_ and runs mean field.

    Parameters
    ----------
    image : array_like, (H, W), (H, W, C), (D, H, W) or (D, H, W, C)
        Any real dtype and number of channels.
    probabilities : array_like, (L, *spatial) or (L, *smaller)
        Probabilities of a softmax. Give exactly one of `probabilities`, `logits` and `unary`. They may be smaller than
        the image, as most networks give them, see Notes.
    logits : array_like, (L, *spatial) or (L, *smaller), optional
        Scores before the softmax.
    unary : array_like, (L, *spatial) or (L, *smaller), optional
        Costs, such as :func:`unary_from_sigmoid` makes of one foreground channel.
    preset : str or Preset
        Parameters: ``"default"``, ``"conservative"``, ``"deeplab"``, ``"irnet"``, ``"pydensecrf"``, or your own.
    label_axis : int
        Where the labels are.
    channel_axis : int, None or "infer"
        Where the channels of the image are, None if it has no such axis. By default whatever makes the shape of the
        image fit that of the probabilities.
    n_threads : int, optional
        Threads; the labels do not depend on it.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.
    **changes
        Replace single parameters of the preset:

        sigma, weight : float
            Range and weight of the smoothness kernel. Ranges are in pixels times `spacing`, one number or one for each
            axis. A weight of 0 leaves a kernel out.
        bilateral_sigma, bilateral_weight : float
            Range and weight of the appearance kernel.
        color_sigma : float or sequence of float
            Range of the appearance kernel in the units of the image. That of a preset is in units of 8-bit images,
            which follow the range of the image, see Notes.
        max_iter : int
            Mean-field updates.
        quality : {"fast", "high", "exact"}
            How kernels are filtered, see :class:`DenseCRF`.
        spacing : float or sequence of float
            Distance of neighbouring pixels along each axis, 1 in all presets.
        align_corners : bool
            How scores that are smaller lie on the image, see :class:`DenseCRF`. False, the default, as most networks
            have it.
        dilution : float
            How much less scores count that are smaller, 0 for not at all, see :class:`Preset` and Notes.
        exact : bool
            Do all of the work. By default labels that can win nowhere are left out, and pixels that cannot change any
            more are left alone, if an estimate says that this changes the labels of at most 1 pixel in 1000; usually it
            changes none in 10,000. See ``prune`` of the method ``"mean_field"``.

    Returns
    -------
    ndarray, spatial shape, int32
        Labels. For marginals and energies call ``minimize(refinement_crf(...))``.

    Raises
    ------
    ValueError
        If shapes do not fit, values are not finite, probabilities do not sum to 1 over the labels but along another
        axis, a batch of images may be meant, or a parameter is out of its range.
    TypeError
        If not exactly one of `probabilities`, `logits` and `unary` is given, or a dtype cannot work.

    Notes
    -----
    The default preset was chosen by measurement on images of roads, horses, retinal vessels and mixed objects
    (``benchmarks/pipelines/choose_defaults.py``). Its smoothness kernel has a *negative* weight and the range of the
    appearance kernel, which is 0.3 of the mean side of the image: pixels of the same colour count only by what tells
    them from pixels of any colour. So a thin vessel is not outvoted by the wide background around it, which is what
    positive weights do. For very noisy outputs, where all small things are to go, take ``"pydensecrf"``.

    An 8-bit unit is a 255th of the range of the image, from its smallest to its largest value but for one in 1000 at
    either end and for marks of no data such as -9999. Equal values have equal units, whatever their dtype.

    Scores smaller than the image are interpolated linearly, as logits, while the CRF runs: no array is made of the size
    of enlarged ones. Any ratio from 1 on is taken, also one for each axis. Scores are to cover the whole image: if it
    was padded or cropped for the network, pass the part that it saw. Interpolated scores repeat at many pixels what the
    network said once; the presets ``"default"`` and ``"conservative"`` therefore let them count less, by a power of the
    ratio (`dilution`) that was chosen by leaving out whole data sets (``benchmarks/pipelines/small_quality.py``). With
    ``dilution=0`` labels are those of logits that were enlarged before.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample()
    >>> labels = cs.refine(s.image, s.probabilities)
    >>> before, after = (cs.scores(l, s.truth, ignore_label=255) for l in (s.probabilities.argmax(0), labels))
    >>> after.accuracy > before.accuracy
    True
    """
    replaced = _checked(preset, changes)
    costs, name = _unary(image, probabilities, logits, unary, label_axis, channel_axis)
    crf, chosen = _crf(image, costs, name, preset, replaced, channel_axis, n_threads)
    result = minimize(
        crf, "mean_field", max_iter=chosen.max_iter, n_threads=n_threads, progress=progress, marginals=False,
        prune=not replaced.get("exact", False),
    )  # fmt: skip
    return result.labels


def refinement_crf(
    image: ArrayLike,
    probabilities: ArrayLike | None = None,
    *,
    logits: ArrayLike | None = None,
    unary: ArrayLike | None = None,
    preset: str | Preset = presets.AUTO,
    label_axis: int = 0,
    channel_axis: int | Literal["infer"] | None = "infer",
    **changes: Unpack[Changes],
) -> DenseCRF:
    """Return the dense CRF that :func:`refine` minimises, for marginals, energies and step-by-step work.

    Parameters
    ----------
    image, probabilities, logits, unary, preset, label_axis, channel_axis, **changes
        As in :func:`refine`, but `max_iter` and `exact`, which belong to :func:`minimize` (the latter as `prune`).

    Returns
    -------
    DenseCRF

    Raises
    ------
    ValueError, TypeError
        As :func:`refine` does.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample()
    >>> result = cs.minimize(cs.refinement_crf(s.image, s.probabilities), max_iter=5)
    >>> result.marginals.shape
    (5, 400, 600)
    """
    replaced = _checked(preset, changes)
    for given in replaced.keys() & _INSTEAD.keys():
        raise InputTypeError(f"refinement_crf makes no updates; pass {_INSTEAD[given]} to minimize")
    costs, name = _unary(image, probabilities, logits, unary, label_axis, channel_axis)
    return _crf(image, costs, name, preset, replaced, channel_axis)[0]


@cache
def parameters_of_refine() -> tuple[str, ...]:
    """Names of all that :func:`refine` can be told, beside the image and the probabilities."""
    named = inspect.signature(refine).parameters.values()
    return (*Changes.__annotations__, *(p.name for p in named if p.kind is p.KEYWORD_ONLY))


def _checked(preset: str | Preset, changes: Changes) -> dict[str, Any]:
    """The changes that are given; refuses unknown names, that of the preset included."""
    if preset != presets.AUTO:
        presets.find(preset)
    presets.check_names(changes, parameters_of_refine(), "refine has no parameter")
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    for name in given.keys() & {"sigma", "bilateral_sigma", "color_sigma", "spacing"}:  # kernels call them otherwise
        inputs.as_scale(given[name], name, None)
    for name in given.keys() & {"weight", "bilateral_weight", "dilution"}:
        inputs.as_weight(given[name], name)
    if "exact" in given:
        inputs.as_flag(given["exact"], "exact")
    return given


def _crf(
    image: ArrayLike,
    costs: np.ndarray,
    name: str,
    preset: str | Preset,
    changes: dict[str, Any],
    channel_axis: int | Literal["infer"] | None,
    n_threads: int | None = None,
) -> tuple[DenseCRF, Preset]:
    """The CRF of a preset in its own units, and of changes in pixels and in the units of the image.

    `name` is what the costs were made of, for errors. Also returns the preset with the changes, in the units of the
    image.
    """
    axis, spatial = fit_scores(image, costs, name, channel_axis)
    aligned = changes.get("align_corners", False)
    changes = {name: value for name, value in changes.items() if name not in ("align_corners", "exact")}
    named = None if preset == presets.AUTO else presets.find(preset)
    spacing = changes.get("spacing", 1.0 if named is None else named.spacing)
    seen = Appearance.of(image, spatial, axis, spacing)
    if named is None:
        scores = UnaryGrid(costs, spatial, aligned)
        named = presets.find(strength.choose(scores, seen, changes, resolve_threads(n_threads)))
    chosen = seen.in_units(named, changes)
    diluted = costs
    if chosen.dilution != 0 and spatial != costs.shape[1:]:
        diluted = costs * np.float32(pixels_by_point(spatial, costs.shape[1:]) ** -chosen.dilution)
    crf = DenseCRF(diluted, seen.kernels(chosen), quality=chosen.quality, shape=spatial, align_corners=aligned)
    return crf, chosen


def _unary(
    image: ArrayLike,
    probabilities: ArrayLike | None,
    logits: ArrayLike | None,
    unary: ArrayLike | None,
    label_axis: int,
    channel_axis: int | Literal["infer"] | None,
) -> tuple[np.ndarray, str]:
    """The costs, and the name of the argument that they come from."""
    given = {"probabilities": probabilities, "logits": logits, "unary": unary}
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise InputTypeError(
            f"exactly one of probabilities, logits and unary must be given, got {' and '.join(names) or 'none'}"
        )
    if probabilities is not None:
        costs = unary_from_probabilities(probabilities, label_axis=label_axis)
    elif logits is not None:
        costs = unary_from_logits(logits, label_axis=label_axis)
    else:
        assert unary is not None
        costs = inputs.as_unary(unary, label_axis)
    if isinstance(channel_axis, str) and channel_axis == "infer":
        _refuse_batches(image, names[0], costs, label_axis)
    return costs, names[0]


def _refuse_batches(image: ArrayLike, name: str, costs: np.ndarray, label_axis: int) -> None:
    """A batch of images fits like a volume where there are as many labels, or where the labels are said to come second.

    Probabilities tell which axis is that of the labels, by their sums; logits and costs do not.
    """
    if costs.ndim != 4:
        return
    n_labels, n_slices = costs.shape[:2]
    of_image = inputs.as_array(image, "image").shape
    named_second = label_axis % 4 == 1 and of_image[-1:] == (3,) and len(of_image) == 4
    axis, spatial = fit_scores(image, costs, name, "infer")
    as_many = n_slices == n_labels or (of_image[0] == n_labels and spatial != costs.shape[1:])
    if named_second or (as_many and name != "probabilities"):
        raise InputError(
            f"image of shape {of_image} with {name} of {n_labels} labels at {costs.shape[1:]} pixels may be "
            f"{n_slices} images or a volume of {n_slices} slices; give one image at a time, or for a volume pass "
            f"channel_axis={axis}"
        )

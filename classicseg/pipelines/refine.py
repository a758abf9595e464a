"""From the scores of a network to a crisp segmentation."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.kernels import BilateralKernel, GaussianKernel
from classicseg.energies.unary import unary_from_logits, unary_from_probabilities
from classicseg.errors import InputError, InputTypeError
from classicseg.pipelines import presets
from classicseg.pipelines.fit import fit_scores, pixels_by_point
from classicseg.pipelines.image import eight_bit_unit
from classicseg.pipelines.masks import as_masks, refine_masks
from classicseg.pipelines.presets import Changes, Preset
from classicseg.solvers.minimize import minimize


def refine(
    image: ArrayLike,
    probabilities: ArrayLike | None = None,
    *,
    logits: ArrayLike | None = None,
    unary: ArrayLike | None = None,
    preset: str | Preset = "default",
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
        Scores before the softmax; or what a network returned, an object with ``.logits``. Tensors of PyTorch on the CPU
        are read where they are, and a batch may hold one image, (1, L, *spatial).
    unary : array_like, (L, *spatial) or (L, *smaller), optional
        Costs, such as :func:`unary_from_sigmoid` makes of one foreground channel.
    preset : str or Preset
        Parameters: ``"default"``, ``"conservative"``, ``"deeplab"``, ``"irnet"``, ``"cutler"``,
        ``"pydensecrf"``, or your own.
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
        independent : bool
            Whether the labels are masks that may overlap, as those of SAM, Mask R-CNN and networks with sigmoids: each
            of the (N, *spatial) `logits` or `probabilities` is that of a foreground against its own background.

    Returns
    -------
    ndarray, spatial shape, int32
        Labels; with `independent` N masks of 0 and 1, (N, *spatial) uint8. For marginals and energies call
        ``minimize(refinement_crf(...))``.

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
    ratio (`dilution`) that was chosen by leaving out whole data sets (``benchmarks/pipelines/small_logits.py``). With
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
    chosen, replaced = presets.find(preset), _checked(changes)
    settings = {"max_iter": replaced.get("max_iter", chosen.max_iter), "n_threads": n_threads, "progress": progress}
    if replaced.pop("independent", False):
        scores, name = _scores(image, probabilities, logits, unary, label_axis, channel_axis)
        masks = as_masks(scores, name, label_axis)
        dilution = replaced.get("dilution", chosen.dilution)
        return refine_masks(
            masks, name, lambda c: _crf(image, c, name, chosen, replaced, channel_axis),
            lambda c, spatial: _diluted(c, spatial, dilution), **settings,
        )  # fmt: skip
    costs, name = _unary(image, probabilities, logits, unary, label_axis, channel_axis)
    crf = _crf(image, costs, name, chosen, replaced, channel_axis)
    return minimize(crf, "mean_field", marginals=False, **settings).labels


def refinement_crf(
    image: ArrayLike,
    probabilities: ArrayLike | None = None,
    *,
    logits: ArrayLike | None = None,
    unary: ArrayLike | None = None,
    preset: str | Preset = "default",
    label_axis: int = 0,
    channel_axis: int | Literal["infer"] | None = "infer",
    **changes: Unpack[Changes],
) -> DenseCRF:
    """Return the dense CRF that :func:`refine` minimises, for marginals, energies and step-by-step work.

    Parameters
    ----------
    image, probabilities, logits, unary, preset, label_axis, channel_axis, **changes
        As in :func:`refine`, but `max_iter`, which belongs to :func:`minimize`.

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
    chosen, replaced = presets.find(preset), _checked(changes)
    if "max_iter" in replaced:
        raise InputTypeError("refinement_crf makes no updates; pass max_iter to minimize")
    if replaced.pop("independent", False):
        raise InputTypeError("refinement_crf makes one CRF, of one mask; pass unary=unary_from_sigmoid(mask)")
    costs, name = _unary(image, probabilities, logits, unary, label_axis, channel_axis)
    return _crf(image, costs, name, chosen, replaced, channel_axis)


@cache
def parameters_of_refine() -> tuple[str, ...]:
    """Names of all that :func:`refine` can be told, beside the image and the probabilities."""
    named = inspect.signature(refine).parameters.values()
    return (*Changes.__annotations__, *(p.name for p in named if p.kind is p.KEYWORD_ONLY))


def _checked(changes: Changes) -> dict[str, Any]:
    """Those that are given; refuses unknown names."""
    presets.check_names(changes, parameters_of_refine(), "refine has no parameter")
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    for name in given.keys() & {"sigma", "bilateral_sigma", "color_sigma", "spacing"}:  # kernels call them otherwise
        inputs.as_scale(given[name], name, None)
    if "independent" in given:
        inputs.as_flag(given["independent"], "independent")
    for name in given.keys() & {"weight", "bilateral_weight", "dilution"}:
        inputs.as_weight(given[name], name)
    return given


def _crf(
    image: ArrayLike,
    costs: np.ndarray,
    name: str,
    preset: Preset,
    changes: dict[str, Any],
    channel_axis: int | Literal["infer"] | None,
) -> DenseCRF:
    """The CRF of a preset in its own units, and of changes in pixels and in the units of the image.

    `name` is what the costs were made of, for errors.
    """
    axis, spatial = fit_scores(image, costs, name, channel_axis)
    spacing = changes.get("spacing", preset.spacing)
    side = _mean_side(spatial, spacing) if preset.relative else 1.0
    chosen = preset.in_pixels(side).replace(**{name: x for name, x in changes.items() if name != "align_corners"})
    for weight in ("weight", "bilateral_weight"):
        inputs.as_weight(getattr(chosen, weight), weight)
    inputs.as_scale(chosen.bilateral_sigma, "bilateral_sigma", len(spatial))  # the kernel calls it sigma
    kernels: list[Any] = []
    if chosen.weight != 0:
        kernels.append(GaussianKernel(chosen.sigma, chosen.weight, spacing=spacing))
    if chosen.bilateral_weight != 0:
        channels = inputs.as_image(image, spatial, axis, keep_bytes=True)
        low, high = inputs.value_range(channels, 0)
        colors = chosen.color_sigma
        if "color_sigma" not in changes:
            colors = presets.scaled(colors, eight_bit_unit(low, high), "color_sigma")
            inputs.as_scale(colors, "color_sigma, which follows the range of image,", None)
        ranges = chosen.bilateral_sigma, colors, chosen.bilateral_weight
        seen = inputs.without_far_values(channels, low, high)
        kernels.append(BilateralKernel(seen, *ranges, spacing=spacing, channel_axis=0))
    diluted = _diluted(costs, spatial, chosen.dilution)
    aligned = changes.get("align_corners", False)
    return DenseCRF(diluted, kernels, quality=chosen.quality, shape=spatial, align_corners=aligned)


def _diluted(costs: np.ndarray, spatial: tuple[int, ...], dilution: float) -> np.ndarray:
    """Costs as they count: less if they are those of fewer points than pixels."""
    if dilution == 0 or spatial == costs.shape[1:]:
        return costs
    return costs * np.float32(pixels_by_point(spatial, costs.shape[1:]) ** -dilution)


def _unary(
    image: ArrayLike,
    probabilities: ArrayLike | None,
    logits: ArrayLike | None,
    unary: ArrayLike | None,
    label_axis: int,
    channel_axis: int | Literal["infer"] | None,
) -> tuple[np.ndarray, str]:
    """The costs, and the name of the argument that they come from."""
    scores, name = _scores(image, probabilities, logits, unary, label_axis, channel_axis)
    if name == "probabilities":
        costs = unary_from_probabilities(scores, label_axis=label_axis)
    elif name == "logits":
        costs = unary_from_logits(scores, label_axis=label_axis)
    else:
        costs = inputs.as_unary(scores, label_axis)
    if isinstance(channel_axis, str) and channel_axis == "infer":
        _refuse_batches(image, name, costs, label_axis)
    return costs, name


def _scores(
    image: ArrayLike,
    probabilities: ArrayLike | None,
    logits: ArrayLike | None,
    unary: ArrayLike | None,
    label_axis: int,
    channel_axis: int | Literal["infer"] | None,
) -> tuple[np.ndarray, str]:
    """What was given of one image, and its name."""
    given = {"probabilities": probabilities, "logits": logits, "unary": unary}
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise InputTypeError(
            f"exactly one of probabilities, logits and unary must be given, got {' and '.join(names) or 'none'}"
        )
    return inputs.scores_of(given[names[0]], names[0], image, label_axis, channel_axis), names[0]


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


def _mean_side(spatial: tuple[int, ...], spacing: float | Sequence[float]) -> float:
    steps = inputs.as_positive(spacing, "spacing", len(spatial))
    return float(np.prod([n * step for n, step in zip(spatial, steps, strict=True)]) ** (1 / len(spatial)))

"""From the scores of a network to a crisp segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.dense_crf import DenseCRF
from classicseg.errors import InputTypeError
from classicseg.pipelines import presets
from classicseg.pipelines.overlapping import as_masks, refine_masks
from classicseg.pipelines.presets import Changes, Preset
from classicseg.pipelines.refinement import ChannelAxis, Evidence, Refinery, read_evidence, scores_of_one
from classicseg.solvers.minimize import minimize
from classicseg.types import Result

_INSTEAD = {
    "max_iter": "pass max_iter to minimize",
    "exact": "pass prune to minimize",
    "independent": "it makes one CRF, of one mask: pass unary=unary_from_sigmoid(mask)",
    "marginals": "pass marginals to minimize",
    "progress": "pass progress to minimize",
    "fill": "minimize gives -1 outside of a mask, and fill is of refine",
}


class Wanted(NamedTuple):
    """What a call says of its parameters."""

    preset: str | Preset
    changes: dict[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Refinement(Result):
    """What :func:`refinement` found: a :class:`Result` that also knows its parameters.

    Attributes
    ----------
    labels, marginals, energy, lower_bound, history, n_iter, converged, message, method, seconds, may_differ
        As in :class:`Result`.
    preset : Preset or None
        Parameters of the CRF, with all changes, in pixels and in the units of the image.
    strength : str
        Name of the preset that was given or, by ``preset="auto"``, chosen; "own" if it has none.
    crf : DenseCRF or None
        The energy that was minimised.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample("nuclei")
    >>> result = cs.refinement(s.image, s.probabilities)
    >>> result.strength, result.preset.bilateral_weight
    ('firm', 4.0)
    """

    preset: Preset | None = None
    strength: str = ""
    crf: DenseCRF | None = None


def refine(
    image: ArrayLike,
    probabilities: ArrayLike | None = None,
    *,
    logits: ArrayLike | None = None,
    unary: ArrayLike | None = None,
    preset: str | Preset = presets.AUTO,
    mask: ArrayLike | None = None,
    label_axis: int = 0,
    channel_axis: ChannelAxis = "infer",
    n_threads: int | None = None,
    **changes: Unpack[Changes],
) -> np.ndarray:
    """Segment an image: probabilities of a network in, crisp labels that follow the image out.

    Builds a dense CRF of a smoothness and an appearance kernel [1]_ and runs mean field.

    Parameters
    ----------
    image : array_like, (H, W), (H, W, C), (D, H, W) or (D, H, W, C)
        Any real dtype and number of channels.
    probabilities : array_like, (L, *spatial) or smaller
        Probabilities of a softmax. Give exactly one of `probabilities`, `logits` and `unary`. They may be smaller than
        the image, as most networks give them, see Notes.
    logits : array_like, (L, *spatial) or smaller, optional
        Scores before the softmax, ``-np.inf`` forbids a label; or what a network returned, an object with ``.logits``.
        Tensors of PyTorch on the CPU are read where they are, and a batch may hold one image, ``(1, L, *spatial)``.
    unary : array_like, (L, *spatial) or smaller, optional
        Costs, such as :func:`unary_from_sigmoid` makes of one foreground channel; ``np.inf`` forbids a label.
    preset : str or Preset
        Parameters. ``"auto"`` chooses one of ``"gentle"``, ``"firm"``, ``"strong"`` and ``"strongest"`` for this image,
        see Notes. Others are named after where they come from, see ``PRESETS``; or give your own.
    mask : array_like of bool, spatial shape, optional
        Pixels that take part. The others send nothing to these, take no time, and are not looked at: their values may
        be NaN or marks of no data.
    label_axis : int
        Where the labels are.
    channel_axis : int, None or "infer"
        Where the channels of the image are, None if it has no such axis. By default whatever makes the shape of the
        image fit that of the probabilities.
    n_threads : int, optional
        Threads; the labels do not depend on it.
    **changes
        Replace single parameters of the preset, and say how to work:

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
        temperature : float
            What scores are divided by, as logits, at least 0.001 and below 1000: above 1 for a network that is too
            sure of itself, see ``calibrate`` of :func:`tune`. 1 if not given.
        fill : int
            Label outside of `mask`, -1 if not given.
        exact : bool
            Do all of the work. By default labels that can win nowhere are left out, pixels that cannot change any more
            are left alone, and of more than 1.8 million pixels a sample is updated, if an estimate says that this
            changes the labels of at most 1 pixel in 1000; usually it changes far fewer. See ``prune`` of the method
            ``"mean_field"``.
        like, origin : array_like, and sequence of int
            For a tile of a larger image: the whole, whose range of values and mean side count, and where the tile
            begins in it, in pixels. Name the preset as well, as ``"auto"`` looks at the tile.
        progress : bool
            Show a progress bar, if standard error is a terminal and tqdm is installed.
        independent : bool
            Whether the labels are masks that may overlap, as those of SAM, Mask R-CNN and networks with sigmoids: each
            of the ``(N, *spatial)`` `logits` or `probabilities` is that of a foreground against its own background.

    Returns
    -------
    ndarray, spatial shape, int32
        Labels; with `independent` N masks of 0 and 1, ``(N, *spatial)``. :func:`refinement` gives marginals as well.

    Raises
    ------
    ValueError
        If shapes do not fit, values are not finite, probabilities do not sum to 1 over the labels but along another
        axis, a batch of images may be meant, or a parameter is out of its range.
    TypeError
        If not exactly one of `probabilities`, `logits` and `unary` is given, or a dtype cannot work.

    Notes
    -----
    The right strength differs by tens of points of mean IoU from data set to data set. ``"auto"`` looks at how
    many pixels wide the band along borders is in which the network is unsure, how many borders there are, and what a
    strong refinement of a small picture of the image would erase. Sharp networks are refined gently, and so are those
    that are unsure of whole areas; where objects are small or labels would vanish, firmly. :func:`refinement` says what
    was chosen, and so does the log. The limits were found by leaving out whole data sets
    (``benchmarks/pipelines/strength.py``).

    Gentle and firm have a smoothness kernel of *negative* weight and of the range of the appearance kernel, a share of
    the mean side of the image: pixels of the same colour count only by what tells them from pixels of any colour. So a
    thin vessel is not outvoted by the wide background around it, which is what positive weights do. Strong and
    strongest have positive weights: all small things go.

    An 8-bit unit is a 255th of the range of the image, from its smallest to its largest value but for one in 1000 at
    either end and for marks of no data such as -9999. Equal values have equal units, whatever their dtype. With a
    `mask` the range is that of the pixels inside, and the side is that of the smallest box around them.

    Scores smaller than the image are interpolated linearly, as logits, while the CRF runs: no array is made of the size
    of enlarged ones. Any ratio from 1 on is taken, also one for each axis. Scores are to cover the whole image: if it
    was padded or cropped for the network, pass the part that it saw. Interpolated scores repeat at many pixels what the
    network said once; gentle, firm, ``"default"`` and ``"conservative"`` therefore let them count less, by a power of
    the ratio (`dilution`) that was chosen by leaving out whole data sets (``benchmarks/pipelines/small_quality.py``).
    With ``dilution=0`` labels are those of logits that were enlarged before.

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
    given, wanted = {"probabilities": probabilities, "logits": logits, "unary": unary}, checked(preset, changes)
    if wanted.changes.get("independent", False):
        scores, name = scores_of_one(image, given, label_axis, channel_axis)
        filled, inside = inputs.without_outside(scores, mask, label_axis, name=name)
        masks = as_masks(np.asarray(filled), name, label_axis)
        refinery = Refinery(image, Evidence(masks, name, inside), preset, wanted.changes, channel_axis, n_threads)
        whole = not wanted.changes.get("exact", False)
        shown = wanted.changes.get("progress", False)
        return refine_masks(masks, name, refinery.prepared, n_threads=n_threads, progress=shown, prune=whole)
    if "marginals" in wanted.changes:
        raise InputTypeError("refine returns labels; call refinement, whose result has marginals")
    wanted.changes["marginals"] = False
    return _refined(image, given, mask, wanted, (label_axis, channel_axis), n_threads).labels


def refinement(
    image: ArrayLike,
    probabilities: ArrayLike | None = None,
    *,
    logits: ArrayLike | None = None,
    unary: ArrayLike | None = None,
    preset: str | Preset = presets.AUTO,
    mask: ArrayLike | None = None,
    label_axis: int = 0,
    channel_axis: ChannelAxis = "infer",
    n_threads: int | None = None,
    **changes: Unpack[Changes],
) -> Refinement:
    """As :func:`refine`, with marginals, energy, and the strength that was chosen.

    Parameters
    ----------
    image, probabilities, logits, unary, preset, mask, label_axis, channel_axis, n_threads, **changes
        As in :func:`refine`, but `independent`. With ``marginals=False`` there are none, and no array of labels times
        pixels is made.

    Returns
    -------
    Refinement
        A :class:`Result` that also knows its parameters.

    Raises
    ------
    ValueError, TypeError
        As :func:`refine` does.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample()
    >>> result = cs.refinement(s.image, s.probabilities)
    >>> result.strength, result.marginals.shape
    ('strong', (5, 400, 600))
    """
    given, wanted = {"probabilities": probabilities, "logits": logits, "unary": unary}, checked(preset, changes)
    if wanted.changes.get("independent", False):
        raise InputTypeError(f"refinement makes one CRF, {_INSTEAD['independent']}")
    return _refined(image, given, mask, wanted, (label_axis, channel_axis), n_threads)


def refinement_crf(
    image: ArrayLike,
    probabilities: ArrayLike | None = None,
    *,
    logits: ArrayLike | None = None,
    unary: ArrayLike | None = None,
    preset: str | Preset = presets.AUTO,
    mask: ArrayLike | None = None,
    label_axis: int = 0,
    channel_axis: ChannelAxis = "infer",
    **changes: Unpack[Changes],
) -> DenseCRF:
    """Return the dense CRF that :func:`refine` minimises, for energies and step-by-step work.

    Parameters
    ----------
    image, probabilities, logits, unary, preset, mask, label_axis, channel_axis, **changes
        As in :func:`refine`, but `max_iter` and `exact`, which belong to :func:`minimize` (the latter as `prune`), and
        what is of labels and of updates alone: `fill`, `independent`, `marginals`, `progress`.

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
    wanted = checked(preset, changes)
    for name in changes:
        if name in _INSTEAD and name in wanted.changes:
            raise InputTypeError(f"refinement_crf makes no updates; {_INSTEAD[name]}")
    given = {"probabilities": probabilities, "logits": logits, "unary": unary}
    evidence = read_evidence(image, given, mask, label_axis, channel_axis)
    refinery = Refinery(image, evidence, preset, wanted.changes, channel_axis)
    return refinery.prepared(evidence.costs).crf


def parameters_of_refine() -> tuple[str, ...]:
    """Names of all that :func:`refine` can be told, beside the image and the probabilities."""
    return presets.names_of(refine, Changes)


def checked(preset: str | Preset, changes: Changes) -> Wanted:
    """The changes that are given; refuses unknown names, that of the preset included."""
    presets.check(preset)
    presets.check_names(changes, parameters_of_refine(), "refine has no parameter")
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    for name in given.keys() & {"sigma", "bilateral_sigma", "color_sigma", "spacing"}:  # kernels call them otherwise
        inputs.as_scale(given[name], name, None)
    for name in given.keys() & {"weight", "bilateral_weight", "dilution"}:
        inputs.as_weight(given[name], name)
    for name in given.keys() & {"align_corners", "exact", "independent", "marginals", "progress"}:
        inputs.as_flag(given[name], name)
    if "fill" in given:
        given["fill"] = inputs.as_int32(given["fill"], "fill")
    return Wanted(preset, given)


def _refined(
    image: ArrayLike,
    given: dict[str, ArrayLike | None],
    mask: ArrayLike | None,
    wanted: Wanted,
    axes: tuple[int, ChannelAxis],
    n_threads: int | None,
) -> Refinement:
    """Refine one of the `given`; `axes` are those of the labels and of the channels."""
    evidence = read_evidence(image, given, mask, *axes)
    refinery = Refinery(image, evidence, wanted.preset, wanted.changes, axes[1], n_threads)
    crf, chosen, name = refinery.prepared(evidence.costs)
    asked = {"progress": False, "marginals": True, "exact": False} | wanted.changes
    found = minimize(
        crf, "mean_field", max_iter=chosen.max_iter, n_threads=n_threads, progress=asked["progress"],
        marginals=asked["marginals"], prune=not asked["exact"],
    )  # fmt: skip
    labels = found.labels
    if crf.mask is not None and "fill" in wanted.changes:
        labels = np.where(crf.mask, labels, np.int32(wanted.changes["fill"]))
    return found.extended(Refinement, labels=labels, preset=chosen, strength=name, crf=crf)

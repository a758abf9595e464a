"""Cut an object out of an image by a few strokes or a box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.color_models import ColorModel, fit_color_model
from classicseg.energies.compatibility import Potts
from classicseg.energies.grid_crf import GridCRF
from classicseg.energies.softmax import softmax
from classicseg.errors import InputError, InputTypeError
from classicseg.pipelines import strokes as marked
from classicseg.pipelines.image import find_channel_axis
from classicseg.pipelines.prepared_image import PreparedImage, prepare, strength
from classicseg.solvers.run import Run
from classicseg.types import State, Step

_WEIGHT = 50.0  # of Rother et al.; measured again in benchmarks/pipelines/cutout.py
_MOST_COMPONENTS = 255  # each pixel keeps the number of its own in 8 bits
_ROUNDS = 10  # bounds the time; it ends sooner if no pixel changes


@dataclass(frozen=True, eq=False, repr=False)
class Cutout:
    """What :func:`cutout` found.

    Attributes
    ----------
    labels : ndarray, spatial shape, int32
        0 is background, 1 the object; further objects have the labels of their strokes.
    probabilities : ndarray, (L, *spatial), float32
        Of each label by the colour of the pixel alone, and 0 or 1 where strokes or the box leave no choice; 0 outside
        of a mask.
    energy : float
        Energy of `labels` in `crf`.
    history : tuple of Step
        One row for each round: energy after the cut, and as `change` the share of the pixels that changed.
    n_iter : int
        Rounds.
    converged : bool
        Whether the last round changed nothing.
    message : str
        Why it stopped.
    seconds : float
        Wall-clock time.
    crf : GridCRF
        The energy of the last round, for other solvers and for more of the same.
    models : tuple of ColorMixture or ColorHistogram
        Colours of each label, in the units of an 8-bit image, relative to the mean colour of the image.
    scribbles : ndarray, spatial shape, int32
        All strokes so far, -1 where there are none; outside of a box they are 0.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> image = np.full((16, 16), 20)
    >>> image[5:9, 6:11] = 250
    >>> cut = cs.cutout(image, box=(2, 2, 14, 14))
    >>> int(cut.mask.sum()), cut
    (20, Cutout(labels=16x16, energy=..., n_iter=2, converged=True, seconds=...))
    """

    labels: np.ndarray
    probabilities: np.ndarray
    energy: float
    history: tuple[Step, ...]
    n_iter: int
    converged: bool
    message: str
    seconds: float
    crf: GridCRF
    models: tuple[ColorModel, ...]
    scribbles: np.ndarray
    _prepared: PreparedImage = field(repr=False)

    @property
    def mask(self) -> np.ndarray:
        """Where the objects are: bool, spatial shape."""
        objects: np.ndarray = self.labels > 0
        return objects if self._prepared.mask is None else objects & self._prepared.mask

    def __repr__(self) -> str:
        size = "x".join(map(str, self.labels.shape))
        return (
            f"Cutout(labels={size}, energy={self.energy:.7g}, n_iter={self.n_iter}, converged={self.converged}, "
            f"seconds={self.seconds:.3f})"
        )


def cutout(
    image: ArrayLike,
    scribbles: ArrayLike | None = None,
    *,
    probable: ArrayLike | None = None,
    box: Sequence[int] | None = None,
    previous: Cutout | None = None,
    mask: ArrayLike | None = None,
    fill: int = inputs.OUTSIDE,
    colors: Literal["mixture", "histogram"] = "mixture",
    n_components: int = 5,
    weight: float | None = None,
    beta: float | None = None,
    connectivity: int | None = None,
    spacing: float | Sequence[float] = 1.0,
    channel_axis: int | Literal["infer"] | None = "infer",
    max_iter: int | None = None,
    callback: Callable[[State], bool | None] | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> Cutout:
    r"""Cut an object out of an image by a few strokes or a box.

    Each round estimates which colours object and background have, and finds the labelling of least energy for them by
    a graph cut (by expansion moves where there are several objects)

    .. math:: E(x) = \sum_i -\log p_{x_i}(I_i) + \gamma \sum_{(i,j)} w_{ij} [x_i \ne x_j]

    with weights that are small where the image has an edge. Strokes are never overruled. This is GrabCut [1]_, and
    with ``colors="histogram", max_iter=1`` the interactive graph cut of [2]_.

    Parameters
    ----------
    image : array_like, (H, W), (H, W, C), (D, H, W) or (D, H, W, C)
        Any real dtype and number of channels.
    scribbles : array_like of int, spatial shape, optional
        0 where background is drawn, 1 on the object, 2 and so on on further objects, -1 elsewhere.
    probable : array_like of int, spatial shape, optional
        Labels to start from, such as those of a network, -1 where nothing is known: colours are learned from them at
        first, and the cut may overrule them. A mask of OpenCV's grabCut, whose 2 and 3 are probably background and
        object, is ``scribbles=np.where(mask < 2, mask.astype(int), -1)`` and
        ``probable=np.where(mask > 1, mask.astype(int) - 2, -1)``.
    box : sequence of int, optional
        The object lies within ``(y0, x0, y1, x1)``, in volumes ``(z0, y0, x0, z1, y1, x1)``; ends are not included.
        Everything outside is background.
    previous : Cutout, optional
        Result for the same image, to go on from: its strokes stay, `scribbles` are added and win where they overlap.
        Colour models, weights and mask are its own (`colors`, `n_components`, `beta`, `connectivity`, `spacing` and
        `mask` are not used), and the cut starts from its flow: a stroke more costs less than all from scratch.
    mask : array_like of bool, spatial shape, optional
        Pixels that take part. The others tell nothing about colours and cost nothing; strokes on them do not count, and
        their values may be NaN.
    fill : int
        Label outside of the mask.
    colors : {"mixture", "histogram"}
        Mixtures of Gaussians, or histograms of up to 3 channels.
    n_components : int
        Gaussians of each label, at most 255.
    weight : float, optional
        Weight gamma of the boundary; by default 50, or that of `previous`.
    beta, connectivity, spacing
        Of the weights, see :func:`contrast_weights`. By default 8 neighbours in images, 6 in volumes.
    channel_axis : int, None or "infer"
        Where the channels are, None for none. By default whatever fits the scribbles or the box.
    max_iter : int, optional
        Largest number of rounds, 10 by default.
    callback : callable, optional
        Called as ``callback(state)`` after each round, with labels and energy; returning True stops.
    n_threads : int, optional
        Threads; the result does not depend on it.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.

    Returns
    -------
    Cutout

    Raises
    ------
    ValueError
        If shapes do not fit, a label has no stroke and no box, the box leaves no background or is empty, values are
        not finite, no pixel takes part, `previous` is a result for another image, `scribbles` look like codes of
        OpenCV or have become unsigned, or an argument is out of its range.
    TypeError
        If scribbles are not integers, or neither they nor probable labels nor a box nor a previous result is given.

    Notes
    -----
    With ``colors="mixture"`` no step raises the energy, so `history` falls from round to round.

    References
    ----------
    .. [1] C. Rother, V. Kolmogorov, A. Blake, "GrabCut: interactive foreground extraction using iterated graph cuts",
       SIGGRAPH 2004. doi:10.1145/1015706.1015720
    .. [2] Y. Boykov, M.-P. Jolly, "Interactive graph cuts for optimal boundary and region segmentation of objects in
       N-D images", ICCV 2001. doi:10.1109/ICCV.2001.937505

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> photo = cs.sample().image
    >>> scribbles = np.full(photo.shape[:2], -1)
    >>> scribbles[180:200, 250:350] = 1  # on the cup
    >>> scribbles[:, :20] = scribbles[:, -20:] = 0
    >>> cut = cs.cutout(photo, scribbles)
    >>> cut.mask.shape, cut.history[-1].energy <= cut.history[0].energy
    ((400, 600), True)
    """
    if scribbles is None and probable is None and box is None and previous is None:
        raise InputTypeError("scribbles, box or previous must be given, or probable labels; got none of them")
    of_outside = inputs.as_int32(fill, "fill")
    n_parts = inputs.as_count(n_components, "n_components", 1, _MOST_COMPONENTS)
    inputs.choice(colors, "colors", ("mixture", "histogram"))
    if previous is not None:
        _check_previous(previous, image, channel_axis)
    gamma = _weight(weight, previous)
    rounds = _ROUNDS if max_iter is None else inputs.as_count(max_iter, "max_iter", 1)
    run = Run("cutout", max_iter=rounds, callback=callback, n_threads=n_threads, progress=progress)
    if previous is None:
        labelled = probable if scribbles is None else scribbles
        prepared = prepare(image, mask, labelled, box, beta, connectivity, spacing, channel_axis)
    else:
        prepared = previous._prepared
    before = None
    if previous is not None:
        before = previous.scribbles.reshape(-1), previous.labels.reshape(-1), previous.crf.n_labels
    strokes, start, n_labels = marked.read(prepared.shape, scribbles, probable, box, before, prepared.mask)
    drawn, labels = prepared.gather(strokes), prepared.gather(start)
    allowed = np.stack([(drawn == marked.NONE) | (drawn == label) for label in range(n_labels)])
    models = _first_models(colors, prepared.colors, labels, n_labels, n_parts, previous, run.n_threads)
    while not run.ended:
        unary, components = _costs(models, prepared.colors, allowed, run.n_threads)
        crf = GridCRF(prepared.spread(unary), Potts(gamma), prepared.weights, mask=prepared.mask)
        found = prepared.minimum(crf, prepared.spread(np.maximum(labels, 0)), run.n_threads)
        change = float((prepared.gather(found) != labels).mean())
        labels, energy = prepared.gather(found), crf.energy(found)
        run.record(energy=energy, change=change, labels=partial(np.asarray, found))
        if change == 0:
            run.stop("no pixel changed", converged=True)
        if not run.ended:
            models = _refitted(models, prepared.colors, labels, components, run.n_threads)
    result = run.result(found, energy=energy)
    inside, p = prepared.mask, softmax(-crf.unary)
    return Cutout(
        labels=result.labels if inside is None else np.where(inside, result.labels, np.int32(of_outside)),
        probabilities=p if inside is None else p * inside,
        energy=energy,
        history=result.history,
        n_iter=result.n_iter,
        converged=result.converged,
        message=result.message,
        seconds=result.seconds,
        crf=crf,
        models=models,
        scribbles=strokes.reshape(prepared.shape),
        _prepared=prepared,
    )


def _weight(weight: float | None, previous: Cutout | None) -> float:
    if weight is None:
        return _WEIGHT if previous is None else strength(previous.crf)
    return inputs.as_weight(weight, "weight", at_least=0, below=inputs.DEAREST)


def _check_previous(previous: Cutout, image: ArrayLike, channel_axis: int | Literal["infer"] | None) -> None:
    if not isinstance(previous, Cutout):
        raise InputTypeError(f"previous must be a result of cutout, got {type(previous).__name__}")
    known, image = previous._prepared.image, inputs.as_array(image, "image")
    if image.size != known.size:
        raise InputError(
            f"previous must be a result for this image, got one of {known.shape[1:]} pixels for an image of shape "
            f"{image.shape}"
        )
    axis = (
        find_channel_axis(image, known.shape[1:], "previous")
        if isinstance(channel_axis, str) and channel_axis == "infer"
        else channel_axis
    )
    seen = inputs.image_inside(image, previous._prepared.mask, axis)
    if not np.array_equal(inputs.as_image(seen, known.shape[1:], axis), known):
        raise InputError(
            "previous must be a result for this image, got one for an image of the same size with other values; "
            "to begin anew with its strokes pass scribbles=previous.scribbles"
        )


def _first_models(
    kind: str,
    colors: np.ndarray,
    start: np.ndarray,
    n_labels: int,
    n_components: int,
    previous: Cutout | None,
    n_threads: int,
) -> tuple[ColorModel, ...]:
    known = () if previous is None else previous.models
    return tuple(
        model.refit(colors, start == label, model.costs(colors, n_threads)[1], n_threads)
        if (model := known[label] if label < len(known) else None) is not None
        else fit_color_model(kind, colors, start == label, n_components, n_threads)
        for label in range(n_labels)
    )


def _refitted(
    models: tuple[ColorModel, ...],
    colors: np.ndarray,
    labels: np.ndarray,
    components: list[np.ndarray],
    n_threads: int,
) -> tuple[ColorModel, ...]:
    """Each model estimated again from the pixels of its label, in the components that cost them least."""
    old = zip(models, components, strict=True)
    return tuple(m.refit(colors, labels == label, part, n_threads) for label, (m, part) in enumerate(old))


def _costs(
    models: tuple[ColorModel, ...], colors: np.ndarray, allowed: np.ndarray, n_threads: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Costs (L, N) float32, infinite for labels that a pixel may not take, and the components behind them."""
    both = [model.costs(colors, n_threads) for model in models]
    unary = np.stack([cost for cost, _ in both])
    unary[~allowed] = np.inf
    return unary, [component for _, component in both]

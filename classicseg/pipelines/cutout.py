"""Cut an object out of an image by a few strokes or a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Unpack

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.compatibility import Potts
from classicseg.energies.grid_crf import GridCRF
from classicseg.energies.softmax import softmax
from classicseg.errors import InputTypeError
from classicseg.pipelines import cutout_options as asked_for
from classicseg.pipelines import strokes as marked
from classicseg.pipelines.cutout_options import Options
from classicseg.pipelines.evidence import Evidence, How, Models, first_models, pieces_without_strokes
from classicseg.pipelines.matting import Matte, check_flat, matte_of
from classicseg.pipelines.prepared_image import PreparedImage, Region, check_same_image, prepare
from classicseg.pipelines.presets import check_names, names_of
from classicseg.pipelines.rounds import First, alternate, cut_by
from classicseg.solvers.cut.boxes import bounds, hull
from classicseg.solvers.run import Run
from classicseg.types import Shown, Step


@dataclass(eq=False, repr=False)
class Cutout(Shown):
    """What :func:`cutout` found, and what goes on from it: :meth:`update` and :meth:`refit`.

    Attributes
    ----------
    labels : ndarray, spatial shape, int32
        0 is background, 1 the object; further objects have the labels of their strokes.
    probabilities : ndarray, (L, *spatial), float32
        Of each label by its costs at the pixel alone: 0 or 1 where strokes or the box leave no choice; 0 outside of a
        mask.
    energy : float
        Energy of `labels` in `crf`.
    history : tuple of Step
        One row for each round: energy after the cut, and as `change` the share of the pixels that changed.
    n_iter : int
        Rounds of all pixels.
    converged : bool
        Whether the last round changed nothing; of large images, the last of those at some pixels.
    message : str
        Why it stopped.
    seconds : float
        Wall-clock time.
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
    >>> cut.update([[0, 0]], np.s_[5:6, 6:8])  # these two are background, says the user: this changed
    (slice(5, 6, None), slice(6, 8, None))
    >>> int(cut.mask.sum())
    18
    """

    labels: np.ndarray
    probabilities: np.ndarray
    energy: float
    history: tuple[Step, ...]
    n_iter: int
    converged: bool
    message: str
    seconds: float
    scribbles: np.ndarray
    _how: How
    _evidence: Evidence
    _crf: GridCRF | None
    _n_threads: int
    _prepared: PreparedImage
    _owner: object
    _matte: Matte | None = None

    @property
    def models(self) -> Models:
        """Colours of each label, in the units of an 8-bit image, relative to the mean colour of the image."""
        return self._evidence.models

    @property
    def mask(self) -> np.ndarray:
        """Where the objects are: bool, spatial shape."""
        objects: np.ndarray = self.labels > 0
        return objects if self._prepared.mask is None else objects & self._prepared.mask

    @property
    def matte(self) -> Matte:
        """The objects with a soft mask, of images: computed when first asked for, and anew after :meth:`update`.

        With ``alpha=True`` :func:`cutout` has it ready.
        """
        if self._matte is None:
            self._matte = matte_of(self._prepared, self.mask, self.scribbles, self._n_threads)
        return self._matte

    @property
    def crf(self) -> GridCRF:
        """The energy of the last cut, for other solvers and for more of the same."""
        if self._crf is None:
            unary = self._costs(tuple(slice(0, length) for length in self.labels.shape))
            self._crf = GridCRF(unary, Potts(self._how.weight), self._prepared.weights, mask=self._prepared.mask)
        return self._crf

    def __repr__(self) -> str:
        size = "x".join(map(str, self.labels.shape))
        return (
            f"Cutout(labels={size}, energy={self.energy:.7g}, n_iter={self.n_iter}, converged={self.converged}, "
            f"seconds={self.seconds:.3f})"
        )

    def update(
        self, strokes: ArrayLike, region: slice | Region | None = None, *, erase: ArrayLike | None = None
    ) -> Region | None:
        """Draw more, or less, and cut again: with the same colours, and in the time of the strokes.

        Labels, probabilities, energy, scribbles and crf of this result become those of the new cut; what is in
        `labels`, `probabilities` and `scribbles` is changed in place. With two labels, it takes the time of what
        changes, not of the image, if a region is given: otherwise all of `strokes` has to be looked at.

        Parameters
        ----------
        strokes : array_like of int, spatial shape or the shape of the region
            0 where background is drawn, 1 on the object, and so on; -1 elsewhere. They win over earlier strokes.
        region : slice or tuple of slice, optional
            Where the strokes are, as ``np.s_[10:18, 20:60]``.
        erase : array_like of bool, of the same shape, optional
            Where earlier strokes are taken away; colours alone say there what is likely, unless `strokes` say more.

        Returns
        -------
        tuple of slice or None
            Bounding box of the pixels whose label changed; None if there is none.

        Raises
        ------
        ValueError
            If shapes do not fit, the region is no part of the image, or a label is none of the result.
        TypeError
            If strokes are not integers, `erase` is not of booleans, or the region is not made of slices.

        Notes
        -----
        The labels are a minimum of the energy, as those of a cut of everything are (see :meth:`GraphCut.set_unary`).
        Colours stay what they were, so strokes in new colours tell nothing about other pixels; see :meth:`refit`.
        """
        shape = self.labels.shape
        whole = tuple(slice(0, length) for length in shape)
        box = whole if region is None else inputs.as_region(region, shape)
        old = self.scribbles[box]
        new = marked.drawn_over(old, strokes, erase, len(self.models))
        mask = self._prepared.mask
        if mask is not None:
            new = np.where(mask[box], new, old)
        there = bounds(new != old, box)
        if there is None:
            return None
        old[...] = new
        there = hull(there, self._evidence.released(new, box)) or there
        costs, self._crf, self._matte = self._costs(there), None, None
        self.probabilities[(slice(None), *there)] = softmax(-costs) if mask is None else softmax(-costs) * mask[there]
        found = self._prepared.minimum_within(there, costs, self.labels, self._owner)
        if found is None:  # the flow is that of another result, or there are more labels than two
            crf = self.crf
            labels = self._prepared.minimum(crf, self._how.weight, self.labels, self._n_threads, self._owner)
            found = crf.energy(labels), bounds((labels != self.labels) & (True if mask is None else mask), whole)
            self.labels[...] = labels
        if mask is not None:
            self.labels[~mask] = self._how.fill
        self.energy = found[0]
        return found[1]

    def refit(self, *, max_iter: int | None = None, n_threads: int | None = None) -> Cutout:
        """Learn the colours anew from the labels, and cut again, in rounds as :func:`cutout` does.

        Parameters
        ----------
        max_iter, n_threads
            As for :func:`cutout`.

        Returns
        -------
        Cutout
            A new result; this one stays as it is.
        """
        rounds = asked_for.ROUNDS if max_iter is None else inputs.as_count(max_iter, "max_iter", 1)
        run = Run("cutout", max_iter=rounds, n_threads=n_threads)
        inside = True if self._prepared.mask is None else self._prepared.mask
        labels = np.where(inside, self.labels, marked.NONE).reshape(-1)

        def first(colors: np.ndarray, labels: np.ndarray) -> Models:
            return tuple(
                self._how.fit(colors=colors, where=labels == label, n_threads=run.n_threads)
                if np.any(labels == label)
                else model
                for label, model in enumerate(self.models)
            )

        return _found(run, self._prepared, self._how, self.scribbles.copy(), labels, first)

    def _costs(self, box: Region) -> np.ndarray:
        """What labels cost in a box, (L, *shape of the box)."""
        return self._evidence.costs(self._prepared.colors, self.scribbles, box, self._n_threads)[0]


def cutout(
    image: ArrayLike,
    scribbles: ArrayLike | None = None,
    *,
    probable: ArrayLike | None = None,
    box: Sequence[int] | None = None,
    previous: Cutout | None = None,
    mask: ArrayLike | None = None,
    alpha: bool = False,
    channel_axis: int | Literal["infer"] | None = "infer",
    n_threads: int | None = None,
    **options: Unpack[Options],
) -> Cutout:
    r"""Cut an object out of an image by a few strokes or a box.

    Each round estimates which colours object and background have, and finds the labelling of least energy for them by
    a graph cut (by expansion moves where there are several objects)

    .. math:: E(x) = \sum_i -\log p_{x_i}(I_i) - \log q_{x_i}(i) + \gamma \sum_{(i,j)} w_{ij} [x_i \ne x_j]

    with weights that are small where the image has an edge. Strokes are never overruled. This is GrabCut [1]_, and
    with ``colors="histogram", max_iter=1`` much like the interactive graph cut of [2]_. Where each label is drawn, q
    says whose strokes are near, by the ways to them through likely colours [3]_, and of objects only what is connected
    to a stroke of theirs is found. Probable labels switch both off.

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
    alpha : bool
        Also compute a soft mask and the colours of the objects, for hair, fur and borders out of focus: ``cut.matte``,
        a :class:`Matte`, whose ``rgba`` is a picture to be put on others. Images of 1 or 3 channels.
    channel_axis : int, None or "infer"
        Where the channels are, None for none. By default whatever fits the scribbles or the box.
    n_threads : int, optional
        Threads; the result does not depend on it.
    **options
        How to work:

        fill : int
            Label outside of the mask, -1 if not given.
        colors : {"mixture", "histogram"}
            Mixtures of Gaussians, the default, or histograms of up to 3 channels.
        n_components : int
            Gaussians of each label, at most 255. By default 3 where all labels are drawn, which shows few of their
            colours, else 5.
        weight : float
            Weight gamma of the boundary; by default 50, or that of `previous`.
        beta, connectivity, spacing
            Of the weights, see :func:`contrast_weights`. By default 8 neighbours in images, 6 in volumes.
        max_iter : int
            Largest number of rounds, 10 by default.
        callback : callable
            Called as ``callback(state)`` after each round, with labels and energy; returning True stops.
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
        If scribbles are not integers, neither they nor probable labels nor a box nor a previous result is given, or
        there is no such option.

    Notes
    -----
    With ``colors="mixture"`` no step raises the energy, so `history` falls from round to round. Images of more than
    2**20 pixels learn their colours in rounds at every k-th pixel in each direction, of some 2**18 in all; then all
    pixels are cut once, and `history` has that one round. Without strokes for each label, the rounds of images of 2**15
    pixels and more begin with the colours that rounds at fewer pixels, from two starts, ended with. Costs and weights
    are multiples of 1/1024, or of finer steps where weights are small, so that a cut is exact in whole numbers. Pieces
    without a stroke are left out after the last round: the energy is that of the labels without them, in which they are
    forbidden.

    References
    ----------
    .. [1] C. Rother, V. Kolmogorov, A. Blake, "GrabCut: interactive foreground extraction using iterated graph cuts",
       SIGGRAPH 2004. doi:10.1145/1015706.1015720
    .. [2] Y. Boykov, M.-P. Jolly, "Interactive graph cuts for optimal boundary and region segmentation of objects in
       N-D images", ICCV 2001. doi:10.1109/ICCV.2001.937505
    .. [3] B. Price, B. Morse, S. Cohen, "Geodesic graph cut for interactive image segmentation", CVPR 2010.
       doi:10.1109/CVPR.2010.5540079

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
    check_names(options, names_of(cutout, Options), "cutout has no parameter")
    asked, soft = asked_for.read(options, n_threads), inputs.as_flag(alpha, "alpha")
    run = asked.run
    if previous is None:
        labelled = probable if scribbles is None else scribbles
        prepared = prepare(image, mask, labelled, box, channel_axis, **asked.of_image)
    else:
        if not isinstance(previous, Cutout):
            raise InputTypeError(f"previous must be a result of cutout, got {type(previous).__name__}")
        check_same_image(previous._prepared, image, channel_axis)
        prepared = previous._prepared
    if soft:
        check_flat(prepared)
    old = previous
    before = None if old is None else (old.scribbles.reshape(-1), old.labels.reshape(-1), len(old.models))
    strokes, labels, n_labels = marked.read(prepared.shape, scribbles, probable, box, before, prepared.mask)
    by_strokes = probable is None and set(range(n_labels)) <= set(np.unique(strokes).tolist())
    how = asked.how(None if old is None else old._how, by_strokes)
    known = () if previous is None else previous.models
    first = partial(first_models, how.fit, known, n_labels=n_labels, n_threads=run.n_threads)
    found = _found(run, prepared, how, strokes.reshape(prepared.shape), labels, first)
    return replace(found, _matte=found.matte) if soft else found


def _found(
    run: Run, prepared: PreparedImage, how: How, strokes: np.ndarray, labels: np.ndarray, first: First
) -> Cutout:
    """Cut and learn in turn, and leave out pieces without a stroke."""
    owner = object()
    evidence, crf, found = alternate(run, prepared, how, strokes, labels, first, owner)
    pieces = pieces_without_strokes(found, strokes) if how.by_strokes else None
    if pieces is not None:
        evidence = replace(evidence, pieces=pieces[0], barred=pieces[1])
        crf, found, _ = cut_by(evidence, prepared, how, strokes, np.where(pieces[0] > 0, 0, found), owner, run)
    result = run.result(found, energy=crf.energy(found))
    inside, p = prepared.mask, softmax(-crf.unary)
    return Cutout(
        labels=result.labels if inside is None else np.where(inside, result.labels, np.int32(how.fill)),
        probabilities=p if inside is None else p * inside,
        energy=crf.energy(found),
        history=result.history,
        n_iter=result.n_iter,
        converged=result.converged,
        message=result.message,
        seconds=result.seconds,
        scribbles=strokes,
        _how=how,
        _evidence=evidence,
        _crf=crf,
        _n_threads=run.n_threads,
        _prepared=prepared,
        _owner=owner,
    )

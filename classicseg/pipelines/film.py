"""Films: frames refined one after the other, steadier than each for itself."""

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.kernels import BilateralKernel
from classicseg.energies.sharing import with_unary
from classicseg.errors import InputError
from classicseg.kernels.film import BLOCK, accumulate, match_blocks
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines import presets
from classicseg.pipelines.image import eight_bit_unit, find_channel_axis
from classicseg.pipelines.presets import Changes, Preset
from classicseg.pipelines.refine import parameters_of_refine
from classicseg.pipelines.refinement import Refinery, read_evidence
from classicseg.solvers.minimize import minimize

_USUAL = 10  # updates of all presets that choose themselves
_COARSE = 4  # pixels, along each axis, whose mean is a pixel of the picture in which large motion is looked for
_COARSE_BLOCK, _COARSE_REACH = 8, 6  # 32 pixels of the frame move as one there, by up to 24
_FINE_REACH = 2  # what rounding to coarse pixels leaves over
_PENALTY = 0.1  # of 8-bit steps: flat blocks, which fit everywhere, stay where they are
_ALIKE = 22.0  # 8-bit steps of the root mean square over channels: twice the noise and blur of usual films
_SURE = np.float32(20.0)  # what later frames hear of a label that was forbidden: it had a probability of about 0
_NOT_OF_FILMS = (
    "like",
    "origin",
    "mask",
    "fill",
    "exact",
    "marginals",
    "independent",
    "probabilities",
    "logits",
    "unary",
    "progress",
)


class _Past(NamedTuple):
    """What is kept of the frame before."""

    channels: np.ndarray
    gray: np.ndarray
    costs: np.ndarray
    averaged: np.ndarray
    crf: DenseCRF


class Refiner:
    """Refines the frames of a film one after the other.

    A network that sees each frame for itself flickers, and so does what is made of its scores. A refiner looks where
    each block of 16 x 16 pixels was in the frame before (block matching, coarse to fine [1]_) and averages the costs of
    the last frames along these ways, where colours did not change [2]_; then it refines as :func:`refine` does.

    Parameters
    ----------
    memory : int
        Frames that are averaged at most. With 1, frames are refined each for itself.
    preset : str or Preset
        As in :func:`refine`.
    label_axis : int
        Where the labels are.
    channel_axis : int, None or "infer"
        Where the channels of the frames are.
    n_threads : int, optional
        Threads; the labels do not depend on it.
    **changes
        Replace single parameters of the preset, see :func:`refine`. Without `max_iter` there are half as many updates
        as in the preset: averages are less noisy.

    Raises
    ------
    ValueError
        If a parameter is out of its range or the preset is unknown.
    TypeError
        If there is no parameter of such a name.

    Notes
    -----
    Units that follow the range of an image follow that of the first frame. A frame that equals the one before takes
    over its lattices. To start mean field from the marginals of the frame before was tried and makes films a little
    steadier still, but strong presets then keep errors: 0.2 points of mean IoU were lost.

    References
    ----------
    .. [1] M. Bierling, "Displacement estimation by hierarchical blockmatching", SPIE Visual Communications and Image
       Processing, 1988. doi:10.1117/12.969046
    .. [2] L. Yang, S. Liu, M. Salvi, "A survey of temporal antialiasing techniques", Computer Graphics Forum 39(2),
       2020. doi:10.1111/cgf.14018

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample("nuclei")
    >>> refiner = cs.Refiner()
    >>> film = [refiner(s.image[:, x : x + 200], s.probabilities[:, :, x : x + 200]) for x in range(0, 12, 4)]
    >>> film[0].shape == film[-1].shape
    True
    """

    def __init__(
        self,
        *,
        memory: int = 8,
        preset: str | Preset = presets.AUTO,
        label_axis: int = 0,
        channel_axis: Any = "infer",
        n_threads: int | None = None,
        **changes: Unpack[Changes],
    ) -> None:
        self._most = inputs.as_count(memory, "memory", 1) - 1
        usual = _USUAL if preset == presets.AUTO else presets.find(preset).max_iter
        max_iter = changes.pop("max_iter", None)
        self._max_iter = (usual + 1) // 2 if max_iter is None else inputs.as_count(max_iter, "max_iter", 0)
        self._n_threads = n_threads
        resolve_threads(n_threads)
        known = [name for name in parameters_of_refine() if name not in _NOT_OF_FILMS]
        presets.check_names(changes, known, "Refiner has no parameter")
        self._axes = {"label_axis": label_axis, "channel_axis": channel_axis}
        self._given = preset, {name: value for name, value in changes.items() if value is not None}
        self.reset()

    def __repr__(self) -> str:
        return f"Refiner(memory={self._most + 1}, preset={self._preset!r}, after {self._n_frames} frames)"

    def reset(self) -> None:
        """Forget all frames: a new film, or another scene, begins."""
        self._n_frames = 0
        self._past: _Past | None = None
        self._preset, self._changes = self._given
        self._low, self._unit = 0.0, 1.0

    def __call__(
        self,
        image: ArrayLike,
        probabilities: ArrayLike | None = None,
        *,
        logits: ArrayLike | None = None,
        unary: ArrayLike | None = None,
    ) -> np.ndarray:
        """Labels of the next frame.

        Parameters
        ----------
        image : array_like, (H, W) or (H, W, C)
        probabilities, logits, unary : array_like, (L, H, W) or (L, h, w)
            Exactly one of them, as in :func:`refine`; they may be smaller than the frame.

        Returns
        -------
        ndarray, (H, W), int32

        Raises
        ------
        ValueError
            If the frame has another size or number of labels than the one before, or :func:`refine` would refuse it.
        TypeError
            As :func:`refine` does.
        """
        given = {"probabilities": probabilities, "logits": logits, "unary": unary}
        evidence = read_evidence(image, given, None, **self._axes)
        channel_axis = self._axes["channel_axis"]
        refinery = Refinery(image, evidence, self._preset, self._changes, channel_axis, self._n_threads)
        crf, chosen, _ = refinery.prepared(evidence.costs)
        channels = self._channels(image, crf)
        self._check(crf, channels)
        full, forbidden = crf.grid.full(), None
        if float(full.max()) > inputs.LARGEST:  # infinite costs have no average
            forbidden = full > inputs.LARGEST
            full = np.where(forbidden, _SURE, full)
        threads = resolve_threads(self._n_threads, full.size)
        if self._past is None:
            self._low, high = inputs.value_range(channels, 0)
            self._unit = eight_bit_unit(self._low, high)
            aligned = {name: value for name, value in self._changes.items() if name not in presets.OF_PRESETS}
            self._preset = chosen
            self._changes = {name: getattr(chosen, name) for name in presets.OF_PRESETS} | aligned
            gray, costs, count = self._gray(channels), full, np.ones(crf.shape, np.float32)
        else:
            gray = self._gray(channels)
            costs, count = self._averaged(full, channels, gray, threads)
        unary_now = costs if forbidden is None else np.where(forbidden, np.float32(np.inf), costs)
        if self._past is not None and np.array_equal(channels, self._past.channels):
            crf = with_unary(self._past.crf, unary_now)
        else:
            crf = DenseCRF(unary_now, crf.kernels, quality=crf.quality)
        labels = minimize(
            crf, "mean_field", max_iter=self._max_iter, n_threads=self._n_threads, marginals=False, prune=True
        ).labels
        self._past = _Past(channels, gray, costs, count, crf)
        self._n_frames += 1
        return labels

    def _channels(self, image: ArrayLike, crf: DenseCRF) -> np.ndarray:
        if len(crf.shape) != 2:
            raise InputError(f"frames must be images, (H, W) or (H, W, C), got one of {crf.shape} pixels")
        for kernel in crf.kernels:
            if isinstance(kernel, BilateralKernel):
                return kernel.image
        axis = self._axes["channel_axis"]
        axis = find_channel_axis(image, crf.shape, "the scores") if isinstance(axis, str) else axis
        return inputs.as_image(image, crf.shape, axis, keep_bytes=True)

    def _check(self, crf: DenseCRF, channels: np.ndarray) -> None:
        if self._past is None:
            return
        now, before = (channels.shape, crf.n_labels), (self._past.channels.shape, self._past.crf.n_labels)
        if now != before:
            (c, *size), (old_c, *old_size) = now[0], before[0]
            raise InputError(
                f"frame {self._n_frames} has {' x '.join(map(str, size))} pixels, {c} channels and {now[1]} labels, "
                f"those before it {' x '.join(map(str, old_size))}, {old_c} and {before[1]}; a new film begins with "
                f"reset()"
            )

    def _gray(self, channels: np.ndarray) -> np.ndarray:
        """Brightness in 8-bit steps, by which blocks are compared."""
        mean = channels.mean(axis=0, dtype=np.float32)
        if channels.dtype != np.uint8:
            mean = np.clip((mean - self._low) / self._unit, 0, 255)
        return mean.astype(np.uint8)

    def _averaged(
        self, unary: np.ndarray, channels: np.ndarray, gray: np.ndarray, n_threads: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Costs averaged with those of the frames before, and how many frames they are of."""
        assert self._past is not None
        motion = find_motion(gray, self._past.gray, n_threads)
        costs, count = np.empty_like(unary), np.empty(gray.shape, np.float32)
        reach = _ALIKE * self._unit * np.sqrt(len(channels))
        run(
            accumulate, n_threads, new_sync(1), unary, channels, self._past.channels, self._past.costs,
            self._past.averaged, motion, np.float32(1 / reach**2), np.float32(self._most), costs, count, brief=True,
        )  # fmt: skip
        return costs, count


def find_motion(now: np.ndarray, before: np.ndarray, n_threads: int) -> np.ndarray:
    """Where each block of a frame was in the frame before, in whole pixels.

    Parameters
    ----------
    now, before : ndarray, (H, W), uint8
    n_threads : int

    Returns
    -------
    ndarray, (2, ceil(H / 16), ceil(W / 16)), int32
        Displacements, rows first: a block was at its place plus these.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.pipelines.film import find_motion
    >>> before = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    >>> find_motion(before, before, 1).any()
    np.False_
    """
    n_rows, n_columns = (-(-n // BLOCK) for n in now.shape)
    tried = [np.zeros((2, n_rows, n_columns), np.int32)]
    if min(now.shape) >= 2 * _COARSE:
        coarse = [_shrunk(image) for image in (now, before)]
        blocks = [-(-n // _COARSE_BLOCK) for n in coarse[0].shape]
        rough = np.empty((2, *blocks), np.int32)
        still = np.zeros((1, 2, *blocks), np.int32)
        _match(coarse[0], coarse[1], _COARSE_BLOCK, _COARSE_REACH, still, rough, n_threads)
        ratio = _COARSE * _COARSE_BLOCK // BLOCK
        near = np.pad(_COARSE * rough, ((0, 0), (1, 1), (1, 1)), mode="edge")
        for dy, dx in ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2)):  # of the block itself and of those around it
            some = near[:, dy : dy + blocks[0], dx : dx + blocks[1]].repeat(ratio, 1).repeat(ratio, 2)
            tried.append(np.pad(some, ((0, 0), (0, ratio), (0, ratio)), mode="edge")[:, :n_rows, :n_columns])
    motion = np.empty((2, n_rows, n_columns), np.int32)
    _match(now, before, BLOCK, _FINE_REACH, np.stack(tried), motion, n_threads)
    return motion


def _match(
    now: np.ndarray, before: np.ndarray, size: int, reach: int, starts: np.ndarray, motion: np.ndarray, n_threads: int
) -> None:
    penalty = np.float32(_PENALTY)
    run(match_blocks, n_threads, new_sync(1), now, before, size, reach, starts, penalty, motion, brief=True)


def _shrunk(image: np.ndarray) -> np.ndarray:
    """Means of squares of pixels; what is left over at the right and below is left out."""
    height, width = (n // _COARSE for n in image.shape)
    squares = image[: height * _COARSE, : width * _COARSE].reshape(height, _COARSE, width, _COARSE)
    return (squares.sum(axis=(1, 3), dtype=np.uint16) // _COARSE**2).astype(np.uint8)

"""Minimum cuts of images that are larger than memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.machine.memory import give_back
from classicseg.solvers.cut.bands import prove_band
from classicseg.solvers.cut.zones import labels_of, rows_of
from classicseg.solvers.run import progress_bar
from classicseg.streaming.cut.passage import settle
from classicseg.streaming.cut.plan import refuse_beforehand
from classicseg.streaming.cut.problem import CutOptions, CutProblem, checked
from classicseg.streaming.cut.state import CutState
from classicseg.streaming.label_sink import check_out, check_room, labels_written, state_folder


@dataclass(frozen=True, eq=False)
class StreamedCut:
    """A minimum cut, and the proof that it is one.

    Attributes
    ----------
    labels : ndarray, spatial shape, int32, or what was given as `out`
    energy : float
        Of the labels, with costs rounded to multiples of `step`.
    cut, flow : int
        What the labels cost, and what flows from costs of label 0 to those of label 1 and no labelling can cost less
        than; both in steps, and beyond what the cheaper label of each pixel costs. They are equal.
    step : float
        Costs were rounded to multiples of it; those that are such multiples, as whole numbers are, are exact.
    n_bands : int
        In how many bands the image passed by.
    n_open : int
        The most pixels that had to wait for the next band; where bands were cut apart, all that had to wait.

    Examples
    --------
    >>> import classicseg as cs
    >>> result = cs.minimum_cut_streamed([[[0, 4, 0, 9]], [[3, 0, 5, 0]]], 3)
    >>> result.labels.tolist(), result.energy, result.flow * result.step
    ([[0, 0, 0, 1]], 7.0, 7.0)
    """

    labels: Any
    energy: float
    cut: int
    flow: int
    step: float
    n_bands: int
    n_open: int

    def __str__(self) -> str:
        return (
            f"energy {self.energy:.10g} in steps of {self.step:.3g}: flow {self.flow} = cut {self.cut}; "
            f"{self.n_bands} bands, {self.n_open} pixels open at most"
        )


def minimum_cut_streamed(
    unary: Any,
    weights: Any = 1.0,
    *,
    image: Any = None,
    beta: float | None = None,
    connectivity: int | None = None,
    mask: Any = None,
    out: Any = None,
    **options: Unpack[CutOptions],
) -> StreamedCut:
    """Find the minimum of an energy of two labels on an image that is larger than memory, exactly, and prove it.

    The energy is that of a :class:`GridCRF` with :class:`Potts` compatibility, and the labels are those of its minimum
    cut, to the last pixel, for every size of bands [1]_: of several minima the one with the fewest pixels of label 1,
    as of the method ``"graph_cut"``.

    Parameters
    ----------
    unary : array_like or path, (2, H, W) or (2, D, H, W)
        Costs of both labels, as in :class:`GridCRF`: the name of a file, an array, or whatever has a shape, a dtype and
        ``unary[window]``, a slice for each axis, as :func:`refine_streamed` takes them.
    weights : float or mapping of str to array_like or path
        What neighbours of different labels cost, at least 0 and finite: a number for all, or for each direction an
        array, as in :class:`GridCRF`.
    image : array_like or path, (H, W), (H, W, C), (D, H, W) or (D, H, W, C), optional
        `weights`, then a number, is multiplied by what :func:`contrast_weights` makes of it.
    beta : float, optional
        As in :func:`contrast_weights`; by default found in a pass over the whole image.
    connectivity : int, optional
        4 or 8 neighbours in an image, 6, 18 or 26 in a volume. By default as of :class:`GridCRF`: the largest for which
        a mapping has all directions, or the smallest if `weights` is no mapping.
    mask : array_like or path, spatial shape, optional
        Pixels that take part; by default those of a GeoTIFF that hold data.
    out : path or array, optional
        Where labels are written: a file, in the narrowest whole numbers that hold them, or an array in which windows
        can be assigned, as for :func:`refine_streamed`. A file appears when all is done.
    **options
        spacing : float or sequence of float
            As in :class:`GridCRF` and :func:`contrast_weights`.
        label_axis : int
            Where the labels are in `unary`.
        channel_axis : int, None or "infer"
            Where the channels are in `image`.
        fill : int
            The label of pixels outside of the mask, -1 by default.
        memory : float
            Bytes that a band may take, 2**30 by default. Reading it takes some more.
        window : int
            How many rows (or slices) a band begins with at most.
        state : path
            Folder for what is known after each band, by default ``out`` with ``.state`` behind its name if that is a
            file. A run that was ended, in whatever way, goes on from there when it is called again in the same way, and
            removes the folder at its end. It takes a byte for each pixel.
        n_threads : int
            Threads; results do not depend on it.
        progress : bool
            Show a progress bar, if standard error is a terminal and tqdm is installed.

    Returns
    -------
    StreamedCut

    Raises
    ------
    ValueError
        If shapes do not fit, a cost is NaN, a weight is negative or infinite, a pixel may have neither label, or a file
        is truncated; if `state` is of other inputs or parameters; if so many pixels depend on what lies far behind
        them that a band would need more than `memory`: the run goes on with more where it is called again.
    TypeError
        If something is not of a real dtype.
    OSError
        If nothing can be written, or a disk is full. What was done so far is kept in `state`.

    Notes
    -----
    Costs are rounded to multiples of a power of two, some 1e-8 of what the edges of a pixel can cost.

    Everything is read three times: to look at it, for the cut, and for the proof; an image without a `beta` once more.
    What a band leaves open for the next is a matter of the energy: nearly nothing where most pixels are told by a
    neighbourhood much smaller than a band, everything where unary costs say next to nothing.

    References
    ----------
    .. [1] A. Shekhovtsov, V. Hlaváč, "A distributed mincut/maxflow algorithm combining path augmentation and
       push-relabel", IJCV 104, 2013. doi:10.1007/s11263-012-0571-2

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> s = cs.sample("nuclei")
    >>> unary = cs.unary_from_probabilities(s.probabilities)
    >>> result = cs.minimum_cut_streamed(unary, 2.0, image=s.image, window=32)
    >>> result.flow == result.cut, result.n_bands
    (True, 8)
    """
    given = unary, weights, image, beta, connectivity, mask
    return cut_in_bands(given, out, checked(options), cut_one_by_one)


def cut_in_bands(
    given: tuple[Any, Any, Any, Any, Any, Any],
    out: Any,
    options: dict[str, Any],
    work: Callable[[CutProblem, CutState, Callable[[int], None]], None],
) -> StreamedCut:
    """Look at what is `given`, have all pixels settled and proven, and write labels, or keep what is known.

    ``work(problem, state, tick)`` goes on from where the state says, and calls ``tick(n)`` whenever `n` rows were cut
    or proven.
    """
    check_out(out)
    folder = state_folder(options.get("state"), out)
    problem = CutProblem(*given, options)
    shape, fill = problem.costs.shape, options.get("fill", inputs.OUTSIDE)
    values = [0, 1, *([fill] if problem.inside.planes is not None else [])]
    check_room(out, shape, values)
    state = CutState(folder, {"inputs": problem.digest, "parameters": problem.parameters}, shape)
    labels = np.empty(shape, np.int32) if out is None else out
    with contextlib.closing(state):
        with labels_written(labels, shape, values, folder, problem.like, "the bands that are done are") as sink:
            if not state.progress.bands:
                refuse_beforehand(problem)
            _run(problem, state, work, options.get("progress", False))
            size = int(np.prod(shape[1:]))
            for first, stop in state.pieces():
                sink.write(first * size, labels_of(state.codes.read(first, stop), fill).reshape(-1))
        state.remove()
    done, step = state.progress, 1 / problem.costs.scale
    n_bands = sum(band.start < band.stop for band in done.bands)
    return StreamedCut(labels, done.least + done.cut * step, done.cut, done.flow, step, n_bands, done.n_open)


def _run(
    problem: CutProblem,
    state: CutState,
    work: Callable[[CutProblem, CutState, Callable[[int], None]], None],
    progress: bool,
) -> None:
    """Settle all pixels, and see that it is right."""
    bar = progress_bar("cut", 2 * problem.costs.shape[0]) if progress else None
    try:
        work(problem, state, (lambda n: None) if bar is None else bar.update)
    finally:
        if bar is not None:
            bar.close()
    done = state.progress
    if done.flow != done.cut:
        raise InputError(f"costs have changed while they were read: labels cost {done.cut}, and {done.flow} flows")


def cut_one_by_one(problem: CutProblem, state: CutState, tick: Callable[[int], None]) -> None:
    """Cut band after band, each with what the ones before it have left open, and prove them."""
    costs, progress, length = problem.costs, state.progress, problem.costs.shape[0]
    settle(problem, state, tick)
    while (number := progress.n_proven) < len(progress.bands):
        band = progress.bands[number]
        codes = state.codes.read(*rows_of(band, length))
        progress.add(prove_band(costs, codes, progress.bands, number, problem.n_threads))
        state.keep()
        give_back()
        tick(band.stop - band.start)

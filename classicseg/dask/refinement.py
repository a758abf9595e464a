"""Refinement of images that are larger than memory by the workers of a cluster."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Unpack

import numpy as np

from classicseg.dask import tasks
from classicseg.dask.labelled import axis_of, check_on_image, is_labelled, like
from classicseg.dask.sources import check_writable, readable
from classicseg.dask.workers import Workers, connected, kept_in
from classicseg.errors import InputTypeError
from classicseg.filters.apart import Parts
from classicseg.filters.streamed import Merged, Norms, gains_of, joined, point_borders
from classicseg.pipelines import presets
from classicseg.pipelines.presets import Preset
from classicseg.solvers.dense.apart import Messages, update_apart
from classicseg.solvers.dense.plan import Plan
from classicseg.streaming.refine.run import Job, StreamRun
from classicseg.streaming.refine.streamed import streamed
from classicseg.streaming.refine.survey import StreamOptions, checked


class ClusterOptions(StreamOptions, total=False):
    """What :func:`refine` can be told beside what it reads; None is as if not given."""

    cluster: Any


def refine(
    image: Any,
    probabilities: Any = None,
    *,
    logits: Any = None,
    unary: Any = None,
    out: Any = None,
    preset: str | Preset = presets.AUTO,
    mask: Any = None,
    label_axis: int | str = 0,
    channel_axis: int | str | None = "infer",
    **options: Unpack[ClusterOptions],
) -> Any:
    """Refine an image that is larger than memory, with workers that each read the part of it that they work on.

    The labels are those of ``refine(..., exact=True)``, to the bit, for any number of workers, whichever of them does
    what, and however many of them die. There are neither tiles nor seams.

    Parameters
    ----------
    image, probabilities, logits, unary, mask
        As in :func:`classicseg.refine_streamed`; also arrays of Dask and xarray, and names of Zarr stores that end in
        ``.zarr``. Workers read by themselves, so names have to be of files that all of them see. Arrays in memory are
        sent to workers if they are small.
    out : path or array, optional
        Where labels are written, as in :func:`classicseg.refine_streamed`. The calling process writes them, an array of
        Zarr in whole shards.
    preset : str or Preset
        As in :func:`classicseg.refine_streamed`.
    label_axis, channel_axis
        As in :func:`classicseg.refine`, or the name of a dimension.
    **options
        As in :func:`classicseg.refine_streamed`, but for `exact`: all of the work is done. `n_threads` are those of the
        calling process; workers have as many as their cluster gives them. And:

        cluster : str, Cluster or Client
            The address of a scheduler, such as ``"tcp://10.0.0.1:8786"``, or ``"local:2"`` for two processes of this
            machine; a cluster or a client of ``distributed``. By default the client that there is, or else threads of
            this process.

    Returns
    -------
    ndarray, spatial shape, int32, DataArray, or `out`
        Labels; with the coordinates of `image` if that is of xarray.

    Raises
    ------
    ValueError, TypeError, OSError
        As :func:`classicseg.refine_streamed` does; if no scheduler answers, if workers read something else than this
        process does, or have another version of classicseg.
    WorkerError
        If the same task was ended by the death of four workers, or there have been no workers for a minute. The updates
        that are done are kept in `state`.

    Notes
    -----
    The points of an image are cut into at most 16 stripes, one after the other in the order of the pixels, so that many
    workers are of use. For each update a stripe is sent the messages at the lattice vertices that it touches, and sends
    back what it adds to them; the calling process adds up what stripes have in common, in their order, and blurs. It
    also looks at everything once before workers begin, and has the state of the updates. A task that fails for another
    reason than its input is tried four times.

    Results of processors with different instructions may differ in single pixels.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> import classicseg.dask as cd, dask.array as da
    >>> s = cs.sample("nuclei")
    >>> image = da.from_array(s.image, chunks=(64, 256, 3))
    >>> labels = cd.refine(image, s.probabilities)
    >>> np.array_equal(labels, cs.refine(s.image, s.probabilities, exact=True))
    True
    """
    given = {"probabilities": probabilities, "logits": logits, "unary": unary}
    return run_on_workers(image, given, mask, out, preset, (label_axis, channel_axis), options)[0]


def run_on_workers(
    image: Any,
    given: dict[str, Any],
    mask: Any,
    out: Any,
    preset: str | Preset,
    axes: tuple[int | str, int | str | None],
    options: ClusterOptions,
) -> tuple[Any, str]:
    """See :func:`refine`; the name of the preset that was given or chosen is returned as well.

    One of the scores is `given`; `axes` are those of the labels and of the channels.
    """
    cluster = options.pop("cluster", None)
    if "exact" in options:
        raise InputTypeError("classicseg.dask.refine has no parameter 'exact': it always does all of the work")
    check_writable(out)
    chosen = checked(preset, options) | {"exact": True}
    label: Any = axes[0]
    for name, scores in given.items():
        if scores is not None:
            label = axis_of(scores, axes[0], "label_axis")
            check_on_image(image, scores, name, label)
    check_on_image(image, mask, "mask", None)
    sources = {name: None if scores is None else readable(scores, name) for name, scores in given.items()}
    found = label, axis_of(image, axes[1], "channel_axis")
    seen: list[int | None] = []
    with connected(cluster) as client:

        def work(job: Job) -> None:
            seen.append(job.ready.raster.colors.planes.axis)
            if client is None:
                StreamRun(job).label_all(exact=True)
            else:
                with kept_in(job.state.folder, "the updates that are done are"):
                    _refine(job, Workers(client))

        masked = None if mask is None else readable(mask, "mask")
        labels, name = streamed(readable(image, "image"), sources, masked, out, preset, found, chosen, work)
    return like(image, seen[0], labels) if out is None and is_labelled(image) else labels, name


def _refine(job: Job, workers: Workers) -> None:
    """Have workers meet vertices, update and label, from where the state says on.

    A task is a share of the stripes; labels, which may be many, come back stripe by stripe.
    """
    ready, state, n_threads = job.ready, job.state, job.n_threads
    passing = job.passing()
    n_points, borders = ready.raster.inside.n_points, point_borders(ready.raster.inside.n_points)
    shares = workers.shares(borders.size - 1)
    sent = workers.keep(tasks.sent_of(passing, borders))
    vertices, begin = state.vertices(), state.progress()
    with job.bar(ready.preset.max_iter + 1 - (0 if begin is None else begin.done) + (vertices is None)) as tick:
        if vertices is None:
            wanted = [(sent, share, borders[share.start : share.stop + 1].tolist()) for share in shares]
            met = {}
            for i, of_share in workers.each(tasks.meet, wanted):
                met[i] = of_share
                for _ in of_share:
                    tick()
            vertices = joined([of_stripe for i in range(len(shares)) for of_stripe in met[i]])
            state.keep_vertices(vertices)
        norms = Norms.of(passing.spaces, ["symmetric"] * len(vertices))
        merged = Merged.of(passing.spaces, vertices, norms, n_points, n_threads)
        plan = Plan(merged.bank, gains_of(passing.spaces), ready.costs(), pair=True)
        layout = plan.pairwise.layout
        parts = Parts(merged, vertices, borders, layout)
        kept = [workers.keep(list(map(parts.part, share))) for share in shares]

        def splat(messages: Messages) -> Iterator[tuple[int, np.ndarray]]:
            both = zip(shares, kept, strict=True)
            given = [(sent, share, own, norms, layout, list(map(messages, share))) for share, own in both]
            for i, splatted in workers.each(tasks.splat, given):
                for s, of_stripe in zip(shares[i], splatted, strict=True):
                    yield s, of_stripe
                    tick()

        messages = update_apart(splat, parts, plan, ready.preset.max_iter, n_threads, begin=begin, after=state.keep)
        dtype = np.result_type(*map(np.min_scalar_type, ready.values(job.fill)))
        stripes = [
            (sent, s, own, which, norms, layout, messages(s))
            for share, own in zip(shares, kept, strict=True)
            for which, s in enumerate(share)
        ]
        for _, runs in workers.each(functools.partial(tasks.label, dtype), stripes):
            for start, labels in runs:
                job.write(start, labels)
            tick()

"""Minimum cuts of images that are larger than memory by the workers of a cluster."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Unpack

from classicseg.dask.labelled import axis_of, check_on_image, is_labelled, like
from classicseg.dask.sent import Sent, digest_of
from classicseg.dask.sources import check_writable, readable
from classicseg.dask.workers import Workers, connected, kept_in
from classicseg.streaming.cut.apart import Each, cut_apart
from classicseg.streaming.cut.costs import ScaledCosts
from classicseg.streaming.cut.problem import CutOptions, CutProblem, checked
from classicseg.streaming.cut.state import CutState
from classicseg.streaming.cut.streamed import StreamedCut, cut_in_bands, cut_one_by_one
from classicseg.streaming.label_sink import state_folder

_PROBES = 16  # rows by which workers see whether they read the same


class CutClusterOptions(CutOptions, total=False):
    """What :func:`minimum_cut` can be told beside what it reads; None is as if not given."""

    cluster: Any


def minimum_cut(
    unary: Any,
    weights: Any = 1.0,
    *,
    image: Any = None,
    beta: float | None = None,
    connectivity: int | None = None,
    mask: Any = None,
    out: Any = None,
    **options: Unpack[CutClusterOptions],
) -> StreamedCut:
    """Find the minimum of an energy of two labels, exactly, with workers that each read the part that they work on.

    The labels are those of the method ``"graph_cut"``, to the last pixel, for any number of workers, whichever of them
    does what, and however many of them die; and they are proven to be a minimum.

    Parameters
    ----------
    unary, weights, image, mask
        As in :func:`classicseg.minimum_cut_streamed`; also arrays of Dask and xarray. Workers read by themselves, so
        names have to be of files that all of them see. Arrays in memory are sent to workers if they are small.
    beta, connectivity
        As in :func:`classicseg.minimum_cut_streamed`.
    out : path or array, optional
        Where labels are written, as in :func:`classicseg.minimum_cut_streamed`. The calling process writes them, an
        array of Zarr in whole shards.
    **options
        As in :func:`classicseg.minimum_cut_streamed`. `label_axis` and `channel_axis` may be names of dimensions.
        `memory` is what each thread of a worker may take, `window` how many rows a band has: by default a 16th of all,
        or what memory allows. `n_threads` are those of the calling process. And `cluster`, as in :func:`refine`.

    Returns
    -------
    StreamedCut
        Its `labels` have the coordinates of `image`, or of `unary` if there is no image, if that is of xarray.

    Raises
    ------
    ValueError, TypeError, OSError, BudgetError
        As :func:`classicseg.minimum_cut_streamed` does; if no scheduler answers, if workers read something else than
        this process does, or have another version of classicseg.
    WorkerError
        If the same task was ended by the death of four workers, or there have been no workers for a minute. The bands
        that are done are kept in `state`.

    Notes
    -----
    Each band is cut by whoever is free, as if all pixels around it had label 0, and as if they had label 1; pixels that
    have the same label both times are settled [1]_. What is open lies in some rows along borders of bands, and becomes
    cuts of its own that do not depend on each other, once what is around them is known. The proof is a pass over all
    bands as well. What travels is a byte for each pixel. The state may be gone on with without workers, and the other
    way round.

    Where many rows are open the cut between two bands needs as much memory as they take; where single bands say nearly
    nothing, :func:`classicseg.minimum_cut_streamed` is better.

    References
    ----------
    .. [1] P. Kovtun, "Partial optimal labeling search for a NP-hard subclass of (max,+) problems", DAGM 2003.
       doi:10.1007/978-3-540-45243-0_52

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> import classicseg.dask as cd, dask.array as da
    >>> s = cs.sample("nuclei")
    >>> unary = da.from_array(cs.unary_from_probabilities(s.probabilities), chunks=(2, 64, 256))
    >>> result = cd.minimum_cut(unary, 2.0, image=s.image)
    >>> result.flow == result.cut
    True
    """
    cluster = options.pop("cluster", None)
    check_writable(out)
    whole = unary if image is None else image
    chosen = checked(options)
    chosen["label_axis"] = axis_of(unary, chosen.get("label_axis", 0), "label_axis")
    if "channel_axis" in chosen:
        chosen["channel_axis"] = axis_of(image, chosen["channel_axis"], "channel_axis")
    check_on_image(image, unary, "unary", chosen["label_axis"])
    check_on_image(whole, mask, "mask", None)
    if isinstance(weights, Mapping):
        weights = {name: readable(part, f"weights[{name!r}]") for name, part in weights.items()}
    given = (
        readable(unary, "unary"),
        weights,
        None if image is None else readable(image, "image"),
        beta,
        connectivity,
        None if mask is None else readable(mask, "mask"),
    )
    seen: list[int | None] = []
    with connected(cluster) as client, kept_in(state_folder(chosen.get("state"), out), "the bands that are done are"):

        def work(problem: CutProblem, state: CutState, tick: Callable[[int], None]) -> None:
            seen.append(problem.axis)
            if client is None:
                cut_one_by_one(problem, state, tick)
            else:
                cut_apart(problem, state, tick, _each_of(Workers(client), problem.costs))

        result = cut_in_bands(given, out, chosen, work)
    return replace(result, labels=like(whole, seen[0], result.labels)) if out is None and is_labelled(whole) else result


def _each_of(workers: Workers, costs: ScaledCosts) -> Each:
    """Have bands cut and proven by workers."""
    alone = copy.copy(costs)
    alone.n_threads = 1  # a worker has several tasks instead
    n_probes = min(_PROBES, costs.shape[0])
    sent = workers.keep(Sent.of(alone, [_probe(costs, k, n_probes) for k in range(n_probes)]))

    def each(task: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        return workers.in_order(_on_costs, ((sent, i, task, given) for i, given in enumerate(arguments)))

    return each


def _on_costs(sent: Sent, i: int, task: Callable[..., Any], given: tuple[Any, ...]) -> Any:
    """What a worker does with a band."""
    n_probes = len(sent.probes)
    costs = sent.opened(i % n_probes, lambda costs: _probe(costs, i % n_probes, n_probes))
    return task(costs, *given, 1)


def _probe(costs: ScaledCosts, k: int, n_probes: int) -> str:
    """A digest of what two rows cost, number `k` of some from all over the image."""
    first = k * costs.shape[0] // n_probes
    rows = costs.rows(first, min(first + 2, costs.shape[0]))
    return digest_of([rows.unary, *rows.weights, *([] if rows.inside is None else [rows.inside])])

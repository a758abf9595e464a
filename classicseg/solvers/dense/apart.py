"""Mean field whose stripes are updated apart, such as in several processes: labels are those of one run, to the bit.

An update of a stripe reads the messages at the vertices that its points touch, and adds to the same vertices; so these
are all that has to travel, in both directions. Whoever brings the stripes together puts their sums where each would
have splatted, and does what is left: the sums of all stripes at their common vertices, in the order of the stripes, the
blur, and the compatibility. In what order stripes are done, by whom, and how often, makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classicseg.filters.apart import PartLattices, Parts
from classicseg.kernels.dense.bank import RowLayout
from classicseg.kernels.dense.streamed import COUNTERS, blur_rows
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.dense.plan import Plan
from classicseg.solvers.dense.streamed import NO_ROWS, Passage, Progress, pass_stripe

Messages = Callable[[int], np.ndarray | None]
"""``messages(s)``: those of a stripe, as in :class:`Parts`; None before the first update."""


def splat_stripe(
    passage: Passage, lattices: PartLattices, messages: np.ndarray | None, layout: RowLayout
) -> np.ndarray:
    """Update the marginals of a stripe's points; what they splat, as :func:`read_rows` gives it."""
    target = lattices.new_rows(layout)
    pass_stripe(passage, lattices, 0, _rows(lattices, messages, layout), target, layout)
    return lattices.read(target, layout)


def label_stripe(passage: Passage, lattices: PartLattices, messages: np.ndarray | None, layout: RowLayout) -> None:
    """Write the labels of a stripe's points."""
    pass_stripe(passage, lattices, 0, _rows(lattices, messages, layout), NO_ROWS, layout)


def _rows(lattices: PartLattices, messages: np.ndarray | None, layout: RowLayout) -> np.ndarray:
    if messages is None:
        return NO_ROWS
    rows = lattices.new_rows(layout)
    lattices.write(rows, layout, messages)
    return rows


def update_apart(
    splat: Callable[[Messages], Iterator[tuple[int, np.ndarray]]],
    parts: Parts,
    plan: Plan,
    n_iter: int,
    n_threads: int,
    *,
    begin: Progress | None,
    after: Callable[[Progress], None],
) -> Messages:
    """Run `n_iter` updates; returned are the messages that labels follow from.

    Parameters
    ----------
    splat : callable
        ``splat(messages)`` has :func:`splat_stripe` done for every stripe, and gives each, in any order, with what came
        out.
    parts : Parts
    plan : Plan
        Of the bank of all vertices.
    n_iter, n_threads : int
    begin : Progress or None
        Go on from there.
    after : callable
        Called after every update; the rows are its own until it returns.
    """
    pairwise = plan.pairwise
    done, source, target = 0, plan.new_rows(), plan.new_rows()
    if begin is not None:
        done = begin.done
        source[:] = begin.rows

    def messages(s: int) -> np.ndarray | None:
        return parts.read(source, s) if done > 0 else None

    while done < n_iter:
        for s, share in splat(messages):
            parts.write(target, s, share)
        run(
            blur_rows, n_threads, new_sync(COUNTERS), pairwise.bank, target, source, pairwise.scale, pairwise.matrix,
            pairwise.layout,
        )  # fmt: skip
        done, source, target = done + 1, target, source
        after(Progress(done, source))
    return messages

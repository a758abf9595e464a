"""Mean field that works only where something can still change.

After an update the lead of a pixel, the log-odds of its label against the second best, is often far beyond what
messages are going to turn. Blocks of 16 points all of which are so far ahead, and against all other labels together as
well, *settle*: their marginals are splatted once more,
into the *base* that every further update starts from, and nobody slices them until the end. The last pass slices all
points: labels are those that the messages give, also where blocks settled. It compares the marginals of settled points
with those that they settled with; the messages of these differences tell where a label might be another one had
nothing settled.

In all functions

* `planes` are those of a block, see :mod:`classicseg.kernels.dense.planes`, `n_labels` how many are in use,
* `n` is the number of all points, `at` the first point of the block,
* `labels` is (n,) int32, `certainty` and `rest` are (n,) float32: see :class:`Activity` and :func:`infer_active`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.dense.bank import clear_stripe, copy_stripe, corners_of, fill_duplicates, slice_block
from classicseg.kernels.dense.blur import blur
from classicseg.kernels.dense.planes import (
    lead,
    lowest,
    new_planes,
    slice_planes,
    splat_planes,
    to_marginals,
    write_block,
    write_labels,
)
from classicseg.kernels.dense.unary import add_unary, clear_rows, new_line
from classicseg.kernels.dense.vertices import mix_labels
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim, reset
from classicseg.machine.simd import ACROSS, PIXELS, fill, load, maximum, store, subtract

_COUNTERS = 5  # of one iteration

COUNTERS = 2 * _COUNTERS + 1
"""Task counters of :func:`infer_active`: two iterations take turns, and one counter is left for the estimate."""

_SLIGHT = np.float32(1e-3)  # changes of a marginal that are not worth a splat
_ECHO = np.float32(4.0)  # changes come back from neighbours that they change: the more, the more updates there are
WORTHWHILE = 0.5
"""Share of blocks that have to be sure, in the first third of all updates, for any to settle."""
BASE = 1.5
"""Bytes of corners that have to be saved for each byte of rows, which start from a base in every update."""
CORNER = 8
"""Bytes of a corner, whether or not 16 bits hold its row: labels do not depend on how it is stored."""
_CERTAIN = np.float32(7.0)
"""Log-odds against all other labels together above which nobody minds what they are. Many labels that are far behind,
one by one, may have a large share together, and marginals that are not near 1 go on changing."""
NEAR = np.float32(0.5)
"""Leads above this share of what lets a block settle are not turned by changes either."""


class Activity(NamedTuple):
    """Which blocks are active, and what is kept of those that settled."""

    block: np.ndarray  # (n_blocks,) int32: for each stripe, from its first block on, its active blocks in order
    n_active: np.ndarray  # (n_stripes,) int64: how many those are
    certainty: np.ndarray  # (n,) float32: largest marginal of settled points; after the last update leads of all points
    n_sure: np.ndarray  # (n_stripes,) int64: how many of them have leads that let them settle now or soon
    n_changed: np.ndarray  # (n_stripes,) int64, filled: blocks that differ from what they settled with
    n_doubtful: np.ndarray  # (n_stripes,) int64, filled: points whose label might be another one


@inline
def _add_rest(rest, n, at, n_labels, planes):
    """The logits of what was left out as one more plane; returns how many planes there are now."""
    if rest.size == 0:
        return n_labels
    if at + PIXELS <= n:
        store(planes, n_labels * PIXELS, subtract(fill(np.float32(0.0), ACROSS), load(rest, at, ACROSS)))
    else:
        for p in range(PIXELS):
            planes[n_labels * PIXELS + p] = -rest[at + p] if at + p < n else np.float32(0.0)
    return n_labels + 1


@inline
def _largest(planes, n_labels):
    """The largest marginal of each of the 16 points of a block; `planes` hold their marginals."""
    best = load(planes, 0, ACROSS)
    for label in range(1, n_labels):
        best = maximum(best, load(planes, label * PIXELS, ACROSS))
    return best


@inline
def _changes(planes, at, n_labels, labels, certainty, changes):
    """How the marginals in `planes` differ from those that a block settled with, into `changes`, planes too.

    What a point's label has lost or gained is what the best of the other labels has gained or lost. Returns whether
    any change is worth a splat.
    """
    any_ = False
    for i in range(changes.size):
        changes[i] = np.float32(0.0)
    for p in range(PIXELS):
        label = labels[at + p]
        change = planes[label * PIXELS + p] - certainty[at + p]
        if abs(change) > _SLIGHT:
            any_ = True
            other = 1 if label == 0 else 0
            for i in range(n_labels):
                if i != label and planes[i * PIXELS + p] > planes[other * PIXELS + p]:
                    other = i
            changes[label * PIXELS + p] = change
            changes[other * PIXELS + p] = -change
    return any_


@inline
def _count_doubtful(planes, at, n, n_labels, leads, slack):
    """How many points of a block have `leads` below what the messages in `planes`, those of changes, might turn.

    `leads` is (n,) float32; `slack` is added to what might be turned.
    """
    count = 0
    for p in range(min(PIXELS, n - at)):
        low, high = np.float32(0.0), np.float32(0.0)
        for label in range(n_labels):
            low, high = min(low, planes[label * PIXELS + p]), max(high, planes[label * PIXELS + p])
        if leads[at + p] < _ECHO * (high - low) + slack:
            count += 1
    return count


@kernel
def infer_active(sync, n_threads, unary, rest, pairwise, n_iter, limits, rows, activity, out, labels):
    """Run `n_iter` parallel mean-field updates of the blocks that are active.

    Without a block that settles, labels and marginals are those of :func:`infer`, to the bit.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with ``COUNTERS`` task counters
    n_threads : int
    unary : Unary
    rest : (n,) float32 cost of one more label, which stands for those that were left out: it has a share of each
        point, but neither sends nor gets messages, and is never the answer; or empty
    pairwise : Pairwise
    n_iter : int, at least 1
    limits : (4,) float32, the lead from which a block will probably settle soon, that from which it settles in the
        first update and in later ones, and how much leads may be off for other reasons
    rows : 3 row arrays, one after the other, zero: 2 that take turns in being splatted into and sliced from, and the
        base
    activity : Activity, all blocks active
    out : (n_labels * n,) float32, filled with marginals, or empty
    labels : (n,) int32, filled with the most probable labels
    """
    bank, layout = pairwise.bank, pairwise.layout
    n_labels, n = layout.n_labels, labels.size
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    block, changes = new_planes(layout), new_planes(layout)
    planes = np.zeros(block.size + PIXELS, np.float32)  # the last plane is that of the rest, if the lanes leave none
    scratch = np.zeros(PIXELS, np.float32)
    line, held = new_line(unary.stretch, layout)
    size = layout.n_panels * len(layout.lanes) * bank.n_rows
    base = rows[2 * size : 3 * size]
    certainty, of_block = activity.certainty, PIXELS * corners_of(bank, layout) * CORNER
    it, last, settling = 0, n_iter, False
    while True:
        begins = 3 * it <= n_iter  # only a block that settles soon saves more than it costs to look after it
        watched, enough = it < last - 1 and (settling or begins), limits[min(it, 2)]
        certain = np.float32(1.0) / (np.float32(1.0) + np.exp(-min(enough, _CERTAIN)))
        target = rows[it % 2 * size : (it % 2 + 1) * size]
        source = rows[(1 - it % 2) * size : (2 - it % 2) * size]
        counter, other = _COUNTERS * (it % 2), _COUNTERS * (1 - it % 2)
        while True:
            s = claim(sync, counter)
            if s >= n_stripes:
                break
            if it > 0:
                fill_duplicates(bank, s, 0, n_lattices, source, layout)
            if settling and it < last:
                copy_stripe(bank, s, 0, n_lattices, base, target, layout)
            else:
                clear_stripe(bank, s, 0, n_lattices, target, layout)
            first, n_active = bank.stripe[s], activity.n_active[s]
            n_blocks = n_active if it < last else bank.stripe[s + 1] - first
            kept = 0
            activity.n_sure[s], activity.n_changed[s] = 0, 0
            for i in range(n_blocks):
                if aborted(sync):
                    return
                b = np.int64(activity.block[first + i]) if it < last else first + i
                at = b * PIXELS
                if it > 0:
                    slice_block(bank, source, at, 0, corners_of(bank, layout), block, layout)
                else:
                    clear_rows(block)
                add_unary(unary, at, planes, block, line, held, layout)
                leads = lead(planes, n_labels)
                to_marginals(planes, _add_rest(rest, n, at, n_labels, planes), layout)
                if it < last:
                    is_sure = False
                    if watched and lowest(leads, scratch) > enough:
                        best = _largest(planes, n_labels)
                        is_sure = lowest(best, scratch) > certain
                        activity.n_sure[s] += is_sure
                        store(scratch, 0, best)
                    if settling and is_sure:
                        for p in range(PIXELS):
                            certainty[at + p] = scratch[p]
                        write_labels(planes, n, at, n_labels, labels)
                        splat_planes(bank, base, at, planes, block, layout)
                    else:
                        activity.block[first + kept] = b
                        kept += 1
                    splat_planes(bank, target, at, planes, block, layout)
                else:
                    if kept < n_active and activity.block[first + kept] == b:
                        kept += 1
                    elif _changes(planes, at, n_labels, labels, certainty, changes):
                        activity.n_changed[s] += 1
                        splat_planes(bank, target, at, changes, block, layout)
                    store(scratch, 0, leads)
                    for p in range(min(PIXELS, n - at)):
                        certainty[at + p] = scratch[p]
                    if out.size > 0:
                        write_block(planes, n, at, n_labels, out)
                    write_labels(planes, n, at, n_labels, labels)
            activity.n_active[s] = kept
        barrier(sync, n_threads)
        left, n_sure = 0, 0
        for s in range(n_stripes):
            left += activity.n_active[s] if it < last else activity.n_changed[s]
            n_sure += activity.n_sure[s]
        if begins and n_sure >= WORTHWHILE * activity.block.size and n_sure * of_block >= BASE * 4 * size:
            settling = True
        if it == last and left == 0:
            break
        reset(sync, other, _COUNTERS)  # all have left the iteration before, and none is in the next one
        blur(sync, counter + 1, n_threads, bank, 0, n_lattices, target, source, pairwise.scale, False, layout)
        mix_labels(sync, counter + 4, n_threads, bank, target, pairwise.matrix, layout)
        if it == last:
            break
        it += 1
        if left == 0:
            last = it
    # Messages of the changes lie, blurred, in `target`, if there are any.
    while True:
        s = claim(sync, 2 * _COUNTERS)
        if s >= n_stripes or aborted(sync):
            break
        if left > 0:
            fill_duplicates(bank, s, 0, n_lattices, target, layout)
        else:
            for i in range(n_labels * PIXELS):
                planes[i] = np.float32(0.0)
        n_doubtful = 0
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            at, least = b * PIXELS, certainty[b * PIXELS]
            for p in range(1, min(PIXELS, n - at)):
                least = min(least, certainty[at + p])
            if least < NEAR * limits[2] + limits[3]:
                if left > 0:
                    slice_planes(bank, target, at, planes, block, layout)
                n_doubtful += _count_doubtful(planes, at, n, n_labels, certainty, limits[3])
        activity.n_doubtful[s] = n_doubtful

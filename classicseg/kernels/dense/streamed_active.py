"""Mean field that works only where something can still change, of points that pass by in windows.

What blocks do is what they do in :func:`classicseg.kernels.dense.active.infer_active`, to the bit; the caller goes from
window to window and from update to update, and keeps what is known of settled points.

In all functions

* `bank`, `n_blocks`, `unary`, `at_unary`, `source`, `target` and `layout` are as in
  :mod:`classicseg.kernels.dense.streamed`,
* `rest` is (n,) float32, the cost of one more label at the points of the window, or empty,
* `known` is a :class:`Known` of the window.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.dense.active import _CERTAIN, NEAR, _add_rest, _changes, _count_doubtful, _largest
from classicseg.kernels.dense.bank import corners_of, slice_block
from classicseg.kernels.dense.planes import (
    lead,
    lowest,
    new_planes,
    slice_planes,
    splat_planes,
    to_marginals,
    write_labels,
)
from classicseg.kernels.dense.unary import add_unary, clear_rows, new_line
from classicseg.machine.jit import kernel
from classicseg.machine.simd import PIXELS, item, store


class Known(NamedTuple):
    """What is known of the points of a window."""

    active: np.ndarray  # (n_blocks,) uint8: 1 for blocks that are active, 0 for those that have settled
    certainty: np.ndarray  # (n,) float32: largest marginal of points when they settled
    label: np.ndarray  # (n,) int32: its label


@kernel
def settle_window(bank, n_blocks, unary, at_unary, rest, source, target, base, layout, enough, known):
    """Update the marginals of the active blocks of a window, and splat them; those that are sure settle.

    Parameters
    ----------
    bank, n_blocks, unary, at_unary, rest, target, layout : as above
    source : as above; empty: there are no messages yet
    base : row array into which blocks that settle are splatted as well; empty: none settles
    enough : float32, the lead from which a block is sure
    known : Known, changed in place where blocks settle

    Returns
    -------
    int
        How many blocks are sure.
    """
    n_labels, n = layout.n_labels, known.label.size
    block, n_sure = new_planes(layout), 0
    planes, scratch = np.zeros(block.size + PIXELS, np.float32), np.zeros(PIXELS, np.float32)
    line, held = new_line(unary.stretch, layout)
    certainty, label = known.certainty, known.label
    certain = np.float32(1.0) / (np.float32(1.0) + np.exp(-min(enough, _CERTAIN)))
    for b in range(n_blocks):
        if item(known.active, b) == 0:
            continue
        at = b * PIXELS
        if source.size > 0:
            slice_block(bank, source, at, 0, corners_of(bank, layout), block, layout)
        else:
            clear_rows(block)
        add_unary(unary, at_unary + at, planes, block, line, held, layout)
        leads = lead(planes, n_labels)
        to_marginals(planes, _add_rest(rest, n, at, n_labels, planes), layout)
        if lowest(leads, scratch) > enough:
            best = _largest(planes, n_labels)
            if lowest(best, scratch) > certain:
                n_sure += 1
                if base.size > 0:
                    store(scratch, 0, best)
                    for p in range(PIXELS):
                        certainty[at + p] = scratch[p]
                    write_labels(planes, n, at, n_labels, label)
                    splat_planes(bank, base, at, planes, block, layout)
                    known.active[b] = 0
        splat_planes(bank, target, at, planes, block, layout)
    return n_sure


@kernel
def label_window(bank, n_blocks, unary, at_unary, rest, source, target, layout, known, leads, labels):
    """Find the labels of all points of a window, and splat how the marginals of settled ones have changed.

    Parameters
    ----------
    bank, n_blocks, unary, at_unary, rest, source, target, layout, known : as above
    leads : (n,) float32, filled with the leads of all points
    labels : (n,) int32, filled with their labels

    Returns
    -------
    int
        How many blocks differ from what they settled with.
    """
    n_labels, n = layout.n_labels, labels.size
    block, changes, n_changed = new_planes(layout), new_planes(layout), 0
    planes, scratch = np.zeros(block.size + PIXELS, np.float32), np.zeros(PIXELS, np.float32)
    line, held = new_line(unary.stretch, layout)
    for b in range(n_blocks):
        at = b * PIXELS
        slice_block(bank, source, at, 0, corners_of(bank, layout), block, layout)
        add_unary(unary, at_unary + at, planes, block, line, held, layout)
        store(scratch, 0, lead(planes, n_labels))
        for p in range(min(PIXELS, n - at)):
            leads[at + p] = scratch[p]
        to_marginals(planes, _add_rest(rest, n, at, n_labels, planes), layout)
        if item(known.active, b) == 0 and _changes(planes, at, n_labels, known.label, known.certainty, changes):
            n_changed += 1
            splat_planes(bank, target, at, changes, block, layout)
        write_labels(planes, n, at, n_labels, labels)
    return n_changed


@kernel
def doubtful_of_window(bank, near, source, layout, leads, limits):
    """How many points of a window might have another label, had no block settled.

    Parameters
    ----------
    bank, layout : as above
    near : (n_blocks,) uint8, 1 for blocks that may hold such points
    source : row array, messages of what has changed, blurred
    leads : (n,) float32
    limits : as in :func:`classicseg.kernels.dense.active.infer_active`

    Returns
    -------
    int
    """
    n_labels, n, n_doubtful = layout.n_labels, leads.size, 0
    block, planes = new_planes(layout), new_planes(layout)
    for b in range(near.size):
        if item(near, b) == 0:
            continue
        at, least = b * PIXELS, leads[b * PIXELS]
        for p in range(1, min(PIXELS, n - at)):
            least = min(least, leads[at + p])
        if least < NEAR * limits[2] + limits[3]:
            slice_planes(bank, source, at, planes, block, layout)
            n_doubtful += _count_doubtful(planes, at, n, n_labels, leads, limits[3])
    return n_doubtful

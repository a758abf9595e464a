"""Sequential tree-reweighted message passing (TRW-S) on grids.

Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10), 2006,
doi:10.1109/TPAMI.2006.200. `classicseg.reference.trws` is the same in a few lines.

Pixels are visited in raster order, but a pixel needs only the messages of its neighbours above and to the left, so that
all pixels of a slanted line can be done at once. Slices of the grid are cut into bands of 16 rows, one SIMD lane for
each row; lane r lags ``skew * r`` columns behind lane 0, so that vector number d of a band holds the pixels
(r, d - skew r). The neighbours to the left and above are then in earlier vectors:

    skew 1, for 4 neighbours      left and up: 1 vector before
    skew 2, for 8                 left and up-right: 1 vector before, up: 2, up-left: 3

A pass goes over all bands, vector after vector, and for each vector over all labels. A block of memory holds all that
a vector needs: its unary costs and, for each direction, the messages that arrive over these edges from the pixels that
come later. The pass takes these out and puts in those that arrive from the pixels before, which are what the backward
pass needs: the same loop with all directions reversed. So every message is read once and written once for each pass,
in the order of memory.

Messages under way wait in rings, one for each direction, as long as the way is in vectors. Those that leave a band
through its last lane go through a *seam*. Those to the next slice of a volume go through a *sheet*, as the sender
laid them down: for slanted directions the receiver shifts the lanes. There are two sets of sheets, since a slice reads
those of the slice before and writes its own.

Bands depend on the one before only through the messages that enter: threads claim them in order and follow one
another at a distance of a few dozen vectors. In volumes, bands of several slices are under way at a time.

Pixels outside the grid have no costs, and edges to them no weight: they send and receive zeros.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.messages.convolution import MATRIX, QUADRATIC, apart, convolve, pair_cost
from classicseg.kernels.messages.memory import LINE, SHEET_MARGIN, model_with_pointers, with_pointers
from classicseg.machine.atomics import atomic_load, atomic_store
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim, linger
from classicseg.machine.simd import (
    add,
    choose,
    convert,
    fill,
    less,
    load,
    maximum,
    minimum,
    multiply,
    shift_down,
    shift_up,
    spread,
    store,
    subtract,
)

FORWARD, DECODE, BACKWARD, CERTIFY = range(4)
"""Kinds of passes: forward; forward, and decode labels; backward; backward in float64, and find the bound."""

_CHUNK = 16  # vectors between two looks at what other threads do


class Course(NamedTuple):
    """What stays the same while a pass goes over a band.

    The functions below share more names. `m`, `model` and `numbers` are the :class:`Messages`, the :class:`Model`, and
    those of its :class:`Numbers` that are in use, with their work space `work`; `forward` is the direction of the pass,
    `k` a direction of edges, `d` a vector; `slot` is where the messages of a direction that are on their way begin in
    the work space; `lanes` has a zero for each row of a band.
    """

    band: int
    row: int  # of seams
    side: int  # which set of sheets is read
    total: int  # where the sums of costs and messages begin in the work space
    room: int  # where there is room for costs of all labels


@inline
def _seam(m, row, k, x):
    """Where the messages of `m` that leave row `row` of seams in direction `k` at column `x` begin."""
    return ((row * m.n_seams + m.steps[5 * k + 4]) * m.seam_length + m.seam_start + x) * m.n_labels


@inline
def _sheet(m, side, k, inside, d):
    """Which vector of the sheets of `m`, of set `side`, belongs to vector `d` of band `inside` of a slice.

    The sheet is that of direction `k`.
    """
    row = (side * m.n_sheets + m.steps[5 * k + 4]) * m.n_bands + inside
    return row * (m.n_vectors + 2 * SHEET_MARGIN) + SHEET_MARGIN + d


@inline
def _receive(m, course, forward, at, work, slot, k, d, lanes):
    """Add the messages of direction `k` to the sums of vector `d`, whose block of memory begins at `at`.

    Those that arrive, at `slot`, and those from behind, in the block, change places. The other arguments are those of
    :class:`Course`: `m`, `course`, `forward`, `work` and `lanes`.
    """
    band, row, side, total, _ = course
    step = len(lanes)
    length = m.n_labels * step
    at += (1 + k) * length
    if m.steps[5 * k + 0] > 0:
        inside = band % m.n_bands
        dy, dx = m.steps[5 * k + 1], m.steps[5 * k + 2]  # to the sender
        if forward:
            dy, dx = -dy, -dx
        sheet = _sheet(m, side, k, inside, d + dx + m.skew * dy) * length
        beside = np.int64(0)  # what enters from the next band; the sheets begin with zeros
        x = d + dx - (m.skew * (step - 1) if dy > 0 else 0)
        if dy != 0 and 0 <= inside + dy < m.n_bands and 0 <= x < m.width:
            last = step - 1 if dy < 0 else 0
            beside = _sheet(m, side, k, inside + dy, x + m.skew * last) * length + last
        for i in range(0, length, step):
            old, new = convert(load(m.planes, at + i, lanes), work), convert(load(m.sheets, sheet + i, lanes), work)
            if dy > 0:
                new = shift_down(new, m.sheets[beside])
            elif dy < 0:
                new = shift_up(new, m.sheets[beside])
            if beside > 0:
                beside += step
            store(m.planes, at + i, convert(new, m.planes))
            store(work, slot + i, old)
            store(work, total + i, add(load(work, total + i, lanes), add(old, new)))
    elif m.steps[5 * k + 1] > 0:
        if forward:
            entering = _seam(m, row, k, d - m.steps[5 * k + 2])
            for i in range(0, length, step):
                old = convert(load(m.planes, at + i, lanes), work)
                new = shift_up(load(work, slot + i, lanes), m.seams[entering])
                store(m.planes, at + i, convert(new, m.planes))
                store(work, slot + i, old)
                store(work, total + i, add(load(work, total + i, lanes), add(old, new)))
                entering += 1
        else:
            entering = _seam(m, row + 1, k, d - (step - 1) * m.skew + m.steps[5 * k + 2])
            for i in range(0, length, step):
                old = convert(load(m.planes, at + i, lanes), work)
                new = shift_down(load(work, slot + i, lanes), m.seams[entering])
                store(m.planes, at + i, convert(new, m.planes))
                store(work, slot + i, old)
                store(work, total + i, add(load(work, total + i, lanes), add(old, new)))
                entering += 1
    else:
        for i in range(0, length, step):
            old = convert(load(m.planes, at + i, lanes), work)
            new = load(work, slot + i, lanes)
            store(m.planes, at + i, convert(new, m.planes))
            store(work, slot + i, old)
            store(work, total + i, add(load(work, total + i, lanes), add(old, new)))


@inline
def _send(m, model, numbers, course, forward, slot, k, weight, share, d, lanes):
    """Put the messages from vector `d` in direction `k` on their way; returns the minima of the chains.

    `weight` is a pack of the weights of the edges, `share` one of the part of the costs that a chain gets. The other
    arguments are those of :class:`Course`: `m`, `model`, `numbers`, `course`, `forward`, `slot` and `lanes`.
    """
    total, room = course.total, course.room
    step = len(lanes)
    length = m.n_labels * step
    work = numbers.work
    costs = room if apart(model.kind) else slot
    least = convert(fill(np.float32(np.inf), lanes), work)
    for i in range(0, length, step):
        cost = subtract(multiply(share, load(work, total + i, lanes)), load(work, slot + i, lanes))
        least = minimum(least, cost)
        store(work, costs + i, cost)
    table = numbers.table
    limit = convolve(work, costs, slot, least, weight, m.n_labels, model.kind, model.reach, table, not forward, lanes)
    if model.kind > QUADRATIC:
        least = convert(fill(np.float32(np.inf), lanes), work)
        for i in range(0, length, step):
            least = minimum(least, load(work, slot + i, lanes))
    for i in range(0, length, step):
        store(work, slot + i, minimum(subtract(load(work, slot + i, lanes), least), limit))
    _hand_over(m, course, forward, work, slot, k, d, lanes)
    return least


@inline
def _hand_over(m, course, forward, work, slot, k, d, lanes):
    """Write messages to another band or slice where that can read them.

    They come from vector `d` in direction `k` and begin at `slot`. The other arguments are those of :class:`Course`:
    `m`, `course`, `forward`, `work` and `lanes`.
    """
    band, row, side, _, _ = course
    step = len(lanes)
    inside = band % m.n_bands
    if m.steps[5 * k + 0] > 0:
        sheet = _sheet(m, 1 - side, k, inside, d) * m.n_labels * step
        for i in range(0, m.n_labels * step, step):
            store(m.sheets, sheet + i, convert(load(work, slot + i, lanes), m.sheets))
    elif m.steps[5 * k + 1] > 0:
        last = step - 1 if forward else 0
        x = d - last * m.skew
        if 0 <= x < m.width and (inside + 1 < m.n_bands if forward else inside > 0):
            to = _seam(m, row + 1 if forward else row, k, x)
            for label in range(m.n_labels):
                m.seams[to + label] = np.float64(work[slot + label * step + last])


@inline
def _decode(m, model, course, at, work, d, n_chains, lanes):
    """Label each pixel of vector `d`: the best for the labels before it and the messages from behind.

    The block of memory of the vector begins at `at`, and there are `n_chains` directions. The other arguments are those
    of :class:`Course`: `m`, `model`, `course`, `work` and `lanes`.
    """
    band, _, _, total, room = course
    step = len(lanes)
    length = m.n_labels * step
    z, top = band // m.n_bands, (band % m.n_bands) * step
    table = model.single.table
    weights = ((band * m.n_vectors + d) * 2 + 1) * n_chains * step
    for i in range(0, length, step):
        store(work, total + i, convert(load(m.planes, at + i, lanes), work))
    for k in range(n_chains):
        dz, dy, dx = m.steps[5 * k + 0], m.steps[5 * k + 1], m.steps[5 * k + 2]
        for r in range(step):
            y, x = top + r, d - m.skew * r
            inside = z >= dz and max(dy, 0) <= y < m.height + min(dy, 0) and max(dx, 0) <= x < m.width + min(dx, 0)
            work[room + r] = np.float32(m.labels[((z - dz) * m.height + y - dy) * m.width + x - dx]) if inside else 0
        near = load(work, room, lanes)
        weight = load(m.weights, weights + k * step, lanes)
        for label in range(m.n_labels):
            i = label * step
            if model.kind == MATRIX:
                for r in range(step):
                    work[room + step + r] = table[np.int64(work[room + r]) * m.n_labels + label]
                cost = convert(load(work, room + step, lanes), m.planes)
            else:
                cost = pair_cost(model.single.table, convert(near, m.planes), label, model.kind, lanes)
            more = add(load(m.planes, at + (1 + k) * length + i, lanes), multiply(weight, cost))
            store(work, total + i, add(load(work, total + i, lanes), convert(more, work)))
    best, chosen = load(work, total, lanes), fill(np.float32(0.0), lanes)
    for label in range(1, m.n_labels):
        score = load(work, total + label * step, lanes)
        chosen = choose(less(score, best), fill(np.float32(label), lanes), chosen)
        best = minimum(score, best)
    store(work, room, convert(chosen, work))
    for r in range(step):
        y, x = top + r, d - m.skew * r
        if y < m.height and 0 <= x < m.width:
            m.labels[(z * m.height + y) * m.width + x] = np.int32(work[room + r])


@inline
def _await(m, sync, band, goal):
    """Wait until `band` of `m` has got as far as `goal`, or until `sync` says that the run is to end."""
    spins = 0
    while atomic_load(m.progress, band * LINE) < goal and not aborted(sync):
        spins = linger(spins)


@inline
def _follow(m, sync, band, i, turn, forward, lanes):
    """Wait until all messages to the next vectors of a `band`, from number `i` on, have been sent.

    `turn` is the number of passes before this one, `forward` its direction; `m`, `sync` and `lanes` as in
    :func:`passes`.
    """
    before = turn * m.n_vectors
    ahead = before + min(m.n_vectors, i + _CHUNK + (len(lanes) - 1) * m.skew + 2)
    toward = -1 if forward else 1
    inside = band % m.n_bands + toward
    if 0 <= inside < m.n_bands:
        _await(m, sync, band + toward, ahead)
    slice_before = band + toward * m.n_bands
    if 0 <= slice_before < m.n_bands * m.depth:
        if m.skew > 1:  # slanted directions come from the bands around as well, the last to end is the one behind
            is_last = not 0 <= band % m.n_bands - toward < m.n_bands
            _await(m, sync, slice_before - (0 if is_last else toward), before + m.n_vectors)
        else:
            _await(m, sync, slice_before, before + min(m.n_vectors, i + _CHUNK))


@inline
def _phase(i, way):
    """Place number `i` in a ring of length `way`, 1 to 3: ``i % way`` without a division by a variable."""
    return 0 if way == 1 else i % 2 if way == 2 else i % 3


@inline
def _pass_band(sync, m, model, numbers, start, band, turn, forward, decode, certify, lanes):
    """Go over a `band` once, `forward` or backward.

    `turn` is the number of passes before this one, and the work space of the thread begins at `start`. If `decode`,
    labels are decoded on the way; if `certify` has two elements instead of one, the bound is found. `sync`, `m`,
    `model`, `numbers` and `lanes` as in :class:`Course` and :func:`passes`.
    """
    work = numbers.work
    step = len(lanes)
    length, margin = m.n_labels * step, model.reach * step
    n_chains, ways = m.n_chains, 2 * m.skew - 1
    total = start
    room = total + length + margin
    rings = room + max(length + margin, 2 * step)
    infinity = convert(fill(np.float32(np.inf), lanes), work)
    zero = convert(fill(np.float32(0.0), lanes), work)
    for i in range(0, margin, step):  # no label is beyond the ends
        store(work, room - margin + i, infinity)
        store(work, room + length + i, infinity)
    for i in range(rings, rings + n_chains * ways * length, step):
        store(work, i, zero)
    share = spread(numbers.share, 0, lanes)
    bound, size = zero, zero
    z = band // m.n_bands
    row = z * (m.n_bands + 1) + band % m.n_bands
    side = (turn * m.depth + (z if forward else m.depth - 1 - z)) % 2  # slices take turns
    course = Course(band, row, side, total, room)
    for i in range(m.n_vectors):
        if i % _CHUNK == 0:
            _follow(m, sync, band, i, turn, forward, lanes)
            if aborted(sync):
                return
        d = i if forward else m.n_vectors - 1 - i
        at = (band * m.n_vectors + d) * (1 + n_chains) * length
        if len(certify) == 1 and decode:
            _decode(m, model, course, at, work, d, n_chains, lanes)
        for j in range(0, length, step):
            store(work, total + j, convert(load(m.planes, at + j, lanes), work))
        for k in range(n_chains):
            slot = rings + (k * ways + _phase(i, m.steps[5 * k + 3])) * length
            _receive(m, course, forward, at, work, slot, k, d, lanes)
        weights = ((band * m.n_vectors + d) * 2 + (0 if forward else 1)) * n_chains * step
        for k in range(n_chains):
            slot = rings + (k * ways + _phase(i, m.steps[5 * k + 3])) * length
            weight = convert(load(m.weights, weights + k * step, lanes), work)
            least = _send(m, model, numbers, course, forward, slot, k, weight, share, d, lanes)
            if len(certify) > 1:
                bound = add(bound, least)
                size = add(size, maximum(least, subtract(zero, least)))
        if (i + 1) % _CHUNK == 0 or i + 1 == m.n_vectors:
            atomic_store(m.progress, band * LINE, turn * m.n_vectors + i + 1)
    if len(certify) > 1:
        store(work, total, bound)
        store(work, total + step, size)
        m.bounds[2 * band], m.bounds[2 * band + 1] = 0.0, 0.0
        for r in range(step):
            m.bounds[2 * band] += work[total + r]
            m.bounds[2 * band + 1] += work[total + step + r]


@kernel
def passes(sync, n_threads, messages, given, plan, turn, lanes):
    """Run passes over the bands of `order`.

    Those around them, if there are any, are other calls' affair; the seams (in volumes, the sheets) between are where
    these begin, or go on.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`, with a counter for each pass and one more.
    n_threads : int
    messages : Messages
    given : Model
    plan : int64, (n,)
        Kinds of the passes.
    turn : int
        How many passes were run before with the same messages.
    lanes : tuple
        A zero for each row of a band.
    """
    m, model = with_pointers(messages), model_with_pointers(given)
    n_bands = messages.order.size
    start = claim(sync, plan.size) * model.work_size
    for number in range(plan.size):
        what = plan[number]
        forward = what in (FORWARD, DECODE)
        while True:
            i = claim(sync, number)
            if i >= n_bands or aborted(sync):
                break
            band = m.order[i if forward else n_bands - 1 - i]
            if what == CERTIFY:
                _pass_band(sync, m, model, model.double, start, band, turn + number, False, False, (0, 0), lanes)
            else:
                decode = what == DECODE
                _pass_band(sync, m, model, model.single, start, band, turn + number, forward, decode, (0,), lanes)
        barrier(sync, n_threads)

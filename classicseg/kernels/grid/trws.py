"""Sequential tree-reweighted message passing (TRW-S) on grids.

Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10), 2006,
doi:10.1109/TPAMI.2006.200. `classicseg.reference.trws` is the same in a few lines.

Pixels are visited in raster order, but a pixel needs only the messages of its neighbours above and to the left: all
pixels of a slanted line can be done at once. Slices of the grid are cut into bands of 16 rows, one SIMD lane for each
row; lane r lags ``skew * r`` columns behind lane 0, so that vector number d of a band holds the pixels (r, d - skew r):

    skew 1, for 4 neighbours      left and up: 1 vector before
    skew 2, for 8                 left and up-right: 1 vector before, up: 2, up-left: 3

A pass goes over all bands, vector after vector, and for each vector over all labels. A block of memory holds all that
a vector needs: its unary costs and, for each direction, the messages that arrive over these edges from the pixels that
come later. The pass takes these out and puts in those that arrive from the pixels before, which is what the backward
pass needs: the same loop with all directions reversed. So every message is read once and written once for each pass,
in the order of memory.

Messages under way wait in rings, one for each direction, as long as the way is in vectors. Those that leave a band
through its last lane go through a *seam*; those to the next slice of a volume through a sheet.

Bands depend on the one before only through the messages that enter: threads claim them in order and follow one
another at a distance of a few dozen vectors.

Pixels outside the grid have no costs, and edges to them no weight: they send and receive zeros.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg._jit import inline, kernel
from classicseg.kernels.atomics import atomic_load, atomic_store, pause, sleep_briefly
from classicseg.kernels.grid.convolution import MATRIX, QUADRATIC, apart, convolve, pair_cost
from classicseg.kernels.simd import (
    add,
    choose,
    convert,
    fill,
    less,
    load,
    maximum,
    minimum,
    multiply,
    pointer,
    shift_down,
    shift_up,
    spread,
    store,
    subtract,
)
from classicseg.kernels.threads import aborted, barrier, claim

FORWARD, DECODE, BACKWARD, CERTIFY = range(4)
"""Kinds of passes: forward; forward, and decode labels; backward; backward in float64, and find the bound."""

LINE = 8
"""Distance of the words of `progress`, a cache line apart."""

_CHUNK = 16  # vectors between two looks at what other threads do
_SPINS = 4000


class Messages(NamedTuple):
    """State of a run. K directions, L labels, P rows of a band (lanes), B bands, D vectors of a band.

    Kernels make pointers of the arrays: to hand an array to an inner function would count its references.
    """

    planes: np.ndarray  # (B, D, 1 + K, L, P) float32: unary costs, then what arrived over the edges of each direction
    weights: np.ndarray  # (B, D, 2 K, P) float32: of the edges that lead forward, then of those that lead backward
    seams: np.ndarray  # (slices * (bands + 1), n_seams, seam_length, L) float32: on their way to the next band
    sheet: np.ndarray  # (bands of a slice, D, L, P) float32: on their way to the next slice
    steps: np.ndarray  # (5 K,) int64: slice, row, column of a direction, vectors on the way, number of its seam
    progress: np.ndarray  # (B * LINE,) int64: vectors done since the start
    bounds: np.ndarray  # (2 B,) float64: shares of the bound, and of the sum of its absolute terms
    labels: np.ndarray  # (n,) int32: decoded
    depth: int
    height: int
    width: int
    n_labels: int
    n_chains: int  # K
    skew: int
    n_bands: int  # of a slice
    n_vectors: int
    seam_length: int
    seam_start: int  # where column 0 is
    n_seams: int


class Numbers(NamedTuple):
    """What depends on the precision of the sums; all arrays are float32, or all float64."""

    table: np.ndarray  # of :mod:`classicseg.kernels.grid.convolution`
    share: np.ndarray  # (1,): of a chain in the costs of a pixel
    work: np.ndarray  # (threads * work_size,)


class Model(NamedTuple):
    """The compatibility (see :mod:`classicseg.kernels.grid.convolution`) and the work space of the threads."""

    kind: int
    reach: int
    single: Numbers
    double: Numbers
    work_size: int


@inline
def _seam(m, row, k, x):  # type: ignore[no-untyped-def]
    """Where the messages of column x begin in a seam."""
    return ((row * m.n_seams + m.steps[5 * k + 4]) * m.seam_length + m.seam_start + x) * m.n_labels


@inline
def _receive(m, at, work, total, slot, k, row, d, band, forward, lanes):  # type: ignore[no-untyped-def]
    """Add the messages of a direction to the totals; those that arrive and those from behind change places."""
    step = len(lanes)
    length = m.n_labels * step
    at += (1 + k) * length
    if m.steps[5 * k + 0] > 0:
        sheet = ((band % m.n_bands) * m.n_vectors + d) * length
        for i in range(0, length, step):
            old, new = load(m.planes, at + i, lanes), load(m.sheet, sheet + i, lanes)
            store(m.planes, at + i, new)
            store(work, slot + i, convert(old, work))
            store(work, total + i, add(load(work, total + i, lanes), add(convert(old, work), convert(new, work))))
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
def _send(m, model, numbers, total, room, slot, k, weight, share, row, d, band, forward, lanes):  # type: ignore[no-untyped-def]
    """Put the messages that leave over the edges of a direction on their way; returns the minima of the chains."""
    step = len(lanes)
    length = m.n_labels * step
    work = numbers.work
    costs = room if apart(model.kind) else slot
    least = convert(fill(np.float32(np.inf), lanes), work)
    for i in range(0, length, step):
        cost = subtract(multiply(share, load(work, total + i, lanes)), load(work, slot + i, lanes))
        least = minimum(least, cost)
        store(work, costs + i, cost)
    limit = convolve(work, costs, slot, weight, m.n_labels, model.kind, model.reach, numbers.table, not forward, lanes)
    if model.kind > QUADRATIC:
        least = convert(fill(np.float32(np.inf), lanes), work)
        for i in range(0, length, step):
            least = minimum(least, load(work, slot + i, lanes))
    rest = convert(fill(np.float32(np.inf), lanes), work)
    for i in range(0, length, step):
        message = minimum(subtract(load(work, slot + i, lanes), least), limit)
        sent = convert(convert(message, m.planes), work)  # in float32, whatever the precision of the sums
        store(work, slot + i, sent)
        rest = minimum(rest, subtract(message, sent))
    _hand_over(m, work, slot, k, row, d, band, forward, lanes)
    return add(least, rest)


@inline
def _hand_over(m, work, slot, k, row, d, band, forward, lanes):  # type: ignore[no-untyped-def]
    """Write messages to another band or slice where that can read them."""
    step = len(lanes)
    inside = band % m.n_bands
    if m.steps[5 * k + 0] > 0:
        sheet = (inside * m.n_vectors + d) * m.n_labels * step
        for i in range(0, m.n_labels * step, step):
            store(m.sheet, sheet + i, convert(load(work, slot + i, lanes), m.sheet))
    elif m.steps[5 * k + 1] > 0:
        last = step - 1 if forward else 0
        x = d - last * m.skew
        if 0 <= x < m.width and (inside + 1 < m.n_bands if forward else inside > 0):
            to = _seam(m, row + 1 if forward else row, k, x)
            for label in range(m.n_labels):
                m.seams[to + label] = np.float32(work[slot + label * step + last])


@inline
def _decode(m, model, at, work, total, room, band, d, n_chains, lanes):  # type: ignore[no-untyped-def]
    """Label of each pixel of a vector: the best for the labels before it and the messages from behind."""
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
            inside = z >= dz and dy <= y < m.height and max(dx, 0) <= x < m.width + min(dx, 0)
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
def _await(m, sync, band, goal):  # type: ignore[no-untyped-def]
    """Wait until a band has got as far as `goal`."""
    spins = 0
    while atomic_load(m.progress, band * LINE) < goal and not aborted(sync):
        spins += 1
        if spins < _SPINS:
            pause()
        else:
            sleep_briefly()


@inline
def _follow(m, sync, band, i, turn, forward, lanes):  # type: ignore[no-untyped-def]
    """Wait until all messages to the next vectors of a band have been sent."""
    before = turn * m.n_vectors
    ahead = before + min(m.n_vectors, i + _CHUNK + (len(lanes) - 1) * m.skew + 2)
    toward = -1 if forward else 1
    inside = band % m.n_bands + toward
    if 0 <= inside < m.n_bands:
        _await(m, sync, band + toward, ahead)
    slice_before = band + toward * m.n_bands
    if 0 <= slice_before < m.n_bands * m.depth:
        _await(m, sync, slice_before, before + min(m.n_vectors, i + _CHUNK))


@inline
def _pass_band(sync, m, model, numbers, start, band, turn, forward, decode, certify, lanes):  # type: ignore[no-untyped-def]
    """One pass over a band. `certify` has two elements if the bound is to be found, else one."""
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
    row = band // m.n_bands * (m.n_bands + 1) + band % m.n_bands
    for i in range(m.n_vectors):
        if i % _CHUNK == 0:
            _follow(m, sync, band, i, turn, forward, lanes)
            if aborted(sync):
                return
        d = i if forward else m.n_vectors - 1 - i
        at = (band * m.n_vectors + d) * (1 + n_chains) * length
        if decode:
            _decode(m, model, at, work, total, room, band, d, n_chains, lanes)
        for j in range(0, length, step):
            store(work, total + j, convert(load(m.planes, at + j, lanes), work))
        for k in range(n_chains):
            slot = rings + (k * ways + (i % m.steps[5 * k + 3] if ways > 1 else 0)) * length
            _receive(m, at, work, total, slot, k, row, d, band, forward, lanes)
        weights = ((band * m.n_vectors + d) * 2 + (0 if forward else 1)) * n_chains * step
        for k in range(n_chains):
            slot = rings + (k * ways + (i % m.steps[5 * k + 3] if ways > 1 else 0)) * length
            weight = convert(load(m.weights, weights + k * step, lanes), work)
            least = _send(m, model, numbers, total, room, slot, k, weight, share, row, d, band, forward, lanes)
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


def work_size(n_labels: int, reach: int, n_chains: int, skew: int, n_lanes: int) -> int:
    """Elements of work space of a thread: totals, costs with labels beyond the ends, and rings."""
    ways = 2 * skew - 1
    return (n_labels + reach + max(n_labels + reach, 2) + n_chains * ways * n_labels) * n_lanes


@inline
def _with_pointers(m):  # type: ignore[no-untyped-def]
    return Messages(
        pointer(m.planes),
        pointer(m.weights),
        pointer(m.seams),
        pointer(m.sheet),
        pointer(m.steps),
        pointer(m.progress),
        pointer(m.bounds),
        pointer(m.labels),
        m.depth,
        m.height,
        m.width,
        m.n_labels,
        m.n_chains,
        m.skew,
        m.n_bands,
        m.n_vectors,
        m.seam_length,
        m.seam_start,
        m.n_seams,
    )


@inline
def _numbers(numbers):  # type: ignore[no-untyped-def]
    return Numbers(pointer(numbers.table), pointer(numbers.share), pointer(numbers.work))


@kernel
def passes(sync, n_threads, messages, given, plan, turn, lanes):  # type: ignore[no-untyped-def]
    """Run passes.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg._jit.new_sync` with a counter for each pass and one more; ends early if it says so.
    n_threads : int
    messages : Messages
    given : Model
    plan : int64, (n,)
        Kinds of passes.
    turn : int
        Number of passes that were run before with the same messages.
    lanes : tuple
        As many zeros as bands have rows.
    """
    m = _with_pointers(messages)
    model = Model(given.kind, given.reach, _numbers(given.single), _numbers(given.double), given.work_size)
    n_bands = m.depth * m.n_bands
    start = claim(sync, plan.size) * model.work_size
    for number in range(plan.size):
        what = plan[number]
        forward = what in (FORWARD, DECODE)
        while True:
            i = claim(sync, number)
            if i >= n_bands or aborted(sync):
                break
            band = i if forward else n_bands - 1 - i
            if what == CERTIFY:
                _pass_band(sync, m, model, model.double, start, band, turn + number, False, False, (0, 0), lanes)
            else:
                decode = what == DECODE
                _pass_band(sync, m, model, model.single, start, band, turn + number, forward, decode, (0,), lanes)
        barrier(sync, n_threads)


@kernel
def write_unary(m, unary, scale, ceiling, lanes):  # type: ignore[no-untyped-def]
    """Write unary costs, (L * n,), times `scale`, less those of the best label of each pixel, and zero all messages.

    Finite costs above `ceiling` are cut off there. Returns the sum of what was subtracted, summed row by row, the sum
    of its sizes, what rounding to float32 can have changed in the energy of a labelling, and the largest finite cost.
    """
    step = len(lanes)
    block = (1 + m.n_chains) * m.n_labels * step
    n = m.depth * m.height * m.width
    cells, given = pointer(m.planes), pointer(unary)
    constant, size, error, largest = 0.0, 0.0, 0.0, 0.0
    least, worst = np.empty(m.width, np.float64), np.empty(m.width, np.float64)
    for band in range(m.depth * m.n_bands):
        first = band * m.n_vectors * block
        for i in range(first, first + m.n_vectors * block):
            cells[i] = np.float32(0.0)
        top = (band % m.n_bands) * step
        for r in range(min(step, m.height - top)):
            pixel = (band // m.n_bands * m.height + top + r) * m.width
            for x in range(m.width):
                least[x], worst[x] = np.inf, 0.0
            for label in range(m.n_labels):
                for x in range(m.width):
                    least[x] = min(least[x], np.float64(given[label * n + pixel + x]))
            for label in range(m.n_labels):
                to = first + m.skew * r * block + label * step + r
                for x in range(m.width):
                    exact = (np.float64(given[label * n + pixel + x]) - least[x]) * scale
                    if ceiling < exact < np.inf:
                        exact = ceiling
                    rounded = np.float32(exact)
                    cells[to + x * block] = rounded
                    if exact < np.inf:
                        worst[x] = max(worst[x], abs(exact - np.float64(rounded)))
                        largest = max(largest, exact)
            in_row, row_size = 0.0, 0.0
            for x in range(m.width):
                in_row += least[x]
                row_size += abs(least[x])
                error += worst[x]
            constant += in_row
            size += row_size
    return constant * scale, size * scale, error, largest


@kernel
def write_weights(m, weights, k, lanes):  # type: ignore[no-untyped-def]
    """Write the weights of a direction, float32, one for each edge in raster order or a single one."""
    step = len(lanes)
    dz, dy, dx = m.steps[5 * k + 0], m.steps[5 * k + 1], m.steps[5 * k + 2]
    cells = pointer(m.weights)
    edge = 0
    for z in range(m.depth - dz):
        for y in range(m.height - dy):
            for x in range(max(0, -dx), m.width - max(0, dx)):
                weight = weights[0 if weights.size == 1 else edge]
                edge += 1
                for last in range(2):  # the pixel before, the pixel behind
                    row, column = y + dy * last, x + dx * last
                    r = row % step
                    vector = ((z + dz * last) * m.n_bands + row // step) * m.n_vectors + column + m.skew * r
                    cells[((vector * 2 + last) * m.n_chains + k) * step + r] = weight

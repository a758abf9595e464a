"""Grid CRFs with a Potts cost, in whole numbers: three ways to minimise one energy.

Everywhere, `unary` are the costs of labels x height x width, and `weights` those of 4 x height x width edges: from each
pixel to its right, down, down and right, down and left; 0 where that leads out of the image. Diagonal weights are only
read if `n_directions` is 4 and not 2. `labels`, height x width, are replaced, and `energies` gets what they cost after
each iteration.
"""

import numpy as np
from builder.entry import F64S, I32, I32S, entry
from numba import carray

from classicseg.kernels.cut.paths import EXTRA, max_flow
from classicseg.kernels.cut.records import Layout, fill, read_cut, read_sides
from classicseg.kernels.messages.convolution import POTTS
from classicseg.kernels.messages.memory import LINE, Messages, Model, Numbers, write_unary, write_weights
from classicseg.kernels.messages.trws import CERTIFY, DECODE, FORWARD, passes
from classicseg.kernels.sites.energy import pairwise_energy, unary_energy
from classicseg.kernels.sites.neighbours import Field
from classicseg.kernels.sites.sites import descend
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import ACROSS, PIXELS

_EIGHT = (0, 0, 0, 0, 0, 0, 0, 0)
_DOWN, _ACROSS = (0, 1, 1, 1), (1, 0, 1, -1)  # rows and columns of each direction
_CEILING = 2**28


@inline
def _compact(weights, k, height, width):
    """The weights of direction `k`, one for each edge in raster order."""
    dy, dx = _DOWN[k], _ACROSS[k]
    compact, edge = np.empty((height - dy) * (width - abs(dx)), np.int32), 0
    for y in range(height - dy):
        for x in range(max(0, -dx), width - max(0, dx)):
            compact[edge] = weights[(k * height + y) * width + x]
            edge += 1
    return compact


@inline
def _potts(n_labels, dtype):
    """Costs of pairs of labels."""
    cost = np.ones((n_labels, n_labels), dtype)
    for label in range(n_labels):
        cost[label, label] = 0
    return cost


@kernel
def _energy(height, width, n_directions, unary, edges, cost, labels):
    """What `labels` cost; `edges` are the compact weights of each direction."""
    total = unary_energy(labels, unary, width, 0.0)
    for k in range(n_directions):
        weights = edges[0] if k == 0 else edges[1] if k == 1 else edges[2] if k == 2 else edges[3]
        total += pairwise_energy(labels, weights, cost, 1, height, width, 0, _DOWN[k], _ACROSS[k], 0.0)
    return total


@inline
def _all_edges(weights, height, width):
    """The compact weights of each direction."""
    return (
        _compact(weights, 0, height, width),
        _compact(weights, 1, height, width),
        _compact(weights, 2, height, width),
        _compact(weights, 3, height, width),
    )


@entry
def icm(
    height: I32, width: I32, n_labels: I32, n_directions: I32, unary: I32S, weights: I32S, n_iter: I32, labels: I32S,
    energies: F64S,
):  # fmt: skip
    """Iterated conditional modes from `labels` on; an iteration is a sweep over all pixels."""
    n = np.int64(height) * width
    costs, given, out = carray(unary, n_labels * n), carray(weights, 4 * n), carray(labels, n)
    by_pixel, of_edges, cost = np.empty((n, n_labels)), np.zeros((n_directions, n)), _potts(n_labels, np.float64)
    for i in range(n):
        for label in range(n_labels):
            by_pixel[i, label] = costs[label * n + i]
        for k in range(n_directions):
            of_edges[k, i] = given[k * n + i]
    steps = np.empty(n_directions, np.int64)
    for k in range(n_directions):
        steps[k] = _DOWN[k] * width + _ACROSS[k]
    field = Field(by_pixel, of_edges, steps, cost, cost, True, (1, np.int64(height), np.int64(width)))
    edges = _all_edges(given, height, width)
    stale, changed, sync = np.ones(n, np.uint8), np.zeros(height, np.int64), np.zeros(128, np.int64)
    for iteration in range(n_iter):
        sync[:] = 0
        descend(sync, 1, field, out, stale, np.empty(0, np.int64), np.empty(0), changed)
        energies[iteration] = _energy(height, width, n_directions, costs, edges, cost, out)
    return 0


@entry
def expansion(
    height: I32, width: I32, n_labels: I32, n_directions: I32, unary: I32S, weights: I32S, n_iter: I32, labels: I32S,
    energies: F64S,
):  # fmt: skip
    """Alpha-expansion from `labels` on; an iteration is the expansion of one label, then of the next."""
    n, words = np.int64(height) * width, len(_EIGHT) + EXTRA
    costs, given, out = carray(unary, n_labels * n), carray(weights, 4 * n), carray(labels, n)
    row = (width + 2) * words
    sheet = (height + 2) * row
    layout = Layout(np.int64(sheet + row + words), np.int64(row), np.int64(sheet), 1, np.int64(height), np.int64(width))
    offsets, steps = np.zeros((4, 3), np.int64), np.empty(8, np.int64)
    for k in range(4):
        offsets[k, 1], offsets[k, 2] = _DOWN[k], _ACROSS[k]
        steps[2 * k] = _DOWN[k] * row + _ACROSS[k] * words
        steps[2 * k + 1] = -steps[2 * k]
    if n_directions == 2:
        given = given.copy()
        for i in range(2 * n, 4 * n):
            given[i] = 0
    edges, cost, table = _all_edges(given, height, width), _potts(n_labels, np.int32), _potts(n_labels, np.float64)
    sync, size, sides, one = np.zeros(64, np.int64), 3 * sheet // words, np.zeros(n, np.uint8), np.zeros(1, np.int32)
    records, buckets, queues = np.zeros(3 * sheet, np.int32), np.zeros(size, np.int32), np.zeros(2 * size, np.int32)
    in_vain = 0  # moves since the last one that lowered the energy
    for iteration in range(n_iter):
        if in_vain == n_labels:
            energies[iteration] = energies[iteration - 1]
            continue
        one[0] = iteration % n_labels
        fill(records, layout, offsets, steps, costs, edges, cost, out, one, _CEILING, 0, _EIGHT)
        buckets[:] = 0
        max_flow(sync, records, layout.first, layout.first + height * row, steps, buckets, queues, _EIGHT)
        read_sides(records, layout, sides, _EIGHT)
        read_cut(sides, out, one, out)
        energies[iteration] = _energy(height, width, n_directions, costs, edges, table, out)
        in_vain = in_vain + 1 if iteration > 0 and energies[iteration] == energies[iteration - 1] else 0
    return 0


@entry
def trws(
    height: I32, width: I32, n_labels: I32, n_directions: I32, unary: I32S, weights: I32S, n_iter: I32, labels: I32S,
    energies: F64S, bounds: F64S,
):  # fmt: skip
    """Tree-reweighted message passing; `labels` become the best that were decoded, `bounds` what no labels go below."""
    n, lanes = np.int64(height) * width, PIXELS
    costs, given, best = carray(unary, n_labels * n), carray(weights, 4 * n), carray(labels, n)
    edges, cost = _all_edges(given, height, width), _potts(n_labels, np.float64)
    n_chains, skew = np.int64(n_directions), np.int64(1 if n_directions == 2 else 2)
    n_bands, n_vectors = np.int64((height + lanes - 1) // lanes), np.int64(width + skew * (lanes - 1))
    n_seams, seam_start = n_chains - 1, skew * (lanes - 1) + 1
    seam_length, cells = n_vectors + seam_start + 2, n_bands * n_vectors * lanes
    steps, order, heaviest = np.zeros(5 * n_chains, np.int64), np.arange(n_bands), 1
    for k in range(n_chains):
        steps[5 * k + 1], steps[5 * k + 2] = _DOWN[k], _ACROSS[k]
        steps[5 * k + 3], steps[5 * k + 4] = _ACROSS[k] + skew * _DOWN[k], k - 1
        for i in range(n):
            heaviest = max(heaviest, given[k * n + i])
    found = np.zeros(n, np.int32)
    messages = Messages(
        np.zeros(cells * (1 + n_chains) * n_labels, np.float32), np.zeros(cells * 2 * n_chains, np.float32),
        np.zeros((n_bands + 1) * n_seams * seam_length * n_labels), np.zeros(0), steps, order,
        np.zeros(n_bands * LINE, np.int64), np.zeros(2 * n_bands), found, 1, np.int64(height), np.int64(width),
        np.int64(n_labels), n_chains, skew, n_bands, n_vectors, seam_length, seam_start, n_seams, 0,
    )  # fmt: skip
    size = (n_labels + max(n_labels, 2) + n_chains * (2 * skew - 1) * n_labels) * lanes
    single = Numbers(np.ones(1, np.float32), np.full(1, np.float32(1 / n_chains)), np.zeros(size, np.float32))
    double = Numbers(np.ones(1), np.full(1, 1 / n_chains), np.zeros(size))
    model, sync = Model(POTTS, 0, single, double, size), np.zeros(64, np.int64)
    ceiling = np.float64(4 * n_chains * heaviest)
    sums = np.zeros(4)
    write_unary(messages, costs, 1.0, ceiling, sums, ACROSS)
    for k in range(n_chains):
        compact = edges[0] if k == 0 else edges[1] if k == 1 else edges[2] if k == 2 else edges[3]
        write_weights(messages, compact.astype(np.float32), k, 0, height, ACROSS)
    plan, least, bound, turn = np.full(1, FORWARD), np.inf, -np.inf, 0
    for iteration in range(n_iter + 1):
        sync[:] = 0
        passes(sync, 1, messages, model, plan, turn, ACROSS)
        turn += plan.size
        if iteration == 0:
            plan = np.full(2, CERTIFY)
            plan[1] = DECODE
            continue
        total = sums[0]
        for band in range(n_bands):
            total += messages.bounds[2 * band]
        bound = max(bound, total)
        energy = _energy(height, width, n_directions, costs, edges, cost, found)
        if energy < least:
            least = energy
            for i in range(n):
                best[i] = found[i]
        energies[iteration - 1], bounds[iteration - 1] = least, bound
    return 0

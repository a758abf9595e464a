"""Flow networks of real capacities, cut in rounds of whole numbers.

Capacities that are no whole numbers are divided by a step and rounded down. A maximum flow of that network fits into
the real one; what it leaves of each capacity is known to the last bit, since steps are powers of two. What can still
flow is little, and the next round finds it with a finer step. A row of `capacities` has, for each pixel, what is left
in one direction of its record (see :mod:`classicseg.kernels.cut.paths`).

Edmonds, Karp, "Theoretical improvements in algorithmic efficiency for network flow problems", Journal of the ACM 19(2),
1972, doi:10.1145/321694.321699 (flows by scaling).
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.cut.paths import EXTRA
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import pointer


@inline
def _in_steps(value, most, steps_per_unit):
    """How many whole steps fit into `value`, of which no more than `most` can be of use; negative if it is.

    There are `steps_per_unit`.
    """
    whole = np.floor(min(abs(value), most) * steps_per_unit)
    return whole if value > 0 else -whole


@kernel
def round_down(g, layout, capacities, excess, most, step):
    """Write the records of a round.

    Parameters
    ----------
    g : int32, flat
        Records; capacities and excess are written.
    layout : Layout
    capacities : float64, (K, n)
        What is left of them, in each direction; may be infinite.
    excess : float64, (n,)
    most : float
        What is above can be of no use in this round and is cut off.
    step : float
        A power of two.
    """
    n_directions, n = capacities.shape
    net, left, each = pointer(g), pointer(capacities), pointer(excess)
    words, per_unit, pixel = n_directions + EXTRA, 1 / step, 0
    for z in range(layout.depth):
        for y in range(layout.height):
            node = layout.first + z * layout.sheet + y * layout.row
            for _ in range(layout.width):
                for k in range(n_directions):
                    net[node + k] = np.int32(_in_steps(left[k * n + pixel], most, per_unit))
                net[node + n_directions] = np.int32(_in_steps(each[pixel], most, per_unit))
                node += words
                pixel += 1


@kernel
def take_flow(g, layout, capacities, excess, most, step):
    """Subtract from capacities and excess what flowed in a round.

    Parameters
    ----------
    g, layout, capacities, excess, most, step
        As in :func:`round_down`, with the records after a maximum flow.
    """
    n_directions, n = capacities.shape
    net, left, each = pointer(g), pointer(capacities), pointer(excess)
    words, per_unit, pixel = n_directions + EXTRA, 1 / step, 0
    for z in range(layout.depth):
        for y in range(layout.height):
            node = layout.first + z * layout.sheet + y * layout.row
            for _ in range(layout.width):
                for k in range(n_directions):
                    at = k * n + pixel
                    left[at] -= (_in_steps(left[at], most, per_unit) - net[node + k]) * step
                each[pixel] -= (_in_steps(each[pixel], most, per_unit) - net[node + n_directions]) * step
                node += words
                pixel += 1


@kernel
def excess_left(excess, side, most, step):
    """What a round leaves of the excess that a cut separates from where it is wanted.

    Parameters
    ----------
    excess : float64, (n,)
    side : uint8, (n,)
        1 on the side of the sink, 0 on that of the source.
    most, step : float
        Those of the round.

    Returns
    -------
    float
    """
    per_unit, total = 1 / step, 0.0
    for pixel in range(excess.size):
        value = excess[pixel]
        if (value > 0) == (side[pixel] == 1):
            total += abs(value) - abs(_in_steps(value, most, per_unit)) * step
    return total


@kernel
def capacity_left(capacities, tail, head, shape, offset, most, step):
    """What a round leaves of the capacities that lead in one direction over a cut.

    Parameters
    ----------
    capacities : float64, (n,)
        Of the edges in that direction.
    tail, head : uint8, (n,)
        Sides of the pixels where edges begin and where they end: 1 on that of the sink.
    shape, offset : tuple of three int
        Of the grid, and of the direction.
    most, step : float
        Those of the round.

    Returns
    -------
    float
    """
    depth, height, width = shape
    dz, dy, dx = offset
    per_unit, total, jump = 1 / step, 0.0, (dz * height + dy) * width + dx
    for z in range(max(0, -dz), depth - max(0, dz)):
        for y in range(max(0, -dy), height - max(0, dy)):
            row = (z * height + y) * width
            for pixel in range(row + max(0, -dx), row + width - max(0, dx)):
                if tail[pixel] == 0 and head[pixel + jump] == 1:
                    total += capacities[pixel] - _in_steps(capacities[pixel], most, per_unit) * step
    return total

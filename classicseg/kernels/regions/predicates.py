"""Homogeneity predicates as small programs, run on rows of statistics (see :mod:`.statistics`).

A program is in postfix order: every instruction pushes true or false, "and" and "or" replace two by one. So one
compiled interpreter serves every combination of predicates, and a user's own function is called by its address.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from classicseg.machine.jit import inline

AND, OR, RANGE, STD, MEAN, RATIO, HISTOGRAM, OTSU, CUSTOM = range(9)
"""Instructions of a program."""


class Predicate(NamedTuple):
    """A homogeneity predicate as the kernels take it."""

    program: np.ndarray
    """(n, 3) float64: instruction, threshold, second number. At most 62 answers may wait for an "and" or "or"."""
    addresses: np.ndarray
    """(m,) int64: the functions of users, numbered by the second number of :data:`CUSTOM`."""
    failed: np.ndarray
    """(1,) int64: becomes 1 if a function of a user raises an error."""
    edges: np.ndarray
    """(bins + 1,) float64: of the bins of histograms, ascending; a single one stands for no bins."""


@intrinsic
def _call(typing: Any, address: Any, rows: Any, r: Any, n_channels: Any, n_bins: Any) -> Any:
    """Call the C function ``int8 f(double *row, int64 n_channels, int64 n_bins)`` at `address` on row `r` of `rows`.

    It returns 0 for no, 1 for yes, 2 for an error.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[1])(context, builder, args[1])
        length = builder.extract_value(array.shape, 1)
        row = builder.gep(array.data, [builder.mul(args[2], length)])
        whole = ir.IntType(64)
        kind = ir.FunctionType(ir.IntType(8), [row.type, whole, whole])
        function = builder.inttoptr(args[0], kind.as_pointer())
        return builder.call(function, [row, args[3], args[4]])

    return types.int8(types.int64, rows, types.intp, types.int64, types.int64), codegen


@inline
def _range(rows, whole, n_channels, threshold):
    """Whether the values of row `whole` of `rows` span at most `threshold` in each of `n_channels` channels."""
    for c in range(n_channels):
        if rows[whole, 1 + 4 * n_channels + c] - rows[whole, 1 + 3 * n_channels + c] > threshold:
            return False
    return True


@inline
def _scatter(rows, r, c, n_channels):
    """Variance of channel `c` of `n_channels` of the region of row `r` of `rows`, times its pixel count squared."""
    total = rows[r, 1 + n_channels + c]
    return max(rows[r, 0] * rows[r, 1 + 2 * n_channels + c] - total * total, 0.0)


@inline
def _mean_gap(rows, a, others, b, c, n_channels):
    """By how much the mean of row `a` of `rows` exceeds that of row `b` of `others`, times both pixel counts.

    In channel `c` of `n_channels`. Without a division: for whole numbers it is exact, as long as it is below 2^53.
    """
    n, m = rows[a, 0], others[b, 0]
    apart = rows[a, 1 + c] - others[b, 1 + c]
    return apart * n * m + rows[a, 1 + n_channels + c] * m - others[b, 1 + n_channels + c] * n


@inline
def _std(rows, whole, n_channels, threshold):
    """Whether the standard deviation of row `whole` of `rows` is at most `threshold` in each of `n_channels`."""
    allowed, largest = threshold * rows[whole, 0], 0.0
    for c in range(n_channels):
        largest = max(largest, _scatter(rows, whole, c, n_channels))
    return largest <= allowed * allowed


@inline
def _mean(rows, part_rows, n_parts, n_channels, threshold):
    """Whether the means of the parts span at most `threshold` in each of `n_channels` channels.

    `rows`, `part_rows` and `n_parts` are those of :func:`holds`.
    """
    for c in range(n_channels):
        for i in range(n_parts):
            for j in range(i):
                a, b = part_rows[i], part_rows[j]
                if abs(_mean_gap(rows, a, rows, b, c, n_channels)) > threshold * rows[a, 0] * rows[b, 0]:
                    return False
    return True


@inline
def _ratio(rows, part_rows, n_parts, wholes, whole, n_channels, threshold, noise):
    """Whether variance between the parts is at most `threshold` times that within, which is at least `noise` squared.

    `rows`, `part_rows`, `n_parts`, `wholes`, `whole` and `n_channels` are those of :func:`holds`.
    """
    n, k = wholes[whole, 0], n_parts
    if k < 2:
        return True
    for c in range(n_channels):
        between, within = 0.0, 0.0
        for i in range(n_parts):
            r = part_rows[i]
            gap = _mean_gap(rows, r, wholes, whole, c, n_channels)
            between += gap * gap / rows[r, 0]
            within += _scatter(rows, r, c, n_channels) / rows[r, 0]
        within = max(within / (n - k) if n > k else 0.0, noise * noise)
        if between / (k - 1) > threshold * within * n * n:
            return False
    return True


@inline
def _histogram(rows, part_rows, n_parts, n_channels, edges, threshold):
    """Whether the area between the cumulative histograms of any two parts is at most `threshold`.

    `rows`, `part_rows`, `n_parts` and `n_channels` are those of :func:`holds`; the bins lie between `edges`.
    """
    n_bins = edges.size - 1
    for c in range(n_channels):
        start = 1 + 5 * n_channels + c * n_bins
        for i in range(n_parts):
            for j in range(i):
                a, b = part_rows[i], part_rows[j]
                n, m = rows[a, 0], rows[b, 0]
                difference, area = 0.0, 0.0
                for number in range(n_bins - 1):  # from the middle of this bin to that of the next
                    difference += rows[a, start + number] * m - rows[b, start + number] * n
                    area += abs(difference) * (edges[number + 2] - edges[number])
                if 0.5 * area > threshold * n * m:
                    return False
    return True


@inline
def _otsu(rows, whole, n_channels, edges, threshold, contrast):
    """Whether no gray level parts the histogram into two classes that explain the variance and lie far apart.

    They do if they explain more than the share `threshold`, and their means differ by more than `contrast`. `rows`,
    `whole` and `n_channels` are those of :func:`holds`; the bins lie between `edges`.
    """
    n, n_bins = rows[whole, 0], edges.size - 1
    for c in range(n_channels):
        start = 1 + 5 * n_channels + c * n_bins
        first = 0
        while rows[whole, start + first] == 0.0:
            first += 1
        total, squares = 0.0, 0.0
        for number in range(first, n_bins):
            place = 0.5 * (edges[number] - edges[first] + edges[number + 1] - edges[first + 1])
            total += place * rows[whole, start + number]
            squares += place * place * rows[whole, start + number]
        variance = squares / n - (total / n) ** 2
        below, sum_below, best, gap = 0.0, 0.0, 0.0, 0.0
        for number in range(first, n_bins - 1):
            place = 0.5 * (edges[number] - edges[first] + edges[number + 1] - edges[first + 1])
            below += rows[whole, start + number]
            sum_below += place * rows[whole, start + number]
            if below < n:
                distance = (total - sum_below) / (n - below) - sum_below / below
                between = below * (n - below) * distance * distance / (n * n)
                if between > best:
                    best, gap = between, distance
        if gap > contrast and best > threshold * variance:
            return False
    return True


@inline
def holds(predicate, rows, part_rows, n_parts, wholes, whole, n_channels):
    """Whether the parts of a region may be one region.

    Parameters
    ----------
    predicate : Predicate
    rows, wholes : (n, row size) float64
        See :mod:`.statistics`; those of the parts, and that of their union.
    part_rows : (n_parts or more,) int64
        Numbers of the rows of the parts.
    n_parts : int
    whole : int
        Number of the row of their union.
    n_channels : int

    Returns
    -------
    bool
    """
    program, addresses, failed, edges = predicate
    stack = 0  # answers as bits, the last one lowest
    for i in range(program.shape[0]):
        code, threshold, second = int(program[i, 0]), program[i, 1], program[i, 2]
        if code == AND:
            stack = (stack >> 2 << 1) | (stack & (stack >> 1) & 1)
            continue
        if code == OR:
            stack = (stack >> 2 << 1) | ((stack | (stack >> 1)) & 1)
            continue
        if code == RANGE:
            answer = _range(wholes, whole, n_channels, threshold)
        elif code == STD:
            answer = _std(wholes, whole, n_channels, threshold)
        elif code == MEAN:
            answer = _mean(rows, part_rows, n_parts, n_channels, threshold)
        elif code == RATIO:
            answer = _ratio(rows, part_rows, n_parts, wholes, whole, n_channels, threshold, second)
        elif code == HISTOGRAM:
            answer = _histogram(rows, part_rows, n_parts, n_channels, edges, threshold)
        elif code == OTSU:
            answer = _otsu(wholes, whole, n_channels, edges, threshold, second)
        else:
            said = _call(addresses[int(second)], wholes, whole, n_channels, edges.size - 1)
            answer = said == 1
            if said == 2:
                failed[0] = 1
        stack = (stack << 1) | (1 if answer else 0)
    return (stack & 1) == 1

"""Homogeneity predicates as small programs, run on rows of statistics (see :mod:`.statistics`).

A program is in postfix order: every instruction pushes true or false, "and" and "or" replace two by one. So one
compiled interpreter serves every combination of predicates, and a user's own function is called by its address.
"""

from __future__ import annotations

import math
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
    bins: np.ndarray
    """(3,) float64: smallest value of the image, inverse of the width of a bin of histograms, how many bins."""


@intrinsic
def _call(typing: Any, address: Any, rows: Any, r: Any, n_channels: Any, n_bins: Any) -> Any:
    """Call the C function ``int8 f(double *row, int64 n_channels, int64 n_bins)`` at `address` on row `r` of `rows`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[1])(context, builder, args[1])
        length = builder.extract_value(array.shape, 1)
        row = builder.gep(array.data, [builder.mul(args[2], length)])
        whole = ir.IntType(64)
        kind = ir.FunctionType(ir.IntType(8), [row.type, whole, whole])
        function = builder.inttoptr(args[0], kind.as_pointer())
        return builder.icmp_unsigned(
            "!=", builder.call(function, [row, args[3], args[4]]), ir.Constant(ir.IntType(8), 0)
        )

    return types.boolean(types.int64, rows, types.intp, types.int64, types.int64), codegen


@inline
def _range(rows, whole, n_channels, threshold):
    """Whether the values of row `whole` of `rows` span at most `threshold` in each of `n_channels` channels."""
    for c in range(n_channels):
        if rows[whole, 1 + 3 * n_channels + c] - rows[whole, 1 + 2 * n_channels + c] > threshold:
            return False
    return True


@inline
def _variance(rows, r, c, n_channels):
    """Variance of channel `c` of `n_channels` of the region of row `r` of `rows`."""
    mean = rows[r, 1 + c] / rows[r, 0]
    return max(rows[r, 1 + n_channels + c] / rows[r, 0] - mean * mean, 0.0)


@inline
def _std(rows, whole, n_channels, threshold):
    """Whether the standard deviation of row `whole` of `rows` is at most `threshold` in each of `n_channels`."""
    largest = 0.0
    for c in range(n_channels):
        largest = max(largest, _variance(rows, whole, c, n_channels))
    return math.sqrt(largest) <= threshold


@inline
def _mean(rows, part_rows, n_parts, n_channels, threshold):
    """Whether the means of the parts span at most `threshold` in each of `n_channels` channels.

    `rows`, `part_rows` and `n_parts` are those of :func:`holds`.
    """
    for c in range(n_channels):
        low, high = float("inf"), -float("inf")
        for i in range(n_parts):
            r = part_rows[i]
            mean = rows[r, 1 + c] / rows[r, 0]
            low, high = min(low, mean), max(high, mean)
        if high - low > threshold:
            return False
    return True


@inline
def _ratio(rows, part_rows, n_parts, whole, n_channels, threshold, noise):
    """Whether variance between the parts is at most `threshold` times that within, which is at least `noise` squared.

    `rows`, `part_rows`, `n_parts`, `whole` and `n_channels` are those of :func:`holds`.
    """
    n, k = rows[whole, 0], n_parts
    if k < 2:
        return True
    for c in range(n_channels):
        mean, between, within = rows[whole, 1 + c] / n, 0.0, 0.0
        for i in range(n_parts):
            r = part_rows[i]
            gap = rows[r, 1 + c] / rows[r, 0] - mean
            between += rows[r, 0] * gap * gap
            within += rows[r, 0] * _variance(rows, r, c, n_channels)
        within = max(within / (n - k) if n > k else 0.0, noise * noise)
        if between / (k - 1) > threshold * within:
            return False
    return True


@inline
def _histogram(rows, part_rows, n_parts, n_channels, n_bins, threshold, width):
    """Whether the area between the cumulative histograms of any two parts is at most `threshold`.

    `rows`, `part_rows`, `n_parts` and `n_channels` are those of :func:`holds`. There are `n_bins` bins of `width`.
    """
    for c in range(n_channels):
        start = 1 + 4 * n_channels + c * n_bins
        for i in range(n_parts):
            for j in range(i):
                a, b = part_rows[i], part_rows[j]
                difference, area = 0.0, 0.0
                for number in range(n_bins):
                    difference += rows[a, start + number] / rows[a, 0] - rows[b, start + number] / rows[b, 0]
                    area += abs(difference)
                if area * width > threshold:
                    return False
    return True


@inline
def _otsu(rows, whole, n_channels, n_bins, threshold, contrast, width):
    """Whether no gray level parts the histogram into two classes that explain the variance and lie far apart.

    They do if they explain more than the share `threshold`, and their means differ by more than `contrast`. `rows`,
    `whole` and `n_channels` are those of :func:`holds`; the histogram has `n_bins` bins of `width`.
    """
    n = rows[whole, 0]
    for c in range(n_channels):
        start = 1 + 4 * n_channels + c * n_bins
        total, squares = 0.0, 0.0
        for number in range(n_bins):
            total += number * rows[whole, start + number]
            squares += number * number * rows[whole, start + number]
        variance = squares / n - (total / n) ** 2
        below, sum_below, best, gap = 0.0, 0.0, 0.0, 0.0
        for number in range(n_bins - 1):
            below += rows[whole, start + number]
            sum_below += number * rows[whole, start + number]
            if below > 0.0 and below < n:
                distance = (total - sum_below) / (n - below) - sum_below / below
                between = below * (n - below) * distance * distance / (n * n)
                if between > best:
                    best, gap = between, distance
        if gap * width > contrast and best > threshold * variance:
            return False
    return True


@inline
def holds(predicate, rows, part_rows, n_parts, whole, n_channels):
    """Whether the parts of a region may be one region.

    Parameters
    ----------
    predicate : Predicate
    rows : (n, row size) float64
        See :mod:`.statistics`.
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
    program, addresses, bins = predicate
    n_bins, width = int(bins[2]), 1.0 / bins[1]
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
            answer = _range(rows, whole, n_channels, threshold)
        elif code == STD:
            answer = _std(rows, whole, n_channels, threshold)
        elif code == MEAN:
            answer = _mean(rows, part_rows, n_parts, n_channels, threshold)
        elif code == RATIO:
            answer = _ratio(rows, part_rows, n_parts, whole, n_channels, threshold, second)
        elif code == HISTOGRAM:
            answer = _histogram(rows, part_rows, n_parts, n_channels, n_bins, threshold, width)
        elif code == OTSU:
            answer = _otsu(rows, whole, n_channels, n_bins, threshold, second, width)
        else:
            answer = _call(addresses[int(second)], rows, whole, n_channels, n_bins)
        stack = (stack << 1) | (1 if answer else 0)
    return (stack & 1) == 1

"""Soft masks: alpha as a linear function of colour in windows of several sizes, and colours of the object behind it.

`classicseg.reference.matting` says the same in NumPy; read that first.
"""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim

STRIPE = 32
"""Rows that one thread works on: sums down the columns begin anew there, so that roundings do not add up."""

_SUMS = 14  # colours, their products, alpha, alpha times colours, alpha squared
_MODEL = 5  # three slopes and a constant, times the weight of the window, and this weight
_BLEND = 8  # colours times weight and weight of the object, and of the rest


@inline
def _window(at, radius, n):
    """The window of a `radius` around a place `at` an axis of `n`, as far as it lies on it."""
    return max(0, at - radius), min(n, at + radius + 1)


@inline
def _along(columns, k, radius, width, prefix, out):
    """Sums of row `k` of `columns`, of a `width`, over windows of a `radius` along it, to `out`, by `prefix` sums."""
    total = 0.0
    prefix[0] = 0.0
    for x in range(width):
        total += columns[k, x]
        prefix[x + 1] = total
    for x in range(width):
        out[k, x] = prefix[min(width, x + radius + 1)] - prefix[max(0, x - radius)]


@inline
def _add_colors(image, values, row, width, sign, columns):
    """Add what a fit needs of a `row` of `image` and `values`, of a `width`, to `columns`, times `sign`, 1 or -1."""
    for x in range(width):
        at = row * width + x
        r, g, b = sign * np.float64(image[0, at]), np.float64(image[1, at]), np.float64(image[2, at])
        v, s = np.float64(values[at]), sign
        columns[0, x] += r
        columns[1, x] += s * g
        columns[2, x] += s * b
        columns[3, x] += r * image[0, at]
        columns[4, x] += r * g
        columns[5, x] += r * b
        columns[6, x] += s * g * g
        columns[7, x] += s * g * b
        columns[8, x] += s * b * b
        columns[9, x] += s * v
        columns[10, x] += r * v
        columns[11, x] += s * g * v
        columns[12, x] += s * b * v
        columns[13, x] += s * v * v


@inline
def _fit(sums, x, n, epsilon, delta):
    """Slopes and constant of the linear function that fits `sums` of `n` pixels at `x` best, and its weight.

    With `epsilon` added to variances; the weight is one over `delta` and what the function leaves.
    """
    share = 1.0 / n
    r, g, b, v = sums[0, x] * share, sums[1, x] * share, sums[2, x] * share, sums[9, x] * share
    rr, rg, rb = sums[3, x] * share - r * r + epsilon, sums[4, x] * share - r * g, sums[5, x] * share - r * b
    gg, gb, bb = sums[6, x] * share - g * g + epsilon, sums[7, x] * share - g * b, sums[8, x] * share - b * b + epsilon
    vr, vg, vb = sums[10, x] * share - r * v, sums[11, x] * share - g * v, sums[12, x] * share - b * v
    minor_rr, minor_rg, minor_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    over = 1.0 / (rr * minor_rr + rg * minor_rg + rb * minor_rb)
    ar = (minor_rr * vr + minor_rg * vg + minor_rb * vb) * over
    ag = (minor_rg * vr + (rr * bb - rb * rb) * vg + (rg * rb - rr * gb) * vb) * over
    ab = (minor_rb * vr + (rg * rb - rr * gb) * vg + (rr * gg - rg * rg) * vb) * over
    left = sums[13, x] * share - v * v - ar * vr - ag * vg - ab * vb
    return ar, ag, ab, v - ar * r - ag * g - ab * b, 1.0 / (max(0.0, left) + delta)


@kernel
def add_models(sync, n_threads, image, values, shape, radius, epsilon, delta, models, totals):
    """Fit values as a linear function of colour in the window around each pixel, and add up the functions at pixels.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 2 task counters
    n_threads : int
    image : (3, H * W) float32, colours of about 1 in size
    values : (H * W,) float32, 0 to 1
    shape : (2,) int64, H and W
    radius : int, of windows, which have ``2 radius + 1`` pixels along each axis
    epsilon : float, added to the variances of colours
    delta : float, added to the mean squared error of a window, one over which is its weight
    models : (5, H * W) float32, overwritten
    totals : (5, H * W) float32, added to: slopes and constant times weight, and weight, of all windows around a pixel
    """
    height, width = shape[0], shape[1]
    columns, sums = np.empty((_SUMS, width)), np.empty((_SUMS, width))
    prefix = np.empty(width + 1)
    n_stripes = (height + STRIPE - 1) // STRIPE
    while True:
        stripe = claim(sync, 0)
        if stripe >= n_stripes or aborted(sync):
            break
        begin = stripe * STRIPE
        columns[:] = 0.0
        first, stop = _window(begin, radius, height)
        for row in range(first, stop):
            _add_colors(image, values, row, width, 1.0, columns)
        for y in range(begin, min(begin + STRIPE, height)):
            if y > begin:
                if y + radius < height:
                    _add_colors(image, values, y + radius, width, 1.0, columns)
                if y - radius - 1 >= 0:
                    _add_colors(image, values, y - radius - 1, width, -1.0, columns)
            first, stop = _window(y, radius, height)
            for k in range(_SUMS):
                _along(columns, k, radius, width, prefix, sums)
            for x in range(width):
                left, right = _window(x, radius, width)
                ar, ag, ab, constant, weight = _fit(sums, x, (stop - first) * (right - left), epsilon, delta)
                at = y * width + x
                models[0, at] = np.float32(ar * weight)
                models[1, at] = np.float32(ag * weight)
                models[2, at] = np.float32(ab * weight)
                models[3, at] = np.float32(constant * weight)
                models[4, at] = np.float32(weight)
    barrier(sync, n_threads)
    _add_windows(sync, models, height, width, radius, columns, sums, totals)


@inline
def _add_windows(sync, planes, height, width, radius, columns, sums, totals):
    """Add to `totals` the sums of `planes`, (n, `height` * `width`), over the window of a `radius` around each pixel.

    Tasks are claimed from counter 1 of `sync`; `columns` and `sums`, (n, `width`), are overwritten.
    """
    n_planes, prefix = planes.shape[0], np.empty(width + 1)
    n_stripes = (height + STRIPE - 1) // STRIPE
    while True:
        stripe = claim(sync, 1)
        if stripe >= n_stripes or aborted(sync):
            break
        begin = stripe * STRIPE
        first, stop = _window(begin, radius, height)
        for k in range(n_planes):
            for x in range(width):
                columns[k, x] = 0.0
            for row in range(first, stop):
                for x in range(width):
                    columns[k, x] += planes[k, row * width + x]
        for y in range(begin, min(begin + STRIPE, height)):
            for k in range(n_planes):
                if y > begin and y + radius < height:
                    for x in range(width):
                        columns[k, x] += planes[k, (y + radius) * width + x]
                if y > begin and y - radius - 1 >= 0:
                    for x in range(width):
                        columns[k, x] -= planes[k, (y - radius - 1) * width + x]
                _along(columns, k, radius, width, prefix, sums)
                for x in range(width):
                    totals[k, y * width + x] += np.float32(sums[k, x])


@inline
def _eighth_power(share):
    """What a pixel tells of the colour that has this `share` in it: mixed half and half, next to nothing."""
    squared = share * share
    return squared * squared * squared * squared


@kernel
def add_blends(sync, n_threads, image, alpha, shape, radius, share, planes, totals):
    """Add up, in the window around each pixel, the colours of the object and of the rest.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 2 task counters
    n_threads : int
    image : (3, H * W) float32
    alpha : (H * W,) float32
    shape : (2,) int64, H and W
    radius : int, of windows
    share : float32, what these windows count
    planes : (8, H * W) float32, overwritten
    totals : (8, H * W) float32, added to: colours times weight, and weight, of the object; the same of the rest
    """
    height, width = shape[0], shape[1]
    columns, sums = np.empty((_BLEND, width)), np.empty((_BLEND, width))
    n_stripes = (height + STRIPE - 1) // STRIPE
    while True:
        stripe = claim(sync, 0)
        if stripe >= n_stripes or aborted(sync):
            break
        for at in range(stripe * STRIPE * width, min((stripe + 1) * STRIPE, height) * width):
            inside, outside = _eighth_power(alpha[at]) * share, _eighth_power(np.float32(1.0) - alpha[at]) * share
            for c in range(3):
                planes[c, at] = image[c, at] * inside
                planes[4 + c, at] = image[c, at] * outside
            planes[3, at], planes[7, at] = inside, outside
    barrier(sync, n_threads)
    _add_windows(sync, planes, height, width, radius, columns, sums, totals)


@kernel
def shrink(sync, n_threads, colors, objects, shape, factor, small, share):
    """Mean colours, and the share of the object, of blocks of pixels.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 1 task counter
    n_threads : int
    colors : (C, H * W) float32, C of 1 or 3
    objects : (H * W,) bool
    shape : (4,) int64, H and W, and how many blocks fit into them, the last of which may be smaller
    factor : int, pixels along each side of a block
    small : (3, h * w) float32, filled; one channel is repeated
    share : (h * w,) float32, filled
    """
    height, width, rows, columns = shape[0], shape[1], shape[2], shape[3]
    n_channels = colors.shape[0]
    while True:
        row = claim(sync, 0)
        if row >= rows or aborted(sync):
            break
        last = min((row + 1) * factor, height)
        for column in range(columns):
            right, to = min((column + 1) * factor, width), row * columns + column
            over = np.float32(1.0) / np.float32((last - row * factor) * (right - column * factor))
            for c in range(3):
                source, total = min(c, n_channels - 1), np.float32(0.0)
                for y in range(row * factor, last):
                    for x in range(column * factor, right):
                        total += colors[source, y * width + x]
                small[c, to] = total * over
            inside = 0
            for y in range(row * factor, last):
                for x in range(column * factor, right):
                    inside += objects[y * width + x]
            share[to] = np.float32(inside) * over


@inline
def _clipped(value):
    """`value`, or the nearer of 0 and 1."""
    return min(np.float32(1.0), max(np.float32(0.0), value))


@inline
def _between(at, over, n):
    """The block of `n` whose middle is at or before pixel `at`, the one after it, and how far the pixel is on the way.

    Blocks have one over `over` pixels along the axis.
    """
    half = np.float32(0.5)
    place = min(max((np.float32(at) + half) * over - half, np.float32(0.0)), np.float32(n - 1))
    before = min(int(place), max(n - 2, 0))
    return before, min(before + 1, n - 1), place - np.float32(before)


@kernel
def evaluate(sync, n_threads, colors, shape, factor, small, unsure, state, stretch, units, alpha, foreground):
    """Alpha and the colours of the object at all pixels.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 1 task counter
    n_threads : int
    colors : (C, H * W) float32, C of 1 or 3
    shape : (4,) int64, as in `shrink`
    factor : int, pixels along each side of a block
    small : (10, h * w) float32, of each block slopes and constant, colours of the object, and of the rest
    unsure : (h * w,) bool, blocks in which alpha is more than the mask
    state : (H * W,) uint8, 1 on the object, plus 2 where that is certain
    stretch : float32, from which on alpha is above 0, and below 1 from the other end
    units : (1 + C,) float32, what a step of the colours is in the image, and what 0 is in each channel
    alpha : (H * W,) float32, filled
    foreground : (H * W, C) float32, filled, in the units of the image; 0 where alpha is 0
    """
    height, width, rows, columns = shape[0], shape[1], shape[2], shape[3]
    n_channels = colors.shape[0]
    zero, one = np.float32(0.0), np.float32(1.0)
    over, wider = one / np.float32(factor), one / (one - np.float32(2.0) * stretch)
    here = np.empty(10, np.float32)
    while True:
        row = claim(sync, 0)
        if row >= rows or aborted(sync):
            break
        for y in range(row * factor, min((row + 1) * factor, height)):
            above, below, down = _between(y, over, rows)
            for column in range(columns):
                for x in range(column * factor, min((column + 1) * factor, width)):
                    at = y * width + x
                    a = np.float32(state[at] & 1)
                    mixed = unsure[row * columns + column] and state[at] < 2
                    if mixed:
                        left, right, aside = _between(x, over, columns)
                        for k in range(10):
                            p, q = small[k, above * columns + left], small[k, above * columns + right]
                            r, s = small[k, below * columns + left], small[k, below * columns + right]
                            p, r = p + aside * (q - p), r + aside * (s - r)
                            here[k] = p + down * (r - p)
                        a = here[3]
                        for c in range(3):
                            a += here[c] * colors[min(c, n_channels - 1), at]
                        a = _clipped((a - stretch) * wider)
                    alpha[at] = a
                    for c in range(n_channels):
                        color = colors[c, at]
                        if mixed:  # the smooth colours of both, and what they leave unexplained of the pixel
                            color = here[4 + c] + a * (color - a * here[4 + c] - (one - a) * here[7 + c])
                        foreground[at, c] = color * units[0] + units[1 + c] if a > zero else zero

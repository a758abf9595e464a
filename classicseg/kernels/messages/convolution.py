"""Min-convolutions: the message that a pixel sends to a neighbour, for all labels of a pack of pixels.

A message is ``m(l) = min over k of h(k) + w V(k, l)``, where h are the costs of the sender's labels and w is the weight
of the edge. Most compatibilities do not need all L * L sums:

Potts
    ``min(h(l), min h + w)``.
Truncated linear
    The lower envelope of cones: a pass upwards, a pass downwards, then the truncation [1]_.
Truncated quadratic
    Only labels nearer than the truncation are compared, and from where even the least of all costs would not be worth
    the way, none. The lower envelope of parabolas takes a different course at each pixel, so that pixels could not
    share instructions.
Diagonal
    ``min(min h, h(l) - w v(l))``.
Matrix
    All sums.

Labels are in the outer loops and the pixels in the lanes, so that every number of labels is as fast as any other. All
work space is in one array, whose dtype is the precision of the sums.

References
----------
.. [1] P. Felzenszwalb, D. Huttenlocher, "Efficient belief propagation for early vision", IJCV 70(1), 2006.
   doi:10.1007/s11263-006-7899-4
"""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import inline
from classicseg.machine.lanes import any_above
from classicseg.machine.simd import add, convert, fill, load, maximum, minimum, multiply, spread, store, subtract

POTTS, LINEAR, QUADRATIC, DIAGONAL, MATRIX = range(5)
"""Kinds of compatibilities. Their tables hold: the truncation, the same, the same, L values, L * L costs."""

_FOUR = 4  # labels of a message that are found at a time: their sums stay in registers


@inline
def _infinity(array, lanes):
    """Infinity in all of `lanes`, in the precision of `array`."""
    return convert(fill(np.float32(np.inf), lanes), array)


@inline
def _nearer(work, at, away, lanes):
    """The lesser of two packs of ``work`` on both sides of the place `at`, as far `away`; `lanes` as ever."""
    return minimum(load(work, at - away, lanes), load(work, at + away, lanes))


@inline
def convolve(work, costs, out, least, weight, n_labels, kind, reach, table, transposed, lanes):
    """Find the messages of a pack of pixels, but for a constant and a last truncation.

    Parameters
    ----------
    work : float32 or float64, flat
        ``work[costs:]`` holds h, label after label; the message is written to ``work[out:]``.
    costs, out : int
        The same place unless :func:`apart`. Before and behind quadratic costs lie `reach` labels of infinite cost.
    least : pack
        The least of h.
    weight : pack
        Weights of the edges.
    n_labels : int
    kind : int
        One of the kinds above.
    reach : int
        The largest distance of labels whose cost is not truncated; for quadratic costs.
    table : array of the dtype of `work`
        That of the kind.
    transposed : bool
        Whether the senders are the second pixels of the edges.
    lanes : tuple
        A zero for each pixel of the pack.

    Returns
    -------
    pack
        What the message is to be cut at after its least value has been subtracted.
    """
    step = len(lanes)
    infinity = _infinity(work, lanes)
    if kind == LINEAR:
        best = infinity
        for at in range(out, out + n_labels * step, step):
            best = minimum(load(work, at, lanes), add(best, weight))
            store(work, at, best)
        for at in range(out + (n_labels - 1) * step, out - 1, -step):
            best = minimum(load(work, at, lanes), add(best, weight))
            store(work, at, best)
    elif kind == QUADRATIC:
        for first in range(0, n_labels, _FOUR):
            # where L is no multiple of four, the last label is found several times
            l0 = first * step
            l1, l2 = min(first + 1, n_labels - 1) * step, min(first + 2, n_labels - 1) * step
            l3 = min(first + 3, n_labels - 1) * step
            a, b = load(work, costs + l0, lanes), load(work, costs + l1, lanes)
            c, d = load(work, costs + l2, lanes), load(work, costs + l3, lanes)
            for distance in range(1, reach + 1):
                away = distance * step
                cost = multiply(weight, convert(fill(np.float32(distance * distance), lanes), work))
                if not any_above(maximum(maximum(a, b), maximum(c, d)), add(least, cost)):
                    break  # no label that is so far away, or farther, is worth going to
                a = minimum(a, add(_nearer(work, costs + l0, away, lanes), cost))
                b = minimum(b, add(_nearer(work, costs + l1, away, lanes), cost))
                c = minimum(c, add(_nearer(work, costs + l2, away, lanes), cost))
                d = minimum(d, add(_nearer(work, costs + l3, away, lanes), cost))
            store(work, out + l0, a)
            store(work, out + l1, b)
            store(work, out + l2, c)
            store(work, out + l3, d)
    elif kind == DIAGONAL:
        least = infinity
        for at in range(out, out + n_labels * step, step):
            least = minimum(least, load(work, at, lanes))
        for label in range(n_labels):
            at = out + label * step
            same = subtract(load(work, at, lanes), multiply(weight, spread(table, label, lanes)))
            store(work, at, minimum(same, least))
    elif kind == MATRIX:
        along, across = (n_labels, 1) if transposed else (1, n_labels)
        for first in range(0, n_labels, _FOUR):
            a, b, c, d = infinity, infinity, infinity, infinity
            # where L is no multiple of four, the last label is found several times
            l0 = first
            l1, l2, l3 = min(l0 + 1, n_labels - 1), min(l0 + 2, n_labels - 1), min(l0 + 3, n_labels - 1)
            for other in range(n_labels):
                h = load(work, costs + other * step, lanes)
                row = other * across
                a = minimum(a, add(h, multiply(weight, spread(table, row + l0 * along, lanes))))
                b = minimum(b, add(h, multiply(weight, spread(table, row + l1 * along, lanes))))
                c = minimum(c, add(h, multiply(weight, spread(table, row + l2 * along, lanes))))
                d = minimum(d, add(h, multiply(weight, spread(table, row + l3 * along, lanes))))
            store(work, out + l0 * step, a)
            store(work, out + l1 * step, b)
            store(work, out + l2 * step, c)
            store(work, out + l3 * step, d)
    if kind in (DIAGONAL, MATRIX):
        return infinity
    return multiply(weight, spread(table, 0, lanes))


@inline
def apart(kind):
    """Whether costs and messages of a `kind` of compatibility need different places."""
    return kind in (QUADRATIC, MATRIX)


@inline
def pair_cost(table, near, label, kind, lanes):
    """Cost of one `label` next to the labels `near`, a pack of whole numbers in the precision of `table`.

    That is without the weight, and for any `kind` but matrices; `lanes` has a zero for each pixel of the pack.
    """
    here = convert(fill(np.float32(label), lanes), table)
    away = subtract(near, here)
    away = maximum(away, subtract(here, near))
    if kind == DIAGONAL:
        one = convert(fill(np.float32(1.0), lanes), table)
        return multiply(subtract(minimum(away, one), one), spread(table, label, lanes))
    if kind == QUADRATIC:
        away = multiply(away, away)
    return minimum(away, spread(table, 0, lanes))

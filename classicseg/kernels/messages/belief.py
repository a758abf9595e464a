"""Belief propagation on a grid: messages between neighbours, in two orders, and what is read from them.

A message says what each label of the receiver costs beyond its own terms: the least, or the smoothed least, over the
labels of the sender. ``later[k, i]`` goes from pixel i along direction k, ``earlier[k, i]`` comes back along that edge;
both are (K, n, L) float64. All functions get the energy as a :class:`classicseg.kernels.sites.neighbours.Field`.

Pearl, "Probabilistic reasoning in intelligent systems", 1988. Felzenszwalb, Huttenlocher, "Efficient belief
propagation for early vision", IJCV 70(1), 2006, doi:10.1007/s11263-006-7899-4.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.sites.neighbours import N_COLOURS, n_rows_of, pixels_of
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim


@inline
def _belief(field, i, later, earlier, out):
    """Write to `out` (L,) what pixel `i` of `field` costs, with all messages to it, `later` and `earlier`."""
    for label in range(out.size):
        out[label] = field.unary[i, label]
    for k in range(field.steps.size):
        if field.weights[k, i] != 0:
            for label in range(out.size):
                out[label] += earlier[k, i, label]
        j = i - field.steps[k]
        if j >= 0 and field.weights[k, j] != 0:
            for label in range(out.size):
                out[label] += later[k, j, label]


@inline
def _least(costs, weight, table, uniform, out):
    """``out[m] = min over l of costs[l] + weight * table[l, m]``; `uniform` is that of the field."""
    n_labels = costs.size
    if uniform:
        least = np.inf
        for label in range(n_labels):
            least = min(least, costs[label])
        least += weight * table[0, 1]
        for label in range(n_labels):
            out[label] = min(costs[label] + weight * table[label, label], least)
    else:
        for label in range(n_labels):
            out[label] = np.inf
        for sender in range(n_labels):
            base = costs[sender]
            for label in range(n_labels):
                told = base + weight * table[sender, label]
                out[label] = told if told < out[label] else out[label]  # vectorises, min() does not


@inline
def _smoothed_least(costs, weight, table, uniform, temperature, out):
    """``out[m] = -T log of the sum over l of exp(-(costs[l] + weight * table[l, m]) / T)`` at `temperature` T.

    `uniform` is that of the field.
    """
    n_labels = costs.size
    if uniform:
        least, total = np.inf, 0.0
        for label in range(n_labels):
            least = min(least, costs[label])
        for label in range(n_labels):
            total += np.exp((least - costs[label]) / temperature)
        for label in range(n_labels):
            lead = min(costs[label] + weight * table[label, label], least + weight * table[0, 1])
            own = np.exp((lead - costs[label] - weight * table[label, label]) / temperature)
            rest = total - np.exp((least - costs[label]) / temperature)
            others = rest * np.exp((lead - least - weight * table[0, 1]) / temperature)
            out[label] = lead - temperature * np.log(own + others)
    else:
        _least(costs, weight, table, uniform, out)
        for label in range(n_labels):
            total = 0.0
            for sender in range(n_labels):
                total += np.exp((out[label] - costs[sender] - weight * table[sender, label]) / temperature)
            out[label] -= temperature * np.log(total)


@inline
def _send(field, belief, incoming, weight, table, temperature, damping, message, out):
    """Replace `message`, sent over an edge of `field` to a pixel whose own message over that edge is `incoming`.

    `belief` is that of the sender, `weight` that of the edge; `table` has a row for each label of the sender. `damping`
    is the share of the old message that is kept, `temperature` 0 that of min-sum, `out` (L,) work space. Returns the
    largest change of an entry.
    """
    n_labels = belief.size
    for label in range(n_labels):
        belief[label] -= incoming[label]
    if temperature > 0:
        _smoothed_least(belief, weight, table, field.uniform, temperature, out)
    else:
        _least(belief, weight, table, field.uniform, out)
    least, change = np.inf, 0.0
    for label in range(n_labels):
        belief[label] += incoming[label]
        least = min(least, out[label])
    for label in range(n_labels):
        new = (1 - damping) * (out[label] - least) + damping * message[label]
        change = max(change, abs(new - message[label]))
        message[label] = new
    return change


@inline
def _send_later(field, i, later, earlier, temperature, damping, belief, out):
    """Send messages from pixel `i`, whose `belief` is known, to the neighbours that come after it.

    The other arguments are those of :func:`send_by_colour`, `field`, `later`, `earlier`, `temperature` and `damping`,
    and work space `out` (L,). Returns the largest change.
    """
    change = 0.0
    for k in range(field.steps.size):
        weight = field.weights[k, i]
        if weight != 0:
            sent = _send(field, belief, earlier[k, i], weight, field.by_first, temperature, damping, later[k, i], out)
            change = max(change, sent)
    return change


@inline
def _send_earlier(field, i, later, earlier, temperature, damping, belief, out):
    """Send messages from pixel `i`, whose `belief` is known, to the neighbours that come before it.

    The other arguments are those of :func:`send_by_colour`, `field`, `later`, `earlier`, `temperature` and `damping`,
    and work space `out` (L,). Returns the largest change.
    """
    change = 0.0
    for k in range(field.steps.size):
        j = i - field.steps[k]
        if j >= 0 and field.weights[k, j] != 0:
            weight = field.weights[k, j]
            sent = _send(field, belief, later[k, j], weight, field.by_second, temperature, damping, earlier[k, j], out)
            change = max(change, sent)
    return change


@kernel
def send_by_colour(sync, n_threads, field, later, earlier, temperature, damping, changes):
    """Send all messages of all pixels, one colour after the other.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`, with a counter for each colour.
    n_threads : int
    field : Field
    later, earlier : float64, (K, n, L)
        Messages, which are replaced.
    temperature : float
        0 for min-sum, else sum-product.
    damping : float
        Share of the old message in the new one.
    changes : float64, (rows,)
        Raised to the largest change of a message from each row of the grid.
    """
    belief, out = np.empty(field.unary.shape[1]), np.empty(field.unary.shape[1])
    for colour in range(N_COLOURS):
        while True:
            row = claim(sync, colour)
            if row >= n_rows_of(field, colour) or aborted(sync):
                break
            begin, end = pixels_of(field, colour, row)
            change = 0.0
            for i in range(begin, end, 2):
                _belief(field, i, later, earlier, belief)
                change = max(change, _send_later(field, i, later, earlier, temperature, damping, belief, out))
                change = max(change, _send_earlier(field, i, later, earlier, temperature, damping, belief, out))
            if end > begin:
                at = begin // field.shape[2]
                changes[at] = max(changes[at], change)
        barrier(sync, n_threads)


@kernel
def send_in_raster_order(sync, n_threads, field, later, earlier, temperature, damping, changes):
    """Send messages to later neighbours from the first pixel on, then to earlier ones from the last pixel back.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`.
    n_threads : int
        1: each message waits for the one before.
    field, later, earlier, temperature, damping, changes
        As in :func:`send_by_colour`.
    """
    belief, out = np.empty(field.unary.shape[1]), np.empty(field.unary.shape[1])
    width = field.shape[2]
    for row in range(changes.size):
        if aborted(sync):
            break
        for i in range(row * width, (row + 1) * width):
            _belief(field, i, later, earlier, belief)
            change = _send_later(field, i, later, earlier, temperature, damping, belief, out)
            changes[row] = max(changes[row], change)
    for row in range(changes.size - 1, -1, -1):
        if aborted(sync):
            break
        for i in range((row + 1) * width - 1, row * width - 1, -1):
            _belief(field, i, later, earlier, belief)
            change = _send_earlier(field, i, later, earlier, temperature, damping, belief, out)
            changes[row] = max(changes[row], change)


@kernel
def beliefs(sync, n_threads, field, later, earlier, out):
    """Write the beliefs of all pixels, as costs.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`, with one counter.
    n_threads : int
    field, later, earlier
        As in :func:`send_by_colour`.
    out : float64, (n, L)
    """
    while True:
        row = claim(sync, 0)
        if row >= field.shape[0] * field.shape[1] or aborted(sync):
            break
        for i in range(row * field.shape[2], (row + 1) * field.shape[2]):
            _belief(field, i, later, earlier, out[i])


@kernel
def decode(sync, n_threads, field, earlier, labels):
    """Label pixels in raster order: neighbours before are labelled already, those after are heard by their messages.

    On a chain that gives a labelling of least energy even where several are equally good.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`.
    n_threads : int
        1: each label waits for the one before.
    field : Field
    earlier : float64, (K, n, L)
        Messages to earlier neighbours.
    labels : int32, (n,)
        Written.
    """
    costs = np.empty(field.unary.shape[1])
    for i in range(labels.size):
        for label in range(costs.size):
            costs[label] = field.unary[i, label]
        for k in range(field.steps.size):
            if field.weights[k, i] != 0:
                for label in range(costs.size):
                    costs[label] += earlier[k, i, label]
            j = i - field.steps[k]
            if j >= 0 and field.weights[k, j] != 0:
                weight, other = field.weights[k, j], labels[j]
                for label in range(costs.size):
                    costs[label] += weight * field.by_first[other, label]
        best = 0
        for label in range(1, costs.size):
            if costs[label] < costs[best]:
                best = label
        labels[i] = best

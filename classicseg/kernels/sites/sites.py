"""One sweep over a labelling, pixel by pixel: to the cheapest label, or to one drawn at random.

Besag, "On the statistical analysis of dirty pictures", J. R. Stat. Soc. B 48(3), 1986,
doi:10.1111/j.2517-6161.1986.tb01412.x. Geman, Geman, "Stochastic relaxation, Gibbs distributions, and the Bayesian
restoration of images", IEEE TPAMI 6(6), 1984, doi:10.1109/TPAMI.1984.4767596.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.sites.neighbours import N_COLOURS, label_costs_at, n_rows_of, pixels_of
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim


@inline
def _add_costs_of_use(costs, old, counts, of_use):
    """Add to `costs` (L,) of a pixel, whose label is `old`, what it costs to use labels that no other pixel has.

    `counts` and `of_use` are those of :func:`descend`.
    """
    for label in range(of_use.size):
        if counts[label] == (1 if label == old else 0):
            costs[label] += of_use[label]


@inline
def _relabel(i, new, labels, counts):
    """Give pixel `i` the label `new`; `labels` and `counts` are those of :func:`descend`."""
    if counts.size:
        counts[labels[i]] -= 1
        counts[new] += 1
    labels[i] = new


@inline
def _mark_neighbours(field, i, stale):
    """Mark the neighbours of pixel `i` in `field` as `stale` (n,)."""
    for k in range(field.steps.size):
        step = field.steps[k]
        if field.weights[k, i] != 0:
            stale[i + step] = 1
        if i >= step and field.weights[k, i - step] != 0:
            stale[i - step] = 1


@kernel
def descend(sync, n_threads, field, labels, stale, counts, of_use, changed):
    """Give each pixel that is stale the label of least cost, or leave it its own if no other is cheaper.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`, with a counter for each colour.
    n_threads : int
        1 if labels cost something to use, because then each pixel depends on all others.
    field : Field
    labels : int32, (n,)
        Replaced.
    stale : uint8, (n,)
        1 for pixels to visit: at first all, later those with a neighbour that has changed.
    counts : int64, (L,)
        How many pixels have each label; empty if labels cost nothing to use.
    of_use : float64, (L,)
        What using each label costs; empty if it costs nothing.
    changed : int64, (rows,)
        The number of changes in each row of the grid is added.
    """
    costs = np.empty(field.unary.shape[1])
    for colour in range(N_COLOURS):
        while True:
            row = claim(sync, colour)
            if row >= n_rows_of(field, colour) or aborted(sync):
                break
            begin, end = pixels_of(field, colour, row)
            for i in range(begin, end, 2):
                if stale[i] == 0:
                    continue
                stale[i] = 0
                label_costs_at(field, i, labels, costs)
                old = labels[i]
                _add_costs_of_use(costs, old, counts, of_use)
                best = old
                for label in range(costs.size):
                    if costs[label] < costs[best]:
                        best = label
                if best != old:
                    _relabel(i, best, labels, counts)
                    _mark_neighbours(field, i, stale)
                    changed[i // field.shape[2]] += 1
        barrier(sync, n_threads)


@kernel
def sample(sync, n_threads, field, labels, temperature, uniform, counts, of_use):
    """Draw the label of each pixel from its distribution given all others.

    Parameters
    ----------
    sync, n_threads, field, labels, counts, of_use
        As in :func:`descend`.
    temperature : float
        Labels are drawn in proportion to ``exp(-cost / temperature)``.
    uniform : float64, (n,)
        A random number in [0, 1) for each pixel; below 0 for those that keep their label.
    """
    costs = np.empty(field.unary.shape[1])
    for colour in range(N_COLOURS):
        while True:
            row = claim(sync, colour)
            if row >= n_rows_of(field, colour) or aborted(sync):
                break
            begin, end = pixels_of(field, colour, row)
            for i in range(begin, end, 2):
                if uniform[i] < 0:
                    continue
                label_costs_at(field, i, labels, costs)
                _add_costs_of_use(costs, labels[i], counts, of_use)
                least = costs[0]
                for label in range(1, costs.size):
                    least = min(least, costs[label])
                total = 0.0
                for label in range(costs.size):
                    total += np.exp((least - costs[label]) / temperature)
                    costs[label] = total
                threshold, new = uniform[i] * total, 0
                while costs[new] <= threshold and new < costs.size - 1:  # labels of no probability are passed over
                    new += 1
                _relabel(i, new, labels, counts)
        barrier(sync, n_threads)

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
    """A label that no other pixel has is paid for by this one."""
    for label in range(of_use.size):
        if counts[label] == (1 if label == old else 0):
            costs[label] += of_use[label]


@inline
def _relabel(field, i, new, labels, counts):
    if counts.size:
        counts[labels[i]] -= 1
        counts[new] += 1
    labels[i] = new


@inline
def _mark_neighbours(field, i, stale):
    for k in range(field.steps.size):
        step = field.steps[k]
        if field.weights[k, i] != 0:
            stale[i + step] = 1
        if i >= step and field.weights[k, i - step] != 0:
            stale[i - step] = 1


@kernel
def descend(sync, n_threads, field, labels, stale, counts, of_use, changed):
    """Give each pixel that is `stale` the label of least cost; its own, if no other is cheaper.

    Pixels go stale when a neighbour changes. `changed` counts changes in each row of the grid. `counts` (L,), how many
    pixels have each label, and `of_use`, the cost of using it, are empty if there are no such costs; if there are, all
    pixels depend on each other and only one thread may run.
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
                    _relabel(field, i, best, labels, counts)
                    _mark_neighbours(field, i, stale)
                    changed[i // field.shape[2]] += 1
        barrier(sync, n_threads)


@kernel
def sample(sync, n_threads, field, labels, temperature, uniform, counts, of_use):
    """Draw the label of each pixel from its distribution given all others.

    `uniform` (n,) holds a random number in [0, 1) for each pixel; `counts` and `of_use` are as in :func:`descend`.
    """
    costs = np.empty(field.unary.shape[1])
    for colour in range(N_COLOURS):
        while True:
            row = claim(sync, colour)
            if row >= n_rows_of(field, colour) or aborted(sync):
                break
            begin, end = pixels_of(field, colour, row)
            for i in range(begin, end, 2):
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
                while costs[new] <= threshold and new < costs.size - 1:  # passes labels of no probability
                    new += 1
                _relabel(field, i, new, labels, counts)
        barrier(sync, n_threads)

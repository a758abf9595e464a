"""Mean field on a grid: one sweep of updates, colour by colour, and the free energy.

The update of a pixel is the best one there is while its neighbours wait, and pixels of one colour are no neighbours.
That is why the free energy never rises, whatever the compatibility.

Wainwright, Jordan, "Graphical models, exponential families, and variational inference", Foundations and Trends in
Machine Learning 1, 2008, section 5, doi:10.1561/2200000001.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.sites.neighbours import N_COLOURS, n_rows_of, pixels_of
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim

_TINY = 1e-300  # keeps the logarithms of marginals finite


@inline
def _gather_later(field, i, q, out):
    """Write to `out` (L,) the weighted marginals `q` of the neighbours in `field` that come after pixel `i`."""
    out[:] = 0.0
    for k in range(field.steps.size):
        weight, j = field.weights[k, i], i + field.steps[k]
        if weight != 0:
            for label in range(out.size):
                out[label] += weight * q[j, label]


@inline
def _gather_earlier(field, i, q, out):
    """Write to `out` (L,) the weighted marginals `q` of the neighbours in `field` that come before pixel `i`."""
    out[:] = 0.0
    for k in range(field.steps.size):
        j = i - field.steps[k]
        if j >= 0 and field.weights[k, j] != 0:
            weight = field.weights[k, j]
            for label in range(out.size):
                out[label] += weight * q[j, label]


@inline
def _add_expected(gathered, table, uniform, costs):
    """Add to `costs` (L,) what each label is expected to cost next to neighbours with the `gathered` marginals.

    `table` has a row for each label of the neighbours; `uniform` is that of the field.
    """
    if uniform:
        level, total = table[0, 1], 0.0
        for label in range(costs.size):
            total += gathered[label]
        for label in range(costs.size):
            costs[label] += level * total + (table[label, label] - level) * gathered[label]
    else:
        for other in range(costs.size):
            for label in range(costs.size):
                costs[label] += gathered[other] * table[other, label]


@kernel
def update(sync, n_threads, field, q, damping, changes):
    """Update the marginals of all pixels, one colour after the other.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`, with a counter for each colour.
    n_threads : int
    field : Field
    q : float64, (n, L)
        Marginals, which are replaced.
    damping : float
        Weight of the old marginals in a geometric mean with the new ones.
    changes : float64, (rows,)
        The sum of absolute changes in each row of the grid is added.
    """
    n_labels = q.shape[1]
    costs, gathered = np.empty(n_labels), np.empty(n_labels)
    for colour in range(N_COLOURS):
        while True:
            row = claim(sync, colour)
            if row >= n_rows_of(field, colour) or aborted(sync):
                break
            begin, end = pixels_of(field, colour, row)
            change = 0.0
            for i in range(begin, end, 2):
                for label in range(n_labels):
                    costs[label] = field.unary[i, label]
                _gather_later(field, i, q, gathered)
                _add_expected(gathered, field.by_second, field.uniform, costs)
                _gather_earlier(field, i, q, gathered)
                _add_expected(gathered, field.by_first, field.uniform, costs)
                least = np.inf
                for label in range(n_labels):
                    if damping > 0:
                        costs[label] = (1 - damping) * costs[label] - damping * np.log(max(q[i, label], _TINY))
                    least = min(least, costs[label])
                total = 0.0
                for label in range(n_labels):
                    costs[label] = np.exp(least - costs[label])
                    total += costs[label]
                for label in range(n_labels):
                    new = costs[label] / total
                    change += abs(new - q[i, label])
                    q[i, label] = new
            if end > begin:
                changes[begin // field.shape[2]] += change
        barrier(sync, n_threads)


@kernel
def free_energy(sync, n_threads, field, q, energies):
    """Find the expected energy of marginals, minus their entropy.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`, with one counter.
    n_threads : int
    field : Field
    q : float64, (n, L)
    energies : float64, (rows,)
        Set to the part of each row of the grid.
    """
    n_labels, width = q.shape[1], field.shape[2]
    costs, gathered = np.empty(n_labels), np.empty(n_labels)
    while True:
        row = claim(sync, 0)
        if row >= energies.size or aborted(sync):
            break
        total = 0.0
        for i in range(row * width, (row + 1) * width):
            for label in range(n_labels):
                costs[label] = field.unary[i, label]
            _gather_later(field, i, q, gathered)
            _add_expected(gathered, field.by_second, field.uniform, costs)
            for label in range(n_labels):
                if q[i, label] > 0:  # a forbidden label has an infinite cost, but no probability
                    total += q[i, label] * (costs[label] + np.log(q[i, label]))
        energies[row] = total

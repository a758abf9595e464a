"""Iterated conditional modes: one pixel after the other takes the label that is cheapest next to its neighbours."""

from __future__ import annotations

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.kernels.sites.sites import descend
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.run import Run
from classicseg.solvers.sites.layout import as_field, costs_of_use, n_rows, sweep, taking_part
from classicseg.types import Result


def icm(energy: GridCRF | GraphCRF, run: Run) -> Result:
    """Iterated conditional modes [1]_: the simplest descent, and a weak one; a yardstick, or a last polish.

    Pixels change in a fixed order of colours, nodes of a graph in that of their numbers, neighbours never at the same
    time, so the energy never rises. After the first sweep only pixels next to a change are visited.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Any compatibility or tables. Graphs are visited, and label costs heeded, on one thread.
    run : Run
        ``init``: labels to start from, by default those of least unary cost; the result depends on it. ``max_iter``:
        largest number of sweeps over all pixels, 1000 by default. ``tol``: stop when a sweep lowers the energy by
        less; by default when it changes nothing.

    Returns
    -------
    Result
        ``history`` has one row for each sweep, its ``change`` is the number of pixels that changed. ``converged`` if
        no other label of any one pixel is cheaper.

    References
    ----------
    .. [1] J. Besag, "On the statistical analysis of dirty pictures", J. R. Stat. Soc. B 48(3), 1986.
       doi:10.1111/j.2517-6161.1986.tb01412.x

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> crf = cs.GridCRF([[[0, 0, 2, 0, 0]], [[3, 3, 0, 3, 3]]], cs.Potts(2))
    >>> result = cs.minimize(crf, "icm")
    >>> result.labels.tolist(), result.energy
    ([[0, 0, 0, 0, 0]], 2.0)
    """
    labels = run.labels()
    field = as_field(energy)
    flat, inside, changed = labels.reshape(-1), taking_part(energy), np.zeros(n_rows(field), np.int64)
    stale = inside.copy()
    threads = resolve_threads(run.n_threads, energy.unary.size // 2)  # a value takes little, and a sweep is soon over
    counts, of_use, threads = costs_of_use(energy, flat, threads)
    value = energy.energy(labels)
    while not run.ended:
        before, previous = labels.copy(), value
        changed[:] = 0
        if counts.size:
            stale[:] = inside
        sweep(descend, field, threads, flat, stale, counts, of_use, changed)
        n_changed, value = int(changed.sum()), energy.energy(labels)
        if value > previous:  # by rounding: for each pixel alone its cost fell
            labels[...], value, n_changed = before, previous, 0
        run.record(energy=value, change=n_changed, labels=lambda: labels)
        if n_changed == 0:
            run.stop("no single pixel lowers the energy", converged=True)
        elif run.tol is not None and previous - value < run.tol:
            run.stop(f"the last sweep lowered the energy by {previous - value:.3g}", converged=True)
    return run.result(labels, energy=value)

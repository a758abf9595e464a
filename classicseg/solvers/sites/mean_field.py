"""Mean-field inference for grids and graphs: neighbours are updated in turn, and the free energy never rises."""

from __future__ import annotations

import numpy as np

from classicseg import inputs
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.kernels.sites.mean_field import free_energy, update
from classicseg.solvers.run import Run
from classicseg.solvers.sites.layout import as_field, gibbs, label_major, n_rows, pixel_major, sweep
from classicseg.types import Result


def mean_field(energy: GridCRF | GraphCRF, run: Run, *, damping: float = 0.0) -> Result:
    """Mean field of a grid or graph CRF, with updates in turn [1]_.

    Neighbours never change at the same time, so each update is the best one there is and the free energy never rises.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Any compatibility or tables, no label costs. Graphs are visited on one thread.
    run : Run
        ``init``: marginals to start from, by default ``softmax(-unary)``. ``max_iter``: largest number of updates of
        all pixels, 100 by default. ``tol``: stop when the mean absolute change of the marginals is at most this, 1e-4
        by default.
    damping : float
        In [0, 1): weight of the old log-marginals in the new ones. Grids need none.

    Returns
    -------
    Result
        With labels, marginals and energy; ``history`` holds the mean-field free energies.

    Raises
    ------
    ValueError
        If `damping` is out of its range.

    References
    ----------
    .. [1] M. Wainwright, M. Jordan, "Graphical models, exponential families, and variational inference", Foundations
       and Trends in Machine Learning 1, 2008, section 5. doi:10.1561/2200000001

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> crf = cs.GridCRF(np.array([[[0, 0, 2, 0]], [[3, 3, 0, 3]]]), cs.Potts(2))
    >>> cs.minimize(crf, "mean_field").labels.tolist()
    [[0, 0, 0, 0]]
    """
    damping = inputs.as_weight(damping, "damping", at_least=0, below=1)
    limit = 1e-4 if run.tol is None else run.tol
    field = as_field(energy)
    q = gibbs(field.unary.reshape(-1, energy.n_labels)) if run.init is None else pixel_major(run.init)
    of_outside = 0.0
    if energy.mask is not None:  # pixels that take no part have no costs, and keep these marginals
        q[~energy.mask.reshape(-1)] = 1 / energy.n_labels
        of_outside = -float(np.log(energy.n_labels)) * (len(q) - energy.n_points)
    changes, energies = np.zeros(n_rows(field)), np.zeros(n_rows(field))
    while not run.ended:
        changes[:] = 0
        sweep(update, field, run.n_threads, q, damping, changes)
        sweep(free_energy, field, run.n_threads, q, energies)
        change = float(changes.sum()) / energy.n_points
        run.record(energy=float(energies.sum()) - of_outside, change=change, marginals=lambda: label_major(q, energy))
        if change <= limit:
            run.stop(f"the marginals changed by {change:.3g} on average", converged=True)
    labels = q.argmax(axis=1).astype(np.int32).reshape(energy.shape)
    return run.result(labels, marginals=label_major(q, energy), energy=lambda: energy.energy(labels))

"""Mean-field inference for grid CRFs: pixels are updated colour by colour, and the free energy never rises."""

from __future__ import annotations

import numpy as np

from classicseg.energies.grid_crf import GridCRF
from classicseg.kernels.sites.mean_field import free_energy, update
from classicseg.solvers.run import Watch
from classicseg.solvers.sites.layout import as_field, gibbs, label_major, n_rows, pixel_major, sweep
from classicseg.types import Result


def run_on_grid(
    energy: GridCRF, watch: Watch, start: np.ndarray | None, limit: float, n_threads: int, damping: float
) -> Result:
    """Sweep until the marginals rest; `start` is (L, *spatial) marginals, or None for ``softmax(-unary)``."""
    field = as_field(energy)
    q = gibbs(field.unary) if start is None else pixel_major(start)
    changes, energies = np.zeros(n_rows(field)), np.zeros(n_rows(field))
    while not watch.ended():
        changes[:] = 0
        sweep(update, field, n_threads, q, damping, changes)
        sweep(free_energy, field, n_threads, q, energies)
        change = float(changes.sum()) / energy.n_points
        watch.record(energy=float(energies.sum()), change=change, marginals=lambda: label_major(q, energy))
        if change <= limit and not watch.ended():
            watch.stop(f"the marginals changed by {change:.3g} on average", converged=True)
    labels = q.argmax(axis=1).astype(np.int32).reshape(energy.shape)
    return watch.result(labels, marginals=label_major(q, energy), energy=lambda: energy.energy(labels))

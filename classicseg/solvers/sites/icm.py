"""Iterated conditional modes: one pixel after the other takes the label that is cheapest next to its neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.grid_crf import GridCRF
from classicseg.kernels.sites.sites import descend
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.run import Callback, Watch
from classicseg.solvers.sites.layout import as_field, costs_of_use, n_rows, sweep
from classicseg.types import Result

_SWEEPS = 1000


def icm(
    energy: GridCRF,
    *,
    init: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    rng: Any = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> Result:
    """Iterated conditional modes [1]_: the simplest descent, and a weak one; a yardstick, or a last polish.

    Pixels change in a fixed order of colours, neighbours never at the same time, so the energy never rises. After the
    first sweep only pixels next to a change are visited.

    Parameters
    ----------
    energy : GridCRF
        Any compatibility. Label costs are heeded, on one thread.
    init : array_like of int, spatial shape, optional
        Labels to start from, by default those of least unary cost. The result depends on it.
    max_iter : int, optional
        Largest number of sweeps over all pixels, 1000 by default.
    tol : float, optional
        Stop when a sweep lowers the energy by less than this.
    callback : callable, optional
        Called as ``callback(state)`` after every sweep; returning True stops.
    rng
        Not used.
    n_threads : int, optional
        Threads; the result does not depend on it.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.

    Returns
    -------
    Result
        ``history`` has one row for each sweep, its ``change`` is the number of pixels that changed. ``converged`` if
        no other label of any one pixel is cheaper.

    Raises
    ------
    ValueError
        If `init` does not fit or an argument is out of its range.

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
    threads = resolve_threads(n_threads)
    watch = Watch("icm", _SWEEPS if max_iter is None else inputs.as_count(max_iter, "max_iter", 0), callback, progress)
    enough = None if tol is None else inputs.as_positive(tol, "tol", 1)[0]
    if init is None:
        labels = energy.unary.argmin(axis=0).astype(np.int32)
    else:
        labels = inputs.as_labels(init, energy.shape, energy.n_labels, name="init").copy()
    field = as_field(energy)
    flat, stale, changed = labels.reshape(-1), np.ones(labels.size, np.uint8), np.zeros(n_rows(field), np.int64)
    counts, of_use, threads = costs_of_use(energy, flat, threads)
    value = energy.energy(labels)
    while not watch.ended():
        before, previous = labels.copy(), value
        changed[:] = 0
        if counts.size:
            stale[:] = 1
        sweep(descend, field, threads, flat, stale, counts, of_use, changed)
        n_changed, value = int(changed.sum()), energy.energy(labels)
        if value > previous:  # by rounding: for each pixel alone its cost fell
            labels[...], value, n_changed = before, previous, 0
        watch.record(energy=value, change=n_changed, labels=lambda: labels)
        if n_changed == 0:
            watch.stop("no single pixel lowers the energy", converged=True)
        elif enough is not None and previous - value < enough and not watch.ended():
            watch.stop(f"the last sweep lowered the energy by {previous - value:.3g}", converged=True)
    return watch.result(labels, energy=value)

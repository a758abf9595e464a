"""Mean-field inference: all pixels of a dense CRF at once, and the entry for grid CRFs.

The marginals Q of independent pixels that are closest to the CRF, in the Kullback-Leibler sense, satisfy
``log Q = -unary - sum_k w_k mu_k K_k Q`` up to a constant for each pixel. Both solvers here iterate that equation at
all pixels at once; they differ in what they do when the iteration overshoots.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.dense.engines import Engine, engine_for, infer_fused
from classicseg.solvers.run import Callback, Watch
from classicseg.solvers.sites.mean_field import run_on_grid
from classicseg.types import Result

_MAX_BACKTRACKS = 12
_SWEEPS_OF_GRIDS = 100
_SLACK = 1e-6  # relative rounding error of a free energy in float32


def mean_field(
    energy: DenseCRF | GridCRF,
    *,
    init: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    rng: Any = None,
    n_threads: int | None = None,
    progress: bool = False,
    damping: float = 0.0,
    track: bool = False,
) -> Result:
    """Mean field: of a dense CRF with parallel updates [1]_, of a grid CRF with updates in turn [2]_.

    On a grid neighbours never change at the same time, so each update is the best one there is and the free energy
    never rises.

    Parameters
    ----------
    energy : DenseCRF or GridCRF
        A grid with any compatibility, but no label costs.
    init : array_like, (L, *spatial), optional
        Marginals to start from; ``softmax(-unary)`` if None.
    max_iter : int, optional
        Number of updates of all pixels, by default 10 of a dense CRF, at most 100 of a grid; 0 gives the start.
    tol : float, optional
        Stop when the mean absolute change of the marginals falls below it. By default a dense CRF runs all iterations
        and the limit of a grid is 1e-4.
    callback : callable, optional
        Called as ``callback(state)`` after every update; returning True stops.
    rng
        Not used; the method is deterministic.
    n_threads : int, optional
        Threads; the result does not depend on it.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.
    damping : float
        In [0, 1): weight of the old log-marginals in the new ones. Repulsive compatibilities of dense CRFs oscillate
        without; grids need none.
    track : bool
        Record free energy and change of every iteration in ``history``. `tol`, `callback`, `progress` and `damping`
        do so as well; without any of them all iterations run in one fused call, about twice as fast. Grids always
        record.

    Returns
    -------
    Result
        With labels, marginals and energy; history rows hold the mean-field free energy.

    Raises
    ------
    ValueError
        If an argument is out of its range or does not fit the energy.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`
    .. [2] M. Wainwright, M. Jordan, "Graphical models, exponential families, and variational inference", Foundations
       and Trends in Machine Learning 1, 2008, section 5. doi:10.1561/2200000001

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.stack([np.zeros((8, 8)), np.full((8, 8), 0.1)])
    >>> unary[:, 4, 4] = 0.5, 0.0
    >>> result = cs.minimize(cs.DenseCRF(unary, cs.GaussianKernel(2.0, 3.0)), "mean_field")
    >>> int(result.labels.sum())
    0
    """
    usual = _SWEEPS_OF_GRIDS if isinstance(energy, GridCRF) else 10
    n_iter = usual if max_iter is None else inputs.as_count(max_iter, "max_iter", 0)
    watch = Watch("mean_field", n_iter, callback, progress)
    limit = None if tol is None else inputs.as_positive(tol, "tol", 1)[0]
    threads = resolve_threads(n_threads)
    damping = _checked_damping(damping)
    if isinstance(energy, GridCRF):
        start = None if init is None else inputs.as_marginals(init, energy.unary.shape, name="init")
        return run_on_grid(energy, watch, start, 1e-4 if limit is None else limit, threads, damping)
    first = None if init is None else _log_marginals(init, energy)
    tracked = track or tol is not None or callback is not None or progress or damping > 0
    if energy.quality != "exact" and energy.kernels and not tracked:
        marginals, labels = infer_fused(energy, first, n_iter, threads)
        watch.stop(f"ran {n_iter} iterations", converged=False)
        return watch.result(labels, marginals=marginals, energy=lambda: energy.energy(labels), n_iter=n_iter)

    engine = engine_for(energy, threads)
    engine.start(-energy.unary if first is None else first)
    while not watch.ended():
        change = engine.update(damping)
        _record(watch, engine, engine.free_energy(), change, limit)
    return _result(watch, energy, engine.marginals())


def mean_field_convergent(
    energy: DenseCRF,
    *,
    init: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    rng: Any = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> Result:
    """Mean field whose free energy never rises, whatever the compatibilities.

    An update is a proximal step: it minimises the linearised free energy plus a multiple of the Kullback-Leibler
    divergence from the old marginals [1]_, which damps the log-marginals. The multiple starts at 0 (the plain parallel
    update), doubles while a step would raise the free energy, and shrinks again after steps that did not.

    Parameters
    ----------
    energy : DenseCRF
    init, callback, rng, n_threads, progress
        As in :func:`mean_field`.
    max_iter : int, optional
        Number of accepted updates, 50 by default.
    tol : float, optional
        Stop when the mean absolute change of the marginals falls below it, 1e-4 by default.

    Returns
    -------
    Result
        ``history`` holds the free energies, which never rise; ``converged`` tells whether `tol` was reached.

    Raises
    ------
    ValueError
        If an argument is out of its range or does not fit the energy.

    References
    ----------
    .. [1] P. Baqué, T. Bagautdinov, F. Fleuret, P. Fua, "Principled parallel mean-field inference for discrete random
       fields", CVPR 2016. :arxiv:`1511.06103`

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> repulsive = cs.DenseCRF(np.random.default_rng(5).random((2, 8, 8)), cs.GaussianKernel(2.0, -6.0))
    >>> energies = [row.energy for row in cs.minimize(repulsive, "mean_field_convergent").history]
    >>> all(later <= earlier + 1e-3 for earlier, later in zip(energies, energies[1:]))
    True
    """
    n_iter = 50 if max_iter is None else inputs.as_count(max_iter, "max_iter", 0)
    watch = Watch("mean_field_convergent", n_iter, callback, progress)
    limit = 1e-4 if tol is None else inputs.as_positive(tol, "tol", 1)[0]
    first = None if init is None else _log_marginals(init, energy)
    engine = engine_for(energy, resolve_threads(n_threads))
    engine.start(-energy.unary if first is None else first)
    best, strength = engine.free_energy(), 0.0
    while not watch.ended():
        before = engine.logs.copy()
        for _ in range(_MAX_BACKTRACKS):
            change = engine.update(strength / (1 + strength))
            value = engine.free_energy()
            if value <= best + _SLACK * abs(best):
                break
            engine.start(before)
            strength = max(0.5, 2 * strength)
        else:
            watch.stop("no step lowers the free energy any further", converged=True)
            break
        best, strength = min(best, value), 0.0 if strength < 0.1 else strength / 1.5
        _record(watch, engine, best, change, limit)
    return _result(watch, energy, engine.marginals())


# --- bookkeeping --------------------------------------------------------------------------------------------------


def _record(watch: Watch, engine: Engine, energy: float, change: float, limit: float | None) -> None:
    watch.record(energy=energy, change=change, marginals=engine.marginals)
    if limit is not None and change <= limit and not watch.ended():
        watch.stop(f"the marginals changed by {change:.3g} on average", converged=True)


def _result(watch: Watch, energy: DenseCRF, marginals: np.ndarray) -> Result:
    labels = marginals.argmax(0).astype(np.int32)
    return watch.result(labels, marginals=marginals, energy=lambda: energy.energy(labels))


def _checked_damping(damping: float) -> float:
    value = inputs.as_weight(damping, "damping")
    if not 0 <= value < 1:
        raise InputError(f"damping must be at least 0 and below 1, got {damping!r}")
    return value


def _log_marginals(init: ArrayLike, energy: DenseCRF) -> np.ndarray:
    q = inputs.as_marginals(init, energy.unary.shape, name="init")
    return np.log(np.maximum(q, np.float32(1e-30)))

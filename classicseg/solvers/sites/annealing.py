"""Simulated annealing: labels are drawn pixel by pixel, from a distribution that slowly freezes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.kernels.sites.neighbours import Field
from classicseg.kernels.sites.sites import sample
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.run import Callback, Watch
from classicseg.solvers.sites.layout import as_field, costs_of_use, sweep
from classicseg.types import Result

_SWEEPS = 200
_COOLING = 20.0  # 10 to 30: energies differ by a tenth on stereo grids, by nothing on Potts grids


def annealing(
    energy: GridCRF,
    *,
    init: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    rng: Any = None,
    n_threads: int | None = None,
    progress: bool = False,
    hot: float | None = None,
    cold: float | None = None,
) -> Result:
    """Simulated annealing with the Gibbs sampler [1]_: slow, but of any energy and out of poor minima.

    Each sweep draws the label of every pixel from its distribution given the others, in which the label x has
    a probability in proportion to ``exp(-E(x) / temperature)``. The temperature falls by the same factor every sweep.

    Parameters
    ----------
    energy : GridCRF
        Any compatibility. Label costs are heeded, on one thread.
    init : array_like of int, spatial shape, optional
        Labels to start from, by default those of least unary cost. It counts as a labelling seen.
    max_iter : int, optional
        Number of sweeps, 200 by default. The more, the lower the energy.
    tol
        Not used.
    callback : callable, optional
        Called as ``callback(state)`` after every sweep with the labels drawn; returning True stops.
    rng : None, int, SeedSequence, BitGenerator or Generator
        Where random numbers come from; what :func:`numpy.random.default_rng` takes. None draws differently each time.
    n_threads : int, optional
        Threads; the result does not depend on it.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.
    hot, cold : float, optional
        Temperature of the first and of the last sweep. By default a quarter of what the edges of a pixel can cost
        together, on average over the grid, and a twentieth of that.

    Returns
    -------
    Result
        The best labelling of all sweeps. ``history`` holds the energies of the labels drawn, which rise and fall;
        ``change`` is the temperature. It never counts as converged.

    Raises
    ------
    ValueError
        If `init` does not fit or an argument is out of its range.
    TypeError
        If `rng` is nothing that makes a generator.

    References
    ----------
    .. [1] S. Geman, D. Geman, "Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of images",
       IEEE TPAMI 6(6), 1984. doi:10.1109/TPAMI.1984.4767596

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> crf = cs.GridCRF(np.random.default_rng(1).integers(0, 9, (3, 9, 9)), cs.TruncatedQuadratic(2, truncation=3))
    >>> annealed = cs.minimize(crf, "annealing", rng=3)
    >>> annealed.energy < cs.minimize(crf, "icm").energy
    True
    """
    threads = resolve_threads(n_threads)
    n_sweeps = _SWEEPS if max_iter is None else inputs.as_count(max_iter, "max_iter", 0)
    watch = Watch("annealing", n_sweeps, callback, progress)
    generator = inputs.as_generator(rng)
    if init is None:
        labels = energy.unary.argmin(axis=0).astype(np.int32)
    else:
        labels = inputs.as_labels(init, energy.shape, energy.n_labels, name="init").copy()
    field = as_field(energy)
    first, last = _temperatures(field, hot, cold)
    flat = labels.reshape(-1)
    counts, of_use, threads = costs_of_use(energy, flat, threads)
    best, least = labels.copy(), energy.energy(labels)
    while not watch.ended():
        temperature = first * (last / first) ** (len(watch.history) / max(1, n_sweeps - 1))
        sweep(sample, field, threads, flat, temperature, generator.random(flat.size), counts, of_use)
        value = energy.energy(labels)
        if value < least:
            best, least = labels.copy(), value
        watch.record(energy=value, change=temperature, labels=lambda: labels)
    return watch.result(best, energy=least)


def _temperatures(field: Field, hot: float | None, cold: float | None) -> tuple[float, float]:
    spread = float(field.by_first.max() - field.by_first.min())
    around = 2 * spread * float(field.weights.sum()) / field.unary.shape[0]  # an edge counts for both its pixels
    first = (around / 4 or 1.0) if hot is None else inputs.as_positive(hot, "hot", 1)[0]
    last = first / _COOLING if cold is None else inputs.as_positive(cold, "cold", 1)[0]
    if last > first:
        raise InputError(f"cold must be at most hot, {first:g}, got {last:g}")
    return first, last

"""Simulated annealing: labels are drawn pixel by pixel, from a distribution that slowly freezes."""

from __future__ import annotations

import numpy as np

from classicseg import inputs
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.energies.points import spread
from classicseg.errors import InputError
from classicseg.kernels.sites.sites import sample
from classicseg.solvers.run import Run
from classicseg.solvers.sites.layout import as_field, costs_of_use, sweep
from classicseg.types import Result

_COOLING = 20.0  # 10 to 30: energies differ by a tenth on stereo grids, by nothing on Potts grids


def annealing(energy: GridCRF | GraphCRF, run: Run, *, hot: float | None = None, cold: float | None = None) -> Result:
    """Simulated annealing with the Gibbs sampler [1]_: slow, but of any energy and out of poor minima.

    Each sweep draws the label of every pixel from its distribution given the others, in which the label x has
    a probability in proportion to ``exp(-E(x) / temperature)``. The temperature falls by the same factor every sweep.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Any compatibility or tables. Graphs are visited, and label costs heeded, on one thread.
    run : Run
        ``init``: labels to start from, by default those of least unary cost; it counts as a labelling seen.
        ``max_iter``: number of sweeps, 200 by default; the more, the lower the energy. ``rng``: where random numbers
        come from. Callbacks see the labels drawn.
    hot, cold : float, optional
        Temperature of the first and of the last sweep. By default a quarter of what the edges of a pixel can cost
        together, on average, and a twentieth of that.

    Returns
    -------
    Result
        The best labelling of all sweeps. ``history`` holds the energies of the labels drawn, which rise and fall;
        ``change`` is the temperature. It never counts as converged.

    Raises
    ------
    ValueError
        If a temperature is out of its range.

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
    labels = run.labels()
    field = as_field(energy)
    first, last = _temperatures(energy, hot, cold)
    flat = labels.reshape(-1)
    counts, of_use, threads = costs_of_use(energy, flat, run.n_threads)
    best, least = labels.copy(), energy.energy(labels)
    while not run.ended:
        temperature = first * (last / first) ** (len(run.history) / max(1, run.max_iter - 1))
        uniform = run.rng.random(energy.n_points)
        if energy.mask is not None:
            uniform = spread(uniform, energy.mask, -1).reshape(-1)
        sweep(sample, field, threads, flat, temperature, uniform, counts, of_use)
        value = energy.energy(labels)
        if value < least:
            best, least = labels.copy(), value
        run.record(energy=value, change=temperature, labels=lambda: labels)
    return run.result(best, energy=least)


def _temperatures(crf: GridCRF | GraphCRF, hot: float | None, cold: float | None) -> tuple[float, float]:
    around = 2 * _range_of_edges(crf) / crf.n_points  # an edge counts for both its pixels
    first = (around / 4 or 1.0) if hot is None else inputs.as_positive_number(hot, "hot")
    last = first / _COOLING if cold is None else inputs.as_positive_number(cold, "cold")
    if last > first:
        raise InputError(f"cold must be at most hot, {first:g}, got {last:g}")
    return first, last


def _range_of_edges(crf: GridCRF | GraphCRF) -> float:
    """By how much the edges can change an energy, but for what is infinite."""
    if isinstance(crf, GraphCRF) and crf.edge_tables is not None:
        finite = np.isfinite(crf.edge_tables)
        highest = crf.edge_tables.max(axis=(1, 2), where=finite, initial=-np.inf)
        return float((highest - crf.edge_tables.min(axis=(1, 2))).sum())
    assert crf.cost is not None
    assert crf.weights is not None
    weights = list(crf.weights.values()) if isinstance(crf, GridCRF) else [crf.weights]
    total = sum(float(np.abs(w).sum(where=np.isfinite(w), dtype=np.float64)) for w in weights)
    return float(crf.cost.max() - crf.cost.min()) * total

"""Mean-field inference: all pixels of a dense CRF at once.

The marginals Q of independent pixels that are closest to the CRF, in the Kullback-Leibler sense, satisfy
``log Q = -unary - sum_k w_k mu_k K_k Q`` up to a constant for each pixel. Both solvers here iterate that equation at
all pixels at once; they differ in what they do when the iteration overshoots.
"""

from __future__ import annotations

import numpy as np

from classicseg import inputs
from classicseg.energies.dense_crf import DenseCRF
from classicseg.solvers.dense.active import MOST_DIFFER, Pruned, infer_pruned
from classicseg.solvers.dense.engines import Engine, engine_for, infer_fused
from classicseg.solvers.dense.prospects import can_be_pruned, contest
from classicseg.solvers.dense.sampled import infer_sampled
from classicseg.solvers.run import Run
from classicseg.types import Result

_MAX_BACKTRACKS = 12  # the last one goes a 500th of the way
_SLACK = 1e-6  # relative rounding error of a free energy in float32


def mean_field(
    energy: DenseCRF,
    run: Run,
    *,
    damping: float = 0.0,
    track: bool = False,
    marginals: bool = True,
    prune: bool = False,
) -> Result:
    """Mean field of a dense CRF, with parallel updates [1]_.

    Parameters
    ----------
    energy : DenseCRF
    run : Run
        ``init``: marginals to start from, by default ``softmax(-unary)``. ``max_iter``: number of updates of all
        pixels, 10 by default; 0 gives the start. ``tol``: stop when the mean absolute change of the marginals is at
        most this; by default all iterations run.
    damping : float
        In [0, 1): weight of the old log-marginals in the new ones. Repulsive compatibilities oscillate without.
    track : bool
        Record free energy and change of every iteration in ``history``. `tol`, `callback`, `progress` and `damping`
        do so as well; without any of them all iterations run in one fused call, about twice as fast.
    marginals : bool
        Whether the result has marginals. Without, nothing is made in the size of labels times pixels if all iterations
        run in one call and the unary is smaller than the image.
    prune : bool
        Work only where it matters: leave out labels that can win nowhere, leave pixels alone that cannot change any
        more, and, without marginals, update a sample of more than 1.8 million pixels. The result's ``may_differ``
        estimates on what share of the pixels labels are others for that; where it would be above 0.001, nothing is
        pruned. Marginals of labels that were left out are 0. Without effect if single iterations are watched or damped,
        there is an `init`, less than 3 iterations run, the energy's quality is "exact", or the normalisation of a
        kernel leaves messages unbounded ("none" and "before").

    Returns
    -------
    Result
        With labels, marginals and energy; history rows hold the mean-field free energy.

    Raises
    ------
    ValueError
        If `damping` is out of its range.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.stack([np.zeros((8, 8)), np.full((8, 8), 0.1)])
    >>> unary[:, 4, 4] = 0.5, 0.0
    >>> result = cs.minimize(cs.DenseCRF(unary, cs.GaussianKernel(2.0, 3.0)), "mean_field")
    >>> int(result.labels.sum())
    0
    """
    damping = inputs.as_weight(damping, "damping", at_least=0, below=1)
    inputs.as_flag(track, "track")
    wanted, prune = inputs.as_flag(marginals, "marginals"), inputs.as_flag(prune, "prune")
    if energy.quality != "exact" and energy.kernels and not (track or damping > 0 or run.is_watched):
        q, labels, may_differ = _in_one_call(energy, run, wanted, prune)
        return run.result(
            labels, marginals=q if wanted else None, energy=lambda: energy.energy(labels), n_iter=run.max_iter,
            may_differ=may_differ,
        )  # fmt: skip
    engine = _started(energy, run)
    while not run.ended:
        change = engine.update(damping)
        _record(run, engine, engine.free_energy(), change, run.tol)
    return _result(energy, run, engine.marginals(), wanted)


def mean_field_convergent(energy: DenseCRF, run: Run) -> Result:
    """Mean field whose free energy never rises, whatever the compatibilities.

    An update is a proximal step: it minimises the linearised free energy plus a multiple of the Kullback-Leibler
    divergence from the old marginals [1]_, which damps the log-marginals. The multiple starts at 0 (the plain parallel
    update), doubles while a step would raise the free energy, and shrinks again after steps that did not.

    Parameters
    ----------
    energy : DenseCRF
    run : Run
        ``init``: as in :func:`mean_field`. ``max_iter``: number of accepted updates, 50 by default. ``tol``: stop when
        the mean absolute change of the marginals is at most this, 1e-4 by default.

    Returns
    -------
    Result
        ``history`` holds the free energies, which never rise; ``converged`` tells whether `tol` was reached.

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
    limit = 1e-4 if run.tol is None else run.tol
    engine = _started(energy, run)
    best, strength = engine.free_energy(), 0.0
    while not run.ended:
        before = engine.logs.copy()
        for _ in range(_MAX_BACKTRACKS):
            change = engine.update(strength / (1 + strength))
            value = engine.free_energy()
            if value <= best + _SLACK * abs(best):
                break
            engine.start(before)
            strength = max(0.5, 2 * strength)
        else:
            run.stop("no step lowers the free energy any further", converged=True)
            break
        best, strength = min(best, value), 0.0 if strength < 0.1 else strength / 1.5
        _record(run, engine, best, change, limit)
    return _result(energy, run, engine.marginals(), True)


def _in_one_call(energy: DenseCRF, run: Run, marginals: bool, prune: bool) -> Pruned:
    """All updates in one call, pruned if that is wanted and changes next to nothing."""
    if prune and run.init is None and can_be_pruned(energy, run.max_iter):
        left = contest(energy, run.max_iter, run.n_threads)
        for infer in (infer_sampled, infer_pruned):
            found = infer(left, run.max_iter, run.n_threads, marginals=marginals)
            if found is not None and (found.may_differ is None or found.may_differ <= MOST_DIFFER):
                return found
    return Pruned(*infer_fused(energy, run.init, run.max_iter, run.n_threads, marginals), None)


def _record(run: Run, engine: Engine, energy: float, change: float, limit: float | None) -> None:
    run.record(energy=energy, change=change, marginals=engine.marginals)
    if limit is not None and change <= limit:
        run.stop(f"the marginals changed by {change:.3g} on average", converged=True)


def _result(energy: DenseCRF, run: Run, marginals: np.ndarray, wanted: bool) -> Result:
    labels = marginals.argmax(0).astype(np.int32)
    return run.result(labels, marginals=marginals if wanted else None, energy=lambda: energy.energy(labels))


def _started(energy: DenseCRF, run: Run) -> Engine:
    """The engine of an energy, at the start of the run."""
    engine = engine_for(energy, run.n_threads)
    engine.start(-energy.grid.full() if run.init is None else np.log(np.maximum(run.init, np.float32(1e-30))))
    return engine

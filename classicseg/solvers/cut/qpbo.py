"""Roof duality: what can be said of the minimum of a 2-label energy whose pairs are not submodular."""

from __future__ import annotations

import numpy as np

from classicseg import inputs
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid import edge_ends
from classicseg.energies.grid_crf import GridCRF
from classicseg.energies.points import only_inside
from classicseg.solvers.cut.integers import WHOLE, as_integers
from classicseg.solvers.cut.network import DoubledNetwork
from classicseg.solvers.cut.on_graphs import extended_roof, roof_of_graph
from classicseg.solvers.cut.remainders import GAP, RealCut, all_whole, write_choice
from classicseg.solvers.run import Run
from classicseg.types import Result

_MOST = 10_000  # rounds: more are a mistake
_ROUNDING = 2.0**-46  # NumPy sums in pairs, so that the roundings on the way of a term are a few dozen


def qpbo(energy: GridCRF | GraphCRF, run: Run, *, weak: bool = False, probe: bool = False, improve: int = 0) -> Result:
    """Quadratic pseudo-boolean optimisation: the part of a 2-label minimum that a minimum cut can prove [1]_ [2]_.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Of 2 labels, with any compatibility or tables.
    run : Run
        Its ``init`` are the labels that pixels keep where nothing is proven, by default those of least unary cost. One
        thread searches the doubled network. ``rng`` is that of `improve`.
    weak : bool
        Prove labels also where several minima disagree, as many as can be told of one of them [3]_.
    probe : bool
        Try out both labels of all pixels that are left: what follows from both is proven, pixels that always agree or
        never do become one, and a label whose bound is above the best energy is out [2]_ [4]_. It raises the bound, and
        takes two cuts for each pixel.
    improve : int
        How many times to hold pixels, a few and then ever more, at the labels that they have, and to take over what
        roof duality then tells of the others [2]_. It lowers the energy, and comes before probing.

    Returns
    -------
    Result
        ``marginals`` are 0 or 1 where a label is proven: some labelling of least energy has it. They are 0.5 at the
        other, unlabelled pixels; ``message`` says how many there are. Replacing labels by proven ones never raises an
        energy, so ``energy`` is at most that of `init`. ``lower_bound`` is the roof dual, or what probing found.

    References
    ----------
    .. [1] P. Hammer, P. Hansen, B. Simeone, "Roof duality, complementation and persistency in quadratic 0-1
       optimization", Mathematical Programming 28, 1984. doi:10.1007/BF02612354
    .. [2] C. Rother, V. Kolmogorov, V. Lempitsky, M. Szummer, "Optimizing binary MRFs via extended roof duality", CVPR
       2007. doi:10.1109/CVPR.2007.383203
    .. [3] A. Billionnet, B. Jaumard, "A decomposition method for minimizing quadratic pseudo-boolean functions",
       Operations Research Letters 8(3), 1989. doi:10.1016/0167-6377(89)90043-6
    .. [4] E. Boros, P. Hammer, G. Tavares, "Preprocessing of unconstrained quadratic binary optimization", RUTCOR
       research report 10-2006, 2006

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 0], [0, 0]], [[4, 0], [0, 0]]])
    >>> repulsive = cs.GridCRF(unary, cs.Potts(-1), connectivity=8)  # neighbours, diagonal ones too, want to differ
    >>> result = cs.minimize(repulsive, "qpbo")
    >>> result.marginals[1].tolist(), result.lower_bound
    ([[0.0, 0.5], [0.5, 0.5]], -4.5)
    >>> cs.minimize(repulsive, "qpbo", probe=True).lower_bound
    -4.0
    """
    weak, probe = inputs.as_flag(weak, "weak"), inputs.as_flag(probe, "probe")
    rounds = inputs.as_count(improve, "improve", 0, _MOST)
    if weak or probe or rounds:
        return extended_roof(energy, run, weak=weak, probing=probe, rounds=rounds)
    if isinstance(energy, GraphCRF):
        return roof_of_graph(energy, run)
    start = run.labels()
    grid = as_integers(energy)
    network = DoubledNetwork(energy.shape, energy.directions)
    loss = 0.0
    if grid is not None:
        network.fill(grid)
        network.solve(run.n_threads)
    else:
        real = RealCut(network)
        write_choice(real, energy, np.zeros(1, np.int32), np.ones(1, np.int32), crossed=_repels(energy))
        real.solve(run.n_threads, lambda: 0.0)  # what is proven must be so to the last bit
        loss = (real.loss + real.error) / 2
    sides = network.sides.astype(np.int32).reshape(2, *energy.shape)
    first, second = sides[0], 1 - sides[1]  # the variable, and its copy turned over: equal where proven
    proven = first == second
    where = only_inside(proven, energy.mask)
    labels = np.where(proven, first, start).astype(np.int32)
    marginals = np.stack([2 - first - second, first + second]).astype(np.float32) / 2
    value = energy.energy(labels)
    dual, size = roof_dual(energy, first, second)
    if np.isfinite(dual):
        dual -= loss + (0.0 if size < WHOLE and all_whole(energy) else _ROUNDING * size)
    bound = min(dual, value)
    run.record(energy=value, lower_bound=bound, labels=lambda: labels, marginals=lambda: marginals)
    proved = bool(where.all()) and (value == bound or value - bound <= GAP * max(1.0, abs(value)))
    unlabelled = int(where.size - where.sum())
    run.stop(f"{unlabelled} of {where.size} pixels unlabelled", converged=proved)
    return run.result(labels, energy=value, lower_bound=bound, marginals=marginals)


def roof_dual(energy: GridCRF, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Value of the doubled energy, each term of which is the mean over two copies of the variables, and its size.

    A pair that is submodular joins pixels within a copy, another joins each pixel with its neighbour's other copy. The
    size is the sum of the absolute terms.
    """
    cost = energy.cost
    copies = (first, second)
    terms = [np.take_along_axis(energy.unary, x[None], 0).astype(np.float64) for x in copies]
    crossed = _repels(energy)
    for name, offset in energy.directions.items():
        begin, end = edge_ends(offset)
        weights = energy.finite_weights[name].astype(np.float64)
        weights = weights if weights.size == 1 else weights.reshape(energy.weights[name].shape)
        for x, y in (copies, copies[::-1]) if crossed else ((first, first), (second, second)):
            terms.append(weights * cost[x[begin], y[end]])
    return sum(float(term.sum()) for term in terms) / 2, sum(float(np.abs(term).sum()) for term in terms)


def _repels(energy: GridCRF) -> bool:
    """Whether pairs are not submodular."""
    cost = energy.cost
    return bool((cost[0, 1] - cost[0, 0]) + (cost[1, 0] - cost[1, 1]) < 0)

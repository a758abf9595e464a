"""TRW-S, then expansion moves: message passing finds the bound, cuts mend the labels."""

from __future__ import annotations

from collections.abc import Callable

from classicseg.energies.grid_crf import GridCRF
from classicseg.solvers.cut.moves import Moves, cheapest_label
from classicseg.solvers.messages.trws import PROVED, Best, pass_messages
from classicseg.solvers.run import Run
from classicseg.types import Result

_MOST_CYCLES = 2000  # of moves, from all starts together; they end long before


def trws_expansion(energy: GridCRF, run: Run) -> Result:
    """TRW-S [1]_, then expansion moves [2]_ from its labels, from another start, and from both fused [3]_.

    TRW-S alone leaves many small faults, expansion alone large ones, and only TRW-S knows a bound.

    Parameters
    ----------
    energy : GridCRF
        As for ``"trws"``, but label costs are legal: only the moves heed them, and the bound is one without them.
    run : Run
        ``init``: the other start of the expansion moves, by default that of ``"expansion"``. ``max_iter``: largest
        number of iterations of TRW-S, 100 by default; moves follow until none lowers the energy. ``tol``: that of
        ``"trws"``.

    Returns
    -------
    Result
        As of ``"trws"``. Moves are left out if the gap is 0 before. ``converged`` if no expansion lowers the energy.

    References
    ----------
    .. [1] V. Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10),
       2006. doi:10.1109/TPAMI.2006.200
    .. [2] Y. Boykov, O. Veksler, R. Zabih, "Fast approximate energy minimization via graph cuts", IEEE TPAMI 23(11),
       2001. doi:10.1109/34.969114
    .. [3] V. Lempitsky, C. Rother, S. Roth, A. Blake, "Fusion moves for Markov random field optimization", IEEE TPAMI
       32(8), 2010. doi:10.1109/TPAMI.2009.143

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.random.default_rng(0).integers(0, 9, (4, 12, 12))
    >>> result = cs.minimize(cs.GridCRF(unary, cs.Potts(2), label_costs=5), "trws+expansion")
    >>> result.gap >= 0
    True
    """
    best = Best(energy, run.labels())
    pass_messages(energy, run, best)
    if not (run.stopped or best.gap <= 0):
        run.extend(_MOST_CYCLES)
        _expand(energy, run, best)
    if best.gap <= 0:
        run.stop(PROVED, converged=True)
    return run.result(best.labels, energy=best.energy, lower_bound=best.bound)


def _expand(energy: GridCRF, run: Run, best: Best) -> None:
    """Expand from the best labels, from another start, and from the best of both.

    Each pixel chooses between both, as one cut tells: where one has left a bad place, the other is often still in it.
    """
    moves = Moves(energy, best.labels)

    def settle(cycle: Callable[[], bool]) -> None:
        """Repeat a cycle of moves until none lowers the energy or the run ends."""
        lowered = True
        while lowered and not (run.ended or best.gap <= 0):
            lowered, change = moves.make(cycle)
            best.offer(moves.labels, energy=moves.energy())
            run.record(energy=best.energy, lower_bound=best.bound, change=change, labels=lambda: best.labels)

    settle(moves.expand_each)
    first = moves.labels.reshape(-1)
    moves.restart(cheapest_label(energy) if run.init is None else run.init)
    settle(moves.expand_each)
    settle(lambda: moves.fuse(first) | moves.expand_each())
    if not run.ended:
        run.stop("no expansion lowers the energy", converged=True)

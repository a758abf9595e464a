"""Tree-reweighted message passing: good labels, and a bound that says how good."""

from __future__ import annotations

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.solvers.messages.on_graphs import GraphMessages
from classicseg.solvers.messages.state import MessagePassing
from classicseg.solvers.run import Run
from classicseg.types import Result

TOLERANCE = 1e-6
"""Of the larger of energy and bound, if the user gives none."""

_CHECK_EVERY = 5
"""Labels are decoded, their energy found and the bound certified after iterations 1, 2, and every fifth."""

_PATIENCE = 4  # checks that may bring next to nothing


def trws(energy: GridCRF | GraphCRF, run: Run) -> Result:
    """Sequential tree-reweighted message passing (TRW-S) [1]_.

    Messages along the edges raise a lower bound on the energies of all labellings; labels are read off them on the way.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Any compatibility and neighbourhood, in lines, images and volumes, or any graph and tables, whose nodes are
        visited in the order of their numbers on one thread; no label costs.
    run : Run
        ``init``: labels that are returned if no better ones are found; messages start from zero. ``max_iter``: largest
        number of iterations, 100 by default; each is a forward and a backward pass. ``tol``, relative to the larger of
        energy and bound: stop when they are nearer to each other than this, or when for 20 iterations neither has come
        nearer to the other by as much; 1e-6 by default, and 0 stops only at a gap of 0.

    Returns
    -------
    Result
        The labels of least energy that were found, and ``lower_bound``. Messages of grids are float32, but the bound
        holds for them as they are: it is summed in float64, less all that rounding can have done. If all costs are
        whole numbers it is rounded up. ``history`` has one row for each iteration; energies never rise and bounds
        never fall. Both are looked at after iterations 1, 2, and every fifth; rows between repeat the last values.

    Notes
    -----
    In chains the labels are the best ones after one iteration. With 2 labels and a submodular cost the bound rises
    towards the least energy; ``"graph_cut"`` finds that at once.

    References
    ----------
    .. [1] V. Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10),
       2006. doi:10.1109/TPAMI.2006.200

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 4, 0, 9, 9]], [[9, 5, 5, 5, 0]], [[5, 0, 5, 1, 1]]])
    >>> result = cs.minimize(cs.GridCRF(unary, cs.Potts(3)), "trws")
    >>> result.labels.tolist(), result.energy, result.gap
    ([[0, 0, 0, 2, 2]], 9.0, 0.0)
    """
    best = Best(energy, run.labels())
    pass_messages(energy, run, best)
    if best.settled:
        run.stop(best.settled, converged=True)
    return run.result(best.labels, energy=best.energy, lower_bound=best.bound)


class Best:
    """The best labels of a run so far, their energy, and the bound.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
    labels : ndarray, spatial shape, int32
        Where to start; not written to.

    Attributes
    ----------
    labels : ndarray, spatial shape, int32
    energy : float
    bound : float or None
        No labels cost less; None before the first was found.
    gap : float
        How far the energy is from the bound.
    settled : str
        Why another iteration of messages would be in vain, or nothing.
    """

    def __init__(self, energy: GridCRF | GraphCRF, labels: np.ndarray) -> None:
        self.labels = labels
        self._evaluate = energy.energy
        self.energy = energy.energy(labels)
        self.bound: float | None = None
        self.gap, self.settled = np.inf, ""

    def offer(self, labels: np.ndarray, *, energy: float | None = None, bound: float | None = None) -> None:
        """Take labels, a copy of them, if they are better, and a bound. Their energy is found if it is not given."""
        value = self._evaluate(labels) if energy is None else energy
        if value < self.energy:
            self.labels, self.energy = labels.copy(), value
        if bound is not None:
            self.bound = bound
        if self.bound is not None:
            self.gap = self.energy - self.bound


PROVED = "the bound proves that no labels are better"


def pass_messages(energy: GridCRF | GraphCRF, run: Run, best: Best) -> None:
    """Iterate until the bound is near, nothing moves any more, or the run ends."""
    tolerance = TOLERANCE if run.tol is None else run.tol
    if run.max_iter == 0:
        return
    messages: GraphMessages | MessagePassing
    if isinstance(energy, GraphCRF):
        messages = GraphMessages(energy)
    else:
        messages = MessagePassing(energy, run.n_threads)
    marks = [(np.inf, -np.inf)]  # energy and bound of each check
    while not (run.ended or best.settled):
        check = is_checked(len(run.history) + 1, run.max_iter)
        messages.iterate(check=check)
        if check:
            best.offer(messages.labels, bound=messages.bound)
            best.settled = why_to_settle(best.energy, messages.bound, marks, tolerance)
        run.record(energy=best.energy, lower_bound=best.bound, labels=lambda: best.labels)


def is_checked(iteration: int, max_iter: int) -> bool:
    """Whether labels are decoded and the bound is found in an iteration."""
    return iteration <= 2 or iteration % _CHECK_EVERY == 0 or iteration == max_iter


def why_to_settle(energy: float, bound: float, marks: list[tuple[float, float]], tolerance: float) -> str:
    """Why another iteration would be in vain, or nothing; `marks`, energy and bound of each check, get these."""
    gap = energy - bound
    if gap <= 0:
        return PROVED
    enough = tolerance * max(abs(energy) if np.isfinite(energy) else 0, abs(bound))
    if gap <= enough:
        return f"energy and bound differ by {gap:.3g}"
    marks.append((energy, bound))
    energy_before, bound_before = marks[max(0, len(marks) - 1 - _PATIENCE)]
    if max(energy_before - energy, bound - bound_before) < enough:
        return f"{_PATIENCE * _CHECK_EVERY} iterations brought energy and bound nearer by less than {enough:.3g}"
    return ""

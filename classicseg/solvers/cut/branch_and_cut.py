"""The minimum of a 2-label energy whose pairs are of any sign, and the proof of it: roof duality, cycles, branches."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
from scipy.sparse import csr_array

from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.solvers.cut.cycles import CycleRelaxation
from classicseg.solvers.cut.integers import WHOLE, is_whole
from classicseg.solvers.cut.pairs import quadratic_of_labels
from classicseg.solvers.cut.probing import Proven, roof
from classicseg.solvers.cut.quadratic import Quadratic
from classicseg.solvers.cut.remainders import GAP
from classicseg.solvers.run import Run
from classicseg.types import Result

_STALLED = 0.002  # of the gap: when a linear program raises the bound by less, so often
_PATIENCE = 10  # in a row, a branch is made instead of another one
_NEAR_WHOLE = 1e-6  # how far a bound may be above a whole number and still be rounded up to it, not to the next one
_TURNS = 4  # of each bit, on average: a descent that takes more is cut short
_ROUNDING = 2.0**-43  # of all costs: what sums of them on the way may be off by


def branch_and_cut(energy: GridCRF | GraphCRF, run: Run) -> Result:
    """Branch and cut: the minimum of 2 labels, whatever the signs of the pairs [1]_ [2]_.

    Roof duality fixes what it can. Of what is left, a linear program over pairs that differ bounds the energy, and
    gets the inequalities of odd cycles that its answer violates, until there are none. Where fractions stay, a pixel is
    tried with both of its labels.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Of 2 labels, with any compatibility or tables.
    run : Run
        An iteration is a linear program; ``max_iter`` limits them. ``init`` are labels to do better than. One thread
        works.

    Returns
    -------
    Result
        ``converged`` if the labels are proven to be the best ones; else ``lower_bound`` tells how far they can be from
        that. It is computed from the multipliers of the linear programs, and holds whatever their tolerance.

    Notes
    -----
    Thousands of pixels that compete, such as spins of random couplings on a grid, take some dozens of linear programs
    of a second or a few. Where roof duality leaves nothing, as for attractive pairs, none is needed.

    References
    ----------
    .. [1] F. Barahona, M. Grötschel, M. Jünger, G. Reinelt, "An application of combinatorial optimization to
       statistical physics and circuit layout design", Operations Research 36(3), 1988. doi:10.1287/opre.36.3.493
    .. [2] D. Sontag, T. Jaakkola, "New outer bounds on the marginal polytope", NIPS 2007

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> everyone = [[i, j] for i in range(7) for j in range(i)]
    >>> rivals = cs.GraphCRF(np.zeros((2, 7)), everyone, cs.Potts(-1))  # each wants to differ from all others
    >>> result = cs.minimize(rivals, "branch_and_cut")
    >>> result.energy, result.lower_bound, result.converged  # 3 and 4: 12 pairs differ
    (-12.0, -12.0, True)
    >>> cs.minimize(rivals, "qpbo", probe=True).lower_bound
    -18.0
    """
    start = run.labels()
    if run.ended:
        return run.result(start, energy=energy.energy(start))
    graph = energy if isinstance(energy, GraphCRF) else GraphCRF.from_grid(energy)
    function, only = quadratic_of_labels(graph)
    if graph.mask is not None:
        only[~graph.mask] = 0
    proven = Proven(function, only)
    while roof(proven, weak=True) > 0:
        pass
    search = _Search(graph, proven, run, energy.shape)
    search.meet(proven.of_left(start.reshape(-1)))
    if proven.is_solved:
        search.bound = proven.bound
        search.tell()
    else:
        search.run()
    labels = search.labels.reshape(energy.shape)
    value = energy.energy(labels)
    bound = min(search.proven_bound, value)
    if np.isfinite(value) and value - bound <= GAP * max(1.0, abs(value)):
        run.stop(f"minimum found within {value - bound:.3g}", converged=True)
    return run.result(labels, energy=value, lower_bound=bound)


class _Search:
    """Branches that are open, the best labels, and how much less there can be."""

    def __init__(self, graph: GraphCRF, proven: Proven, run: Run, shape: tuple[int, ...]) -> None:
        self._graph, self._proven, self._run, self._shape = graph, proven, run, shape
        tables = graph.tables()
        size = float(np.abs(graph.unary).sum(where=np.isfinite(graph.unary), dtype=float) + np.abs(tables).sum())
        self._whole = size < WHOLE and is_whole(graph.unary) and is_whole(tables)
        self._size, self._loss = size, 0.0 if self._whole else _ROUNDING * size
        self.value, self.labels = np.inf, np.zeros(graph.shape, np.int32)
        self.bound, self._closed = -np.inf, np.inf
        self._open: list[tuple[float, int, np.ndarray, np.ndarray]] = []

    @property
    def proven_bound(self) -> float:
        """The bound of the energy: whole where energies are."""
        bound = self.bound - self._loss
        if self._whole and np.isfinite(bound):
            bound = float(np.ceil(bound - _NEAR_WHOLE))
        return min(bound, self.value)

    def meet(self, left: np.ndarray) -> None:
        """Take the labels that these bits make, if they are better."""
        labels = self._proven.of_all(left).astype(np.int32)
        value = self._graph.energy(labels)
        if value < self.value or np.isinf(self.value):
            self.value, self.labels = value, labels

    def tell(self) -> None:
        """An iteration has ended."""
        labels = self.labels
        self._run.record(
            energy=self.value, lower_bound=self.proven_bound, labels=lambda: labels.reshape(self._shape)
        )  # fmt: skip

    def run(self) -> None:
        """Go on until the bound is the value, or the run has ended."""
        n, relaxation = len(self._proven.function.linear), CycleRelaxation(self._proven.function)
        size, number = len(relaxation.ends), itertools.count()
        self._open = [(self._proven.bound, next(number), np.zeros(size), np.ones(size))]
        while self._open and not self._run.ended:
            parent, _, low, high = heapq.heappop(self._open)
            bound, y = self._bounded(relaxation, parent, low, high)
            free = np.flatnonzero(low[:n] < high[:n])
            if y is None or not free.size:
                self._closed = min(self._closed, bound)
            else:
                one = free[np.abs(y[free] - 0.5).argmin()]
                for value in (0.0, 1.0):
                    less, more = low.copy(), high.copy()
                    less[one] = more[one] = value
                    heapq.heappush(self._open, (bound, next(number), less, more))
        self.bound = self._bound_with(np.inf)

    def _bound_with(self, bound: float) -> float:
        """That of all branches, if `bound` is that of the one which is worked on."""
        return min(bound, self._closed, self._open[0][0] if self._open else np.inf)

    def _bounded(
        self, relaxation: CycleRelaxation, bound: float, low: np.ndarray, high: np.ndarray
    ) -> tuple[float, np.ndarray | None]:
        """The bound of a branch, and the last answer: None if the branch has nothing better than is known.

        Limits are narrowed where that side alone can hold something better.
        """
        stalled = 0
        while True:
            answer = relaxation.solve(low, high)
            if answer is None:
                return self.value + self._loss, None
            y, before = answer.differs, bound
            bound = max(bound, answer.bound)
            self.meet(descend(self._proven.function, relaxation.rounded(y)))
            self.bound = self._bound_with(bound)
            self.tell()
            gap = self._gap(bound)
            if gap <= 0:
                return bound, None
            if self._run.ended:
                return bound, y
            needed = self._gap(answer.bound)  # which can be below the bound of the program before
            high[answer.reduced > needed] = low[answer.reduced > needed]
            low[-answer.reduced > needed] = high[-answer.reduced > needed]
            stalled = stalled + 1 if bound - before < _STALLED * gap else 0
            if stalled >= _PATIENCE or not relaxation.tighten(y):
                return bound, y

    def _gap(self, bound: float) -> float:
        """How far a bound is below what is better than the best value."""
        if self._whole:
            return self.value - 1 + _NEAR_WHOLE - bound
        tolerance = GAP / 2 * min(max(1.0, abs(self.value)), self._size)  # tiny costs are told apart, too
        return self.value + self._loss - bound - tolerance


def descend(function: Quadratic, bits: np.ndarray) -> np.ndarray:
    """Turn the bit whose turn lowers the function most, until none does."""
    n, (i, j), w = len(bits), function.edges.T, function.pairs
    both = csr_array((np.concatenate([w, w]), (np.concatenate([i, j]), np.concatenate([j, i]))), shape=(n, n))
    bits = bits.copy()
    slope = function.linear + both @ bits
    change = np.where(bits == 0, slope, -slope)
    least = -GAP * np.abs(change).max(initial=0.0)
    for _ in range(_TURNS * n):
        one = int(change.argmin())
        if change[one] >= least:
            break
        near = slice(both.indptr[one], both.indptr[one + 1])
        others = both.indices[near]
        bits[one] = 1 - bits[one]
        change[one] = -change[one]
        sign = np.where(bits[others] == bits[one], 1.0, -1.0)
        change[others] += both.data[near] * sign
    return bits

"""Variable elimination: the minimum of any energy whose graph is narrow, and the proof of it.

A node is eliminated by its best label for each choice of labels of its neighbours: what that costs is a table over the
neighbours, which from then on depend on each other. Nothing is approximated; what decides is how large tables become.
On a tree none has more than one neighbour, on a grid they have as many as the shorter side, on a complete graph all.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from classicseg import inputs
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import BudgetError
from classicseg.machine.memory import check_memory
from classicseg.solvers.cut.integers import WHOLE, is_whole
from classicseg.solvers.cut.remainders import GAP
from classicseg.solvers.run import Run
from classicseg.types import Result

_COST = 8  # bytes of an entry of a table
_WORK = 3  # tables that are made at once: costs of one label, the least costs so far, where the former is lower
_EFFORT = 2_000_000  # pairs of neighbours looked at, in 0.1 s, to find an order by fill; then that is given up
_ROUNDING = 2.0**-52  # of the size of the energy: what the sum of two costs may be off by

Table = tuple[tuple[int, ...], np.ndarray]
"""Nodes, and the cost of each choice of their labels: an axis for each node."""


def elimination(energy: GridCRF | GraphCRF, run: Run, *, memory: float = 1.0) -> Result:
    """Bucket elimination: the minimum of energies on chains, trees and narrow graphs, whatever pairs cost [1]_ [2]_.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Of any labels, compatibility or tables, without label costs.
    run : Run
        There is one iteration. One thread works.
    memory : float
        GiB that tables may take. What they will take is known before any is made.

    Returns
    -------
    Result
        Labels of the least energy, ``converged``, and a ``lower_bound`` that is equal to it if costs are whole numbers,
        and a rounding below it else.

    Raises
    ------
    ValueError
        If `memory` is not above 0.
    BudgetError
        If tables would take more than `memory`, or than there is.

    Notes
    -----
    Time and memory grow with the number of labels to the power of the width: the largest number of neighbours that a
    node has when it is eliminated. The order is found greedily: next comes the node whose table is smallest, or which
    joins the fewest neighbours that were not joined before; the better of both orders is taken. Labels that are
    forbidden at a node take no room.

    References
    ----------
    .. [1] R. Dechter, "Bucket elimination: a unifying framework for reasoning", Artificial Intelligence 113(1-2), 1999.
       doi:10.1016/S0004-3702(99)00059-4
    .. [2] U. Bertelè, F. Brioschi, "Nonserial dynamic programming", Academic Press, 1972

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> everyone = [[i, j] for i in range(14) for j in range(i)]
    >>> tables = np.random.default_rng(0).integers(-9, 10, (len(everyone), 2, 2))
    >>> frustrated = cs.GraphCRF(np.zeros((2, 14)), everyone, tables=tables)
    >>> result = cs.minimize(frustrated, "elimination")
    >>> result.energy == result.lower_bound, result.converged
    (True, True)
    """
    room = inputs.as_positive_number(memory, "memory") * 2**30
    if isinstance(energy, GridCRF):
        _refuse_wide(energy, room)
    graph = energy if isinstance(energy, GraphCRF) else GraphCRF.from_grid(energy)
    problem = _Problem(graph)
    plan = _plan(problem, room)
    check_memory(plan.nbytes, "the tables of elimination")
    least, labels = _eliminate(problem, plan)
    labels = labels.reshape(energy.shape)
    value = energy.energy(labels)
    bound = min(least - problem.loss, value)
    run.record(energy=value, lower_bound=bound, labels=lambda: labels)
    if value == bound or value - bound <= GAP * max(1.0, abs(value)):
        run.stop(f"minimum found, by tables over up to {plan.width} nodes", converged=True)
    return run.result(labels, energy=value, lower_bound=bound)


def _refuse_wide(grid: GridCRF, room: float) -> None:
    """Grids tell their width without any order of elimination: it is the shorter side at least, of volumes the middle.

    Those with a mask or forbidden labels do not.
    """
    width = min(sorted(grid.shape)[-2:]) if len(grid.shape) > 1 else 1
    free = grid.mask is None and (grid.unary.dtype.kind == "i" or bool(np.isfinite(grid.unary).all()))
    if free and width * math.log(grid.n_labels) + math.log(_COST) > math.log(room):
        size = "x".join(map(str, grid.shape))
        raise BudgetError(
            f"elimination needs a narrow graph: a grid of {size} pixels has a width of {width} at least, and tables of "
            f"{grid.n_labels} labels to the power of that do not fit into {room / 2**30:g} GiB"
        )


class _Problem:
    """Nodes with the labels that they may take, and what edges cost.

    Attributes
    ----------
    allowed : list of ndarray
        Labels that each node may take.
    own : list of ndarray
        What each of these costs, with the edges to nodes of a single label.
    near : list of set of int
        Nodes of more than one label that each of these has an edge with.
    edges : list of (int, int, int)
        Both nodes and the number of each edge of two such nodes.
    loss : float
        By how much rounding may have changed a sum of all costs.
    """

    def __init__(self, graph: GraphCRF) -> None:
        self._graph = graph
        possible = np.isfinite(graph.unary)
        n = graph.shape[0]
        self.allowed = [np.flatnonzero(one) for one in possible.T]
        self.own = [graph.unary[labels, node].astype(np.float64) for node, labels in enumerate(self.allowed)]
        self.near: list[set[int]] = [set() for _ in range(n)]
        self.edges: list[tuple[int, int, int]] = []
        for number, (i, j) in enumerate(graph.edges.tolist()):
            if len(self.allowed[j]) == 1:
                self.own[i] += self.table(i, j, number)[:, 0]
            elif len(self.allowed[i]) == 1:
                self.own[j] += self.table(i, j, number)[0]
            else:
                self.edges.append((i, j, number))
                self.near[i].add(j)
                self.near[j].add(i)
        factors = (graph.edge_tables,) if graph.cost is None else (graph.weights, graph.cost)
        size = float(np.abs(graph.unary).max(axis=0, where=possible, initial=0).sum(dtype=float)) + _size(graph)
        exact = size < WHOLE and all(map(is_whole, (graph.unary, *factors)))
        self.loss = 0.0 if exact else (n + len(graph.edges)) * _ROUNDING * size

    def table(self, i: int, j: int, number: int) -> np.ndarray:
        """What the labels that two nodes may take cost at an edge; infinite where they are forbidden."""
        graph, pairs = self._graph, np.ix_(self.allowed[i], self.allowed[j])
        if graph.edge_tables is not None:
            return graph.edge_tables[number][pairs]
        assert graph.cost is not None
        assert graph.weights is not None
        cost, weight = graph.cost[pairs], graph.weights[number]
        return np.multiply(cost, weight, where=cost != 0, out=np.zeros(cost.shape))  # infinite times 0 is 0 here


def _size(graph: GraphCRF) -> float:
    """Sum of the largest finite costs of all edges."""
    if graph.edge_tables is not None:
        tables = np.abs(graph.edge_tables)
        return float(tables.max(axis=(1, 2), where=np.isfinite(tables), initial=0).sum())
    assert graph.cost is not None
    assert graph.weights is not None
    return float(np.abs(graph.weights).sum(where=np.isfinite(graph.weights)) * np.abs(graph.cost).max())


@dataclass(frozen=True)
class _Plan:
    """In which order nodes are eliminated, and what that takes.

    Attributes
    ----------
    order : list of int
    near : list of tuple of int
        Of each node in this order, the neighbours that it then has, those first that are eliminated first.
    width : int
        The largest number of them.
    nbytes : float
        The most that all tables take at any time.
    """

    order: list[int]
    near: list[tuple[int, ...]]
    width: int
    nbytes: float


def _plan(problem: _Problem, room: float) -> _Plan:
    """The order, of those that are tried, that takes the least memory; BudgetError if none fits into `room`."""
    found = [_ordered(problem, score, room) for score in (_by_table, _by_fill)]
    best = min((plan for plan in found if plan is not None), key=lambda plan: plan.nbytes, default=None)
    if best is None or best.nbytes > room:
        needs = "more" if best is None else f"{best.nbytes / 2**30:.3g} GiB, more"
        raise BudgetError(
            f"elimination needs a narrow graph: the tables of this one take {needs} than the {room / 2**30:g} GiB of "
            "memory=; branch_and_cut needs none, trws gives a bound of any energy"
        )
    return best


Score = Callable[[int, list[set[int]], list[float]], float]
"""``score(node, near, sizes)``: how bad it is to eliminate a node next; `sizes` are logarithms of label counts."""


def _by_table(node: int, near: list[set[int]], sizes: list[float]) -> float:
    """By the size of the table over its neighbours."""
    return sum(sizes[other] for other in near[node])


def _by_fill(node: int, near: list[set[int]], sizes: list[float]) -> float:
    """By the pairs of neighbours that are not joined yet."""
    mine = near[node]
    return sum(len(mine) - 1 - len(near[other] & mine) for other in mine) / 2


def _ordered(problem: _Problem, score: Score, room: float) -> _Plan | None:
    """The nodes with neighbours in a greedy order.

    None once a table alone is larger than there is `room` for, or where to find the order by fill takes long.
    """
    near = [set(some) for some in problem.near]
    sizes = [math.log(len(labels)) for labels in problem.allowed]
    largest = math.log(room / _COST)
    effort = sum(len(some) ** 2 for some in near)
    if score is _by_fill and effort > _EFFORT:
        return None
    waiting = [(score(node, near, sizes), node) for node, some in enumerate(near) if some]
    scores = {node: value for value, node in waiting}
    heapq.heapify(waiting)
    order, cliques = [], []
    while waiting:
        value, node = heapq.heappop(waiting)
        if scores.get(node) != value:
            continue
        del scores[node]
        clique = near[node]
        if _by_table(node, near, sizes) > largest or (score is _by_fill and effort > _EFFORT):
            return None
        order.append(node)
        cliques.append(clique)
        for other in clique:
            near[other] |= clique
            near[other] -= {node, other}
        for other in _touched(clique, near, score):
            effort += len(near[other]) ** 2
            new = score(other, near, sizes)
            if new != scores[other]:
                scores[other] = new
                heapq.heappush(waiting, (new, other))
    place = {node: at for at, node in enumerate(order)}
    sorted_cliques = [tuple(sorted(clique, key=place.__getitem__)) for clique in cliques]
    width = max(map(len, sorted_cliques), default=0)
    return _Plan(order, sorted_cliques, width, _peak(problem, order, sorted_cliques))


def _touched(clique: Iterable[int], near: list[set[int]], score: Score) -> Iterable[int]:
    """Nodes whose score may have changed now that all of `clique` are neighbours."""
    return clique if score is _by_table else set(clique).union(*(near[node] for node in clique))


def _peak(problem: _Problem, order: list[int], cliques: list[tuple[int, ...]]) -> float:
    """The most bytes in use at any time: choices so far, tables that wait, and those that are being made."""
    kept = waits = most = 0.0
    waiting: dict[int, float] = {}  # by the node that takes them up
    for node, clique in zip(order, cliques, strict=True):
        entries = float(math.prod(len(problem.allowed[other]) for other in clique))
        kept += entries * _choices_of(problem.allowed[node]).itemsize
        most = max(most, kept + waits + _WORK * _COST * entries)
        waits += _COST * entries - waiting.pop(node, 0.0)
        if clique:
            waiting[clique[0]] = waiting.get(clique[0], 0.0) + _COST * entries
    return most


def _choices_of(labels: np.ndarray) -> np.dtype:
    """The type of a place among `labels`."""
    return np.min_scalar_type(max(len(labels) - 1, 0))


def _eliminate(problem: _Problem, plan: _Plan) -> tuple[float, np.ndarray]:
    """The least energy and labels of it, (n,)."""
    place = {node: at for at, node in enumerate(plan.order)}
    buckets: list[list[Table]] = [[] for _ in plan.order]
    edges: list[list[tuple[int, int, int]]] = [[] for _ in plan.order]
    for i, j, number in problem.edges:
        edges[min(place[i], place[j])].append((i, j, number))
    least, choices = 0.0, []
    for at, (node, clique) in enumerate(zip(plan.order, plan.near, strict=True)):
        buckets[at] += [((i, j), problem.table(i, j, number)) for i, j, number in edges[at]]
        table, choice = _without(node, clique, problem, buckets[at])
        buckets[at] = []
        choices.append(choice)
        if clique:
            buckets[place[clique[0]]].append((clique, table))
        else:
            least += float(table)
    best = [int(own.argmin()) for own in problem.own]  # of nodes without neighbours that is all
    least += sum(float(own.min()) for own, some in zip(problem.own, problem.near, strict=True) if not some)
    for at in reversed(range(len(plan.order))):
        best[plan.order[at]] = int(choices[at][tuple(best[other] for other in plan.near[at])])
    labels = [labels[one] for labels, one in zip(problem.allowed, best, strict=True)]
    return least, np.array(labels, np.int32)


def _without(
    node: int, clique: tuple[int, ...], problem: _Problem, bucket: list[Table]
) -> tuple[np.ndarray, np.ndarray]:
    """What the best label of a node costs for all labels of its neighbours, and which label that is."""
    axes = [_along(table, (node, *clique)) for table in bucket]
    shape = tuple(len(problem.allowed[other]) for other in clique)
    own, choices = problem.own[node], _choices_of(problem.allowed[node])
    least, choice = np.empty(shape), np.zeros(shape, choices)
    costs = np.empty(shape)
    for label, alone in enumerate(own):
        into = least if label == 0 else costs
        into[...] = alone
        for table in axes:
            into += table[label]
        if label:
            np.copyto(choice, label, where=costs < least)
            np.minimum(least, costs, out=least)
    return least, choice


def _along(table: Table, nodes: tuple[int, ...]) -> np.ndarray:
    """A table with an axis for each of `nodes`, in their order, of length 1 where it does not depend on one."""
    own, costs = table
    turned = costs.transpose(sorted(range(len(own)), key=lambda axis: nodes.index(own[axis])))
    lengths = iter(turned.shape)
    return turned.reshape([next(lengths) if node in own else 1 for node in nodes])

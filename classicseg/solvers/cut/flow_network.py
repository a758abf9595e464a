"""Maximum flows and minimum cuts of any graph, in numbers of the user's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.kernels.cut.capacities import Survey, sum_by_sign
from classicseg.kernels.cut.graph import ARC_WORDS, DEPTH, NODE_WORDS, ROOM, graph_flow
from classicseg.kernels.cut.graph_arcs import cut_capacity, link_edges, read_graph_cut
from classicseg.machine.memory import check_memory
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.cut.capacities import as_capacities, as_ends, as_nodes, difference, refuse_tied, survey

_INT32 = 2**31 - 1  # arcs are numbered in 32 bits
_SMALL = _INT32  # whole numbers up to there are counted in 32 bits
_WHOLE = 2.0**59
"""Whole numbers that sum up to less are cut exactly."""
_MOST = 2.0**61  # excess that a node may have when a search begins
_BITS = 60  # of the largest flow that real capacities allow
_RANGE = 1024.0  # between the most that can flow now and what could when steps were chosen
_SMALLEST = 2.0**-1074  # no step is smaller: the least float64 above 0
_MANY = 2**18  # edges; for fewer nobody needs to ask whether there is memory
_BRIEF = 100_000  # edges: their cut takes some milliseconds, and Ctrl-C can wait


class MinimumCut(NamedTuple):
    """A minimum cut of a :class:`FlowNetwork`.

    Attributes
    ----------
    flow : int or float
        Of the maximum flow: no cut costs less.
    cost : int or float
        What this cut costs: equal to the flow if all capacities are whole numbers.
    labels : ndarray, (N,), int32
        0 for nodes on the side of the source, 1 on that of the sink.

    Examples
    --------
    >>> import classicseg as cs
    >>> flow, cost, labels = cs.FlowNetwork([[0, 1]], [4], source=[5, 0], sink=[0, 9]).solve()
    >>> flow, cost, labels.tolist()
    (4, 4, [0, 1])
    """

    flow: float
    cost: float
    labels: np.ndarray


class FlowNetwork:
    """Nodes between a source and a sink, edges of any capacities; finds its maximum flow and its minimum cut.

    A node on the side of the sink costs its capacity from the source, one on the side of the source that to the sink,
    and an edge over the cut the capacity from the source's side to the sink's. Flow is pushed along shortest paths [1]_
    in compiled code.

    Parameters
    ----------
    edges : array_like of int, (E, 2)
        Nodes, 0 to N - 1, in any order. An edge that is given several times has the sum of its capacities.
    capacity : array_like, (E,), or number
        From ``edges[e, 0]`` to ``edges[e, 1]``; at least 0, ``np.inf`` for edges that no cut may go through.
    reverse_capacity : array_like, (E,), or number, optional
        The other way; by default the same.
    source, sink : array_like, (N,)
        Capacity from the source to each node, and from each node to the sink. They may be negative, as only their
        difference tells how to cut; one of both may be infinite.

    Raises
    ------
    ValueError
        If shapes do not fit, an edge leads to a node that is not there or to its own, a capacity is NaN, negative, or
        finite and above 1e100, or a node is tied to source and sink.
    TypeError
        If something does not hold real numbers, or nodes in edges are no integers.

    Notes
    -----
    Whole numbers, of whatever dtype, that sum up to less than 2**59 are cut exactly, in 32 bits if possible and 64
    otherwise. Other capacities are rounded down to multiples of a power of two, some 2**-60 of what can flow: `flow`
    is one of the capacities as they were given, and `cost` is what the cut costs in them. No cut costs less than
    `flow`, and the best one was missed by ``cost - flow`` at most: what was rounded off over the cut, and what float64
    rounds off sums.

    References
    ----------
    .. [1] A. Goldberg et al., "Maximum flows by incremental breadth-first search", ESA 2011.
       doi:10.1007/978-3-642-23719-5_39

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> network = cs.FlowNetwork([[0, 1], [1, 2]], [4, 2], 0, source=[5, 0, 0], sink=[0, 0, 3])
    >>> network.solve()
    MinimumCut(flow=2, cost=2, labels=array([0, 0, 1], dtype=int32))
    >>> network.edge_flow, network.residual.tolist()
    (array([2, 2]), [[2, 2], [0, 2]])
    >>> network.set_terminals(sink=[0, 1, 3])
    >>> network.solve().flow
    3
    """

    def __init__(
        self,
        edges: ArrayLike,
        capacity: ArrayLike,
        reverse_capacity: ArrayLike | None = None,
        *,
        source: ArrayLike,
        sink: ArrayLike,
    ) -> None:
        offered = inputs.read(source, "source", booleans=False)
        if offered.ndim != 1 or offered.size == 0:
            raise InputError(f"source must have shape (N,), one number for each node, got {offered.shape}")
        n = offered.size
        self._source, of_source = as_capacities(offered, n, "source", -np.inf)
        self._sink, of_sink = as_capacities(sink, n, "sink", -np.inf)
        refuse_tied(self._source, self._sink)
        self._ends = as_ends(edges, n)
        n_edges = len(self._ends)
        if 4 * n_edges > _INT32:
            raise InputError(f"a network has at most {_INT32 // 4} edges, got {n_edges}")
        if n_edges > _MANY:
            check_memory(110.0 * n_edges + 72.0 * n, "the flow network")
        self._forward, forward = as_capacities(capacity, n_edges, "capacity", 0)
        self._backward, backward = self._forward, forward
        if reverse_capacity is not None:
            self._backward, backward = as_capacities(reverse_capacity, n_edges, "reverse_capacity", 0)
        self._of_terminals, self._of_edges = (of_source, of_sink), (forward, backward)
        self._is_linked = False

    def __repr__(self) -> str:
        return f"FlowNetwork({self._source.size} nodes, {len(self._ends)} edges)"

    @property
    def edge_flow(self) -> np.ndarray:
        """What flows over each edge after the last :meth:`solve`, (E,): from its first node to its second."""
        if not self._is_linked:
            raise InputError("a network has no flow before it is solved: call solve() first")
        self._settle()
        left: np.ndarray = self._arcs[ARC_WORDS * self._where.astype(np.int64) + ROOM]
        flow = self._rooms[0].astype(np.int64) - left
        return flow if self._is_whole else flow * self._step

    @property
    def residual(self) -> np.ndarray:
        """What can still flow over each edge after the last :meth:`solve`, (E, 2): along it, and back."""
        flow = self.edge_flow
        return np.stack([self._forward - flow, self._backward + flow], axis=1)

    def set_terminals(
        self, source: ArrayLike | None = None, sink: ArrayLike | None = None, nodes: ArrayLike | None = None
    ) -> None:
        """Change capacities from the source and to the sink for the next :meth:`solve`, which keeps the flow.

        Parameters
        ----------
        source, sink : array_like, (N,), or with `nodes` (K,), optional
            Those that are not given stay.
        nodes : array_like of int, (K,), optional
            Whose they are, each at most once; all by default.

        Raises
        ------
        ValueError
            If shapes do not fit, a value is NaN, or a node is tied to source and sink.
        TypeError
            If something does not hold real numbers, or `nodes` no integers.
        """
        n = self._source.size
        where = slice(None) if nodes is None else as_nodes(nodes, n)
        count = n if isinstance(where, slice) else where.size
        changed = []
        for given, kept, name in ((source, self._source, "source"), (sink, self._sink, "sink")):
            if given is None:
                changed.append(kept)
                continue
            new, _ = as_capacities(given, count, name, -np.inf)
            both = kept.astype(np.promote_types(kept.dtype, new.dtype))
            both[where] = new
            changed.append(both)
        refuse_tied(*changed)
        self._source, self._sink = changed
        self._of_terminals = survey(self._source), survey(self._sink)
        if self._is_linked and not self._exchange():
            self._is_linked = False

    def solve(self) -> MinimumCut:
        """Find the minimum cut.

        Returns
        -------
        MinimumCut
            Of several minimum cuts the one with the fewest nodes on the side of the sink. If every cut goes through
            infinite capacities, flow and cost are infinite.
        """
        if not self._is_linked:
            self._link()
        self._push(self._excess)
        labels = np.empty(self._source.size, np.int32)
        read_graph_cut(self._nodes, labels)
        flowed = _deficit(self._wanted) - _deficit(self._excess)
        if self._is_whole:
            flow = int(self._lesser) + flowed if flowed < _above(self._at_most) else np.inf
            return MinimumCut(flow, flow, labels)
        real = flowed * self._step
        if real > 1.5 * self._at_most:
            return MinimumCut(np.inf, np.inf, labels)
        cost = float(np.where(labels == 1, self._source, self._sink).sum(dtype=np.float64)) + cut_capacity(
            self._ends, self._forward.astype(np.float64), self._backward.astype(np.float64), labels
        )
        return MinimumCut(min(float(self._lesser) + real, cost), cost, labels)

    def _link(self) -> None:
        """Write the network anew, without a flow."""
        n, n_edges = self._source.size, len(self._ends)
        self._is_whole = self._seems_whole()
        excess, of_excess, self._lesser = difference(self._source, self._sink, whole=self._is_whole)
        self._at_most = self._flow_at_most(of_excess)
        if self._is_whole:
            self._step, self._top = 1.0, _above(self._at_most)
        else:
            self._top = 2 * self._at_most or max(of_excess.high, -of_excess.low, 0.0) or 1.0
            self._step = max(float(2.0 ** (np.ceil(np.log2(self._top)) - _BITS)), _SMALLEST)
        parts = of_excess, *self._of_edges
        most = np.inf if any(x.n_infinite + x.n_wrong for x in parts) else max(max(x.high, -x.low) for x in parts)
        self._is_cut_off = not self._is_whole or 2 * most > _SMALL
        dtype = np.int64 if self._is_cut_off and (not self._is_whole or 2 * self._top > _SMALL) else np.int32
        self._wanted = self._in_steps(excess, dtype)
        forward = self._in_steps(self._forward, dtype)
        backward = forward if self._backward is self._forward else self._in_steps(self._backward, dtype)
        self._rooms, self._excess = (forward, backward), self._wanted.copy()
        self._arcs, self._where = np.empty(2 * ARC_WORDS * n_edges, dtype), np.empty(n_edges, np.int32)
        self._nodes = np.empty(NODE_WORDS * (n + 1), np.int32)
        self._work = np.empty(4 * n + 4, np.int32), np.empty(n, np.uint8), np.empty(5, np.int64)
        link_edges(self._ends, forward, backward, self._arcs, self._nodes, self._where, self._work[0])
        self._is_linked, self._is_stale = True, False

    def _push(self, excess: np.ndarray) -> None:
        """Push a maximum flow from excess to deficit, which changes both."""
        brief = len(self._ends) + excess.size <= _BRIEF
        self._is_linked = False  # an interrupt leaves a flow that is none
        run(graph_flow, 1, new_sync(0), self._arcs, self._nodes, excess, *self._work, brief=brief)
        self._is_linked = True

    def _settle(self) -> None:
        """Let the flow be one of the terminals as they are now.

        After a change of terminals nodes may have got more than they or the sink can take, from where nothing is needed
        back: that changes nothing of the cut. It is sent back here.
        """
        if not self._is_stale:
            return
        sink_side = self._nodes[DEPTH:-NODE_WORDS:NODE_WORDS] < 0
        zero = self._wanted.dtype.type(0)
        for side, kept in ((~sink_side, np.maximum(self._wanted, zero)), (sink_side, np.minimum(self._wanted, zero))):
            surplus = np.where(side, self._excess - kept, zero).astype(self._arcs.dtype)
            self._push(surplus)
            self._excess = np.where(side, surplus + kept, self._excess + surplus).astype(self._arcs.dtype)
        self._is_stale = False

    def _exchange(self) -> bool:
        """Take terminals that have changed, and keep the flow; returns whether the network's numbers serve them."""
        whole = self._is_whole and self._seems_whole()
        excess, of_excess, lesser = difference(self._source, self._sink, whole=whole)
        at_most = self._flow_at_most(of_excess)
        if self._is_whole:
            fits = _above(at_most) <= self._top if self._is_cut_off else of_excess.n_infinite == of_excess.n_wrong == 0
            serves = fits and self._seems_whole()
        else:
            serves = self._top / _RANGE < at_most <= self._top / 2
        if not serves:
            return False
        self._at_most, self._lesser = at_most, lesser
        wanted = self._in_steps(excess, np.int64)
        left = self._excess + (wanted - self._wanted)
        most = float(np.abs(left).max())
        if most > _MOST:
            return False
        if self._arcs.dtype == np.int32 and most > _INT32:
            self._arcs = self._arcs.astype(np.int64)
        self._wanted, self._excess, self._is_stale = wanted, left.astype(self._arcs.dtype), True
        return True

    def _seems_whole(self) -> bool:
        """Whether all capacities are whole numbers of a size that allows an exact cut."""
        parts = *self._of_terminals, *self._of_edges
        return all(x.whole for x in parts) and sum(x.size for x in parts) < _WHOLE

    def _flow_at_most(self, excess: Survey) -> float:
        """What can flow at most, if the minimum cut is finite."""
        offered = np.inf if excess.n_infinite else excess.positive
        asked = np.inf if excess.n_wrong else excess.negative
        return min(offered, asked, excess.size + sum(x.size for x in self._of_edges))

    def _in_steps(self, values: np.ndarray, dtype: type) -> np.ndarray:
        """Numbers as the network counts them: what is above all that can flow is cut off where that may be needed."""
        if self._is_whole and not self._is_cut_off:
            return values.astype(dtype)
        top = self._top
        if values.dtype == np.int64:
            if self._is_whole:
                return np.clip(values, -int(top), int(top)).astype(dtype)
            values = values.astype(np.float64)
        return np.trunc(np.clip(values, -top, top) / self._step).astype(dtype)


def _above(flow: float) -> float:
    """A whole number above a sum of whole numbers that float64 may have rounded."""
    return float(np.ceil(flow * (1 + 2.0**-50))) + 1


def _deficit(excess: np.ndarray) -> int:
    """What sinks ask for; it may wrap around 2**64, as long as differences of such sums do not."""
    return -int(sum_by_sign(excess)[1])

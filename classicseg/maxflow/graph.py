"""The graph of PyMaxflow: nodes, edges and capacities are collected, and cut when the flow is asked for."""

from __future__ import annotations

import copy as copying
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.maxflow.structures import grid_edges, vonNeumann_structure
from classicseg.solvers.cut.flow_network import FlowNetwork, MinimumCut

_MOST = 2.0**50
"""Largest whole capacity: sums of many are whole numbers still."""


class _Graph:
    """What graphs of whole and of real capacities have in common."""

    _dtype: Any = np.int64

    def __init__(self, est_node_num: int = 0, est_edge_num: int = 0) -> None:
        """The estimates are not needed; arrays grow by themselves."""
        self.reset()

    def reset(self) -> None:
        """Remove all nodes and edges."""
        self._source: np.ndarray = np.zeros(0, self._dtype)
        self._sink: np.ndarray = np.zeros(0, self._dtype)
        self._edges: list[tuple[np.ndarray, ...]] = []
        self._network: FlowNetwork | None = None
        self._cut: MinimumCut | None = None

    def copy(self) -> Any:
        """A copy of the graph, with its flow."""
        return copying.deepcopy(self)

    def add_nodes(self, num_nodes: int) -> np.ndarray:
        """Add `num_nodes` nodes; returns their identifiers, (num_nodes,)."""
        count, first = inputs.as_count(num_nodes, "num_nodes", 0), self._source.size
        self._source, self._sink = (np.pad(terms, (0, count)) for terms in (self._source, self._sink))
        self._network = None
        return np.arange(first, first + count)

    def add_grid_nodes(self, shape: Any) -> np.ndarray:
        """Add a grid of nodes; returns their identifiers in the shape of the grid."""
        lengths = inputs.as_shape(shape, "shape")
        return self.add_nodes(int(np.prod(lengths))).reshape(lengths)

    def add_edge(self, i: int, j: int, capacity: float, rcapacity: float) -> None:
        """Add an edge from `i` to `j` of `capacity`, and of `rcapacity` back; a loop is left out."""
        nodes = (np.atleast_1d(self._nodes(x, name)) for x, name in ((i, "i"), (j, "j")))
        numbers = ((capacity, "capacity"), (rcapacity, "rcapacity"))
        self.add_edges(*nodes, *(np.atleast_1d(self._numbers(x, name)) for x, name in numbers))

    def add_edges(self, i: ArrayLike, j: ArrayLike, capacity: ArrayLike, rev_capacity: ArrayLike) -> None:
        """Add edges from each of `i` to each of `j` with their capacities there and back, all of the same length."""
        first, second = self._nodes(i, "i"), self._nodes(j, "j")
        forward, backward = self._numbers(capacity, "capacity"), self._numbers(rev_capacity, "rev_capacity")
        if not first.shape == second.shape == forward.shape == backward.shape or first.ndim != 1:
            shapes = ", ".join(str(x.shape) for x in (first, second, forward, backward))
            raise InputError(f"i, j, capacity and rev_capacity must be vectors of one length, got {shapes}")
        for name, values in (("capacity", forward), ("rev_capacity", backward)):
            if values.size and values.min() < 0:
                raise InputError(f"{name} must be at least 0, got {values.min()}")
        kept = first != second
        self._edges.append((first[kept], second[kept], forward[kept], backward[kept]))
        self._network = None

    def add_grid_edges(
        self,
        nodeids: ArrayLike,
        weights: ArrayLike = 1,
        structure: ArrayLike | None = None,
        symmetric: Any = 0,
        periodic: Any = False,
    ) -> None:
        """Add edges from each node of a grid to those neighbours where `structure` is not 0.

        Their capacity is the weight of the node times the value in `structure`, the same back if `symmetric`. Edges
        lead over the border to the other side along axes that are `periodic`.
        """
        nodes = self._nodes(nodeids, "nodeids")
        if structure is None:
            structure = vonNeumann_structure(max(nodes.ndim, 1), directed=bool(symmetric))
        factors, values = inputs.read(structure, "structure"), inputs.read(weights, "weights")
        try:
            each = np.broadcast_to(values, nodes.shape)
        except ValueError:
            raise InputError(f"weights must fit {nodes.shape}, the shape of nodeids, got {values.shape}") from None
        wraps = inputs.read(periodic, "periodic")
        if wraps.shape not in ((), (nodes.ndim,)):
            raise InputError(f"periodic must be one flag, or one for each of {nodes.ndim} axes, got {wraps.shape}")
        first, second, capacity = grid_edges(nodes, each, factors, np.broadcast_to(wraps.astype(bool), nodes.ndim))
        self.add_edges(first, second, capacity, capacity if symmetric else np.zeros_like(capacity))

    def add_tedge(self, i: int, cap_source: float, cap_sink: float) -> None:
        """Add to the capacities from the source to `i` and from `i` to the sink."""
        self._add_terminals(self._nodes(i, "i"), {"cap_source": cap_source, "cap_sink": cap_sink})

    def add_grid_tedges(self, nodeids: ArrayLike, sourcecaps: ArrayLike, sinkcaps: ArrayLike) -> None:
        """Add to the capacities from the source to each node, and from it to the sink."""
        self._add_terminals(self._nodes(nodeids, "nodeids"), {"sourcecaps": sourcecaps, "sinkcaps": sinkcaps})

    def _add_terminals(self, nodes: np.ndarray, capacities: dict[str, ArrayLike]) -> None:
        """Add to what leads from the source to nodes, and from them to the sink, by the names of the arguments."""
        added = []
        for name, given in capacities.items():
            values = self._numbers(given, name)
            try:
                added.append(np.broadcast_to(values, nodes.shape))
            except ValueError:
                raise InputError(
                    f"{name} must have shape {nodes.shape}, that of the nodes, got {values.shape}"
                ) from None
        for terms, each in zip((self._source, self._sink), added, strict=True):
            np.add.at(terms, nodes, each)

    def maxflow(self, reuse_trees: bool = False) -> float:
        """Find the maximum flow, and return it; after new terminal edges the flow is kept, whatever `reuse_trees`."""
        if self._source.size == 0:
            return self._dtype(0).item()
        if self._network is None:
            first, second, forward, backward = self._all_edges()
            ends = np.stack([first, second], axis=1)
            self._network = FlowNetwork(ends, forward, backward, source=self._source, sink=self._sink)
        else:
            self._network.set_terminals(self._source, self._sink)
        self._cut = self._network.solve()
        flow: float = self._dtype(self._cut.flow).item()
        return flow

    def get_segment(self, i: int) -> int:
        """0 if node `i` is on the side of the source, 1 if on that of the sink."""
        node = self._nodes(i, "i")
        if node.size != 1:
            raise InputError(f"i must be one node, got {node.size}")
        return int(self.get_grid_segments(node).item())

    def get_grid_segments(self, nodeids: ArrayLike) -> np.ndarray:
        """Whether each of these nodes is on the side of the sink."""
        nodes = self._nodes(nodeids, "nodeids")
        sides = np.zeros(self._source.size, bool)
        if self._cut is not None:
            sides[: self._cut.labels.size] = self._cut.labels == 1
        found: np.ndarray = sides[nodes]
        return found

    def get_nx_graph(self) -> Any:
        """The residual network as a DiGraph of NetworkX, with the nodes "s" and "t"."""
        import networkx as nx

        first, second, forward, backward = self._all_edges()
        source, sink = self._source - self._sink, self._sink - self._source
        if self._network is not None and self._cut is not None:
            flow: np.ndarray = self._network.edge_flow.astype(self._dtype)
            forward, backward = self._network.residual.T.astype(self._dtype)
            leaves: np.ndarray = np.zeros(self._source.size, self._dtype)
            np.add.at(leaves, first, flow)
            np.subtract.at(leaves, second, flow)
            source, sink = source - leaves, sink + leaves
        graph = nx.DiGraph()
        graph.add_nodes_from([*range(self._source.size), "s", "t"])
        for i, j, there, back in zip(*(x.tolist() for x in (first, second, forward, backward)), strict=True):
            for a, b, room in ((i, j, there), (j, i, back)):
                if room > 0:  # several edges between two nodes are one
                    before = graph.edges[a, b]["weight"] if graph.has_edge(a, b) else 0
                    graph.add_edge(a, b, weight=before + room)
        for i, (offered, asked) in enumerate(zip(source.tolist(), sink.tolist(), strict=True)):
            if offered > 0:
                graph.add_edge("s", i, weight=offered)
            if asked > 0:
                graph.add_edge(i, "t", weight=asked)
        return graph

    def get_node_count(self) -> int:
        """Number of nodes, without source and sink."""
        return int(self._source.size)

    def get_edge_count(self) -> int:
        """Number of edges, each direction counted."""
        return 2 * sum(len(part[0]) for part in self._edges)

    get_node_num = get_node_count
    get_edge_num = get_edge_count

    def mark_node(self, i: int) -> None:
        """Nothing needs to be known of nodes that have changed."""
        self._nodes(i, "i")

    def mark_grid_nodes(self, nodeids: ArrayLike) -> None:
        """Nothing needs to be known of nodes that have changed."""
        self._nodes(nodeids, "nodeids")

    def _all_edges(self) -> tuple[np.ndarray, ...]:
        nothing: tuple[np.ndarray, ...] = (np.empty(0, np.int64),) * 2 + (np.empty(0, self._dtype),) * 2
        return tuple(np.concatenate(parts) for parts in zip(nothing, *self._edges, strict=True))

    def _nodes(self, nodes: ArrayLike, name: str) -> np.ndarray:
        """Identifiers of nodes that are there."""
        array = inputs.read(nodes, name, booleans=False)
        if array.dtype.kind == "f":
            raise InputError(f"{name} must hold identifiers of nodes, got dtype {array.dtype}")
        if array.size and (array.min() < 0 or array.max() >= self._source.size):
            wrong = array.min() if array.min() < 0 else array.max()
            raise InputError(f"{name} must be nodes that were added, 0 to {self._source.size - 1}, got {wrong}")
        return array.astype(np.int64)

    def _numbers(self, values: ArrayLike, name: str) -> np.ndarray:
        """Finite numbers as the graph counts them: GraphInt cuts digits behind the point off."""
        array = inputs.read(values, name)
        most = inputs.DEAREST if self._dtype is np.float64 else _MOST
        wrong = ~(np.abs(array.astype(np.float64)) <= most)
        if wrong.any():
            raise InputError(f"{name} must be numbers of at most {most:g} in size, got {array[wrong].flat[0]}")
        return array.astype(self._dtype)


class GraphInt(_Graph):
    """A flow network of whole capacities.

    Parameters
    ----------
    est_node_num, est_edge_num : int
        Not needed.

    Examples
    --------
    >>> from classicseg import maxflow
    >>> graph = maxflow.Graph[int](2, 2)
    >>> nodes = graph.add_nodes(2)
    >>> graph.add_edge(nodes[0], nodes[1], 1, 2)
    >>> graph.add_tedge(nodes[0], 2, 5)
    >>> graph.add_tedge(nodes[1], 9, 4)
    >>> graph.maxflow(), graph.get_segment(nodes[0]), graph.get_segment(nodes[1])
    (8, 1, 0)
    """


class GraphFloat(_Graph):
    """A flow network of real capacities.

    Parameters
    ----------
    est_node_num, est_edge_num : int
        Not needed.
    """

    _dtype = np.float64


Graph = {int: GraphInt, float: GraphFloat}
"""The class of graphs whose capacities are of a type."""

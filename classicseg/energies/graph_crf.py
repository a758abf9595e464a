"""The CRF on a graph: any node may interact with any other, each pair in its own way."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.compatibility import Compatibility, as_compatibility
from classicseg.energies.frozen import Frozen
from classicseg.energies.graph_edges import ends_of, finite_tables, finite_weights, padded, read_only
from classicseg.energies.grid_crf import GridCRF, as_label_costs
from classicseg.energies.pixel_graph import edges_of
from classicseg.energies.points import only_inside
from classicseg.errors import InputError, InputTypeError
from classicseg.kernels.sites.graph import edge_energy
from classicseg.machine.memory import check_memory, writable_alias

_NOISE = 2.0**-50  # of the dearest pair: 0.1 + 0.2 is no more than 0.3


class GraphCRF(Frozen):
    r"""Energy of a labelling of the nodes of a graph: superpixels, points, faces of a mesh, anything.

    .. math:: E(x) = \sum_i \psi_i(x_i) + \sum_{(i,j)} \theta_{ij}(x_i, x_j) + \sum_{l \text{ used}} h_l

    where :math:`\theta_{ij}` is either an edge weight of any sign times a compatibility that all edges share, or a
    table of the edge's own.

    Parameters
    ----------
    unary : array_like, (L, N), or sequence of N arrays of different lengths
        Cost of each label at each node; ``np.inf`` forbids one. Rows of different lengths are the costs of nodes
        with different numbers of labels, node by node. Rows of one length are always read as labels: where nodes
        might have equal numbers of labels by chance, fill up with ``np.inf`` to (L, N).
    edges : array_like of int, (E, 2)
        Nodes that interact, 0 to N - 1, in any order. An edge that is given several times costs the sum.
    compatibility : Potts, TruncatedLinear, TruncatedQuadratic, Diagonal, Matrix or (L, L) array_like, optional
        Cost of the labels of the ends of an edge. It need not be symmetric: its row is the label of ``edges[e, 0]``.
    weights : float or array_like, (E,), optional
        What each edge multiplies the compatibility by: of either sign, 1 if None. An infinite weight ties its ends:
        only equal labels are legal there.
    tables : array_like, (E, L, L), or sequence of E arrays, optional
        In place of a compatibility and weights: what each pair of labels costs at each edge. The row is the label of
        ``edges[e, 0]``. ``np.inf`` forbids a pair. Where nodes have different numbers of labels, a sequence of
        tables of as many rows and columns as the two nodes have labels.
    label_costs : float or array_like, (L,), optional
        Cost of using a label at all, however often; at least 0.
    label_axis : int
        Where the labels are in `unary`.
    mask : array_like of bool, (N,), optional
        Nodes that take part. The others and their edges cost nothing, and are not looked at; they get the label -1 and
        marginals of 0.

    Attributes
    ----------
    unary : ndarray, (L, N), int32, float32 or float64
        0 outside of the mask; infinite for labels that a node does not have.
    n_labels : int
        The largest number of labels of a node.
    label_counts : ndarray, (N,), int64, or None
        The number of labels of each node where it differs.
    n_points : int
        Number of nodes that take part.
    shape : tuple of one int
        The number of nodes.
    mask : ndarray, (N,), bool, or None
        None if all nodes take part.
    edges : ndarray, (E, 2), int32
        Each once, sorted; the first node is the smaller one unless the compatibility is not symmetric.
    compatibility : Potts, TruncatedLinear, TruncatedQuadratic, Diagonal, Matrix or None
        None if edges have tables.
    cost : ndarray, (L, L), float64, or None
        The compatibility as a matrix.
    weights : ndarray, (E,), float64, or None
        None if edges have tables.
    edge_tables : ndarray, (E, L, L), float64, or None
        None if edges have weights.
    finite_weights, finite_tables : ndarray or None
        The same with a number in place of infinity that all other costs together cannot outweigh.
    label_costs : ndarray, (L,), float64, or None

    Raises
    ------
    ValueError
        If shapes do not fit, an edge leads to a node that is not there or to its own, a value is NaN or finite and
        above 1e100, a node or an edge leaves no legal label, or a weight is infinite although equal labels do not cost
        0, or different ones not more.
    TypeError
        If something is not of a real dtype, nodes in edges are no integers, or neither or both of a compatibility and
        tables are given.

    References
    ----------
    .. [1] J. Kappes et al., "A comparative study of modern inference techniques for structured discrete energy
       minimization problems", IJCV 115(2), 2015. doi:10.1007/s11263-015-0809-x

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[0, 5, 0, 2], [3, 0, 3, 0]])
    >>> crf = cs.GraphCRF(unary, [[0, 1], [1, 2], [0, 2], [2, 3]], cs.Potts(2), weights=[1, 1, 2, -1])
    >>> crf
    GraphCRF(2 labels, 4 nodes, 4 edges, Potts)
    >>> crf.energy([0, 1, 0, 1]), crf.terms([0, 1, 0, 1])
    (2.0, {'unary': 0.0, 'pairwise': 2.0})
    """

    unary: np.ndarray
    n_labels: int
    label_counts: np.ndarray | None
    n_points: int
    shape: tuple[int]
    mask: np.ndarray | None
    edges: np.ndarray
    compatibility: Compatibility | None
    cost: np.ndarray | None
    weights: np.ndarray | None
    edge_tables: np.ndarray | None
    finite_weights: np.ndarray | None
    finite_tables: np.ndarray | None
    label_costs: np.ndarray | None

    def __init__(
        self,
        unary: ArrayLike,
        edges: ArrayLike,
        compatibility: Any = None,
        weights: ArrayLike | None = None,
        *,
        tables: Any = None,
        label_costs: ArrayLike | None = None,
        label_axis: int = 0,
        mask: ArrayLike | None = None,
    ) -> None:
        if (compatibility is None) == (tables is None):
            given = "neither" if tables is None else "both"
            raise InputTypeError(f"a GraphCRF needs a compatibility or tables, got {given}")
        rows = inputs.as_node_rows(unary)
        if rows is not None:
            unary, label_axis = padded(rows), 0
        given_inside, inside = inputs.without_outside(unary, mask, label_axis, name="unary")
        costs = inputs.as_costs(given_inside, label_axis).view()
        if costs.ndim != 2:
            raise InputError(f"unary must be (L, N), labels and nodes, or one row for each node, got {costs.shape}")
        n_labels, n_nodes = costs.shape
        inside = None if inside is None else inputs.as_mask(inside, (n_nodes,))
        self._set(
            unary=read_only(costs),
            n_labels=n_labels,
            label_counts=None if rows is None else read_only(np.array([row.size for row in rows], np.int64)),
            shape=(n_nodes,),
            mask=inside,
            n_points=n_nodes if inside is None else int(np.count_nonzero(inside)),
            label_costs=None if label_costs is None else as_label_costs(label_costs, n_labels),
        )
        ends = inputs.as_edges(edges, n_nodes)
        kept = np.ones(len(ends), bool) if inside is None else inside[ends].all(axis=1)
        if tables is None:
            self._set_weights(ends, kept, compatibility, 1.0 if weights is None else weights)
        else:
            if weights is not None:
                raise InputTypeError("weights go with a compatibility; tables say what each edge costs")
            self._set_tables(ends, kept, tables)

    def _set_weights(self, ends: np.ndarray, kept: np.ndarray, compatibility: Any, weights: ArrayLike) -> None:
        """Take the edges that are `kept`, each once, in order, with the sum of its weights."""
        shared = as_compatibility(compatibility, self.n_labels, symmetric=False)
        cost = shared.matrix(self.n_labels)
        given = inputs.read(weights, "weights")
        shape = () if given.ndim == 0 else (len(ends),)
        numbers = np.broadcast_to(inputs.as_signed(given, shape, "weights"), len(ends))[kept]
        edges = ends[kept]
        flipped = edges[:, 0] > edges[:, 1]
        directed = not np.array_equal(cost, cost.T)
        low, high = edges.min(axis=1), edges.max(axis=1)
        keys, places = np.unique((low * self.shape[0] + high) * 2 + (flipped & directed), return_inverse=True)
        merged, turned = ends_of(keys // 2, self.shape[0]), keys % 2 == 1
        merged[turned] = merged[turned, ::-1]
        summed = np.bincount(places, numbers, len(keys)).astype(np.float64, copy=False)  # integers if there are none
        self._set(
            compatibility=shared, cost=read_only(cost), edges=read_only(merged), weights=read_only(summed),
            edge_tables=None, finite_tables=None,
        )  # fmt: skip
        self._set(finite_weights=read_only(finite_weights(summed, cost, self._spread())))

    def _set_tables(self, ends: np.ndarray, kept: np.ndarray, tables: Any) -> None:
        """Take the edges that are `kept`, each once, in order, with the sum of its tables."""
        n = self.n_labels
        if len(ends) * n * n > 2**20:
            check_memory(24.0 * len(ends) * n * n, f"the tables of {len(ends)} edges of {n} labels")
        numbers = inputs.as_tables(tables, ends, n, self.label_counts)[kept]
        edges = ends[kept]
        flipped = edges[:, 0] > edges[:, 1]
        numbers[flipped] = numbers[flipped].transpose(0, 2, 1)
        every = edges.min(axis=1) * self.shape[0] + edges.max(axis=1)
        keys, firsts, places = np.unique(every, return_index=True, return_inverse=True)
        summed = numbers[firsts]
        again = np.ones(len(every), bool)
        again[firsts] = False
        np.add.at(summed, places[again], numbers[again])
        self._set(
            compatibility=None, cost=None, weights=None, finite_weights=None,
            edges=read_only(ends_of(keys, self.shape[0])), edge_tables=read_only(summed),
        )  # fmt: skip
        self._set(finite_tables=read_only(finite_tables(summed, self.edges, self._spread())))

    def _spread(self) -> float:
        """By how much nodes and the use of labels can change an energy."""
        over = np.subtract(self.unary, self.unary.min(axis=0), dtype=np.float64)
        of_nodes = float(np.where(np.isinf(over), 0, over).max(axis=0).sum())
        return of_nodes if self.label_costs is None else of_nodes + float(self.label_costs.sum())

    @classmethod
    def from_grid(cls, grid: GridCRF) -> GraphCRF:
        """The same energy as one of a graph: nodes are the pixels, in raster order, with the same labels and costs.

        Parameters
        ----------
        grid : GridCRF

        Returns
        -------
        GraphCRF
            Of as many nodes as the grid has pixels; where the grid has a mask, the graph has it, too.

        Raises
        ------
        TypeError
            If it is no GridCRF.

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> grid = cs.GridCRF(np.arange(12).reshape(2, 2, 3) % 5, cs.Potts(2))
        >>> graph = cs.GraphCRF.from_grid(grid)
        >>> graph, graph.energy([0, 1, 1, 0, 0, 1]) == grid.energy([[0, 1, 1], [0, 0, 1]])
        (GraphCRF(2 labels, 6 nodes, 7 edges, Potts), True)
        """
        if not isinstance(grid, GridCRF):
            raise InputTypeError(f"grid must be a GridCRF, got {type(grid).__name__}")
        return cls(
            grid.unary.reshape(grid.n_labels, -1),
            edges_of(grid.shape, grid.directions),
            grid.compatibility,
            np.concatenate([weights.reshape(-1).astype(np.float64) for weights in grid.weights.values()]),
            label_costs=grid.label_costs,
            mask=None if grid.mask is None else grid.mask.ravel(),
        )

    def __repr__(self) -> str:
        costs = "" if self.label_costs is None else ", label costs"
        nodes = f"{self.shape[0]} nodes" if self.mask is None else f"{self.shape[0]} nodes, {self.n_points} inside"
        labels = f"{self.n_labels} labels" if self.label_counts is None else f"up to {self.n_labels} labels"
        kind = "tables" if self.compatibility is None else type(self.compatibility).__name__
        return f"GraphCRF({labels}, {nodes}, {len(self.edges)} edges, {kind}{costs})"

    def tables(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """What each pair of labels costs at some edges.

        Parameters
        ----------
        start, stop : int, optional
            Which ones, as in a slice of `edges`; all by default.

        Returns
        -------
        ndarray, (k, L, L), float64
            Row: label of the first node of the edge. Finite: a large number stands for infinity.

        Raises
        ------
        TypeError
            If an end is no whole number.

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> cs.GraphCRF(np.zeros((2, 3)), [[0, 1], [2, 1]], cs.Potts(2), [1, 3]).tables(1).tolist()
        [[[0.0, 6.0], [6.0, 0.0]]]
        """
        begin = inputs.as_integer(start, "start")
        some = slice(begin, None if stop is None else inputs.as_integer(stop, "stop"))
        if self.finite_tables is not None:
            return self.finite_tables[some]
        assert self.finite_weights is not None
        product: np.ndarray = self.finite_weights[some, None, None] * self.cost
        return product

    def terms(self, labels: ArrayLike) -> dict[str, float]:
        """The parts that the energy of a labelling is the sum of.

        Parameters
        ----------
        labels : array_like of int, (N,)
            Label of each node, 0 to L - 1.

        Returns
        -------
        dict of str to float
            ``"unary"``, ``"pairwise"``, and ``"label_costs"`` where there are any.

        Raises
        ------
        ValueError
            If the shape does not fit or a label is out of range.
        TypeError
            If the labels are not integers.

        Examples
        --------
        >>> import classicseg as cs
        >>> crf = cs.GraphCRF([[0, 5], [3, 0]], [[0, 1]], tables=[[[0, 7], [1, 0]]], label_costs=1)
        >>> crf.terms([1, 0])
        {'unary': 8.0, 'pairwise': 1.0, 'label_costs': 2.0}
        """
        checked = inputs.as_labels(labels, self.shape, self.n_labels, mask=self.mask)
        unary = self.unary[checked, np.arange(checked.size)].sum(dtype=np.float64)
        if self.edge_tables is not None:
            first, second = checked.take(self.edges).T
            pairwise = self.edge_tables[np.arange(len(first)), first, second].sum()
        else:
            assert self.weights is not None
            assert self.cost is not None
            pairwise = edge_energy(*map(writable_alias, (checked, self.edges, self.weights, self.cost)))
            if np.isnan(pairwise):  # an infinite weight costs equal labels nothing
                first, second = checked.take(self.edges).T
                cost = self.cost[first, second]
                pairwise = (self.weights[cost != 0] * cost[cost != 0]).sum()
        parts = {"unary": float(unary), "pairwise": float(pairwise)}
        if self.label_costs is not None:
            parts["label_costs"] = float(self.label_costs[np.unique(only_inside(checked, self.mask))].sum())
        return parts

    def energy(self, labels: ArrayLike) -> float:
        """Energy of a labelling.

        Parameters
        ----------
        labels : array_like of int, (N,)
            Label of each node, 0 to L - 1.

        Returns
        -------
        float
            Summed in float64; exact if all costs and weights are integers. Infinite if a label or a pair is forbidden.

        Raises
        ------
        ValueError
            If the shape does not fit or a label is out of range.
        TypeError
            If the labels are not integers.

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> triangle = cs.GraphCRF(np.zeros((3, 3)), [[0, 1], [1, 2], [2, 0]], cs.TruncatedLinear(10, truncation=1))
        >>> triangle.energy([0, 2, 2])
        20.0
        """
        return sum(self.terms(labels).values())

    def reason_against_cut(self) -> str | None:
        """Why one minimum cut cannot minimise this energy, or None if it can."""
        if self.n_labels != 2:
            return f"a minimum cut serves 2 labels, got {self.n_labels}"
        if self.label_costs is not None:
            return "a minimum cut knows no label costs"
        tables = self.tables()
        together, apart = tables[:, 0, 0] + tables[:, 1, 1], tables[:, 0, 1] + tables[:, 1, 0]
        attraction = (tables[:, 0, 1] - tables[:, 0, 0]) + (tables[:, 1, 0] - tables[:, 1, 1])
        wrong = attraction < -_NOISE * np.abs(tables).max(axis=(1, 2))
        if not wrong.any():
            return None
        at = int(wrong.argmax())
        return (
            f"the edge {at}, of the nodes {self.edges[at].tolist()}, is not submodular: equal labels cost "
            f"{together[at]:g} together, which is more than the {apart[at]:g} of different ones"
        )

"""The state of tree-reweighted message passing on a graph: messages, bound, labels."""

from __future__ import annotations

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.kernels.messages.graph_trws import decode, iterate
from classicseg.machine.memory import check_memory
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.sites.layout import as_field

_BRIEF = 2**20  # entries of messages; to visit fewer takes a moment


class GraphMessages:
    """Messages of a graph energy without label costs.

    Attributes
    ----------
    labels : ndarray, (N,), int32
        Decoded by the last :meth:`iterate` that was asked to.
    bound : float
        The best lower bound that was found. No energy is below it, whatever was rounded.
    """

    def __init__(self, crf: GraphCRF) -> None:
        check_memory(8.0 * len(crf.edges) * crf.n_labels, "the messages of the graph")
        self._graph = as_field(crf)
        self._messages = np.zeros(len(crf.edges) * crf.n_labels)
        self._brief = self._messages.size <= _BRIEF
        self._slack, self._whole = _rounding(crf), _is_whole(crf)
        self.labels = np.zeros(crf.shape, np.int32)
        self.bound = -np.inf

    def iterate(self, *, check: bool) -> None:
        """Run an iteration. If `check`, decode labels and find the bound."""
        sums = np.zeros(2)
        self._run(iterate, 1, sums)
        if check:
            self._run(decode, self.labels)
            total, size = sums.tolist()
            n_terms = self.labels.size + self._messages.size
            bound = total - self._slack - 2.0**-52 * n_terms * size
            self.bound = max(self.bound, float(np.ceil(bound)) if self._whole else bound)

    def _run(self, kernel: object, *arguments: object) -> None:
        run(kernel, 1, new_sync(1), self._graph, self._messages, *arguments, brief=self._brief)


def _rounding(crf: GraphCRF) -> float:
    """By how much rounding of messages can change the bound.

    A message differs over its entries by no more than the table of its edge does, so the costs of a node with all
    messages to it are of a known size; each is the sum of a few more numbers than the node has neighbours.
    """
    unary = crf.unary.astype(np.float64)
    sizes = np.abs(unary).max(axis=0, where=np.isfinite(unary), initial=0)
    n_neighbours = np.bincount(crf.edges.reshape(-1), minlength=crf.shape[0])
    if crf.finite_tables is not None:
        dearest = np.abs(crf.finite_tables).max(axis=(1, 2), initial=0)
    else:
        assert crf.finite_weights is not None
        assert crf.cost is not None
        dearest = np.abs(crf.finite_weights) * np.abs(crf.cost).max()
    for end in crf.edges.T:
        sizes += 3 * np.bincount(end, dearest, crf.shape[0])
    return float(2.0**-52 * ((n_neighbours + 8.0) ** 2 * sizes).sum())


def _is_whole(crf: GraphCRF) -> bool:
    """Whether all costs are whole numbers, small enough for float64 to hold energies exactly."""
    given = [crf.unary, crf.finite_tables, crf.finite_weights, crf.cost]
    for array in given:
        if array is not None and array.dtype != np.int32:
            finite = array[np.isfinite(array)]
            if not np.array_equal(finite, np.rint(finite)) or (finite.size and np.abs(finite).max() > 2**31):
                return False
    return True

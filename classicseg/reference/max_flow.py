"""Maximum flow on any graph, by the algorithm of Boykov and Kolmogorov.

Two search trees grow from source and sink until they touch (growth), flow is pushed along the path that they form
(augmentation), and nodes whose tree edge is then full look for another parent in their tree (adoption). The idea is to
keep the trees from one path to the next.

Boykov, Kolmogorov, "An experimental comparison of min-cut/max-flow algorithms for energy minimization in vision", IEEE
TPAMI 26(9), 2004, doi:10.1109/TPAMI.2004.60.

The fast kernel, :mod:`classicseg.kernels.cut.paths`, differs in that its trees hold shortest paths only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

_ROOT = -1  # the parent of nodes that are joined to the source or the sink


class Graph:
    """Nodes 0 to n - 1 with an excess (positive: joined to the source, negative: to the sink) and directed edges.

    Examples
    --------
    >>> from classicseg.reference.max_flow import Graph
    >>> graph = Graph([5, 0, -3], [(0, 1, 4, 0), (1, 2, 2, 0)])
    >>> graph.max_flow(), graph.reaches_sink()
    (2, [False, False, True])
    """

    def __init__(self, excess: Iterable[int], edges: Iterable[tuple[int, int, int, int]]) -> None:
        """Edges are (i, j, capacity forward, capacity backward)."""
        self.excess = list(excess)
        self.residual: list[dict[int, int]] = [{} for _ in self.excess]
        for i, j, forward, backward in edges:
            self.residual[i][j] = self.residual[i].get(j, 0) + forward
            self.residual[j][i] = self.residual[j].get(i, 0) + backward
        self.tree = [int(np.sign(e)) for e in self.excess]  # 1: source tree, -1: sink tree, 0: free
        self.parent: list[int | None] = [_ROOT if e else None for e in self.excess]
        self.active = deque(i for i, e in enumerate(self.excess) if e)

    def max_flow(self) -> int:
        """Push as much as possible from excess to deficit; returns how much that was."""
        flow = 0
        while (edge := self._grow()) is not None:
            flow += self._augment(*edge)
        return flow

    def reaches_sink(self) -> list[bool]:
        """Which nodes are left on the side of the sink: those from which a deficit can still be reached."""
        found = [e < 0 for e in self.excess]
        queue = deque(i for i, yes in enumerate(found) if yes)
        while queue:
            j = queue.popleft()
            for i in self.residual[j]:
                if not found[i] and self.residual[i][j] > 0:
                    found[i] = True
                    queue.append(i)
        return found

    def _room(self, parent: int, child: int, tree: int) -> int:
        """Residual capacity of a tree edge, in the direction in which flow runs in that tree."""
        return self.residual[parent][child] if tree > 0 else self.residual[child][parent]

    def _grow(self) -> tuple[int, int] | None:
        """Let trees claim free nodes until they touch; returns the edge (in source tree, in sink tree)."""
        while self.active:
            p = self.active[0]
            if self.tree[p] != 0:
                for q in self.residual[p]:
                    if self._room(p, q, self.tree[p]) <= 0:
                        continue
                    if self.tree[q] == 0:
                        self.tree[q], self.parent[q] = self.tree[p], p
                        self.active.append(q)
                    elif self.tree[q] != self.tree[p]:
                        return (p, q) if self.tree[p] > 0 else (q, p)
            self.active.popleft()
        return None

    def _path(self, node: int) -> list[int]:
        """The nodes from here to the root."""
        path = [node]
        while (parent := self.parent[path[-1]]) != _ROOT:
            assert parent is not None
            path.append(parent)
        return path

    def _augment(self, p: int, q: int) -> int:
        """Push flow through the edge between the trees, from root to root; returns how much that was."""
        up, down = self._path(p), self._path(q)
        path = [*reversed(up), *down]
        steps = list(pairwise(path))
        amount = min([self.excess[path[0]], -self.excess[path[-1]], *(self.residual[i][j] for i, j in steps)])
        for i, j in steps:
            self.residual[i][j] -= amount
            self.residual[j][i] += amount
        self.excess[path[0]] -= amount
        self.excess[path[-1]] += amount
        orphans = deque(child for child in up[:-1] + down[:-1] if self._lost(child))
        orphans.extend(root for root in (path[0], path[-1]) if self.excess[root] == 0)
        for orphan in orphans:
            self.parent[orphan] = None
        while orphans:
            self._adopt(orphans.popleft(), orphans)
        return amount

    def _lost(self, child: int) -> bool:
        """Whether the edge to the parent is full."""
        parent = self.parent[child]
        assert parent is not None
        return self._room(parent, child, self.tree[child]) == 0

    def _has_root(self, node: int) -> bool:
        """Whether the parents lead to a root and not to an orphan."""
        at: int | None = node
        while at is not None and at != _ROOT:
            at = self.parent[at]
        return at == _ROOT

    def _adopt(self, orphan: int, orphans: deque[int]) -> None:
        """Find a new parent in the same tree whose root still has flow; else make the children orphans too."""
        tree = self.tree[orphan]
        for q in self.residual[orphan]:
            if self.tree[q] == tree and self._room(q, orphan, tree) > 0 and self._has_root(q):
                self.parent[orphan] = q
                return
        for q in self.residual[orphan]:
            if self.tree[q] == tree:
                if self._room(q, orphan, tree) > 0:
                    self.active.append(q)
                if self.parent[q] == orphan:
                    self.parent[q] = None
                    orphans.append(q)
        self.tree[orphan] = 0

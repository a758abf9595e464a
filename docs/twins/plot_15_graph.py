r"""
Energies on any graph
=====================

Superpixels, points or faces of a mesh are no grid, and each edge may have a table
of its own. The same messages serve; only the lists of neighbours are longer.

.. math::

    E(x) = \sum_i \psi_i(x_i) + \sum_{(i,j)} \theta_{ij}(x_i, x_j)

In TRW-S as many chains run through a node as it has later neighbours, or earlier
ones if those are more.

- **Twin**: ``classicseg/reference/graph.py``, in full below.
- **Fast code**: ``classicseg/energies/graph_crf.py``.
- **Paper**: Kolmogorov 2006, doi:10.1109/TPAMI.2006.200.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import Delaunay

import classicseg as cs
from classicseg.reference import graph

rng = np.random.default_rng(3)
points = rng.random((60, 2))
triangles = Delaunay(points).simplices
sides = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
edges = np.unique(np.sort(sides, axis=1), axis=0)
truth = (np.hypot(*(points - 0.5).T) < 0.3).astype(int)
noisy = truth + rng.normal(0, 0.6, 60)
unary = np.stack([noisy**2, (noisy - 1) ** 2])
length = np.hypot(*(points[edges[:, 0]] - points[edges[:, 1]]).T)
crf = cs.GraphCRF(unary, edges, cs.Potts(0.3), weights=np.exp(-((length / 0.2) ** 2)))

tables = [(i, j, table) for (i, j), table in zip(crf.edges, crf.tables(), strict=True)]
*_, (bound, labels) = graph.trws(unary, tables, 20)
alone = unary.argmin(axis=0)
figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
views = {"truth": truth, "each by itself": alone, "TRW-S": labels}
for ax, (title, colors) in zip(axes, views.items(), strict=True):
    ax.triplot(*points.T, triangles, color="0.8", linewidth=0.8)
    ax.scatter(*points.T, c=colors, cmap="cividis", s=40, zorder=2)
    ax.set(title=f"{title}: {crf.energy(colors):.2f}", xticks=[], yticks=[])

# %%
# The energy of the twin and that of the fast code are the same, and no labels cost
# less than the bound:

assert np.isclose(graph.energy(labels, unary, tables), crf.energy(labels))
print(f"energy {crf.energy(labels):.4f}, bound {bound:.4f}")

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/graph.py
#    :language: python

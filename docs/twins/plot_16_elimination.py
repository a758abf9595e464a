r"""
Elimination
===========

Replace a node by what its best label costs its neighbours, for each choice of
their labels, until no node is left. Nothing is approximated; the tables are small
where the graph is narrow.

.. math::

    m_i(x_{N(i)}) = \min_{x_i}\; \psi_i(x_i) + \sum_{T \ni i} T(x_i, x_{N(i)})

The sum is over all tables that the node is in, those of eliminated nodes among them.

- **Twin**: ``classicseg/reference/elimination.py``, in full below.
- **Fast code**: ``classicseg/solvers/messages/elimination.py``.
- **Papers**: Bertelè and Brioschi 1972; Dechter 1999,
  doi:10.1016/S0004-3702(99)00059-4.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg.reference.elimination import elimination

rng = np.random.default_rng(2)
unary = rng.integers(0, 9, (2, 3, 12)).astype(float)
crf = cs.GridCRF(unary, cs.Potts(-3))  # neighbours repel each other: no cut serves
graph = cs.GraphCRF.from_grid(crf)
pairs = zip(graph.edges.tolist(), graph.tables(), strict=True)
tables = [(i, j, table) for (i, j), table in pairs]
columns = np.arange(36).reshape(3, 12).T.ravel().tolist()  # no table is over more
least, labels = elimination(graph.unary, tables, columns)
result = cs.minimize(crf, "elimination")
others = {name: cs.minimize(crf, name) for name in ("icm", "trws")}

figure, axes = plt.subplots(2, 2, figsize=(8, 3.2), layout="constrained")
views = {"elimination": labels.reshape(3, 12), "each by itself": unary.argmin(axis=0)}
views |= {name: other.labels for name, other in others.items()}
for ax, (title, view) in zip(axes.flat, views.items(), strict=True):
    ax.imshow(view, cmap="cividis")
    ax.set(title=f"{title}: {crf.energy(view):.0f}", xticks=[], yticks=[])

# %%
# Both find the least energy, and it is proven:

assert least == result.energy == result.lower_bound
print(f"energy {result.energy:.0f}; {result.message}")

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/elimination.py
#    :language: python

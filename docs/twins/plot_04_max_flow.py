r"""
Minimum cut by maximum flow
===========================

The energy of two labels is the cost of cutting a network in two. Push flow from
source to sink until a cut is full: that cut is the cheapest.

.. math::

    \max \text{flow} = \min \text{cut}

Unary costs are edges to source and sink, weights are edges between pixels.

- **Twin**: ``classicseg/reference/max_flow.py``, in full below.
- **Fast code**: ``classicseg/kernels/cut/waves.py``,
  ``classicseg/kernels/cut/paths.py``.
- **Paper**: Boykov and Kolmogorov 2004, doi:10.1109/TPAMI.2004.60; the fast ones
  follow Goldberg and Tarjan 1988 and Goldberg et al. 2011.
"""

import numpy as np

import classicseg as cs
from classicseg.reference import grid
from classicseg.reference.max_flow import Graph

rng = np.random.default_rng(3)
unary = rng.integers(0, 12, (2, 6, 9))
crf = cs.GridCRF(unary, cs.Potts(3))
cs.plot.flow(crf)

# %%
# The twin gets what each pixel would rather be as its excess, and the edges:

ones = {(0, 1): np.ones((6, 8), int), (1, 0): np.ones((5, 9), int)}
edges = [(i, j, 3, 3) for i, j, _ in grid.edges((6, 9), ones)]
graph = Graph((unary[1] - unary[0]).ravel().tolist(), edges)
flow = graph.max_flow()
labels = np.array(graph.reaches_sink()).reshape(6, 9).astype(int)

result = cs.minimize(crf, "graph_cut")
print("flow", flow, "and what every labelling costs:", int(unary.min(0).sum()))
print("energy of the fast cut:", result.energy)
assert flow + unary.min(0).sum() == result.energy == crf.energy(labels)

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/max_flow.py
#    :language: python

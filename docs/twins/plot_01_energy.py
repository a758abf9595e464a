r"""
The energy, and its minimum
===========================

Add up what each label costs at its pixel, and what it costs that neighbours differ.
On a tiny grid one can try all labellings: the oracle of most tests.

.. math::

    E(x) = \sum_i \psi_i(x_i) + \sum_{(i,j)} w_{ij}\, V(x_i, x_j)

:math:`\psi` are the unary costs, :math:`w` the weights of edges, and :math:`V` the
compatibility.

- **Twin**: ``classicseg/reference/grid.py``, in full below.
- **Fast code**: ``classicseg/kernels/sites/energy.py``.
- **Paper**: every one below; the form is that of Szeliski et al. 2008,
  doi:10.1109/TPAMI.2007.70844.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg.reference import grid

rng = np.random.default_rng(1)
unary = rng.random((2, 3, 3))
crf = cs.GridCRF(unary, cs.Potts(0.13))
edges = grid.edges((3, 3), {(0, 1): np.ones((3, 2)), (1, 0): np.ones((2, 3))})
potts = 0.13 * (1 - np.eye(2))

# %%
# All 512 labellings of nine pixels, from the cheapest to the dearest:

energies = [
    grid.energy(np.array(labels), unary.reshape(2, 9), edges, potts)
    for labels in itertools.product((0, 1), repeat=9)
]
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(np.sort(energies), color="#0072b2")
ax.set(xlabel="labelling, sorted", ylabel="energy")

# %%
# Both find the same least one:

least, labels = grid.minimum(unary.reshape(2, 9), edges, potts)
result = cs.minimize(crf, "graph_cut")
print(f"all tried: {least:.4f}   minimum cut: {result.energy:.4f}")
print(result.labels)
assert labels.tolist() == result.labels.ravel().tolist()
assert abs(least - result.energy) < 1e-5

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/grid.py
#    :language: python

r"""
Iterated conditional modes
==========================

Each pixel takes the label that is cheapest next to its neighbours, until none
changes. Simple, fast, and stuck in the first valley it meets.

.. math::

    x_i \leftarrow \operatorname{arg\,min}_l\; \psi_i(l) + \sum_j w_{ij} V(l, x_j)

The sum is over the neighbours of the pixel.

- **Twin**: ``classicseg/reference/icm.py``, in full below.
- **Fast code**: ``classicseg/kernels/sites/sites.py``.
- **Paper**: Besag 1986, doi:10.1111/j.2517-6161.1986.tb01412.x.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg.reference import grid
from classicseg.reference.icm import icm

rng = np.random.default_rng(7)
truth = np.zeros((16, 20), int)
truth[4:12, 5:15] = 1
noisy = truth + rng.normal(0, 0.8, truth.shape)
unary = np.stack([noisy**2, (noisy - 1) ** 2])
flat = unary.reshape(2, -1)
edges = grid.edges((16, 20), {(0, 1): np.ones((16, 19)), (1, 0): np.ones((15, 20))})
potts = 0.5 * (1 - np.eye(2))
crf = cs.GridCRF(unary, cs.Potts(0.5))

start = flat.argmin(0)
found = {n: icm(start, flat, edges, potts, n) for n in (0, 1, 8)}
best = cs.minimize(crf, "graph_cut")
figure, axes = plt.subplots(2, 2, figsize=(7, 6), layout="constrained")
views = {f"{n} sweeps": labels.reshape(16, 20) for n, labels in found.items()}
views["the minimum"] = best.labels
for ax, (title, labels) in zip(axes.flat, views.items(), strict=True):
    ax.imshow(labels, cmap="cividis")
    ax.set(title=f"{title}: {crf.energy(labels):.2f}", xticks=[], yticks=[])

# %%
# On a line of pixels the two visit alike, and end alike. On a grid the fast code
# visits colour by colour, and may end in another valley, of about the same depth:

line, ties = unary[:, 3], [(i, i + 1, 1.0) for i in range(19)]
on_line = cs.minimize(cs.GridCRF(line, cs.Potts(0.5)), "icm").labels
slow = icm(line.argmin(0), line, ties, potts, 20)
assert slow.tolist() == on_line.tolist()
energies = [grid.energy(labels, line, ties, potts) for labels in (slow, on_line)]
print(f"energies on a line: {energies[0]:.4f} and {energies[1]:.4f}")
print(f"on the grid: {crf.energy(found[8].reshape(16, 20)):.2f}", end=" and ")
print(f"{cs.minimize(crf, 'icm').energy:.2f}")

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/icm.py
#    :language: python

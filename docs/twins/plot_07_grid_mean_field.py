r"""
Mean field, pixel by pixel
==========================

While its neighbours wait, a pixel takes the best belief there is. That lowers the
free energy or leaves it, so the visits settle.

.. math::

    Q_i(l) \propto \exp\Big(-\psi_i(l) - \sum_j w_{ij} \sum_k V(l, k)\,
    Q_j(k)\Big)

The sum is over the neighbours of the pixel.

- **Twin**: ``classicseg/reference/grid_mean_field.py``, in full below.
- **Fast code**: ``classicseg/kernels/sites/mean_field.py``.
- **Paper**: Wainwright and Jordan 2008, doi:10.1561/2200000001.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg.reference import grid
from classicseg.reference.grid_mean_field import free_energy, mean_field

rng = np.random.default_rng(5)
truth = np.zeros((8, 10), int)
truth[2:6, 3:8] = 1
noisy = truth + rng.normal(0, 0.5, truth.shape)
unary = 3 * np.stack([noisy**2, (noisy - 1) ** 2])
flat = unary.reshape(2, -1)
edges = grid.edges((8, 10), {(0, 1): np.ones((8, 9)), (1, 0): np.ones((7, 10))})
potts = 0.8 * (1 - np.eye(2))

beliefs = [mean_field(flat, edges, potts, n) for n in (0, 1, 2, 30)]
figure, axes = plt.subplots(2, 2, figsize=(7, 5.6), layout="constrained")
for ax, q, n in zip(axes.flat, beliefs, (0, 1, 2, 30), strict=True):
    ax.imshow(q[1].reshape(8, 10), cmap="cividis", vmin=0, vmax=1)
    ax.set(title=f"after {n} sweeps: F = {free_energy(q, flat, edges, potts):.3f}")
    ax.set(xticks=[], yticks=[])

# %%
# The fast code visits the pixels colour by colour, and settles at the same beliefs:

result = cs.minimize(
    cs.GridCRF(unary, cs.Potts(0.8)), "mean_field", max_iter=100, tol=0
)
difference = abs(result.marginals.reshape(2, -1) - beliefs[-1]).max()
print(f"largest difference of marginals: {difference:.1e}")
assert difference < 1e-3

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/grid_mean_field.py
#    :language: python

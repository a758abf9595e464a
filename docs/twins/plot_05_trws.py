r"""
TRW-S
=====

Cut the grid into chains, whose minima are easy. Messages shift costs between the
chains until they agree. The sum of their minima bounds the energy from below, and
never falls.

.. math::

    m_{ij}(l) = \min_k \big(\gamma\, \theta_i(k) - m_{ji}(k) + w_{ij} V(k, l)\big)

:math:`\theta_i` are the unary costs of a pixel and all messages that reach it;
:math:`\gamma` is one over the number of chains through it.

- **Twin**: ``classicseg/reference/trws.py``, in full below.
- **Fast code**: ``classicseg/kernels/messages/trws.py``.
- **Paper**: Kolmogorov 2006, doi:10.1109/TPAMI.2006.200.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg.reference import grid
from classicseg.reference.trws import trws

rng = np.random.default_rng(1)
unary = rng.random((3, 6, 8))
crf = cs.GridCRF(unary, cs.Potts(0.3))
ones = {(0, 1): np.ones((6, 7)), (1, 0): np.ones((5, 8))}
edges = grid.edges((6, 8), ones)
potts = 0.3 * (1 - np.eye(3))

rounds = list(trws(unary.reshape(3, -1), edges, potts, n_iter=12))
bounds = [bound for bound, _ in rounds]
energies = [
    grid.energy(labels, unary.reshape(3, -1), edges, potts) for _, labels in rounds
]

figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ax.plot(range(1, 13), energies, "-o", color="#d55e00", label="energy of its labels")
ax.plot(range(1, 13), bounds, "--s", color="#0072b2", label="lower bound")
ax.set(xlabel="iteration", ylabel="energy")
ax.legend()

# %%
# Where bound and energy meet, the labels are proven best. Both agree:

result = cs.minimize(crf, "trws", max_iter=100)
print(f"twin: energy {min(energies):.4f}, bound {bounds[-1]:.4f}")
print(f"fast: energy {result.energy:.4f}, bound {result.lower_bound:.4f}")
assert abs(min(energies) - result.energy) < 1e-4
assert abs(bounds[-1] - result.lower_bound) < 1e-2

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/trws.py
#    :language: python

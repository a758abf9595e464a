r"""
Belief propagation
==================

Each pixel tells its neighbours what each of their labels would cost it, given all
that it has heard from others. Exact on chains and trees.

.. math::

    m_{ij}(l) = \min_k \big(\theta_i(k) - m_{ji}(k) + w_{ij} V(k, l)\big)

:math:`\theta_i` are the unary costs of a pixel and all messages that reach it.

- **Twin**: ``classicseg/reference/belief_propagation.py``, in full below.
- **Fast code**: ``classicseg/kernels/messages/belief.py``.
- **Paper**: Pearl 1988; Felzenszwalb and Huttenlocher 2006,
  doi:10.1007/s11263-006-7899-4.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg.reference.belief_propagation import belief_propagation

rng = np.random.default_rng(2)
unary = rng.random((2, 9))
edges = [(i, i + 1, 0.15) for i in range(8)]
potts = 1 - np.eye(2)

# %%
# A chain of nine pixels: what a pixel believes of label 1, after messages have come
# from ever farther away.

figure, axes = plt.subplots(3, 1, figsize=(7, 5), sharex=True, layout="constrained")
for ax, n_iter in zip(axes, (0, 1, 8), strict=True):
    beliefs = belief_propagation(unary, edges, potts, n_iter)
    beliefs = beliefs - beliefs.min(0)
    for label, color in enumerate(("#56b4e9", "#d55e00")):
        ax.bar(np.arange(9) + 0.4 * label - 0.2, beliefs[label], 0.4, color=color)
    ax.set_title(
        f"costs of labels 0 and 1 after {n_iter} rounds", loc="left", fontsize="medium"
    )

# %%
# On a chain that is the minimum, for the twin and for the fast code:

result = cs.minimize(cs.GridCRF(unary, cs.Potts(0.15)), "belief_propagation")
labels = belief_propagation(unary, edges, potts, 8).argmin(0)
print(labels.tolist(), result.labels.tolist())
assert labels.tolist() == result.labels.tolist()

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/belief_propagation.py
#    :language: python

"""
Messages of TRW-S
=================

How can pixels that only talk to their neighbours find the best labelling of all? By
*messages*: "if you take label 1, that costs me so much". On a chain, one way there and
one back is enough. On a grid, TRW-S treats rows and columns as chains that must agree.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg.reference import trws

noisy = np.array([0.1, 0.2, 0.8, 0.1, 0.8, 0.7, 0.9, 0.2, 0.8, 0.9])
unary = 4 * np.stack([noisy, 1 - noisy])
tie = 1.7  # the cost of two neighbours that differ
edges = [(i, i + 1, tie) for i in range(9)]
potts = 1 - np.eye(2)

# %%
# The twin of the library sends messages along the chain. A message to the right says
# how much dearer label 1 is than label 0, as far as everything on the left is
# concerned.

bound, labels = list(trws.trws(unary, edges, potts, n_iter=4))[-1]
fast = cs.minimize(cs.GridCRF(unary, cs.Potts(tie)), "trws")
print("twin:", labels.tolist(), f"bound {bound:.2f}")
print(
    "fast:",
    fast.labels.tolist(),
    f"bound {fast.lower_bound:.2f}, energy {fast.energy:.2f}",
)


def messages(order):
    """What each pixel hears from the one before: costs of its labels 0 and 1."""
    heard = np.zeros((10, 2))
    for i, j in pairwise(order):
        total = unary[:, i] + heard[i]
        heard[j] = np.minimum(total, total[::-1] + tie)
        heard[j] -= heard[j].min()
    return heard


right, left = messages(range(10)), messages(range(9, -1, -1))
figure, axes = plt.subplots(4, 1, figsize=(9, 6), sharex=True, layout="constrained")
believed = unary.T + right + left
for ax, costs, title in zip(
    axes,
    (unary.T, right, left, believed),
    (
        "alone: what each label costs",
        "heard from the left",
        "heard from the right",
        "all together",
    ),
    strict=True,
):
    for label, color in enumerate(("#56b4e9", "#d55e00")):
        ax.bar(
            np.arange(10) + 0.4 * label - 0.2,
            costs[:, label],
            0.4,
            color=color,
            label=f"label {label}",
        )
    ax.set_title(title, loc="left", fontsize="medium")
axes[0].legend(ncols=2, fontsize="small")
axes[-1].set_xticks(
    range(10), [f"pixel {i}\n→ {label}" for i, label in enumerate(believed.argmin(1))]
)

# %%
# The lone dissenters at pixels 2 and 7 are overruled, by neighbours on both sides. On
# a chain that is exact:
assert believed.argmin(1).tolist() == fast.labels.tolist()

# %%
# On a grid there are circles, and messages meet themselves again. TRW-S then iterates;
# its bound never falls, and where it meets the energy, the labels are proven best.

rng = np.random.default_rng(0)
grid = cs.GridCRF(rng.random((3, 24, 32)), cs.Potts(0.35))
cs.plot.trace(cs.minimize(grid, "trws", max_iter=25))

"""
Strength and neighbourhood
==========================

How much may it cost that two neighbours differ? Too little keeps the noise, too much
shaves off whatever is thin. And with four neighbours, borders are measured along the
axes, as a taxi drives: diagonal ones are too dear.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs

rng = np.random.default_rng(1)
y, x = np.mgrid[:80, :80]
truth = ((y - 36) ** 2 + (x - 34) ** 2 < 24**2).astype(int)
truth[52:56, 30:74] = 1  # a handle, four pixels wide
noisy = truth + rng.normal(0, 0.9, truth.shape)
unary = np.stack([noisy**2, (noisy - 1) ** 2])

figure, axes = plt.subplots(2, 5, figsize=(12, 5.2), layout="constrained")
axes[0, 0].imshow(noisy, cmap="gray")
axes[1, 0].imshow(truth, cmap="cividis")
axes[0, 0].set_title("what is seen")
axes[1, 0].set_title("the truth")
for row, connectivity in zip(axes, (4, 8), strict=True):
    for ax, weight in zip(row[1:], (0.2, 1.0, 3.0, 9.0), strict=True):
        per_edge = (
            weight if connectivity == 4 else 0.45 * weight
        )  # about the same cost for a straight border
        labels = cs.minimize(
            cs.GridCRF(unary, cs.Potts(per_edge), connectivity=connectivity),
            "graph_cut",
        ).labels
        ax.imshow(labels, cmap="cividis", vmin=0, vmax=1)
        ax.set_title(
            f"{connectivity} near, {weight:g}\n{(labels != truth).mean():.1%} wrong",
            fontsize="medium",
        )
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])

# %%
# Every picture is the exact minimum of its energy: where it is bad, the energy is to
# blame, not the search.

"""
Maximum flow, minimum cut
=========================

With two labels, the best labelling of a grid CRF is a *minimum cut*: cut the cheapest
edges that part what wants to be object from what wants to be background. And the
cheapest cut is as large as the largest flow.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs

rng = np.random.default_rng(2)
truth = np.zeros((9, 12), int)
truth[2:7, 3:9] = 1
noisy = truth + rng.normal(0, 0.7, truth.shape)
unary = np.stack([noisy**2, (noisy - 1) ** 2])

figure, axes = plt.subplots(1, 3, figsize=(10, 2.8), layout="constrained")
best = cs.minimize(cs.GridCRF(unary, cs.Potts(0.8)), "graph_cut")
for ax, picture, title in zip(
    axes,
    (noisy, unary.argmin(0), best.labels),
    ("what is seen", "each pixel alone", "minimum cut"),
    strict=True,
):
    ax.imshow(picture, cmap="cividis")
    ax.set(title=title, xticks=[], yticks=[])

# %%
# The network. Each circle is a pixel: orange ones would rather be object, blue ones
# background, and the larger the circle, the more. Gray lines are capacities, blue what
# flows through them. Red lines are full: they are the cut. Filled circles are on its
# one side, open ones on the other.

# sphinx_gallery_thumbnail_number = 2
cs.plot.flow(cs.GridCRF(unary, cs.Potts(0.8)))

# %%
# A weaker tie, and the cut follows the noise, because it costs little to cut an edge:

cs.plot.flow(cs.GridCRF(unary, cs.Potts(0.25)))

# %%
# The cut is a proof: no labelling costs less than the flow, and this one costs just
# that.

print(
    f"energy {best.energy:.4f}, lower bound {best.lower_bound:.4f}, gap {best.gap:.1g}"
)

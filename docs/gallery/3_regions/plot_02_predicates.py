"""
Each predicate
==============

What may be one region? Seven rules, on one image of flat, noisy, shaded and striped
parts. A rule is good for what it measures, and blind to the rest.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg import plot

rng = np.random.default_rng(0)
y, x = np.mgrid[:96, :128]
image = np.full((96, 128), 70.0)
image[:48, :64] = 70 + rng.normal(0, 9, (48, 64))  # noise
image[:48, 64:] = np.linspace(90, 200, 64)  # a shade
image[48:, :64] = np.where(x[48:, :64] // 2 % 2, 150, 110)  # stripes
image[48:, 64:] = 70 + 120 * (
    (y[48:, 64:] - 72) ** 2 + (x[48:, 64:] - 96) ** 2 < 300
)  # a disc
image = image.clip(0, 255).astype(np.uint8)


def calm_or_dark(region):
    """A rule of one's own is a function, and is compiled."""
    return region.max[0] - region.min[0] <= 24 or region.mean[0] < 100


rules = {
    "Range(40)": cs.Range(40),
    "StdDev(12)": cs.StdDev(12),
    "MeanDifference(12)": cs.MeanDifference(12),
    "VarianceRatio(4)": cs.VarianceRatio(4),
    "HistogramDistance(14)": cs.HistogramDistance(14),
    "OtsuSeparability(0.7, 40)": cs.OtsuSeparability(0.7, 40),
    "a function": cs.Custom(calm_or_dark),
}
figure, axes = plt.subplots(2, 4, figsize=(12, 5), layout="constrained")
axes[0, 0].imshow(image, cmap="gray")
axes[0, 0].set_title("the image", fontsize="medium")
for ax, (name, rule) in zip(axes.flat[1:], rules.items(), strict=True):
    labels = cs.split_and_merge(image, rule)
    ax.imshow(plot.regions(image, labels, zoom=3, border=(255, 214, 0)))
    ax.set_title(f"{name}: {labels.max()}", fontsize="medium")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])

# %%
# ``Range`` breaks the noise into crumbs, because one bright pixel decides; ``StdDev``
# does not. Rules that compare the means of quarters keep the stripes whole. Rules
# combine with ``&`` and ``|``:

labels = cs.split_and_merge(image, cs.MeanDifference(12) & cs.StdDev(30))
print(labels.max(), "regions")

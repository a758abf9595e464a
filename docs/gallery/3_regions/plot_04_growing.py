"""
Growing from seeds
==================

Put a seed into each object, and let regions grow: of all pixels next to a region, the
one that is nearest to its mean joins first. Nothing needs to be tuned, but every
object needs a seed.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg import plot

image = cs.sample().image[::2, ::2]
gray = image.mean(axis=-1).round().astype(np.uint8)
seeds = np.zeros(gray.shape, np.int32)
for label, (y, x) in enumerate([(8, 20), (75, 150), (104, 95), (150, 230)], 1):
    seeds[y : y + 6, x : x + 6] = label
grown = cs.seeded_region_growing(gray, seeds)

# %%
# Statistical region merging needs no seed: it asks whether chance explains the
# difference of two regions. Its ``complexity`` says how much detail to expect.

coarse, fine = (
    cs.segment(image, "statistical_region_merging", complexity=q) for q in (16, 128)
)

# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(2, 2, figsize=(8.4, 6.7), layout="constrained")
drawn = image.copy()
drawn[seeds > 0] = (213, 94, 0)
views = {
    "seeds": drawn,
    "grown": plot.overlay(image, grown),
    f"complexity 16: {coarse.max()}": plot.regions(image, coarse),
    f"complexity 128: {fine.max()}": plot.regions(image, fine),
}
for ax, (title, picture) in zip(axes.flat, views.items(), strict=True):
    ax.imshow(picture)
    ax.set(title=title, xticks=[], yticks=[])

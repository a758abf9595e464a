"""
Split and merge, step by step
=============================

The oldest segmentation by a rule. *Split*: cut a block into quarters until each part
obeys the rule. *Merge*: join neighbours for as long as the rule holds for both
together. Here the rule is that gray values differ by at most 40.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg import plot

image = cs.sample().image[60:188, 100:292].mean(axis=-1).round().astype(np.uint8)
found = cs.record_split_and_merge(image, cs.Range(40))
record = found.record
print(found)

# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(2, 3, figsize=(12, 5.6), layout="constrained")
steps = {
    f"split, depth {depth}: {len(record.blocks_at(depth))} blocks": plot.quadtree(
        image, record.blocks_at(depth), zoom=3
    )
    for depth in (2, 4, 8)
}
n_leaves = int(record.leaves.max()) + 1
for share in (0.3, 0.9, 1.0):
    n = round(share * len(record.merges))
    steps[f"merge {n}: {n_leaves - n} regions"] = plot.regions(
        image, record.labels_after(n) + 1, zoom=3
    )
for ax, (title, picture) in zip(axes.flat, steps.items(), strict=True):
    ax.imshow(picture)
    ax.set(title=title, xticks=[], yticks=[])

# %%
# The steps are a list that can be read:

for step in list(record.steps())[:4]:
    print(step)

# %%
# and a result that draws itself.

found.plot(image)

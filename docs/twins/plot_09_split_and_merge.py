r"""
Split and merge
===============

Quarter a block until each part obeys the rule. Then join neighbours for as long as
the rule holds for both together.

.. math::

    \max - \min \le t

is the simplest rule: gray values of a region differ by at most t.

- **Twin**: ``classicseg/reference/split_merge.py``, in full below.
- **Fast code**: ``classicseg/kernels/regions/range_tile.py``,
  ``classicseg/kernels/regions/quadtree.py``.
- **Paper**: Horowitz and Pavlidis 1976, doi:10.1145/321941.321956.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg import plot
from classicseg.reference import split_merge as textbook

image = cs.sample().image[60:188:4, 100:260:4].mean(axis=-1).round().astype(np.uint8)
rule = cs.Range(40)
blocks = textbook.split(image[..., None], np.ones(image.shape, bool), rule.holds)
leaves = np.array([(*corner, side) for corner, side in blocks])

figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
regions = cs.split_and_merge(image, rule)
views = {
    "the image": plot.displayable(image),
    f"split: {len(leaves)} blocks": plot.quadtree(image, leaves, zoom=8),
    f"merged: {regions.max()} regions": plot.regions(
        image, regions, zoom=8, border=(255, 214, 0)
    ),
}
for ax, (title, picture) in zip(axes, views.items(), strict=True):
    ax.imshow(picture)
    ax.set(title=title, xticks=[], yticks=[])

# %%
# The leaves of the fast tree are the same, one by one:

fast = cs.quadtree(image, rule)
assert sorted(map(tuple, fast.tolist())) == sorted(map(tuple, leaves.tolist()))
print(len(fast), "leaves, all equal")

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/split_merge.py
#    :language: python

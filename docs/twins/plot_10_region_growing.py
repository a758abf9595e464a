r"""
Seeded region growing
=====================

Of all pixels next to a region, the one that is nearest to its region's mean joins
first.

.. math::

    \operatorname{arg\,min}_{p, r}\; \lvert v_p - \bar v_r \rvert

over pixels p that touch a region r.

- **Twin**: ``classicseg/reference/region_growing.py``, in full below.
- **Fast code**: ``classicseg/kernels/regions/growing.py``.
- **Paper**: Adams and Bischof 1994, doi:10.1109/34.295913.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg import plot
from classicseg.reference.region_growing import grow

image = cs.sample().image[::8, ::8].mean(axis=-1).round()
seeds = np.zeros(image.shape, int)
seeds[3, 5], seeds[19, 37], seeds[27, 24], seeds[37, 57] = 1, 2, 3, 4
slow = grow(image[..., None], seeds)
fast = cs.seeded_region_growing(image, seeds)

figure, axes = plt.subplots(1, 3, figsize=(11, 2.9), layout="constrained")
marked = plot.displayable(image).copy()
marked[seeds > 0] = (213, 94, 0)
for ax, picture, title in zip(
    axes,
    (marked, plot.overlay(image, slow), plot.overlay(image, fast)),
    ("seeds", "twin", "fast"),
    strict=True,
):
    ax.imshow(picture)
    ax.set(title=title, xticks=[], yticks=[])

# %%
print("equal pixels:", (slow == fast).mean())
assert (slow == fast).all()

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/region_growing.py
#    :language: python

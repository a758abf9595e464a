"""
Methods by name
===============

``segment`` knows twelve methods, those of scikit-image among them: one word swaps the
method.
"""

import matplotlib.pyplot as plt
import skimage.data

import classicseg as cs
from classicseg import plot

image = skimage.data.chelsea()[
    10:250:2, 90:390:2
]  # the cat of Stefan van der Walt, CC0
print(", ".join(cs.segmenters()))

# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(2, 3, figsize=(12, 6.6), layout="constrained")
axes[0, 0].imshow(image)
axes[0, 0].set_title("the image")
options = {
    "split_and_merge": {"homogeneity": cs.StdDev(18), "min_area": 20},
    "statistical_region_merging": {"complexity": 256},
    "felzenszwalb": {"scale": 200},
    "slic": {},
    "watershed": {},
}
for ax, (method, chosen) in zip(axes.flat[1:], options.items(), strict=True):
    labels = cs.segment(image, method, **chosen)
    ax.imshow(plot.regions(image, labels, border=(255, 214, 0)))
    ax.set_title(f"{method}: {labels.max()} regions")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])

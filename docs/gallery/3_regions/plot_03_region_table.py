"""
A table of regions
==================

Regions have numbers, but no meaning. Measure them, and hard rules on the measures give
them labels: classical segmentation from one end to the other.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg import plot

image = cs.sample("nuclei").image
gray = image.mean(axis=-1).round().astype(np.uint8)
regions = cs.split_and_merge(gray, cs.Range(30), min_area=20)
table = cs.describe_regions(regions, gray)
print(len(table["area"]), "regions; columns:", ", ".join(sorted(table)))

# %%
# The largest, and the brightest:

largest, brightest = np.argsort(-table["area"])[:3], np.argsort(-table["mean"])[:3]
for index in (*largest, *brightest):
    print(f"area {table['area'][index]:7.0f}   mean {table['mean'][index]:6.1f}")

# %%
# Two rules: bright and of the size of a nucleus; or else the background. Otsu's method
# finds gray levels by itself.

by_rule = cs.label_by_rule(table, [cs.Rule(1, mean=(60, None), area=(40, None))])
by_otsu = cs.label_by_rule(table, cs.MultiOtsu(3))

# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(2, 2, figsize=(8.4, 8.2), layout="constrained")
views = {
    "the image": image,
    f"{regions.max()} regions": plot.regions(gray, regions),
    "by a rule": plot.overlay(image, cs.paint_regions(regions, by_rule)),
    "three classes by Otsu": plot.label_image(cs.paint_regions(regions, by_otsu)),
}
for ax, (title, picture) in zip(axes.flat, views.items(), strict=True):
    ax.imshow(picture)
    ax.set(title=title, xticks=[], yticks=[])

# %%
# Area against brightness: the rule is a box in this picture.

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.scatter(
    table["mean"], table["area"], 14, c=np.where(by_rule == 1, "#e69f00", "#7f7f7f")
)
ax.set(xlabel="mean gray value", ylabel="area in pixels", yscale="log")
ax.axvline(60, color="#d55e00")
ax.axhline(40, color="#d55e00")

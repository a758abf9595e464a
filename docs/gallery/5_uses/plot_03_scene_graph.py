"""
Scenes: from labels to a graph
==============================

What is in the picture, and how do its things lie to each other? Connected regions are
objects; those that touch are neighbours; one that is surrounded is *inside*. From
there to a sentence it is a short way.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.ndimage as ndi

import classicseg as cs

s = cs.sample()
labels = cs.refine(s.image, s.probabilities)

# %%
# Objects: connected regions of one label that cover at least one percent. Each is
# marked where it is widest.

objects = []
for label, name in enumerate(s.label_names):
    regions, n = ndi.label(labels == label)
    for number in range(1, n + 1):
        mask = regions == number
        if mask.mean() > 0.01:
            depth = ndi.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
            objects.append((name, mask, np.unravel_index(depth.argmax(), mask.shape)))

# %%
# *Inside*: surrounded, once the holes of the other are filled; of several that
# surround it, the smallest counts. *Next to*: they touch, and none is inside the
# other.


def surrounds(a, b):
    return (
        a.sum() > b.sum()
        and (ndi.binary_fill_holes(ndi.binary_dilation(a, iterations=3)) & b).sum()
        > 0.9 * b.sum()
    )


relations = []
for i, (_, mask, _) in enumerate(objects):
    around = [
        j
        for j, (_, other, _) in enumerate(objects)
        if j != i and surrounds(other, mask)
    ]
    if around:
        relations.append((i, "inside", min(around, key=lambda j: objects[j][1].sum())))
nested = {frozenset((i, j)) for i, _, j in relations}
for i, (_, mask, _) in enumerate(objects):
    grown = ndi.binary_dilation(mask, iterations=2)
    for j in range(i):
        if (grown & objects[j][1]).sum() > 50 and frozenset((i, j)) not in nested:
            relations.append((i, "next to", j))
for i, relation, j in relations:
    print(f"{objects[i][0]} is {relation} {objects[j][0]}")

# %%
# The graph over the picture: arrows lead from what is inside to what is around it;
# lines join neighbours.

figure, axes = plt.subplots(1, 2, figsize=(12, 4.2), layout="constrained")
axes[0].imshow(cs.overlay(s.image, labels))
axes[1].imshow(s.image, alpha=0.35)
for i, relation, j in relations:
    (y0, x0), (y1, x1) = objects[i][2], objects[j][2]
    style = {"inside": ("-|>", "#0072b2"), "next to": ("-", "#d55e00")}[relation]
    arrow = {"arrowstyle": style[0], "color": style[1], "linewidth": 2}
    axes[1].annotate("", (x1, y1), (x0, y0), arrowprops=arrow)
for name, mask, (y, x) in objects:
    axes[1].plot(x, y, "o", color="#404040", markersize=9)
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none"}
    axes[1].text(
        x + 9, y - 9, f"{name} ({mask.mean():.0%})", fontsize="large", bbox=box
    )
for ax in axes:
    ax.set(xticks=[], yticks=[])

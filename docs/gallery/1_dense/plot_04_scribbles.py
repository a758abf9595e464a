"""
From strokes to a mask
======================

A few strokes say what is object and what is background. Colours are learned from them,
and a minimum cut finds the border that costs least.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs

image = cs.sample().image[::2, ::2]  # a cup of coffee
strokes = np.full(image.shape[:2], -1)
for y, x, h, w in (
    (70, 110, 4, 50),  # on the coffee
    (40, 110, 3, 60),  # on the rim
    (52, 97, 16, 5),
    (56, 184, 16, 5),
    (110, 110, 6, 40),  # on the cup
    (118, 186, 4, 14),  # on the spoon
    (98, 42, 4, 16),  # on the saucer
    (160, 90, 4, 120),
    (112, 222, 20, 4),
):
    strokes[y : y + h, x : x + w] = 1
for y, x, h, w in (
    (5, 10, 4, 280),
    (192, 10, 4, 280),
    (20, 5, 160, 4),
    (20, 291, 160, 4),
):
    strokes[y : y + h, x : x + w] = 0  # on the table

cut = cs.cutout(image, strokes)

drawn = image.copy()
drawn[strokes == 1] = (213, 94, 0)
drawn[strokes == 0] = (0, 114, 178)
alone = np.where(cut.mask[..., None], image, 255)

figure, axes = plt.subplots(1, 3, figsize=(12, 3), layout="constrained")
for ax, picture, title in zip(
    axes,
    (drawn, cs.overlay(image, cut.labels), alone),
    ("strokes", "labels", "cut out"),
    strict=True,
):
    ax.imshow(picture)
    ax.set(title=title, xticks=[], yticks=[])

# %%
# Not what you meant? One more stroke, and only the neighbourhood of the change is
# solved again. Here the spoon is said to be background:

print(f"{cut.mask.mean():.1%} of the pixels are object")
box = cut.update(np.zeros((4, 14), int), np.s_[118:122, 186:200])
print(f"{cut.mask.mean():.1%} after the stroke; changed: {box}")
cut.plot(image)

# %%
# Each round had learned the colours anew and cut again. The energy never rose:

print([round(step.energy) for step in cut.history])

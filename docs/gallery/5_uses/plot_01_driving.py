"""
Driving: where is the road?
===========================

A network for cars answers quickly and coarsely. A CRF sharpens its answer in a few
milliseconds, because it has to be ready before the next frame. The street is made up;
so are the network's mistakes.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
import scipy.ndimage as ndi

import classicseg as cs

names = ("sky", "building", "road", "car", "person")
colors = np.array(
    [[135, 190, 235], [150, 130, 110], [95, 95, 100], [40, 60, 140], [190, 70, 50]]
)

height, width = 120, 200
y, x = np.mgrid[:height, :width]
truth = np.zeros((height, width), int)
skyline = 34 + 10 * np.sin(x // 25 * 2.4).round()
truth[(y > skyline) & (y < 70)] = 1
truth[y >= 62 + abs(x - 100) * 0.1] = 2
truth[(y > 66) & (y < 88) & (x > 52) & (x < 88)] = 3
truth[(y > 60) & (y < 92) & (abs(x - 136) < 6)] = 4
rng = np.random.default_rng(4)
image = (
    (colors[truth] + rng.normal(0, 9, (height, width, 3))).clip(0, 255).astype(np.uint8)
)

# %%
# The "network": one score for each 8 x 8 pixels, blurred, with noise.

scores = np.stack(
    [ndi.gaussian_filter((truth == label).astype(float), 2.5) for label in range(5)]
)
coarse = 6 * scores.reshape(5, height // 8, 8, width // 8, 8).mean((2, 4)) + rng.normal(
    0, 0.35, (5, height // 8, width // 8)
)

labels = cs.refine(image, logits=coarse)
start = time.perf_counter()
labels = cs.refine(image, logits=coarse)
milliseconds = 1000 * (time.perf_counter() - start)
enlarged = coarse.argmax(0).repeat(8, 0).repeat(8, 1)

# sphinx_gallery_thumbnail_number = 1
table = colors.astype(np.uint8)
figure, axes = plt.subplots(1, 3, figsize=(12, 2.8), layout="constrained")
views = {"the street": image, "the network": table[enlarged], "refined": table[labels]}
for ax, (title, picture) in zip(axes, views.items(), strict=True):
    ax.imshow(picture)
    ax.set(title=title, xticks=[], yticks=[])

# %%
# What matters is what is small: the person. What is smaller than a cell of the scores
# no CRF brings back, for it was never seen.

print(f"{'':10} network  refined")
before, after = (cs.scores(found, truth, 5) for found in (enlarged, labels))
for name, old, new in zip(names, before.iou, after.iou, strict=True):
    print(f"{name:10} {old:7.2f} {new:8.2f}")
print(f"{milliseconds:.0f} ms for {height} x {width} pixels on this machine;")
print("30 frames a second leave 33")

# %%
# How far is the road free? For each column, down from the horizon: the first pixel of
# road below which there is only road.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.imshow(image)
ax.plot(
    np.arange(width),
    height - np.argmax((labels != 2)[::-1], axis=0),
    color="#f0e442",
    linewidth=3,
)
ax.set(title="free up to the line", xticks=[], yticks=[])

"""
Fashion: cut out a garment
==========================

A shop wants the shirt alone on white, and its colours, to suggest others like it. A
box around it is enough: what lies outside is background, and the colours of both are
learned. The photo is made up.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.ndimage as ndi

import classicseg as cs

rng = np.random.default_rng(8)
height, width = 180, 160
y, x = np.mgrid[:height, :width]
body = (abs(x - 80) < 34 + (y - 40) * 0.03) & (y > 44) & (y < 160)
sleeves = (abs(abs(x - 80) - 48) < 17) & (abs(y - 62 - (abs(x - 80) - 34) * 0.5) < 15)
neck = (y - 42) ** 2 / 160 + (x - 80) ** 2 / 260 < 1
shirt = (body | sleeves) & ~neck
stripes = np.where(((y // 7) % 2 == 0)[..., None], (196, 60, 50), (236, 226, 205))
wall = np.stack([150 + 0.25 * y, 158 + 0.2 * x, 160 + 0.1 * (x + y)], axis=-1)
skin = ((y - 24) ** 2 / 420 + (x - 80) ** 2 / 200 < 1) | (neck & (y > 36))
image = np.where(
    shirt[..., None], stripes, np.where(skin[..., None], (214, 168, 140), wall)
)
image = (
    ndi.gaussian_filter(image + rng.normal(0, 7, image.shape), (0.6, 0.6, 0))
    .clip(0, 255)
    .astype(np.uint8)
)

box = (40, 12, 166, 150)
cut = cs.cutout(image, box=box)

# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(1, 3, figsize=(10, 4), layout="constrained")
size = box[3] - box[1], box[2] - box[0]
frame = plt.Rectangle((box[1], box[0]), *size, fill=False, color="#d55e00", linewidth=2)
axes[0].add_patch(frame)
alone = np.where(cut.mask[..., None], image, 255)
views = {
    "a box": image,
    "what is in it": cs.overlay(image, cut.labels),
    "for the shop": alone,
}
for ax, (title, picture) in zip(axes, views.items(), strict=True):
    ax.imshow(picture)
    ax.set(title=title, xticks=[], yticks=[])
iou = (cut.mask & shirt).sum() / (cut.mask | shirt).sum()
print(f"overlap with the true shirt (IoU) {iou:.3f}")

# %%
# Its colours: the most frequent of a coarse grid of colours. Shirts with a similar
# list are suggested next to it.

coarse, counts = np.unique(image[cut.mask] // 48, axis=0, return_counts=True)
order = np.argsort(-counts)[:5]
figure, ax = plt.subplots(figsize=(7, 1.2), layout="constrained")
ax.imshow((coarse[order] * 48 + 24)[None].astype(np.uint8))
ax.set(xticks=range(5), yticks=[])
ax.set_xticklabels([f"{share:.0%}" for share in counts[order] / counts.sum()])

"""
Ties that know the image
========================

Labels should change where the image does. ``contrast_weights`` ties neighbours of like
colour firmly, and neighbours of different colours loosely, so that a cut follows edges
of the image.
"""

import matplotlib.pyplot as plt

import classicseg as cs

s = cs.sample()
window = (slice(60, 340, 2), slice(120, 480, 2))
image, truth, p = s.image[window], s.truth[window], s.probabilities[:, *window]
unary = cs.unary_from_probabilities(p)
weights = cs.contrast_weights(image)

# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
for ax, picture, title in zip(
    axes,
    (image, weights["right"], weights["down"]),
    ("the image", "ties to the right", "ties downwards"),
    strict=True,
):
    ax.imshow(picture, cmap="cividis")
    ax.set(title=title, xticks=[], yticks=[])

# %%
# The same strength, with equal ties and with ties by contrast:

figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
equal = cs.minimize(cs.GridCRF(unary, cs.Potts(1.0), connectivity=4), "expansion")
aware = cs.minimize(
    cs.GridCRF(unary, cs.Potts(4.0), weights, connectivity=4), "expansion"
)
for ax, labels, title in zip(
    axes,
    (unary.argmin(0), equal.labels, aware.labels),
    ("each pixel alone", "equal ties", "ties by contrast"),
    strict=True,
):
    ax.imshow(cs.overlay(image, labels))
    score = cs.scores(labels, truth, 5, ignore_label=255).mean_iou
    ax.set(title=f"{title}, mean IoU {score:.2f}", xticks=[], yticks=[])

"""
Before and after
================

A small network has looked at a micrograph. It finds the nuclei, but its borders are
soft, it joins neighbours, and it leaves specks. ``refine`` moves the labels to where
the image changes.
"""

import matplotlib.pyplot as plt

import classicseg as cs

s = cs.sample("nuclei")
before = s.probabilities.argmax(0)
result = cs.refinement(s.image, s.probabilities)

# sphinx_gallery_thumbnail_number = 1
window = (slice(96, 224), slice(96, 224))
views = {
    "the image": s.image,
    "the network": cs.overlay(s.image, before),
    "refined": cs.overlay(s.image, result.labels),
    "the truth": cs.plot.label_image(s.truth, ignore_label=255),
}
figure, axes = plt.subplots(2, 2, figsize=(8.4, 8.2), layout="constrained")
for ax, (title, picture) in zip(axes.flat, views.items(), strict=True):
    ax.imshow(picture[window])
    ax.set(title=title, xticks=[], yticks=[])

# %%
# Drag the line, or use the arrow keys. Where do the two differ? Along borders, and at
# specks.

cs.plot.before_after(
    cs.overlay(s.image, before),
    cs.overlay(s.image, result.labels),
    names=("the network", "refined"),
)

# %%
# A CRF knows more than labels: how likely each one is. Yellow is doubt. Before, the
# whole rim of every nucleus was in doubt, and now a line is.

figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, p, title in zip(
    axes,
    (s.probabilities, result.marginals),
    ("the network's doubt", "what is left"),
    strict=True,
):
    ax.imshow(cs.plot.uncertainty(p.astype(float)))
    ax.set(title=title, xticks=[], yticks=[])

# %%
# And the same in numbers, against the truth:

for name, labels in (("network", before), ("refined", result.labels)):
    scores = cs.scores(labels, s.truth, ignore_label=255)
    print(
        f"{name:8} mean IoU {scores.mean_iou:.3f}, right pixels {scores.accuracy:.3f}"
    )
print("chosen strength:", result.strength)

"""
Scores smaller than the image
=============================

Most networks answer at a quarter to a sixteenth of the resolution. Enlarged, their
borders are staircases or blobs. Give ``refine`` the small scores and the full image.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg.energies.unary_grid import UnaryGrid

s = cs.sample("nuclei")
logits = np.log(np.maximum(s.probabilities.astype(np.float32), 1e-3))

figure, axes = plt.subplots(3, 3, figsize=(9, 9.6), layout="constrained")
for row, ratio in zip(axes, (4, 8, 16), strict=True):
    n = 256 // ratio
    small = logits.reshape(2, n, ratio, n, ratio).mean(
        (2, 4)
    )  # means over squares, as a network would give them
    enlarged = UnaryGrid(-small, (256, 256), align_corners=False).cheapest()
    refined = cs.refine(s.image, logits=small)
    found = [
        cs.scores(labels, s.truth, ignore_label=255).mean_iou
        for labels in (enlarged, refined)
    ]
    pictures = [
        cs.plot.uncertainty(1 / (1 + np.exp(small[::-1] - small))),
        *map(cs.overlay, 2 * [s.image], (enlarged, refined)),
    ]
    titles = (
        f"1/{ratio}: {small.shape[1:]} scores",
        f"enlarged, IoU {found[0]:.2f}",
        f"refined, IoU {found[1]:.2f}",
    )
    for ax, picture, title in zip(row, pictures, titles, strict=True):
        ax.imshow(picture)
        ax.set(title=title, xticks=[], yticks=[])

# %%
# No array of labels times pixels is made on the way: scores are interpolated inside
# the pass that needs them. The call is the same for any ratio, whole or not.

"""
What the parameters do
======================

A dense CRF for photos has two kernels. The *appearance* kernel ties pixels of like
colour over long ways, the *smoothness* kernel all near pixels. Two numbers decide
most: how different colours may be (``color_sigma``), and how much the tie is worth
(``weight``).
"""

import itertools

import matplotlib.pyplot as plt

import classicseg as cs

s = cs.sample()  # a cup of coffee, and what a weak classifier says of each pixel
window = (slice(40, 360, 3), slice(90, 510, 3))
image, truth, p = s.image[window], s.truth[window], s.probabilities[:, *window]
unary = cs.unary_from_probabilities(p)

color_sigmas, weights = (2, 8, 32), (1, 4, 16)
figure, axes = plt.subplots(3, 3, figsize=(9, 8), layout="constrained")
for ax, (weight, color_sigma) in zip(
    axes.flat, itertools.product(weights, color_sigmas), strict=True
):
    appearance = cs.BilateralKernel(
        image, sigma=30, color_sigma=color_sigma, weight=weight
    )
    crf = cs.DenseCRF(unary, [cs.GaussianKernel(sigma=2, weight=1), appearance])
    labels = cs.minimize(crf, "mean_field", max_iter=5).labels
    ax.imshow(cs.overlay(image, labels))
    score = cs.scores(labels, truth, 5, ignore_label=255).mean_iou
    ax.set(
        title=f"color_sigma {color_sigma}, weight {weight}\nmean IoU {score:.2f}",
        xticks=[],
        yticks=[],
    )

# %%
# Read a row: with a small ``color_sigma`` hardly any two pixels are alike, and little
# happens; with a large one everything is alike, and small things are outvoted. Read a
# column: a weight of 16 believes the image and no longer the classifier. ``refine``
# chooses for you, and ``tune`` does so by images whose truth you know.
#
# The smoothness kernel does not see the image at all. It removes specks, and
# everything else that is small:

figure, axes = plt.subplots(2, 2, figsize=(8.4, 8.2), layout="constrained")
for ax, sigma in zip(axes.flat, (0.5, 2, 6, 16), strict=True):
    crf = cs.DenseCRF(unary, [cs.GaussianKernel(sigma=sigma, weight=4)])
    ax.imshow(cs.overlay(image, cs.minimize(crf, "mean_field", max_iter=5).labels))
    ax.set(title=f"smoothness only, sigma {sigma}", xticks=[], yticks=[])

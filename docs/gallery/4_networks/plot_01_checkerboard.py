"""
Checkerboards
=============

A decoder has to enlarge. A transposed convolution spreads each value over a window;
where windows overlap unevenly, a checkerboard appears that nobody has drawn. Enlarging
first and convolving then does not do that.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from classicseg.torch.networks.fcn import ResizeConvolution

torch.manual_seed(3)
rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
disc = ((rows - 11.5) ** 2 + (columns - 11.5) ** 2 < 64).float()[None, None]

transposed = [nn.ConvTranspose2d(1, 1, 3, stride=2, bias=False) for _ in range(2)]
resized = [ResizeConvolution(1, 2) for _ in range(2)]
for one, other in zip(transposed, resized, strict=True):
    nn.init.uniform_(one.weight, 0, 1)
    other.conv.weight = one.weight  # the same numbers
with torch.no_grad():
    pictures = (
        disc[0, 0],
        nn.Sequential(*transposed)(disc)[0, 0],
        nn.Sequential(*resized)(disc)[0, 0],
    )

figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
for ax, picture, title in zip(
    axes,
    pictures,
    ("scores", "transposed twice", "resized, then convolved, twice"),
    strict=True,
):
    ax.imshow(picture, cmap="gray", interpolation="nearest")
    ax.set(title=title, xticks=[], yticks=[])

# %%
# How often is each pixel written? With a window of 3 and a stride of 2, once, twice,
# or four times. With a window that is a multiple of the stride, equally often: that is
# the other remedy.

figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.6), layout="constrained")
for ax, window in zip(axes, (3, 4), strict=True):
    layer = nn.ConvTranspose2d(1, 1, window, stride=2, bias=False)
    nn.init.ones_(layer.weight)
    with torch.no_grad():
        counts = layer(torch.ones(1, 1, 8, 8))[0, 0]
    shown = ax.imshow(counts, cmap="cividis")
    ax.set(title=f"window {window}, stride 2", xticks=[], yticks=[])
    figure.colorbar(shown, ax=ax, ticks=[1, 2, 3, 4], shrink=0.8)

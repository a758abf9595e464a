"""
Receptive fields
================

Which pixels can change what a network says about one pixel? Ask the gradient.
*Dilation* spreads the taps of a convolution, and the field grows without more
parameters.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from classicseg.torch import networks


def field(network, side, channels=1):
    """How much each pixel matters for the middle one."""
    image = torch.rand(1, channels, side, side, requires_grad=True)
    out = network(image)
    out[0, 0, side // 2, side // 2].backward()
    return image.grad.abs().sum((0, 1))


def stack(dilations):
    layers = [nn.Conv2d(1, 1, 3, padding=d, dilation=d, bias=False) for d in dilations]
    for layer in layers:
        nn.init.ones_(layer.weight)
    return nn.Sequential(*layers)


# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(2, 2, figsize=(8.4, 8.4), layout="constrained")
for ax, dilations in zip(
    axes.flat, ((1, 1, 1), (1, 2, 4), (2, 2, 2), (1, 2, 5)), strict=True
):
    reach = field(stack(dilations), 25)
    ax.imshow(reach / reach.max(), cmap="cividis", vmin=0)
    ax.set(title=f"dilations {dilations}", xticks=[], yticks=[])

# %%
# Three convolutions, 27 weights each time. With 2, 2, 2 the field has holes: three of
# four pixels are never seen. That is the *gridding* of dilated networks; 1, 2, 5 has a
# wider field, without holes.
#
# Whole networks, with random weights: what they could see at most, and how little most
# of it counts.

torch.manual_seed(0)
figure, axes = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained")
for ax, name in zip(axes, ("unet", "fcdensenet56", "deeplabv3_50"), strict=True):
    reach = field(networks.build(name, n_labels=2, width=1 / 16).eval(), 192, 3)
    ax.imshow((reach / reach.max()) ** 0.25, cmap="cividis", vmin=0)
    ax.set(title=f"{name} (fourth root)", xticks=[], yticks=[])

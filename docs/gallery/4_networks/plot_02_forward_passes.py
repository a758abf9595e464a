"""
One forward pass of each network
================================

What happens to an image on its way through a network? Each bar is a feature map: its
height is the side of the map, its colour the number of channels. A U shape goes down
and comes up again; dilated networks stay at an eighth.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from classicseg.torch import networks

torch.manual_seed(0)
image = torch.rand(1, 3, 64, 64)
names = ("fcn8s", "unet", "fcdensenet56", "pspnet50", "deeplabv3_50")


def feature_maps(network):
    """Side and channels of what each convolution gives, and of the scores."""
    seen = []
    hooks = [
        layer.register_forward_hook(
            lambda _, __, out: seen.append((out.shape[-1], out.shape[1]))
        )
        for layer in network.modules()
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
    ]
    with torch.no_grad():
        scores = network.eval()(image)
    for hook in hooks:
        hook.remove()
    return np.array([*seen, (scores.shape[-1], scores.shape[1])]).T


figure, axes = plt.subplots(len(names), 1, figsize=(10, 10), layout="constrained")
for ax, name in zip(axes, names, strict=True):
    network = networks.build(name, n_labels=2, width=1 / 8)
    sides, channels = feature_maps(network)
    colors = plt.cm.cividis(np.log2(channels) / 9)
    ax.bar(
        np.arange(len(sides)),
        sides,
        1.0,
        color=colors,
        edgecolor="white",
        linewidth=0.3,
    )
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    ax.set_title(
        f"{name}: {len(sides) - 1} convolutions, {n_parameters:,} parameters",
        loc="left",
        fontsize="medium",
    )
    ax.set(ylabel="side", yticks=[1, 16, 32, 64])
axes[-1].set_xlabel("convolution, in the order in which it runs; yellow: many channels")

# %%
# The widths are an eighth of the published ones, which changes colours and not heights.

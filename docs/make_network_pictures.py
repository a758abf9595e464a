"""The picture of docs/networks.md: python docs/make_network_pictures.py"""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import torch
from torch import nn

from classicseg.torch.networks.fcn import ResizeConvolution


def enlarged():
    """A disc, enlarged twice by each of two ways with the same kind of random weights."""
    torch.manual_seed(3)
    rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    disc = ((rows - 11.5) ** 2 + (columns - 11.5) ** 2 < 64).float()[None, None]
    transposed = [nn.ConvTranspose2d(1, 1, 3, stride=2, bias=False) for _ in range(2)]
    resized = [ResizeConvolution(1, 2) for _ in range(2)]
    for one, other in zip(transposed, resized, strict=True):
        nn.init.uniform_(one.weight, 0, 1)
        other.conv.weight = one.weight
    with torch.no_grad():
        return disc[0, 0], nn.Sequential(*transposed)(disc)[0, 0], nn.Sequential(*resized)(disc)[0, 0]


if __name__ == "__main__":
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2))
    titles = ("scores", "transposed convolutions", "resize, then convolve")
    for ax, picture, title in zip(axes, enlarged(), titles, strict=True):
        ax.imshow(picture, cmap="gray", interpolation="nearest")
        ax.set_title(title)
        ax.axis("off")
    figure.tight_layout()
    figure.savefig(Path(__file__).parent / "pictures" / "checkerboard.png", dpi=90)

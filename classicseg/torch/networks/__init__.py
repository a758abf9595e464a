"""The networks of the chapter on deep segmentation, in pure PyTorch, compact enough to be read.

::

from classicseg.torch import networks

    network = networks.build("unet", n_labels=11, width=0.25)
    logits = network(images)  # (B, 3, H, W) -> (B, 11, H, W)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from classicseg import inputs
from classicseg.torch.networks._backbone import LoadReport, load_backbone
from classicseg.torch.networks._base import SegmentationNetwork
from classicseg.torch.networks._base import check_all_pixels as check_all_pixels  # for what holds a network
from classicseg.torch.networks.deeplabv3 import DeepLabv3
from classicseg.torch.networks.fcdensenet import FCDenseNet
from classicseg.torch.networks.fcn import FCN
from classicseg.torch.networks.pspnet import PSPNet
from classicseg.torch.networks.unet import UNet

_BUILDERS: dict[str, Callable[..., SegmentationNetwork]] = {
    "fcn32s": partial(FCN, stride=32),
    "fcn16s": partial(FCN, stride=16),
    "fcn8s": partial(FCN, stride=8),
    "unet": UNet,
    "fcdensenet56": partial(FCDenseNet, n_layers=56),
    "fcdensenet67": partial(FCDenseNet, n_layers=67),
    "fcdensenet103": partial(FCDenseNet, n_layers=103),
    "pspnet50": partial(PSPNet, depth=50),
    "pspnet101": partial(PSPNet, depth=101),
    "deeplabv3_50": partial(DeepLabv3, depth=50),
    "deeplabv3_101": partial(DeepLabv3, depth=101),
    "deeplabv3_cascade_50": partial(DeepLabv3, depth=50, cascade=True),
    "deeplabv3_cascade_101": partial(DeepLabv3, depth=101, cascade=True),
}

NAMES = tuple(_BUILDERS)
"""What :func:`build` can build."""


def build(name: str, n_labels: int, in_channels: int = 3, width: float = 1.0, **options: Any) -> SegmentationNetwork:
    """Build a network by its name, with random weights.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.
    n_labels : int
    in_channels : int
        Of the images: 3 for RGB, 1 for gray.
    width : float
        Factor of the published numbers of channels: 0.25 trains on a laptop.
    **options
        What the class of the network takes besides.

    Returns
    -------
    SegmentationNetwork
        A :class:`torch.nn.Module` from (B, C, H, W) to (B, L, H, W).

    Raises
    ------
    ValueError
        If there is no network of that name or a parameter does not fit.
    TypeError
        If an option does not exist.

    Examples
    --------
    >>> from classicseg.torch import networks
    >>> network = networks.build("unet", n_labels=2, in_channels=1, padding="valid")
    >>> sum(p.numel() for p in network.parameters())
    31030658
    """
    inputs.choice(name, "name", NAMES)
    return _BUILDERS[name](n_labels, in_channels, width, **options)


__all__ = [
    "FCN",
    "NAMES",
    "DeepLabv3",
    "FCDenseNet",
    "LoadReport",
    "PSPNet",
    "SegmentationNetwork",
    "UNet",
    "build",
    "load_backbone",
]

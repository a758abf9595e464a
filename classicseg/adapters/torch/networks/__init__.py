"""The networks of the chapter on deep segmentation, in pure PyTorch, compact enough to be read.

::

    from classicseg.torch import networks

    network = networks.build("unet", n_labels=11, width=0.25)
    logits = network(images)  # (B, 3, H, W) -> (B, 11, H, W)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from classicseg.adapters.torch import _checks
from classicseg.adapters.torch.networks._base import SegmentationNetwork
from classicseg.adapters.torch.networks.unet import UNet

_BUILDERS: dict[str, Callable[..., SegmentationNetwork]] = {
    "unet": UNet,
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
    _checks.choice(name, "name", NAMES)
    return _BUILDERS[name](n_labels, in_channels, width, **options)


__all__ = ["NAMES", "SegmentationNetwork", "UNet", "build"]

"""U-Net: what the way down saw in detail is handed across to the way up."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.torch.networks._base import SegmentationNetwork, crop, initialize

_LEVELS = (64, 128, 256, 512, 1024)
_SMALLEST, _STEP, _LOST = 188, 16, 184  # without padding: sizes 188, 204, ... lose 184 pixels


class UNet(SegmentationNetwork):
    """U-Net of Ronneberger et al. [1]_.

    Parameters
    ----------
    n_labels, in_channels : int
    width : float
        Factor of the published channels 64, 128, 256, 512, 1024.
    padding : {"same", "valid", "mirror"}
        "same" gives logits for every pixel of an image of any size. "valid" is the published network: without
        padding no logit rests on invented pixels, but a border of :attr:`margin` = 92 pixels gets no logits. Sizes
        must then be 188, 204, 220, ...; 572 gives 388. "mirror" is the same network for images of any size, which it
        continues by their mirror image, as published: every pixel gets logits.
    batch_norm : bool, optional
        Batch normalisation after each convolution, which the published network lacks. By default with "same" only.
    dropout : float
        Probability at the lowest level, 0.5 in the published network.

    Raises
    ------
    ValueError
        If a parameter, or later the size of an image, does not fit.

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net: convolutional networks for biomedical image segmentation",
       MICCAI 2015. :arxiv:`1505.04597`

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import networks
    >>> networks.UNet(2, width=1 / 16).eval()(torch.rand(1, 3, 37, 50)).shape
    torch.Size([1, 2, 37, 50])
    >>> networks.UNet(2, in_channels=1, width=1 / 16, padding="valid")(torch.rand(1, 1, 572, 572)).shape
    torch.Size([1, 2, 388, 388])
    """

    def __init__(
        self,
        n_labels: int,
        in_channels: int = 3,
        width: float = 1.0,
        *,
        padding: str = "same",
        batch_norm: bool | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(n_labels, in_channels, width)
        self.padding: str = inputs.choice(padding, "padding", ("same", "valid", "mirror"))
        same = self.padding == "same"
        norm = same if batch_norm is None else batch_norm
        self.minimum_size = {"same": 16, "valid": _SMALLEST, "mirror": 1}[self.padding]
        self.margin = _LOST // 2 if self.padding == "valid" else 0
        self.coarsest = 16 if norm and same else None
        levels = [self.channels(c) for c in _LEVELS]
        pairs = list(itertools.pairwise(levels))
        self.first = _double(self.in_channels, levels[0], same, norm)
        self.down = nn.ModuleList(_double(a, b, same, norm) for a, b in pairs)
        self.dropout = nn.Dropout(inputs.as_probability(dropout, "dropout"))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in reversed(pairs))
        self.join = nn.ModuleList(_double(2 * a, a, same, norm) for a, _ in reversed(pairs))
        self.score = nn.Conv2d(levels[0], self.n_labels, 1)
        initialize(self)

    def check(self, image: Any) -> None:
        """As any network; without padding the sides must be such that every pooling halves them evenly."""
        super().check(image)
        for size in image.shape[2:]:
            if self.padding == "valid" and (size - _SMALLEST) % _STEP:
                below = size - (size - _SMALLEST) % _STEP
                raise InputError(
                    f"image sides must be 188 + 16 k pixels with padding='valid', so that each pooling halves evenly, "
                    f"got {size}; {below} and {below + _STEP} are"
                )

    def _logits(self, image: Tensor) -> Tensor:
        x = self.first(_mirrored(image) if self.padding == "mirror" else image)
        skips = []
        for level in self.down:
            skips.append(x)
            # Rounding up keeps the last row of odd maps; the way up then crops instead of inventing one.
            x = level(F.max_pool2d(x, 2, ceil_mode=True))
        x = self.dropout(x)
        for up, join in zip(self.up, self.join, strict=True):
            x, skip = up(x), skips.pop()
            if self.padding == "same":
                x = crop(x, skip.shape[2:], top=0)
            else:
                skip = crop(skip, x.shape[2:])
            x = join(torch.cat([skip, x], 1))
        logits: Tensor = self.score(x)
        return crop(logits, image.shape[2:], top=0) if self.padding == "mirror" else logits


def _mirrored(image: Tensor) -> Tensor:
    """An image continued on all sides, so far that there are logits for all of it without padding."""
    for axis in (2, 3):
        n = image.shape[axis]
        length = _SMALLEST + _STEP * max(0, math.ceil((n + _LOST - _SMALLEST) / _STEP))
        there_and_back = max(1, 2 * (n - 1))  # the outermost pixels are not repeated
        at = (torch.arange(length, device=image.device) - _LOST // 2) % there_and_back
        image = image.index_select(axis, torch.minimum(at, there_and_back - at))
    return image


def _double(n_in: int, n_out: int, same: bool, norm: bool) -> nn.Sequential:
    """Two 3x3 convolutions, each with ReLU."""
    layers: list[nn.Module] = []
    for n in (n_in, n_out):
        layers.append(nn.Conv2d(n, n_out, 3, padding=int(same), bias=not norm))
        if norm:
            layers.append(nn.BatchNorm2d(n_out))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)

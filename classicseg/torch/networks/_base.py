"""What all networks share: the way from images to logits, channels by width, and layers that several of them have."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.torch import tensors


class SegmentationNetwork(nn.Module):
    """A network from images (B, C, H, W) to logits (B, L, H, W).

    Parameters
    ----------
    n_labels, in_channels : int
    width : float
        Factor of the published numbers of channels.
    """

    published_names: ClassVar[Mapping[str, str]] = {}
    """Layers beside the trunk by the names that they have in torchvision's weights."""
    minimum_size: int = 1
    """Smallest height and width of an image."""
    margin: int = 0
    """Pixels on each side of an image that get no logits."""
    coarsest: int | None = None
    """Pixels of a side of the image for one of the smallest batch-normalised map, 0 if that is a single pixel."""

    def __init__(self, n_labels: int, in_channels: int, width: float) -> None:
        super().__init__()
        self.n_labels = inputs.as_count(n_labels, "n_labels", 1)
        self.in_channels = inputs.as_count(in_channels, "in_channels", 1)
        self.width = inputs.as_positive_number(width, "width")

    def channels(self, published: int) -> int:
        """A published number of channels times the width."""
        return max(1, round(published * self.width))

    def forward(self, image: Tensor) -> Tensor | dict[str, Tensor]:
        """Logits of a batch of images.

        Parameters
        ----------
        image : Tensor, (B, C, H, W)

        Returns
        -------
        Tensor, (B, L, H, W)
            Or what the class says: fewer pixels without padding, a dict of two such tensors with an auxiliary head.

        Raises
        ------
        ValueError, TypeError
            If the shape, the size or the dtype do not fit, or batch normalisation would see one value only.
        """
        self.check(image)
        return self._logits(image)

    def _logits(self, image: Tensor) -> Tensor | dict[str, Tensor]:
        """Logits of images that were checked: each network's own part of :meth:`forward`."""
        raise NotImplementedError

    def check(self, image: Any) -> None:
        """Raise if a batch of images does not suit this network, see :meth:`forward`."""
        tensor = tensors.as_floats(image, "image")
        if tensor.dim() != 4 or tensor.shape[1] != self.in_channels or tensor.shape[0] == 0:
            hint = "; it has no batch axis: image[None] adds one" if tensor.dim() == 3 else ""
            raise InputError(f"image must have shape (B, {self.in_channels}, H, W), got {tuple(tensor.shape)}{hint}")
        height, width = tensor.shape[2:]
        if min(height, width) < self.minimum_size:
            raise InputError(
                f"image must be at least {self.minimum_size}x{self.minimum_size} pixels for {type(self).__name__}, "
                f"got {height}x{width}"
            )
        if self.training and self.coarsest is not None and self._values(tensor) < 2:
            raise InputError(
                f"image must come in batches of at least 2 to train {type(self).__name__} at {height}x{width}: "
                "its batch normalisation would see a single value; use larger images, more of them, or .eval()"
            )

    def _values(self, image: Tensor) -> int:
        """How many values of a channel the smallest map has."""
        n_images, _, height, width = image.shape
        step = self.coarsest
        return n_images * (math.ceil(height / step) * math.ceil(width / step) if step else 1)


def check_all_pixels(model: nn.Module) -> None:
    """Raise if a network gives logits for less than the image, which could only be stretched to its size."""
    margin = max((m.margin for m in model.modules() if isinstance(m, SegmentationNetwork)), default=0)
    if margin:
        raise InputError(
            f"model must give logits for all pixels, but padding='valid' gives none for a margin of {margin} pixels; "
            "padding='mirror' is the same network and does"
        )


def among(value: Any, name: str, options: Collection[int]) -> int:
    """One of a few whole numbers."""
    number = inputs.as_integer(value, name)
    if number not in options:
        *most, last = options
        raise InputError(f"{name} must be {', '.join(map(str, most))} or {last}, got {value!r}")
    return number


def conv_norm_relu(n_in: int, n_out: int, size: int = 3, dilation: int = 1) -> nn.Sequential:
    """A convolution that keeps the size, batch normalisation and ReLU."""
    conv = nn.Conv2d(n_in, n_out, size, padding=dilation * (size // 2), dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))


def enlarge(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear interpolation to `size`."""
    large: Tensor = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    return large


def crop(x: Tensor, size: tuple[int, int], top: int | None = None) -> Tensor:
    """A window of `size` that starts at `top` in both axes, the centre if None."""
    rows, columns = ((n - m) // 2 if top is None else top for n, m in zip(x.shape[2:], size, strict=True))
    return x[:, :, rows : rows + size[0], columns : columns + size[1]]


def initialize(network: nn.Module) -> None:
    """Weights by He et al. 2015, for ReLU; no bias."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)

"""FCN: a classifier made convolutional, its coarse scores enlarged and joined with finer ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classicseg import inputs
from classicseg.torch.networks._base import SegmentationNetwork, among, crop, enlarge, initialize
from classicseg.torch.networks._vgg import VGG16

_PUBLISHED_PADDING = 100  # rows and columns around the image, so that its border has scores
_SKIP_CROPS = {16: 5, 8: 9}  # rows of a skip's border that the published padding made, by its stride
_FINAL_CROPS = {32: 19, 16: 27, 8: 31}


class FCN(SegmentationNetwork):
    """Fully convolutional network of Shelhamer, Long and Darrell [1]_ on VGG16.

    Parameters
    ----------
    n_labels, in_channels : int
    width : float
        Factor of the published channels.
    stride : {32, 16, 8}
        FCN-32s enlarges the scores of the last layer; 16s and 8s first join them with those of earlier ones.
    upsampling : {"transposed", "resize"}
        "transposed" is published: transposed convolutions that begin as bilinear interpolation. Training can make
        their overlaps uneven: checkerboards. "resize" interpolates, then convolves, which cannot [2]_.
    padding : {"same", "published"}
        "published" pads the image by 100 pixels, which is costly for small images; "same" pads the layers instead.
    batch_norm : bool
        In the trunk; VGG16 without it hardly learns from random weights.

    Raises
    ------
    ValueError
        If a parameter, or later the shape of an image, does not fit.

    References
    ----------
    .. [1] E. Shelhamer, J. Long, T. Darrell, "Fully convolutional networks for semantic segmentation", PAMI 2017.
       :arxiv:`1605.06211`
    .. [2] A. Odena, V. Dumoulin, C. Olah, "Deconvolution and checkerboard artifacts", Distill 2016.

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import networks
    >>> networks.FCN(21, width=1 / 32, stride=8)(torch.rand(1, 3, 50, 75)).shape
    torch.Size([1, 21, 50, 75])
    """

    published_names: ClassVar[Mapping[str, str]] = {"classifier.0": "fc6", "classifier.3": "fc7"}

    def __init__(
        self,
        n_labels: int,
        in_channels: int = 3,
        width: float = 1.0,
        *,
        stride: int = 8,
        upsampling: str = "transposed",
        padding: str = "same",
        batch_norm: bool = False,
    ) -> None:
        super().__init__(n_labels, in_channels, width)
        inputs.choice(upsampling, "upsampling", ("transposed", "resize"))
        self.stride = stride = among(stride, "stride", (8, 16, 32))
        self.published: bool = inputs.choice(padding, "padding", ("same", "published")) == "published"
        self.coarsest = 32 if batch_norm and not self.published else None
        first_padding = _PUBLISHED_PADDING if self.published else 1
        self.trunk = VGG16(self.in_channels, self.channels, batch_norm=batch_norm, first_padding=first_padding)
        hidden = self.channels(4096)
        self.fc6 = nn.Conv2d(self.trunk.n_out, hidden, 7, padding=0 if self.published else 3)
        self.fc7 = nn.Conv2d(hidden, hidden, 1)
        self.score = nn.Conv2d(hidden, self.n_labels, 1)
        self.dropout = nn.Dropout()
        skips = [s for s in (16, 8) if s >= stride]
        self.skip_scores = nn.ModuleDict(
            {str(s): nn.Conv2d(self.channels(512 if s == 16 else 256), self.n_labels, 1) for s in skips}
        )
        initialize(self)
        make = BilinearTransposed if upsampling == "transposed" else ResizeConvolution
        self.enlarge_by_two = nn.ModuleList(make(self.n_labels, 2) for _ in skips)
        self.enlarge = make(self.n_labels, stride)

    def _logits(self, image: Tensor) -> Tensor:
        pooled = self.trunk(image)
        x = self.dropout(F.relu(self.fc6(pooled[4]), inplace=True))
        x = self.dropout(F.relu(self.fc7(x), inplace=True))
        x = self.score(x)
        for larger, (stride, scored) in zip(self.enlarge_by_two, self.skip_scores.items(), strict=True):
            skip = scored(pooled[3 if stride == "16" else 2])
            x = larger(x)
            if self.published:
                x = x + crop(skip, x.shape[2:], top=_SKIP_CROPS[int(stride)])
            else:
                x = crop(x, skip.shape[2:], top=larger.border) + skip
        top = _FINAL_CROPS[self.stride] if self.published else self.enlarge.border
        return crop(self.enlarge(x), image.shape[2:], top=top)


class BilinearTransposed(nn.ConvTranspose2d):
    """Transposed convolution from n to f (n + 1) pixels which begins as bilinear interpolation, each label alone.

    Parameters
    ----------
    n_labels, factor : int
    """

    def __init__(self, n_labels: int, factor: int) -> None:
        super().__init__(n_labels, n_labels, 2 * factor, stride=factor, bias=False)
        self.border = factor // 2  # of the result, beyond the n f pixels that the n pixels cover
        ramp = 1 - (torch.arange(2 * factor) + 0.5 - factor).abs() / factor
        with torch.no_grad():
            self.weight.copy_(torch.eye(n_labels)[:, :, None, None] * torch.outer(ramp, ramp))


class ResizeConvolution(nn.Module):
    """Bilinear interpolation from n to f (n + 1) pixels, then a 3x3 convolution which begins as identity.

    Parameters
    ----------
    n_labels, factor : int
    """

    def __init__(self, n_labels: int, factor: int) -> None:
        super().__init__()
        self.factor, self.border = factor, factor // 2
        self.conv = nn.Conv2d(n_labels, n_labels, 3, padding=1, bias=False)
        nn.init.dirac_(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Larger logits, (B, L, factor (h + 1), factor (w + 1))."""
        size = tuple(self.factor * n for n in x.shape[2:])
        y: Tensor = self.conv(enlarge(x, size))
        return F.pad(y, [self.border] * 4, mode="replicate")

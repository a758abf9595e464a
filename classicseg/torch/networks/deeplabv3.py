"""DeepLabv3: dilated convolutions see far without losing resolution, one after another or side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from classicseg.torch.networks._base import among, conv_norm_relu, initialize
from classicseg.torch.networks._dilated import DilatedNetwork, auxiliary_head
from classicseg.torch.networks._resnet import ResNet, stage

_RATES = (6, 12, 18)  # at output stride 16, in its pixels
_N_CASCADED = 3  # stages after the trunk, as published


class DeepLabv3(DilatedNetwork):
    """DeepLabv3 of Chen et al. [1]_, in both of its forms.

    Parameters
    ----------
    n_labels, in_channels : int
    width : float
        Factor of the published channels.
    depth : {50, 101}
        Of the ResNet.
    cascade : bool
        True: three copies of the last stage behind it, with dilations that double. False: atrous spatial pyramid
        pooling, dilated convolutions side by side and the mean of the image.
    output_stride : {8, 16}
        Published: 16 to train, 8 to test.
    multi_grid : sequence of 3 ints, optional
        Factors of the dilations within each of the last stages; published best are (1, 2, 4) for the pyramid, the
        default, and (1, 2, 1) for the cascade.
    aux : bool
        Logits of the third stage too, in training: the result is then a dict ``{"out", "aux"}``.
    extra_conv : bool
        One more 3x3 convolution before the logits of the pyramid, which torchvision has and the paper lacks.

    Raises
    ------
    ValueError
        If a parameter, or later the shape of an image, does not fit.

    References
    ----------
    .. [1] L.-C. Chen, G. Papandreou, F. Schroff, H. Adam, "Rethinking atrous convolution for semantic image
       segmentation", 2017. :arxiv:`1706.05587`

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import networks
    >>> networks.DeepLabv3(21, width=1 / 16).eval()(torch.rand(1, 3, 50, 75)).shape
    torch.Size([1, 21, 50, 75])
    """

    def __init__(
        self,
        n_labels: int,
        in_channels: int = 3,
        width: float = 1.0,
        *,
        depth: int = 50,
        cascade: bool = False,
        output_stride: int = 16,
        multi_grid: Sequence[int] | None = None,
        aux: bool = False,
        extra_conv: bool = False,
    ) -> None:
        super().__init__(n_labels, in_channels, width)
        output_stride = among(output_stride, "output_stride", (8, 16))
        self.coarsest = output_stride if cascade else 0
        grid = ((1, 2, 1) if cascade else (1, 2, 4)) if multi_grid is None else multi_grid
        self.trunk = ResNet(depth, self.in_channels, self.channels, output_stride, grid)
        n, hidden = self.trunk.n_out, self.channels(256)
        if cascade:
            rates = [self.trunk.dilation * 2 ** (1 + i) for i in range(_N_CASCADED)]
            self.context = nn.Sequential(
                *(stage(n, self.trunk.planes, 1, [rate * factor for factor in grid]) for rate in rates)
            )
            self.head = nn.Conv2d(n, self.n_labels, 1)
        else:
            self.context = AtrousPyramid(n, hidden, [rate * 16 // output_stride for rate in _RATES])
            extra = [conv_norm_relu(hidden, hidden)] if extra_conv else []
            self.head = nn.Sequential(*extra, nn.Conv2d(hidden, self.n_labels, 1))
        self.aux_head = auxiliary_head(self.trunk.n_middle, hidden, self.n_labels) if aux else None
        initialize(self)

    def _decode(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.context(x))
        return logits


class AtrousPyramid(nn.Module):
    """Atrous spatial pyramid pooling: a 1x1 convolution, dilated 3x3 ones and the mean of the image, joined."""

    def __init__(self, n_in: int, n_out: int, rates: Sequence[int]) -> None:
        super().__init__()
        dilated = [conv_norm_relu(n_in, n_out, 3, rate) for rate in rates]
        self.branches = nn.ModuleList([conv_norm_relu(n_in, n_out, 1), *dilated])
        self.of_image = conv_norm_relu(n_in, n_out, 1)
        self.project = nn.Sequential(conv_norm_relu((len(rates) + 2) * n_out, n_out, 1), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Features of what is around each pixel, (B, n_out, h, w)."""
        mean = self.of_image(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])
        result: Tensor = self.project(torch.cat([*(branch(x) for branch in self.branches), mean], 1))
        return result

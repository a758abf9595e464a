"""DeepLabv3: dilated convolutions see far without losing resolution, one after another or side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

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
        8 is that of torchvision's weights; the paper has 16 to train and 8 to test.
    multi_grid : sequence of 3 ints, optional
        Factors of the dilations within each of the last stages. By default (1, 1, 1) for the pyramid, as torchvision
        has it, and (1, 2, 1) for the cascade; best in the paper are (1, 2, 4) and (1, 2, 1).
    aux : bool
        Logits of the third stage too, in training: the result is then a dict ``{"out", "aux"}``.
    extra_conv : bool
        One more 3x3 convolution before the logits of the pyramid, which torchvision has and the paper lacks.
    uniform_dilation : bool
        Whether the first block of a dilated stage has the dilation of the others, instead of that of the stage before.

    Raises
    ------
    ValueError
        If a parameter, or later the shape of an image, does not fit.

    Notes
    -----
    With its defaults the pyramid is torchvision's network: its weights load by :func:`load_backbone`, heads included,
    and compute the same.

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

    published_names: ClassVar[Mapping[str, str]] = {
        **DilatedNetwork.published_names,
        **{f"classifier.0.convs.{i}.{part}": f"context.branches.{i}.{part}" for i in range(4) for part in (0, 1)},
        **{f"classifier.0.convs.4.{part + 1}": f"context.of_image.{part}" for part in (0, 1)},
        **{f"classifier.0.project.{part}": f"context.project.0.{part}" for part in (0, 1)},
        **{f"classifier.{part + 1}": f"head.0.{part}" for part in (0, 1)},
        "classifier.4": "head.1",
    }

    def __init__(
        self,
        n_labels: int,
        in_channels: int = 3,
        width: float = 1.0,
        *,
        depth: int = 50,
        cascade: bool = False,
        output_stride: int = 8,
        multi_grid: Sequence[int] | None = None,
        aux: bool = False,
        extra_conv: bool = True,
        uniform_dilation: bool = False,
    ) -> None:
        super().__init__(n_labels, in_channels, width)
        output_stride = among(output_stride, "output_stride", (8, 16))
        self.coarsest = output_stride if cascade else 0
        grid = ((1, 2, 1) if cascade else (1, 1, 1)) if multi_grid is None else multi_grid
        self.trunk = ResNet(
            depth, self.in_channels, self.channels, output_stride, grid, uniform_dilation=uniform_dilation
        )
        n, hidden = self.trunk.n_out, self.channels(256)
        if cascade:
            rates = [self.trunk.dilation * 2 ** (1 + i) for i in range(_N_CASCADED)]
            firsts = [rate if uniform_dilation else rate // 2 for rate in rates]
            self.context = nn.Sequential(
                *(
                    stage(n, self.trunk.planes, 1, [first * grid[0], *(rate * factor for factor in grid[1:])])
                    for first, rate in zip(firsts, rates, strict=True)
                )
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

"""PSPNet: what the whole image looks like, in four sizes of cells, told to every pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classicseg.torch.networks._base import conv_norm_relu, enlarge, initialize
from classicseg.torch.networks._dilated import DilatedNetwork, auxiliary_head
from classicseg.torch.networks._resnet import ResNet

_BINS = (1, 2, 3, 6)


class PSPNet(DilatedNetwork):
    """Pyramid scene parsing network of Zhao et al. [1]_.

    Parameters
    ----------
    n_labels, in_channels : int
    width : float
        Factor of the published channels.
    depth : {50, 101}
        Of the ResNet.
    output_stride : {8, 16, 32}
        8 is published.
    aux : bool
        Logits of the third stage too, in training: the result is then a dict ``{"out", "aux"}``. Published weight of
        their loss: 0.4.
    deep_stem : bool
        Three 3x3 convolutions first, as in the published trunk, instead of the 7x7 of other ResNets.
    uniform_dilation : bool
        Whether the first block of a dilated stage has the dilation of the others, instead of that of the stage before.

    Raises
    ------
    ValueError
        If a parameter, or later the shape of an image, does not fit.

    References
    ----------
    .. [1] H. Zhao, J. Shi, X. Qi, X. Wang, J. Jia, "Pyramid scene parsing network", CVPR 2017. :arxiv:`1612.01105`

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import networks
    >>> network = networks.PSPNet(21, width=1 / 16, aux=True)
    >>> {name: tuple(logits.shape) for name, logits in network(torch.rand(2, 3, 50, 75)).items()}
    {'out': (2, 21, 50, 75), 'aux': (2, 21, 50, 75)}
    >>> network.eval()(torch.rand(2, 3, 50, 75)).shape
    torch.Size([2, 21, 50, 75])
    """

    coarsest = 0

    def __init__(
        self,
        n_labels: int,
        in_channels: int = 3,
        width: float = 1.0,
        *,
        depth: int = 50,
        output_stride: int = 8,
        aux: bool = False,
        deep_stem: bool = False,
        uniform_dilation: bool = False,
    ) -> None:
        super().__init__(n_labels, in_channels, width)
        self.trunk = ResNet(
            depth,
            self.in_channels,
            self.channels,
            output_stride,
            deep_stem=deep_stem,
            uniform_dilation=uniform_dilation,
        )
        n, pooled, hidden = self.trunk.n_out, self.channels(512), self.channels(512)
        self.pyramid = nn.ModuleList(conv_norm_relu(n, pooled, 1) for _ in _BINS)
        self.head = nn.Sequential(
            conv_norm_relu(n + len(_BINS) * pooled, hidden), nn.Dropout(0.1), nn.Conv2d(hidden, self.n_labels, 1)
        )
        self.aux_head = auxiliary_head(self.trunk.n_middle, self.channels(256), self.n_labels) if aux else None
        initialize(self)

    def _decode(self, x: Tensor) -> Tensor:
        cells = [
            enlarge(conv(F.adaptive_avg_pool2d(x, n)), x.shape[2:]) for conv, n in zip(self.pyramid, _BINS, strict=True)
        ]
        logits: Tensor = self.head(torch.cat([x, *cells], 1))
        return logits

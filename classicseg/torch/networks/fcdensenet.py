"""FC-DenseNet, the Tiramisu: a U-Net whose layers each add a few maps to all that came before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from classicseg import inputs
from classicseg.torch.networks._base import SegmentationNetwork, among, crop, initialize

_FIRST = 48  # maps of the first convolution, as published
_VARIANTS = {  # maps that a layer adds; layers of the blocks down, at the bottom, and up
    56: (12, (4,) * 5, 4, (4,) * 5),
    67: (16, (5,) * 5, 5, (5,) * 5),
    103: (16, (4, 5, 7, 10, 12), 15, (12, 10, 7, 5, 4)),
}


class FCDenseNet(SegmentationNetwork):
    """FC-DenseNet of Jégou et al. [1]_.

    Parameters
    ----------
    n_labels, in_channels : int
    width : float
        Factor of the published numbers of maps: 48 at first, 12 or 16 more by each layer.
    n_layers : {56, 67, 103}
        Which of the published networks; the number counts their convolutions.
    dropout : float
        Probability after each convolution.
    checkpointing : bool
        Compute the layers again in the backward pass instead of keeping their inputs, of which concatenation makes
        many: the same gradients, less memory, more time.

    Raises
    ------
    ValueError
        If a parameter, or later the shape of an image, does not fit.

    References
    ----------
    .. [1] S. Jégou, M. Drozdzal, D. Vazquez, A. Romero, Y. Bengio, "The one hundred layers tiramisu: fully
       convolutional DenseNets for semantic segmentation", CVPR workshops 2017. :arxiv:`1611.09326`

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import networks
    >>> networks.FCDenseNet(11, width=1 / 4, n_layers=56)(torch.rand(2, 3, 50, 75)).shape
    torch.Size([2, 11, 50, 75])
    """

    minimum_size = 32
    coarsest = 32

    def __init__(
        self,
        n_labels: int,
        in_channels: int = 3,
        width: float = 1.0,
        *,
        n_layers: int = 103,
        dropout: float = 0.2,
        checkpointing: bool = False,
    ) -> None:
        super().__init__(n_labels, in_channels, width)
        inputs.as_probability(dropout, "dropout")
        growth, down, bottom, up = _VARIANTS[among(n_layers, "n_layers", _VARIANTS)]
        k = self.channels(growth)
        n = self.channels(_FIRST)
        self.first = nn.Conv2d(self.in_channels, n, 3, padding=1)
        self.down_blocks, self.downs, skips = nn.ModuleList(), nn.ModuleList(), []
        for layers in down:
            self.down_blocks.append(DenseBlock(n, k, layers, dropout, checkpointing))
            n += k * layers
            skips.append(n)
            self.downs.append(_Layer(n, n, 1, dropout))
        self.bottom = DenseBlock(n, k, bottom, dropout, checkpointing)
        self.ups, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        new = k * bottom
        for layers in up:
            # Only what the block below has added goes up: all of it would double with each level.
            self.ups.append(nn.ConvTranspose2d(new, new, 3, stride=2))
            n = new + skips.pop()
            self.up_blocks.append(DenseBlock(n, k, layers, dropout, checkpointing))
            new = k * layers
        self.score = nn.Conv2d(n + new, self.n_labels, 1)
        initialize(self)

    def _logits(self, image: Tensor) -> Tensor:
        x, skips = self.first(image), []
        for block, down in zip(self.down_blocks, self.downs, strict=True):
            x = torch.cat([x, *block(x)], 1)
            skips.append(x)
            x = F.max_pool2d(down(x), 2, ceil_mode=True)
        new = self.bottom(x)
        for up, block in zip(self.ups, self.up_blocks, strict=True):
            skip = skips.pop()
            x = torch.cat([crop(up(torch.cat(new, 1)), skip.shape[2:]), skip], 1)
            new = block(x)
        logits: Tensor = self.score(torch.cat([x, *new], 1))
        return logits


class DenseBlock(nn.Module):
    """Layers that each see all maps before them and add `growth` more; returns what was added, layer by layer."""

    def __init__(self, n_in: int, growth: int, n_layers: int, dropout: float, checkpointing: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(n_in + i * growth, growth, 3, dropout) for i in range(n_layers))
        self.checkpointing = checkpointing

    def forward(self, x: Tensor) -> list[Tensor]:
        """New maps, a tensor (B, growth, h, w) for each layer."""
        maps = [x]
        for layer in self.layers:
            if self.checkpointing and torch.is_grad_enabled():
                maps.append(checkpoint(layer, *maps, use_reentrant=False, context_fn=layer.twice))
            else:
                maps.append(layer(*maps))
        return maps[1:]


class _Layer(nn.Sequential):
    """Batch normalisation, ReLU, convolution and dropout of concatenated maps."""

    def __init__(self, n_in: int, n_out: int, size: int, dropout: float) -> None:
        conv = nn.Conv2d(n_in, n_out, size, padding=size // 2)
        super().__init__(nn.BatchNorm2d(n_in), nn.ReLU(inplace=True), conv, nn.Dropout2d(dropout))
        self.n_in, self.n_out = n_in, n_out

    def forward(self, *maps: Tensor) -> Tensor:
        result: Tensor = super().forward(torch.cat(maps, 1))
        return result

    def twice(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """What holds while the layer is computed first, and while it is computed again."""
        return nullcontext(), self._without_statistics()

    @contextmanager
    def _without_statistics(self) -> Iterator[None]:
        """The second pass over the same maps must not count twice in the running means."""
        norm = self[0]
        momentum, seen = norm.momentum, norm.num_batches_tracked.clone()
        norm.momentum = 0.0
        try:
            yield
        finally:
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(seen)

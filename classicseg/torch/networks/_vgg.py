"""VGG16 as a trunk. Names of the parameters are those of torchvision, whose weights load."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VGG16(nn.Module):
    """The thirteen 3x3 convolutions of VGG16 in five stages, each of which ends with a pooling by two.

    Parameters
    ----------
    in_channels : int
    channels : callable
        Published number of channels to that of this trunk.
    batch_norm : bool
        Batch normalisation after each convolution, for training from nothing.
    first_padding : int
        Of the first convolution: 100 in the published FCN.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Callable[[int], int],
        *,
        batch_norm: bool = False,
        first_padding: int = 1,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_in = in_channels
        for stage in _STAGES:
            for published in stage:
                n_out = channels(published)
                layers.append(nn.Conv2d(n_in, n_out, 3, padding=1 if layers else first_padding))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(n_out))
                layers.append(nn.ReLU(inplace=True))
                n_in = n_out
            layers.append(nn.MaxPool2d(2, ceil_mode=True))  # no row of odd maps is lost
        self.features = nn.Sequential(*layers)
        self.n_out = n_in

    def forward(self, image: Tensor) -> list[Tensor]:
        """What each of the five poolings gives: strides 2, 4, 8, 16 and 32."""
        x, pooled = image, []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                pooled.append(x)
        return pooled

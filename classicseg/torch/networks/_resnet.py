"""ResNet-50 and -101 as a trunk with dilation instead of the last strides, so that maps stay large.

Names of the parameters are those of torchvision, whose weights load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.torch.networks._base import among, initialize

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_STEM, _PLANES, EXPANSION = 64, (64, 128, 256, 512), 4


class Bottleneck(nn.Module):
    """1x1 convolution to few channels, 3x3 among them, 1x1 to many, and what came in added (He et al. 2016)."""

    def __init__(self, n_in: int, planes: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        n_out = EXPANSION * planes
        self.conv1, self.bn1 = nn.Conv2d(n_in, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, n_out, 1, bias=False), nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride > 1 or n_in != n_out:
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        result: Tensor = self.relu(y)
        return result


def stage(n_in: int, planes: int, stride: int, dilations: Sequence[int]) -> nn.Sequential:
    """Bottlenecks in a row, one for each dilation; the first has the stride."""
    blocks = [Bottleneck(n_in, planes, stride, dilations[0])]
    blocks += [Bottleneck(EXPANSION * planes, planes, 1, d) for d in dilations[1:]]
    return nn.Sequential(*blocks)


class ResNet(nn.Module):
    """Trunk of PSPNet and DeepLabv3.

    Parameters
    ----------
    depth : {50, 101}
    in_channels : int
    channels : callable
        Published number of channels to that of this trunk.
    output_stride : {8, 16, 32}
        Pixels of the image per pixel of the result: strides beyond it become dilations.
    multi_grid : sequence of 3 ints
        Factors of the dilations within the last stage.
    deep_stem : bool
        Three 3x3 convolutions at the beginning, as in PSPNet's own trunk, instead of one of 7x7.
    uniform_dilation : bool
        Whether the first block of a stage whose stride became a dilation has that dilation too. By default it has the
        dilation of the stage before, as in torchvision: then the trunk computes, at a finer grid, what the classifier
        with its strides computes, and weights of classifiers mean the same.
    """

    def __init__(
        self,
        depth: int,
        in_channels: int,
        channels: Callable[[int], int],
        output_stride: int = 8,
        multi_grid: Sequence[int] = (1, 1, 1),
        *,
        deep_stem: bool = False,
        uniform_dilation: bool = False,
    ) -> None:
        super().__init__()
        depth = among(depth, "depth", DEPTHS)
        output_stride = among(output_stride, "output_stride", (8, 16, 32))
        if len(multi_grid) != DEPTHS[depth][-1]:
            raise InputError(f"multi_grid must be {DEPTHS[depth][-1]} whole numbers, got {multi_grid!r}")
        grid = [inputs.as_count(factor, "multi_grid", 1) for factor in multi_grid]
        stem = channels(_STEM)
        self.n_convs = 3 if deep_stem else 1
        if deep_stem:
            self.conv1 = nn.Conv2d(in_channels, stem, 3, 2, padding=1, bias=False)
            self.conv2 = nn.Conv2d(stem, stem, 3, padding=1, bias=False)
            self.conv3 = nn.Conv2d(stem, 2 * stem, 3, padding=1, bias=False)
            self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(stem), nn.BatchNorm2d(stem), nn.BatchNorm2d(2 * stem)
        else:
            self.conv1 = nn.Conv2d(in_channels, stem, 7, 2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)

        n_in, reached, dilation = 2 * stem if deep_stem else stem, 4, 1
        stages = []
        for index, (published, n_blocks) in enumerate(zip(_PLANES, DEPTHS[depth], strict=True)):
            stride, before = 1 if index == 0 else 2, dilation
            if reached * stride > output_stride:  # the map stays; its neighbours move apart instead
                dilation, stride = dilation * stride, 1
            reached *= stride
            dilations = [dilation * factor for factor in grid] if index == 3 else [dilation] * n_blocks
            if not uniform_dilation:
                dilations[0] = dilations[0] // dilation * before
            planes = channels(published)
            stages.append(stage(n_in, planes, stride, dilations))
            n_in = EXPANSION * planes
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.planes, self.dilation = planes, dilation
        self.n_middle, self.n_out = EXPANSION * channels(_PLANES[2]), n_in
        initialize(self)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the third stage, for auxiliary logits, and of the fourth."""
        x = self.relu(self.bn1(self.conv1(image)))
        if self.n_convs == 3:
            x = self.relu(self.bn3(self.conv3(self.relu(self.bn2(self.conv2(x))))))
        middle = self.layer3(self.layer2(self.layer1(self.maxpool(x))))
        return middle, self.layer4(middle)

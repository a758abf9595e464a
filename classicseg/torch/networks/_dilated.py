"""What PSPNet and DeepLabv3 share: a dilated ResNet, coarse logits of its last map, enlarged, and an auxiliary head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from classicseg.torch.networks._base import SegmentationNetwork, conv_norm_relu, enlarge
from classicseg.torch.networks._resnet import ResNet


class DilatedNetwork(SegmentationNetwork):
    """A network whose class says only what comes between the last map of its trunk and coarse logits."""

    trunk: ResNet
    aux_head: nn.Module | None
    published_names: ClassVar[Mapping[str, str]] = {
        "aux_classifier.0": "aux_head.0.0",
        "aux_classifier.1": "aux_head.0.1",
        "aux_classifier.4": "aux_head.2",
    }

    def _decode(self, x: Tensor) -> Tensor:
        """Logits (B, L, h, w) of the last map of the trunk."""
        raise NotImplementedError

    def _logits(self, image: Tensor) -> Tensor | dict[str, Tensor]:
        size = image.shape[2:]
        middle, x = self.trunk(image)
        out = enlarge(self._decode(x), size)
        if self.training and self.aux_head is not None:
            return {"out": out, "aux": enlarge(self.aux_head(middle), size)}
        return out


def auxiliary_head(n_in: int, n_hidden: int, n_labels: int) -> nn.Sequential:
    """Logits from the middle of a trunk: a second loss there helps a deep network to start."""
    return nn.Sequential(conv_norm_relu(n_in, n_hidden), nn.Dropout(0.1), nn.Conv2d(n_hidden, n_labels, 1))

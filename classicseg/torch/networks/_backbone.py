"""Weights of a classifier for the trunk of a network, and an honest account of which fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from classicseg.errors import InputError, InputTypeError

_PREFIXES = ("module.", "backbone.", "trunk.", "encoder.")
_VGG_CLASSIFIER = {"classifier.0": "fc6", "classifier.3": "fc7"}


@dataclass(frozen=True)
class LoadReport:
    """What :func:`load_backbone` did with each weight.

    Attributes
    ----------
    loaded : list of str
        Names, in the network, of what was loaded.
    missing : list of str
        Names, in the network's trunk, of what the weights do not have; they stay as they were.
    unexpected : list of str
        Names, in the weights, of what the network has no place for, such as the last layer of a classifier.
    mismatched : dict of str to (shape of the weights, shape in the network)
        Of the same name but not of the same shape; not loaded.
    """

    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)

    def __str__(self) -> str:
        """Counts and names in a few lines."""
        lines = [f"{len(self.loaded)} weights loaded"]
        lines += [f"missing: {', '.join(self.missing)}"] if self.missing else []
        lines += [f"unexpected: {', '.join(self.unexpected)}"] if self.unexpected else []
        lines += [f"{name}: shape {theirs}, {ours} needed" for name, (theirs, ours) in self.mismatched.items()]
        return "\n".join(lines)


def load_backbone(network: nn.Module, state_dict: Mapping[str, Any]) -> LoadReport:
    """Load weights of a ResNet-50, ResNet-101 or VGG16, named as torchvision names them, into a network's trunk.

    What does not fit is left out and reported. The first two layers of VGG16's classifier become those of an FCN.

    Parameters
    ----------
    network : SegmentationNetwork
        An FCN, PSPNet or DeepLabv3.
    state_dict : mapping of str to Tensor
        Prefixes such as ``backbone.`` are taken off.

    Returns
    -------
    LoadReport

    Raises
    ------
    ValueError
        If the network has no such trunk or nothing fits.
    TypeError
        If the weights are not a mapping of tensors.

    Examples
    --------
    >>> from classicseg.torch import networks
    >>> network, other = networks.PSPNet(21, width=1 / 16), networks.PSPNet(2, in_channels=1, width=1 / 16)
    >>> print(networks.load_backbone(network, {"fc.bias": other.head[2].bias, **other.trunk.state_dict()}))
    317 weights loaded
    unexpected: fc.bias
    conv1.weight: shape (4, 1, 7, 7), (4, 3, 7, 7) needed
    """
    trunk = getattr(network, "trunk", None)
    if not isinstance(trunk, nn.Module):
        raise InputError(f"network must have a trunk of ResNet or VGG16, got {type(network).__name__}")
    if not isinstance(state_dict, Mapping) or not all(isinstance(v, Tensor) for v in state_dict.values()):
        raise InputTypeError(f"state_dict must be a mapping of names to tensors, got {type(state_dict).__name__}")
    places = dict(trunk.state_dict(keep_vars=True))
    for name in _VGG_CLASSIFIER.values():
        layer = getattr(network, name, None)
        places.update(
            {f"{name}.{key}": value for key, value in layer.state_dict(keep_vars=True).items()} if layer else {}
        )
    report = LoadReport()
    seen = set()
    with torch.no_grad():
        for key, value in state_dict.items():
            name = _name(key)
            place = places.get(name)
            if place is None:
                report.unexpected.append(key)
                continue
            seen.add(name)
            fits = value.shape == place.shape or (name.startswith("fc") and value.numel() == place.numel())
            if fits:
                place.copy_(value.reshape(place.shape))
                report.loaded.append(name)
            else:
                report.mismatched[name] = (tuple(value.shape), tuple(place.shape))
    report.missing.extend(name for name in places if name not in seen and not name.endswith("num_batches_tracked"))
    if not report.loaded:
        raise InputError(f"state_dict must hold weights of the trunk, such as {next(iter(places))!r}, got\n{report}")
    return report


def _name(key: str) -> str:
    """The name of a weight in a trunk, or beside it for the classifier of VGG16."""
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    layer, _, kind = key.rpartition(".")
    return f"{_VGG_CLASSIFIER[layer]}.{kind}" if layer in _VGG_CLASSIFIER else key

"""Weights of a classifier for the trunk of a network, and an honest account of which fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from classicseg.errors import InputError, InputTypeError
from classicseg.torch.networks._base import SegmentationNetwork

_PREFIXES = ("module.", "backbone.", "trunk.", "encoder.")


@dataclass(frozen=True)
class LoadReport:
    """What :func:`load_backbone` did with each weight.

    Attributes
    ----------
    loaded : list of str
        Names, in the network or its trunk, of what was loaded.
    missing : list of str
        Names, in the network's trunk, of what the weights do not have; they stay as they were. If they have heads,
        names of what is missing there as well.
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


def load_backbone(network: nn.Module, state_dict: Mapping[str, Any], *, strict: bool = False) -> LoadReport:
    """Load weights of a ResNet-50, ResNet-101, VGG16 or DeepLabv3 of torchvision into a network.

    What does not fit is left out and reported. The first two layers of VGG16's classifier become those of an FCN. The
    weights may also be those of torchvision's DeepLabv3, whose heads a DeepLabv3 has places for as well.

    Parameters
    ----------
    network : SegmentationNetwork
        An FCN, PSPNet or DeepLabv3.
    state_dict : mapping of str to Tensor
        Prefixes such as ``backbone.`` are taken off.
    strict : bool
        Load all of the trunk, or nothing. What is unexpected may still be there, such as the last layer of a
        classifier, but no layers of a trunk that this network has not.

    Returns
    -------
    LoadReport

    Raises
    ------
    ValueError
        If the network has no such trunk or nothing fits, or not all does and it must.
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
    if not isinstance(network, SegmentationNetwork) or not isinstance(trunk, nn.Module):
        raise InputError(f"network must have a trunk of ResNet or VGG16, got {type(network).__name__}")
    if not isinstance(state_dict, Mapping):
        raise InputTypeError(f"state_dict must be a mapping of names to tensors, got {type(state_dict).__name__}")
    others = [f"{name!r}: {type(x).__name__}" for name, x in state_dict.items() if not isinstance(x, Tensor)]
    if others:
        raise InputTypeError(f"state_dict must be a mapping of names to tensors, got one with {others[0]}")
    beside = set(network.published_names.values())
    heads = {name: place for name, place in network.state_dict(keep_vars=True).items() if _layer(name) in beside}
    places = {**trunk.state_dict(keep_vars=True), **heads}
    report = LoadReport()
    fitting: dict[str, Tensor] = {}
    for key, value in state_dict.items():
        name = _name(key, network.published_names)
        place = places.get(name)
        if place is None:
            report.unexpected.append(key)
        elif value.shape == place.shape or (name.startswith("fc") and value.numel() == place.numel()):
            fitting[name] = value.reshape(place.shape)
        else:
            report.mismatched[name] = (tuple(value.shape), tuple(place.shape))
    report.loaded.extend(fitting)
    seen = fitting.keys() | report.mismatched.keys()
    looked_for = places if seen & heads.keys() else places.keys() - heads.keys()
    report.missing.extend(
        name for name in places if name in looked_for and name not in seen and _kind(name) != "num_batches_tracked"
    )
    if strict:
        _check_whole(report, trunk, heads)
    if not report.loaded:
        raise InputError(f"state_dict must hold weights of the trunk, such as {next(iter(places))!r}, got\n{report}")
    with torch.no_grad():
        for name, value in fitting.items():
            places[name].copy_(value)
    return report


def _check_whole(report: LoadReport, trunk: nn.Module, heads: Mapping[str, Tensor]) -> None:
    """Raise an error, in one line, if the weights are not those of the whole trunk, and of no larger one."""
    stages = {name for name, _ in trunk.named_children()}
    faults = [f"{name} has shape {theirs}, needed is {ours}" for name, (theirs, ours) in report.mismatched.items()
              if name not in heads]  # fmt: skip
    faults += [f"{name} is missing" for name in report.missing if name not in heads]
    faults += [f"{name} has no place" for name in report.unexpected if _name(name, {}).partition(".")[0] in stages]
    if faults:
        hint = "; width=1 has the published shapes" if any(" has shape " in fault for fault in faults) else ""
        more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        raise InputError(f"state_dict must hold all weights of the trunk and of no other: {faults[0]}{more}{hint}")


def _name(key: str, published: Mapping[str, str]) -> str:
    """The name of a weight in a trunk, or in the network if it lies beside the trunk."""
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    layer = published.get(_layer(key))
    return key if layer is None else f"{layer}.{_kind(key)}"


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _kind(name: str) -> str:
    return name.rpartition(".")[2]

"""What makes two trainings the same: a checkpoint goes on only where it came from."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from classicseg.errors import InputError
from classicseg.torch.kernels import PairwiseKernel
from classicseg.torch.train.dataset import Survey
from classicseg.torch.train.model import Model
from classicseg.torch.train.settings import Settings, plain

_MAY_CHANGE = (
    "amp",
    "channels_last",
    "compile",
    "n_epochs",
    "n_workers",
    "patience",
)  # how exactly, how long, how fast

_LONG = 80  # letters of losses; names are shorter


def identity_of(
    model: nn.Module,
    classes: tuple[str, ...],
    loss: str | Callable[..., Any],
    settings: Settings,
    data: Survey,
    validation: Survey | None,
) -> dict[str, Any]:
    """What must be the same for a checkpoint to be of this training, as plain values.

    Precision and the number of epochs may change, as the device may. A loss that is a function is known by its name
    only, and random initial weights do not count.
    """
    found: dict[str, Any] = {name: value for name, value in plain(settings).items() if name not in _MAY_CHANGE}
    size = model.size if isinstance(model, Model) else None
    found |= {"classes": list(classes), "size": None if size is None else list(size), "loss": _name_of(loss)}
    found |= {f"{what} of the data": digest for what, digest in data.digests.items()}
    empty = dict.fromkeys(data.digests, "none")
    found |= {
        f"{what} of the validation set": digest
        for what, digest in (empty if validation is None else validation.digests).items()
    }
    start = model.origin if isinstance(model, Model) else None
    return found | {"network": _recipe_of(model), "initial weights": start}


def check_same(here: Mapping[str, Any], there: Mapping[str, Any], path: Path) -> None:
    """Raise an error that names what of a checkpoint is of another training."""
    different = [name for name in here if here[name] != there.get(name)]
    if not different:
        return
    name = different[0]
    if name == "network":
        reason = "the network is built in another way"
    elif " of the " in name or name == "initial weights":
        reason = f"the {name} are others"
    elif name == "loss" and len(f"{here[name]}{there.get(name)}") > _LONG:
        reason = "the loss is another, or has other numbers"
    else:
        reason = f"{name} is {there.get(name)!r} there and {here[name]!r} here"
    raise InputError(f"{path} is the checkpoint of another training: {reason}; delete it or name another file")


def check_fixed(model: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Raise an error if what a model does not learn, such as a fixed sigma, has other values in a checkpoint."""
    fixed = {name: x for name, x in model.named_parameters() if not x.requires_grad}
    for place, module in model.named_modules():
        if isinstance(module, PairwiseKernel):
            fixed |= {f"{place}.{name}": x for name, x in module.named_buffers()}
    for name, x in fixed.items():
        if not x.detach().cpu().equal(state[name].cpu()):
            raise InputError(f"{path} is the checkpoint of another model: {name}, which is fixed, is another there")


def _recipe_of(model: nn.Module) -> str:
    """A digest of how a model is built; not of what it learns, which the ``repr`` of a kernel shows."""
    lines = [
        f"{name} {type(module).__name__} {'' if isinstance(module, PairwiseKernel) else module.extra_repr()}"
        for name, module in model.named_modules()
    ]
    lines += [
        f"{name} {module.recipe} {module.mean.flatten().tolist()} {module.std.flatten().tolist()}"
        for name, module in model.named_modules()
        if isinstance(module, Model)
    ]
    return _digest("\n".join(lines).encode())


def _name_of(loss: Any) -> str:
    if isinstance(loss, str):
        return loss
    if isinstance(loss, functools.partial):
        return f"{_name_of(loss.func)} with {loss.args!r} and {sorted(loss.keywords.items())!r}"
    if isinstance(loss, nn.Module):
        simple = {
            (place, name): value
            for place, module in loss.named_modules()
            for name, value in vars(module).items()
            if isinstance(value, int | float | str | list | tuple) and name != "training"
        }
        state = b"".join(name.encode() + x.detach().cpu().numpy().tobytes() for name, x in loss.state_dict().items())
        return f"{loss!r} {sorted(simple.items())!r} {_digest(state)}"
    return f"{getattr(loss, '__module__', '')}.{getattr(loss, '__qualname__', type(loss).__qualname__)}"


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()

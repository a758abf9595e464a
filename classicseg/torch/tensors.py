"""The gate for tensors: what :mod:`classicseg.inputs` is for arrays.

Tensors stay on their device and in the graph of their gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.weak import WeakIdKeyDictionary

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError

_MODES = {3: "linear", 4: "bilinear", 5: "trilinear"}


def as_floats(tensor: Any, name: str) -> Tensor:
    """A floating point tensor."""
    if not isinstance(tensor, Tensor):
        raise InputTypeError(f"{name} must be a torch.Tensor, got {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise InputTypeError(f"{name} must hold floating point numbers, got dtype {tensor.dtype}")
    return tensor


def as_logits(logits: Any, n_labels: int | None = None, *, name: str = "logits", at_least: int = 2) -> Tensor:
    """A floating point (B, L, *spatial) tensor with L >= 2, or 1 where one channel will do."""
    tensor = as_floats(logits, name)
    if tensor.dim() < 3:
        raise InputError(f"{name} must have shape (B, L, *spatial), got {tuple(tensor.shape)}; a batch axis is needed")
    if n_labels is not None and tensor.shape[1] != n_labels:
        raise InputError(f"{name} must have {n_labels} labels along axis 1, got shape {tuple(tensor.shape)}")
    if tensor.shape[1] < at_least:
        raise InputError(
            f"{name} must have at least {at_least} labels along axis 1, got shape {tuple(tensor.shape)}; "
            "for one foreground channel z pass torch.cat([-z, z], 1) / 2"
        )
    if tensor.numel() == 0:
        raise InputError(f"{name} must not be empty, got shape {tuple(tensor.shape)}")
    return tensor


def two_labels(logits: Tensor) -> Tensor:
    """Logits (B, L, *spatial), of two labels where one channel tells the second from the first, as for a sigmoid."""
    return torch.cat([-logits, logits], 1) / 2 if logits.shape[1] == 1 else logits


def as_image(image: Any, like: Tensor, name: str = "image") -> Tensor:
    """A real (B, C, *spatial) tensor on the device of `like` that covers its pixels, as float32 or float64."""
    if not isinstance(image, Tensor):
        raise InputTypeError(f"{name} must be a torch.Tensor, got {type(image).__name__}")
    if image.is_complex() or image.dtype == torch.bool:
        raise InputTypeError(f"{name} must hold real numbers, got dtype {image.dtype}")
    if like.dim() < 3:
        raise InputError(f"{name} must have shape (B, C, *spatial), got {tuple(image.shape)}")
    batch, _, *spatial = like.shape
    if image.dim() != like.dim() or image.shape[0] != batch or list(image.shape[2:]) != spatial or image.shape[1] == 0:
        wanted = f"({', '.join(map(str, [batch, 'C', *spatial]))})"
        hint = "; it has no batch axis: image[None] adds one" if image.dim() == like.dim() - 1 else ""
        raise InputError(f"{name} must have shape {wanted}, got {tuple(image.shape)}{hint}")
    on_device(image, like, name)
    return not_half(image)


def not_half(tensor: Tensor) -> Tensor:
    """In float64 as it is, else in float32."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def is_within(logits: Tensor, image: Tensor) -> bool:
    """Whether logits have as many axes as an image, and nowhere more points than it has pixels."""
    return logits.dim() == image.dim() and all(m <= n for m, n in zip(logits.shape[2:], image.shape[2:], strict=True))


def enlarge(logits: Tensor, image: Tensor) -> Tensor:
    """Logits interpolated to the spatial shape of an image."""
    if logits.dim() != image.dim():
        raise InputError(f"logits of shape {tuple(logits.shape)} do not fit an image of shape {tuple(image.shape)}")
    if logits.shape[2:] == image.shape[2:]:
        return logits
    return F.interpolate(logits, size=image.shape[2:], mode=_MODES[logits.dim()], align_corners=False)


def check_costs(compatibility: Tensor, n_labels: int, n_kernels: int) -> None:
    """Raise unless there is a matrix for all kernels, or one for each."""
    wanted = (n_labels, n_labels)
    if tuple(compatibility.shape) not in (wanted, (n_kernels, *wanted)):
        raise InputError(
            f"compatibility must have shape {wanted}, or {(n_kernels, *wanted)} for a matrix of each kernel, got "
            f"{tuple(compatibility.shape)}"
        )


def is_capturing(tensor: Tensor) -> bool:
    """Whether work on a tensor is recorded into a graph, so that nothing can be read back."""
    return tensor.is_cuda and torch.cuda.is_current_stream_capturing()


_LIKE_POTTS = WeakIdKeyDictionary()  # of tensors of costs: version, place in memory, and whether they are


def is_like_potts(compatibility: Tensor) -> bool:
    """Whether costs, (..., L, L), of a label next to another are all alike.

    Costs that are learned right now are not looked at; others once, unless they change, as that waits for a GPU.
    """
    costs = compatibility.detach()
    is_learned = compatibility.requires_grad and torch.is_grad_enabled()
    if torch.compiler.is_compiling() or is_learned or compatibility.is_inference():
        return False
    if is_capturing(costs):
        return False
    state = compatibility._version, costs.data_ptr()
    seen = _LIKE_POTTS.get(compatibility)
    if seen is None or seen[:2] != state:
        n = costs.shape[-1]
        others = costs.masked_fill(torch.eye(n, dtype=torch.bool, device=costs.device), torch.nan)
        alike = others.nan_to_num(torch.inf).amin(-2) == others.nan_to_num(-torch.inf).amax(-2)
        seen = (*state, bool(alike.all()))
        _LIKE_POTTS[compatibility] = seen
    return bool(seen[2])


def on_device(tensor: Tensor, like: Tensor, name: str) -> None:
    """Raise if two tensors lie on different devices."""
    if tensor.device != like.device:
        raise InputError(
            f"{name} is on {tensor.device}, but the logits are on {like.device}; move one with .to(device)"
        )


def check_summable(tensor: Tensor, name: str) -> None:
    """Raise if a number on the CPU is not finite, or so large that sums are not, see :func:`check_finite`."""
    if tensor.device.type != "cpu" or tensor.numel() == 0:
        return
    low, high = torch.aminmax(tensor)  # NaN if any number is
    if bool(torch.maximum(-low, high) <= inputs.LARGEST):
        return
    check_finite(tensor, name)
    raise InputError(
        f"{name} must be at most {inputs.LARGEST:g} in size, or sums of them are infinite in float32; got "
        f"{float(low):g} to {float(high):g}"
    )


def check_finite(tensor: Tensor, name: str) -> None:
    """Raise if a number on the CPU is not finite.

    Nobody waits for a GPU to know: there, NaN gives NaN.
    """
    if tensor.device.type != "cpu":
        return
    if bool(torch.isfinite(tensor.sum())):  # one pass without a temporary; finite only if all numbers are
        return
    wrong = ~torch.isfinite(tensor)
    if bool(wrong.any()):
        where = tuple(int(i) for i in wrong.nonzero()[0])
        raise InputError(
            f"{name} must be finite, got {float(tensor[where])} at index {where} ({int(wrong.sum())} such values)"
        )


def check_features(features: Tensor) -> None:
    """Raise if a feature, (B, d, ...), is not finite: by its image, or all of it by a sigma that learning spoilt."""
    if bool(torch.isfinite(features.sum())):
        return
    everywhere = (~torch.isfinite(features)).transpose(0, 1).flatten(1).all(1).any()
    check_finite(features, "image, or a learned sigma that it is divided by," if bool(everywhere) else "image")


def warn_of_color_unit(image: Tensor, color_sigma: Tensor) -> bool:
    """See :func:`inputs.warn_of_color_unit`; whether the unit could be seen. It waits for a GPU: look once."""
    if image.is_meta or is_capturing(image):
        return False
    channels = image.detach().transpose(0, 1).flatten(1)
    spans = (channels.amax(1) - channels.amin(1)).tolist()
    inputs.warn_of_color_unit(spans, expand(color_sigma.detach(), len(spans), "color_sigma").tolist(), stacklevel=4)
    return max(spans) > 0


def as_scales(value: Any, name: str) -> Tensor:
    """One or several sigmas or spacings as a float32 vector."""
    numbers = inputs.as_scale(_on_cpu(value), name, None)
    return torch.tensor(numbers, dtype=torch.float32, device=_device_of(value))


def as_weights(value: Any, name: str) -> Tensor:
    """One finite number, or a vector of one for each label, as float32."""
    numbers = inputs.as_numbers(_on_cpu(value), name, (0, 1))
    return torch.tensor(numbers, device=_device_of(value))


def expand(values: Tensor, n: int, name: str) -> Tensor:
    """A vector of one or `n` numbers as `n` numbers."""
    if values.numel() not in (1, n):
        raise InputError(f"{name} must be 1 or {n} numbers, got {values.numel()}")
    return values.reshape(-1).expand(n)


def _on_cpu(value: Any) -> Any:
    return value.detach().cpu() if isinstance(value, Tensor) else value


def _device_of(value: Any) -> torch.device | None:
    return value.device if isinstance(value, Tensor) else None

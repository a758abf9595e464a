"""The compiled kernels of the library on CPU tensors. Tensors are handed over as views, nothing is copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from classicseg.filters.bank import LatticeBank, filter_with
from classicseg.filters.blur import AXES
from classicseg.filters.building import stripes_of
from classicseg.filters.features import Column
from classicseg.kernels.dense import adjoint as backward
from classicseg.kernels.dense import mean_field as forward
from classicseg.kernels.dense.bank import Bank, RowLayout
from classicseg.kernels.dense.unary import Unary
from classicseg.kernels.dense.vertices import REWARD_PARTS
from classicseg.machine.memory import aligned_zeros
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.simd import padded_pixels
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.dense.plan import Plan
from classicseg.torch.backends import Updates
from classicseg.torch.backends._features import feature_gradient

_PER_IMAGE = len(Bank._fields) + 1
_LOGITS = np.float32(1.0)  # sign of what the forward kernel is given
_FEW = 2**15  # numbers of an image: its updates take less time than starting a thread for them


def _threads(n_numbers: int) -> tuple[int, bool]:
    """Threads for an image of so many numbers, and whether it has few: batches may be of hundreds of small ones."""
    is_brief = n_numbers < _FEW
    return 1 if is_brief else resolve_threads(None), is_brief


# --- lattices -----------------------------------------------------------------------------------------------------


def build(features: Sequence[torch.Tensor], normalizations: Sequence[str]) -> list[torch.Tensor]:
    """See :class:`Backend`. For each image the arrays of its bank, then the row sums of its kernels."""
    tensors = []
    for b in range(features[0].shape[0]):
        columns = [[Column(column, 1.0) for column in _array(f[b])] for f in features]
        lattices = LatticeBank(
            columns,
            list(normalizations),  # type: ignore[arg-type]
            blurs=[AXES] * len(columns),
            n_threads=_threads(features[0][b].numel())[0],
            keep_row_sums=True,
        )
        tensors += [_as_tensor(name, lattices.bank) for name in Bank._fields]
        tensors.append(torch.from_numpy(lattices.row_sums))
    return tensors


def empty_lattice(
    features: Sequence[torch.Tensor], normalizations: Sequence[str], new_size: Callable[[], int]
) -> list[torch.Tensor]:
    """See :class:`Backend`."""
    n_images, _, n = features[0].shape
    n_kernels, n_corners = len(features), sum(f.shape[1] + 1 for f in features)
    n_weights, n_borders = padded_pixels(n) * n_corners, stripes_of(n) + 1
    one_sided = any(norm in ("before", "after") for norm in normalizations)
    tensors = []
    for _ in range(n_images):
        shapes: dict[str, tuple[int, ...]] = {
            "index": (new_size(),),
            "weight_in": (n_weights,),
            "weight_out": (n_weights if one_sided else 0,),
            "corner_start": (n_kernels + 1,),
            "stripe": (n_borders,),
            **dict.fromkeys(("vertex", "duplicate"), (n_kernels, 2)),
            **dict.fromkeys(("own", "own_duplicate"), (n_kernels, n_borders)),
            **dict.fromkeys(("target_start", "neighbour_start", "link_start"), (n_kernels,)),
            "target": (new_size(),),
            "neighbour": (new_size(),),
            "n_shells": (n_kernels,),
            "shell_weight": (n_kernels, 1),
            **dict.fromkeys(("link_border", "link"), (0,)),
            "n_rows": (new_size(), 0),
        }
        tensors += [torch.empty(shapes[name], dtype=_TYPES.get(name, torch.int64)) for name in Bank._fields]
        tensors.append(torch.empty(n_kernels, n))
    return tensors


_TYPES = {
    "index": torch.uint8,
    **dict.fromkeys(("target", "neighbour", "link_border", "link"), torch.uint32),
    **dict.fromkeys(("weight_in", "weight_out", "shell_weight", "n_rows"), torch.float32),
}  # those of a bank; the others are int64


def _as_tensor(name: str, bank: Bank) -> torch.Tensor:
    field = getattr(bank, name)
    if isinstance(field, int):
        return torch.empty(field, 0)  # a number that is a shape is known without reading memory
    if name == "index":
        return torch.from_numpy(field.view(np.uint8))  # bytes: two or four per number, as the vertices are many
    if name == "weight_out" and field is bank.weight_in:
        return torch.empty(0)  # tensors that an operator returns may not share memory
    return torch.from_numpy(field)


class _Image:
    """The lattices of one image."""

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        fields: list[Any] = [t.shape[0] if t.dim() == 2 and t.shape[1] == 0 else t.numpy() for t in tensors[:-1]]
        bank = Bank(*fields)
        narrow = bank.index.size == 2 * bank.weight_in.size
        bank = bank._replace(index=bank.index.view(np.uint16 if narrow else np.uint32))
        self.bank = bank if bank.weight_out.size else bank._replace(weight_out=bank.weight_in)
        self.row_sums = tensors[-1]
        self.gains = [AXES.gain(int(d) - 1) for d in np.diff(self.bank.corner_start)]

    def filter(self, k: int, values: torch.Tensor, adjoint: bool) -> torch.Tensor:
        bank = self.bank.adjoint() if adjoint else self.bank
        n_threads, _ = _threads(values.numel())
        return torch.from_numpy(filter_with(bank, k, _array(values), self.gains[k], adjoint, n_threads))


def _images(lattice: Sequence[torch.Tensor]) -> Iterator[_Image]:
    for start in range(0, len(lattice), _PER_IMAGE):
        yield _Image(lattice[start : start + _PER_IMAGE])


def _array(tensor: torch.Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().to(torch.float32).contiguous().numpy()
    return array


# --- mean field ---------------------------------------------------------------------------------------------------


def _plan(rewards: torch.Tensor, image: _Image) -> Plan:
    return Plan(image.bank, image.gains, [-reward.T for reward in _array(rewards)], pair=True)


def tape_size(lattice: Sequence[torch.Tensor], n_labels: int, n_iter: int) -> tuple[int, ...]:
    """See :class:`Backend`. Paired labels fill half of it, and the system gives no memory for the rest."""
    layout, at = RowLayout.of(n_labels), Bank._fields.index("n_rows")
    n_rows = sum(lattice[start + at].shape[0] for start in range(0, len(lattice), _PER_IMAGE))
    return (n_iter * n_rows * len(layout.lanes) * layout.n_panels,)


def mean_field(
    logits: torch.Tensor,
    rewards: torch.Tensor,
    lattice: Sequence[torch.Tensor],
    updates: Updates,
    record: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """See :class:`Backend`."""
    n_iter, marginals, _ = updates
    (n_threads, is_brief), n_labels = _threads(logits[0].numel()), logits.shape[1]
    nothing, no_labels = np.empty(0, np.float32), np.empty(0, np.int32)
    out = torch.from_numpy(np.empty(logits.shape, np.float32))  # NumPy asks the system for large pages
    tape = torch.from_numpy(aligned_zeros(tape_size(lattice, n_labels, n_iter)[0] if record else 0, np.float32))
    used = 0
    for image, z, result in zip(_images(lattice), logits, out, strict=True):
        plan = _plan(rewards, image)
        size = n_iter * plan.rows_size
        rows, work = (tape[used : used + size].numpy(), plan.new_rows()) if record else (plan.new_rows(2), nothing)
        used += size
        channels = _array(z[1] - z[0] if plan.is_paired else z)
        unary = Unary(_LOGITS, z.shape[1], channels.reshape(-1), None)
        run(
            forward.infer, n_threads, new_sync(forward.COUNTERS), unary, nothing, plan.pairwise, n_iter, rows, work,
            result.numpy().reshape(-1), not marginals, no_labels, brief=is_brief,
        )  # fmt: skip
    return out, tape


def mean_field_backward(
    grad: torch.Tensor,
    out: torch.Tensor,
    logits: torch.Tensor,
    rewards: torch.Tensor,
    features: Sequence[torch.Tensor],
    lattice: Sequence[torch.Tensor],
    normalizations: Sequence[str],
    tape: torch.Tensor,
    updates: Updates,
) -> list[torch.Tensor]:
    """See :class:`Backend`. The kernels see for themselves whether labels mix."""
    n_iter, marginals, _ = updates
    grad_logits, grad_rewards = torch.empty_like(logits), np.zeros(rewards.shape, np.float32)
    grad_features = [torch.zeros_like(f) for f in features]
    used = 0
    for b, image in enumerate(_images(lattice)):
        plan = _plan(rewards, image)
        slots = tape[used : used + n_iter * plan.rows_size].view(n_iter, -1).numpy()
        used += n_iter * plan.rows_size

        def on_step(g: torch.Tensor, q: torch.Tensor, b: int = b, image: _Image = image) -> None:
            for k, (f, total) in enumerate(zip(features, grad_features, strict=True)):
                apply = lambda v, adjoint, k=k: image.filter(k, v, adjoint)  # noqa: E731
                args = q, rewards[k] @ g, f[b], image.row_sums[k], normalizations[k]
                total[b] += feature_gradient(apply, *args)

        g, q, z = (_array(x[b]).reshape(-1) for x in (grad, out, logits))
        _backward_of_image(
            plan, image, g, q, z, grad_logits[b].numpy().reshape(-1), slots, marginals, grad_rewards,
            on_step if features else None,
        )  # fmt: skip
    return [grad_logits, torch.from_numpy(grad_rewards), *grad_features]


def _backward_of_image(
    plan: Plan,
    image: _Image,
    grad: np.ndarray,
    out: np.ndarray,
    logits: np.ndarray,
    grad_logits: np.ndarray,
    tape: np.ndarray,
    marginals: bool,
    grad_rewards: np.ndarray,
    on_step: Any,
) -> None:
    """Fill `grad_logits` and add to `grad_rewards`.

    `on_step` is called after each iteration with the gradient with respect to its messages, and its marginals.
    """
    (n_threads, is_brief), pairwise = _threads(logits.size), plan.pairwise
    adjoint, n_labels, n_channels = pairwise.adjoint(), pairwise.layout.n_labels, pairwise.layout.n_channels
    source, target, messages = (plan.new_rows() for _ in range(3))
    run(
        backward.adjoint_start, n_threads, new_sync(1), out, not marginals, grad, adjoint, source, grad_logits,
        brief=is_brief,
    )  # fmt: skip
    sums = np.empty((REWARD_PARTS, len(image.gains), n_channels, pairwise.scale.shape[1]), np.float32)
    products = np.zeros((len(image.gains), n_channels, n_channels), np.float32)
    kept = logits.size if on_step else 0
    q, g = np.empty(kept, np.float32), np.empty(kept, np.float32)
    last_g = torch.from_numpy(grad_logits.copy().reshape(n_labels, -1)) if on_step else None
    for t in reversed(range(len(tape))):
        has_messages = t > 0
        run(
            backward.adjoint_blur, n_threads, new_sync(backward.COUNTERS), pairwise, adjoint, source, target, tape[t],
            sums.reshape(-1), has_messages, tape[max(0, t - 1)], messages, brief=is_brief,
        )  # fmt: skip
        products += sums.sum(0)[:, :, :n_channels]
        if plan.is_paired and not has_messages:  # the gradients of all messages are there, and no other ones yet
            grad_rewards += _of_pair(image, grad_logits.reshape(2, -1))
        run(
            backward.adjoint_step, n_threads, new_sync(1), logits, pairwise, adjoint, has_messages, messages, source,
            target, grad_logits, q, g, brief=is_brief,
        )  # fmt: skip
        source, target = target, source
        if on_step:
            on_step(last_g, torch.from_numpy(q.reshape(n_labels, -1)))
            last_g = torch.from_numpy(g.copy().reshape(n_labels, -1))
    factors = np.array(image.gains, np.float32)[:, None, None]
    grad_rewards += products * factors * (_OF_DIFFERENCES if plan.is_paired else np.float32(1))


_OF_DIFFERENCES = np.array([[1, -1], [-1, 1]], np.float32) / 4
"""Marginals of two labels are 1/2 -+ d/2, and gradients -+h/2, if d and h are the differences that rows hold."""


def _of_pair(image: _Image, grad: np.ndarray) -> np.ndarray:
    """The part of the gradient of rewards that the 1/2 of both marginals adds, (K, 2, 2).

    `grad` is the gradient with respect to the messages of all updates.
    """
    halves = torch.full((1, grad.shape[1]), 0.5)
    filtered = torch.cat([image.filter(k, halves, False) for k in range(len(image.gains))]).numpy()
    return np.broadcast_to((filtered @ grad.T)[:, None], (len(filtered), 2, 2))


# --- single filters -----------------------------------------------------------------------------------------------


def filter(values: torch.Tensor, lattice: Sequence[torch.Tensor], k: int, adjoint: bool) -> torch.Tensor:  # noqa: A001
    """See :class:`Backend`."""
    return torch.stack([image.filter(k, v, adjoint) for image, v in zip(_images(lattice), values, strict=True)])

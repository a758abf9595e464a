"""The compiled kernels of the library on CPU tensors. Tensors are handed over as views, nothing is copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from classicseg.filters.bank import LatticeBank, filter_with, parts_of, stripes_of
from classicseg.filters.blur import AXES
from classicseg.filters.features import Column
from classicseg.kernels.dense.adjoint import COUNTERS, REWARD_PARTS, adjoint_blur, adjoint_start, adjoint_step
from classicseg.kernels.dense.adjoint import record as forward
from classicseg.kernels.dense.bank import Bank
from classicseg.machine.memory import aligned_zeros
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.simd import lanes_for, padded_pixels
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.dense.mean_field import split_reward
from classicseg.torch.backends._features import feature_gradient

_PER_IMAGE = len(Bank._fields) + 1


# --- lattices -----------------------------------------------------------------------------------------------------


def build(features: Sequence[torch.Tensor], normalizations: Sequence[str]) -> list[torch.Tensor]:
    """See :class:`Backend`. For each image the arrays of its bank, then the row sums of its kernels."""
    tensors = []
    for b in range(features[0].shape[0]):
        columns = [[Column(column, 1.0) for column in _array(f[b])] for f in features]
        lattices = LatticeBank(
            columns,
            list(normalizations),  # type: ignore[arg-type]
            accurate=False,
            n_threads=resolve_threads(None),
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
    n_kernels, n_pairs = len(features), sum(f.shape[1] + 1 for f in features)
    n_weights, n_borders = padded_pixels(n) * n_pairs, stripes_of(n) + 1
    one_sided = any(norm in ("before", "after") for norm in normalizations)
    tensors = []
    for _ in range(n_images):
        shapes: dict[str, tuple[int, ...]] = {
            "index": (new_size(),),
            "weight_in": (n_weights,),
            "weight_out": (n_weights if one_sided else 0,),
            "column": (n_kernels + 1,),
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
        self.swapped = self.bank._replace(weight_in=self.bank.weight_out, weight_out=self.bank.weight_in)
        self.row_sums = tensors[-1]
        self.gains = [AXES.gain(int(d) - 1) for d in np.diff(self.bank.column)]

    def filter(self, k: int, values: torch.Tensor, adjoint: bool) -> torch.Tensor:
        bank = self.swapped if adjoint else self.bank
        return torch.from_numpy(filter_with(bank, k, _array(values), self.gains[k], adjoint, resolve_threads(None)))


def _images(lattice: Sequence[torch.Tensor]) -> Iterator[_Image]:
    for start in range(0, len(lattice), _PER_IMAGE):
        yield _Image(lattice[start : start + _PER_IMAGE])


def _array(tensor: torch.Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().to(torch.float32).contiguous().numpy()
    return array


# --- mean field ---------------------------------------------------------------------------------------------------


class _Plan:
    """The arguments of the kernels that depend on the number of labels and on the rewards."""

    def __init__(self, rewards: torch.Tensor, image: _Image) -> None:
        self.image, self.n_labels = image, rewards.shape[1]
        self.lanes, self.n_panels = lanes_for(self.n_labels)
        self.parts = parts_of(self.lanes)
        self.pairs = (0,) * int(image.bank.column[-1])
        self.rows_size = self.n_panels * len(self.lanes) * image.bank.n_rows
        split = [split_reward(-reward.T) for reward in _array(rewards)]
        self.scale = np.zeros((len(split), self.n_panels * len(self.lanes)), np.float32)
        for into, (diagonal, _, _), gain in zip(self.scale, split, image.gains, strict=True):
            into[: self.n_labels] = diagonal * gain
        self.matrix = self.transposed = None
        if any(matrix is not None for _, matrix, _ in split):
            identity = np.eye(self.n_labels, dtype=np.float32)
            self.matrix = np.stack([identity if matrix is None else matrix for _, matrix, _ in split])
            self.transposed = np.ascontiguousarray(self.matrix.swapaxes(1, 2))

    def new_rows(self, n: int = 1) -> np.ndarray:
        """Zero row arrays."""
        return aligned_zeros(n * self.rows_size, np.float32)


def tape_size(lattice: Sequence[torch.Tensor], n_labels: int, n_iter: int) -> tuple[int, ...]:
    """See :class:`Backend`."""
    lanes, n_panels = lanes_for(n_labels)
    at = Bank._fields.index("n_rows")
    n_rows = sum(lattice[start + at].shape[0] for start in range(0, len(lattice), _PER_IMAGE))
    return (n_iter * n_rows * len(lanes) * n_panels,)


def mean_field(
    logits: torch.Tensor,
    rewards: torch.Tensor,
    lattice: Sequence[torch.Tensor],
    n_iter: int,
    marginals: bool,
    record: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """See :class:`Backend`."""
    n_threads, (_, n_labels, n) = resolve_threads(None), logits.shape
    out = torch.from_numpy(np.empty(logits.shape, np.float32))  # NumPy asks the system for large pages
    tape = torch.from_numpy(aligned_zeros(tape_size(lattice, n_labels, n_iter)[0] if record else 0, np.float32))
    used = 0
    for image, z, result in zip(_images(lattice), logits, out, strict=True):
        plan = _Plan(rewards, image)
        size = n_iter * plan.rows_size
        rows = tape[used : used + size].numpy() if record else plan.new_rows(2)
        used += size
        run(
            forward, n_threads, new_sync(COUNTERS * (n_iter + 1)), _array(z).reshape(-1), n, n_labels, image.bank,
            plan.scale, plan.matrix, n_iter, rows, plan.new_rows() if record else np.empty(0, np.float32),
            result.numpy().reshape(-1), not marginals, plan.n_panels, plan.pairs, plan.lanes, plan.parts,
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
    n_iter: int,
    marginals: bool,
) -> list[torch.Tensor]:
    """See :class:`Backend`."""
    grad_logits, grad_rewards = torch.empty_like(logits), np.zeros(rewards.shape, np.float32)
    grad_features = [torch.zeros_like(f) for f in features]
    used = 0
    for b, image in enumerate(_images(lattice)):
        plan = _Plan(rewards, image)
        slots = tape[used : used + n_iter * plan.rows_size].view(n_iter, -1).numpy()
        used += n_iter * plan.rows_size

        def on_step(g: torch.Tensor, q: torch.Tensor, b: int = b, image: _Image = image) -> None:
            for k, (f, total) in enumerate(zip(features, grad_features, strict=True)):
                apply = lambda v, adjoint, k=k: image.filter(k, v, adjoint)  # noqa: E731
                args = q, rewards[k] @ g, f[b], image.row_sums[k], normalizations[k]
                total[b] += feature_gradient(apply, *args)

        g, q, z = (_array(x[b]).reshape(-1) for x in (grad, out, logits))
        _backward_of_image(
            plan, g, q, z, grad_logits[b].numpy().reshape(-1), slots, marginals, grad_rewards,
            on_step if features else None,
        )  # fmt: skip
    return [grad_logits, torch.from_numpy(grad_rewards), *grad_features]


def _backward_of_image(
    plan: _Plan,
    grad: np.ndarray,
    out: np.ndarray,
    logits: np.ndarray,
    grad_logits: np.ndarray,
    tape: np.ndarray,
    marginals: bool,
    grad_rewards: np.ndarray,
    on_step: Any,
) -> None:
    n_threads, bank, swapped = resolve_threads(None), plan.image.bank, plan.image.swapped
    n = logits.size // plan.n_labels
    shared = plan.n_panels, plan.pairs, plan.lanes
    source, target, work = (plan.new_rows() for _ in range(3))
    run(
        adjoint_start, n_threads, new_sync(1), out, grad, not marginals, n, plan.n_labels, swapped, source,
        grad_logits, *shared,
    )  # fmt: skip
    sums = np.empty((REWARD_PARTS, len(plan.image.gains), plan.n_labels, plan.scale.shape[1]), np.float32)
    gains = np.array(plan.image.gains, np.float32)[:, None, None]
    kept = logits.size if on_step else 0
    q, g = np.empty(kept, np.float32), np.empty(kept, np.float32)
    last_g = torch.from_numpy(grad_logits.copy().reshape(plan.n_labels, n)) if on_step else None
    for t in reversed(range(len(tape))):
        has_messages = t > 0
        run(
            adjoint_blur, n_threads, new_sync(COUNTERS), plan.n_labels, bank, plan.scale, plan.matrix, plan.transposed,
            source, target, tape[t], sums.reshape(-1), tape[max(0, t - 1)], work, has_messages, plan.n_panels,
            plan.lanes, plan.parts,
        )  # fmt: skip
        grad_rewards += sums.sum(0)[:, :, : plan.n_labels] * gains
        run(
            adjoint_step, n_threads, new_sync(1), logits, n, plan.n_labels, bank, swapped, work, has_messages, source,
            target, grad_logits, g, q, *shared,
        )  # fmt: skip
        source, target = target, source
        if on_step:
            on_step(last_g, torch.from_numpy(q.reshape(plan.n_labels, n)))
            last_g = torch.from_numpy(g.copy().reshape(plan.n_labels, n))


# --- single filters -----------------------------------------------------------------------------------------------


def filter(values: torch.Tensor, lattice: Sequence[torch.Tensor], k: int, adjoint: bool) -> torch.Tensor:  # noqa: A001
    """See :class:`Backend`."""
    return torch.stack([image.filter(k, v, adjoint) for image, v in zip(_images(lattice), values, strict=True)])

"""The gradient of a batch, at once or in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from classicseg.torch import losses
from classicseg.torch.tensors import enlarge
from classicseg.torch.train.settings import Settings
from classicseg.torch.wrappers import find_logits


class Batch(NamedTuple):
    """What a step learns from: images (B, C, H, W), labels (B, H, W), distances (B, L, H, W) if the loss takes them."""

    images: Tensor
    labels: Tensor
    distances: Tensor | None

    @staticmethod
    def of(examples: Sequence[tuple[np.ndarray, np.ndarray, Tensor | None]]) -> Batch:
        """Put examples of one size together."""
        images = np.stack([image for image, *_ in examples])
        labels = np.stack([labels for _, labels, _ in examples])
        maps = [distances for *_, distances in examples if distances is not None]
        return Batch(
            torch.from_numpy(images).permute(0, 3, 1, 2).float(),
            torch.from_numpy(labels).long(),
            torch.stack(maps) if maps else None,
        )

    def pinned(self) -> Batch:
        """The same in memory that the system may not move."""
        return Batch(*(None if x is None else x.pin_memory() for x in self))

    def to(self, device: torch.device) -> Batch:
        """The same on a device; nobody waits for a copy from pinned memory."""
        return Batch(*(None if x is None else x.to(device, non_blocking=x.is_pinned()) for x in self))


class Learner:
    """A network and a loss, from which a batch gets its gradient.

    Parameters
    ----------
    model : nn.Module
        Possibly compiled.
    loss : callable
    settings : Settings
    """

    def __init__(self, model: nn.Module, loss: Callable[..., Tensor], settings: Settings) -> None:
        self.model, self.loss, self.settings = model, loss, settings
        wants = losses.takes_distances(loss)
        modules = loss.modules() if wants and isinstance(loss, nn.Module) else ()
        self._boundary = next((m for m in modules if isinstance(m, losses.BoundaryLoss)), None)

    def maps(self, labels: np.ndarray, n_labels: int) -> Tensor | None:
        """Distances (L, H, W) in an image, if the loss takes them."""
        return None if self._boundary is None else self._boundary.maps(labels, n_labels)

    def learn(
        self,
        batch: Batch,
        seeds: Sequence[int],
        precision: Callable[[], AbstractContextManager[object]],
        scaled: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """Add the gradient of the loss of a batch to those of the parameters, and return the loss.

        A loss divides by what is in the whole batch, as pixels that count or the size of a region. In parts, therefore,
        the logits of all are computed first, without a graph; then the loss and its gradient by them; then each part
        once more, back from that gradient (Gao et al. 2021, arXiv:2101.06983).

        Parameters
        ----------
        batch : Batch
        seeds : sequence of int
            One for each part; of dropout.
        precision : callable
            Makes the context in which to compute.
        scaled : callable
            Of the loss, against underflow.
        """
        parts = batch.images.tensor_split(min(len(seeds), len(batch.images)))
        seeds = seeds[: len(parts)]
        if len(parts) == 1:
            with precision():
                value = self._value(self._heads(parts[0], seeds[0]), batch)
            scaled(value).backward()
            return value
        buffers = {name: x.clone() for name, x in self.model.named_buffers()}
        with precision(), torch.no_grad():
            of_parts = [self._heads(part, seed) for part, seed in zip(parts, seeds, strict=True)]
        with torch.no_grad():  # running statistics see each part once
            for name, x in self.model.named_buffers():
                x.copy_(buffers[name])
        heads = [torch.cat(of_head).requires_grad_() for of_head in zip(*of_parts, strict=True)]
        with precision():
            value = self._value(heads, batch)
        slopes = [slope.tensor_split(len(parts)) for slope in torch.autograd.grad(scaled(value), heads)]
        for part, seed, of_heads in zip(parts, seeds, zip(*slopes, strict=True), strict=True):
            with precision():
                again = self._heads(part, seed)
            torch.autograd.backward(again, of_heads)
        return value

    def _heads(self, images: Tensor, seed: int) -> list[Tensor]:
        """Logits, and those of an auxiliary head if there is one."""
        torch.manual_seed(seed)
        output = self.model(images)
        aux = output.get("aux") if isinstance(output, Mapping) else None
        return [find_logits(output, None)] + ([] if aux is None else [aux])

    def _value(self, heads: Sequence[Tensor], batch: Batch) -> Tensor:
        more = () if batch.distances is None else (batch.distances,)
        logits, *aux = (enlarge(head, batch.images).float() for head in heads)
        value = self.loss(logits, batch.labels, *more)
        for extra in aux:
            value = value + self.settings.aux_weight * self.loss(extra, batch.labels, *more)
        return value

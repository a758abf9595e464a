"""Part C: what does a network with a CRF cost, in training and in use?

A U-Net alone and with a CRF trained with it (CRF-as-RNN), 19 labels: training steps and inference, images per second;
then an epoch of `train.fit`, which reads and augments its images, as a share of what its steps alone would do.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import numpy as np
import torch
from torch import nn

import classicseg.torch as ct
from benchmarks.gpu.images import image_of, noise, photo
from benchmarks.gpu.session import Session
from benchmarks.shared.records import Row
from classicseg.torch import train


@dataclass(frozen=True)
class Setting:
    """Size of images and of the network."""

    size: tuple[int, int]
    n_labels: int
    batch: int
    width: float
    n_images: int


USUAL = Setting((512, 1024), 19, 4, 0.5, 32)
TINY = Setting((32, 48), 2, 2, 0.05, 4)


def network(setting: Setting, backend: str | None) -> nn.Module:
    """The U-Net, with a CRF of that backend behind it."""
    model = train.Model("unet", [f"class {k}" for k in range(setting.n_labels)], width=setting.width)
    if backend is None:
        return model
    kernels = [ct.GaussianKernel(3, 3), ct.BilateralKernel(60, 10, 5)]
    return ct.CRFasRNN(model, ct.DenseCRF(setting.n_labels, kernels, n_iter=5, backend=backend), n_iter_eval=5)


def named(backend: str | None, amp: bool) -> str:
    return f"{backend or 'network alone'}, {'bfloat16' if amp else 'float32'}"


def speed(session: Session, setting: Setting, backend: str | None, amp: bool) -> Row:
    """Images per second of training steps and of inference."""
    torch.manual_seed(0)
    device = session.device
    model = network(setting, backend).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    image = image_of("photo", *setting.size, setting.batch).to(device)
    labels = torch.randint(0, setting.n_labels, (setting.batch, *setting.size), device=device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=amp):
            logits = model(image)
        nn.functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    def infer() -> torch.Tensor:
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=amp):
            return model(image[:1]).argmax(1)

    row = {"training, images/s": round(1e3 * setting.batch / session.milliseconds(step, 5), 2)}
    model.eval()
    row["inference, frames/s"] = round(1e3 / session.milliseconds(infer, 10), 2)
    if session.on_gpu:
        row["peak memory, GB"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
        torch.cuda.reset_peak_memory_stats()
    return row


def epoch(session: Session, setting: Setting, backend: str | None, amp: bool) -> Row:
    """Images per second of `fit`, and of the same steps alone; the card is busy for about their share."""
    images = [np.roll(photo(*setting.size), 5 * k, axis=1) for k in range(setting.n_images)]
    truth = [noise(*setting.size)[..., 0] % setting.n_labels for _ in images]
    data = train.ArrayData(images, truth, [f"class {k}" for k in range(setting.n_labels)])
    settings = train.Settings(n_epochs=1, batch_size=setting.batch, amp=amp)
    model = network(setting, backend)
    start = time.perf_counter()
    train.fit(model, data, settings=settings, device=session.device)
    session.wait()
    found = round(len(images) / (time.perf_counter() - start), 2)
    alone = {row["what"]: row.get("training, images/s") for row in session.rows}.get(named(backend, amp))
    return {"fit, images/s": found, "share of its steps alone": alone and round(found / alone, 3)}


def main() -> None:
    session = Session("C", __doc__)
    setting = TINY if session.tiny else USUAL
    for amp in (False, True):
        for backend in (None, *session.backends):
            session.attempt(named(backend, amp), speed, setting, backend, amp)
    session.attempt("fit", epoch, setting, session.backends[-1], False)


if __name__ == "__main__":
    main()

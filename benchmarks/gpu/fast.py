"""Part B: how fast is the layer of PyTorch on a GPU, and what keeps it from being faster?

For images of several kinds: building a lattice, 5 updates, the same as one CUDA graph, a training step with a new
image, and one that learns the sigmas too; updates and steps with images of one size, with the layer's own graphs and
without; next to the CPU with the copies to and fro, and to the floor: the time in
which the card, at the speed at which it copies, moves what 5 updates cannot do without (marginals out and in, logits
in, indices and weights of points twice). Then from logits of a quarter of the size, and with a compatibility of its own
for each kernel; and what gets in the way: programs to compile, synchronisations, launches.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import torch
from torch.nn import functional

import classicseg.torch as ct
from benchmarks.gpu.images import image_of, logits_of
from benchmarks.gpu.session import Session, captured, largest_difference, layer
from benchmarks.shared.records import Row
from classicseg.torch import losses

Case = tuple[str, int, int, int]
"""Kind of image, height, width, labels."""

CASES: list[Case] = [
    ("photo", 375, 500, 21),
    ("photo", 1080, 1920, 19),
    ("flat", 375, 500, 21),
    ("page", 375, 500, 21),
    ("noise", 375, 500, 21),
    ("photo", 375, 500, 2),
    ("photo", 375, 500, 150),
    ("flat", 1080, 1920, 2),
]
LOSSES = ("ce", "lovasz", "dice", "focal")
TINY: list[Case] = [("photo", 40, 50, 2), ("flat", 40, 50, 2)]


def tensors(session: Session, case: Case, n_images: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and images, on the device."""
    kind, height, width, n_labels = case
    z, image = logits_of(n_labels, height, width, n_images), image_of(kind, height, width, n_images)
    return z.to(session.device), image.to(session.device)


def copying(session: Session) -> Row:
    """What the card reads and writes in a second when it copies."""
    source = torch.zeros(2**28, device=session.device)
    target = torch.empty_like(source)
    ms = session.milliseconds(lambda: target.copy_(source), 10)
    return {"GB/s": round(2 * source.nbytes / ms / 1e6, 1)}


def floor(crf: ct.DenseCRF, z: torch.Tensor, image: torch.Tensor, gigabytes_per_second: float) -> float:
    """Milliseconds of 5 updates that do nothing but move memory."""
    n_pairs = sum(features.shape[1] + 1 for features in crf.features(image, z))
    return round(5 * (3 * z.nbytes + 2 * z[:, 0].numel() * n_pairs * 8) / gigabytes_per_second / 1e6, 4)


def training_step(crf: ct.DenseCRF, z: torch.Tensor, image: torch.Tensor) -> None:
    own = z.clone().requires_grad_()
    crf(own, image).square().mean().backward()


def on_the_host(session: Session, case: Case) -> Row:
    """The same with the compiled kernels of the CPU, copies included."""
    z, image = tensors(session, case)
    crf = layer(z.shape[1], "numba")

    def work() -> Any:
        with torch.no_grad():
            return crf(z.cpu(), image.cpu()).to(session.device)

    return {"build and 5 updates, ms": session.milliseconds(work, 3)}


def times(session: Session, case: Case, backend: str) -> Row:
    z, image = tensors(session, case)
    crf = layer(z.shape[1], backend).to(session.device)
    learns = layer(z.shape[1], backend, learn=("weights", "compatibility", "sigma")).to(session.device)
    lattice = crf.lattice(image)

    def updates() -> torch.Tensor:
        with torch.no_grad():
            return crf(z, lattice=lattice)

    row = {
        "build, ms": session.milliseconds(lambda: crf.lattice(image)),
        "5 updates, ms": session.milliseconds(updates),
        "training step, ms": session.milliseconds(lambda: training_step(crf, z, image)),
        "training step with sigmas, ms": session.milliseconds(lambda: training_step(learns, z, image)),
    }
    speed = next((r["GB/s"] for r in session.rows if "GB/s" in r), None)
    if session.on_gpu:
        row["5 updates in a graph, ms"] = session.milliseconds(captured(updates))
    if speed is not None:
        row["floor of 5 updates, ms"] = floor(crf, z, image, speed)
    return row


def graphs_on_and_off(session: Session, case: Case, backend: str) -> Row:
    """Updates and steps of training, each with another image of one size, launched one by one and as CUDA graphs."""
    z, image = tensors(session, case)
    images = [image + 0.05 * k * torch.randn_like(image) for k in range(8)]
    row: Row = {}
    for how, name in (("off", backend), ("on", session.with_graphs(backend))):
        crf = layer(z.shape[1], name).to(session.device)
        lattice = crf.lattice(image)

        def updates(crf: ct.DenseCRF = crf, lattice: ct.Lattice = lattice) -> torch.Tensor:
            with torch.no_grad():
                return crf(z, lattice=lattice)

        def steps(crf: ct.DenseCRF = crf) -> None:
            for picture in images:
                training_step(crf, z, picture)

        updates()  # the second one is recorded, and those that are timed come after it
        steps()
        row[f"5 updates, {how}, ms"] = session.milliseconds(updates)
        row[f"training step, {how}, ms"] = round(session.milliseconds(steps, 3) / len(images), 4)
        if session.on_gpu:
            row[f"memory, {how}, MB"] = torch.cuda.memory_reserved() >> 20
    row["sizes of lattices"] = len({tuple(x.shape for x in crf.lattice(picture).tensors) for picture in images})
    return row


def loss_times(session: Session, name: str) -> Row:
    """A loss forward and backward, and how often it makes the CPU wait."""
    size, n_images = ((32, 48), 1) if session.tiny else ((512, 1024), 8)
    z = torch.randn(n_images, 19, *size, device=session.device, requires_grad=True)
    labels = torch.randint(0, 19, (n_images, *size), device=session.device)
    loss = losses.build(name).to(session.device)

    def step() -> None:
        z.grad = None
        loss(z, labels).backward()

    row: Row = {"ms": session.milliseconds(step, 3)}
    if session.on_gpu:
        row["waits"] = waits(step)
        row["right"] = not row["waits"]
    return row


def waits(call: Callable[[], Any]) -> dict[str, int]:
    """Where a call makes the CPU wait for the card, and how often."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            call()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return dict(Counter(f"{Path(w.filename).name}:{w.lineno}" for w in caught).most_common(12))


def verdict(session: Session) -> Row:
    """Whether "auto" should take Triton on CUDA: right in part A, and faster in all that was timed here."""
    steps = {row["what"]: row["training step, ms"] for row in session.rows if "training step, ms" in row}
    pairs = [
        (ms, steps.get(what.replace("torch:", "triton:"))) for what, ms in steps.items() if what.startswith("torch:")
    ]
    ratios = [round(mine / theirs, 2) for theirs, mine in pairs if mine is not None]
    faster = bool(ratios) and max(ratios) < 1
    says = 'set ON_CUDA = "triton" in classicseg/torch/backends/__init__.py if part A was right'
    return {"triton by torch": ratios, "says": says if faster else 'leave ON_CUDA = "torch"'}


def variants(session: Session, case: Case, backend: str) -> Row:
    """Training steps from logits smaller than the image, and with a compatibility of its own for each kernel."""
    z, image = tensors(session, case)
    n_labels = z.shape[1]
    small = functional.avg_pool2d(z, 4)
    large = functional.interpolate(small, size=image.shape[2:], mode="bilinear", align_corners=False)
    shared = layer(n_labels, backend).to(session.device)
    own = layer(n_labels, backend, compatibility=(1 - torch.eye(n_labels)).repeat(2, 1, 1)).to(session.device)
    with torch.no_grad():
        enlarging = largest_difference([shared(small, image)], [shared(large, image)])
        sharing = largest_difference([own(z, image)], [shared(z, image)])
    return {
        "training step, ms": session.milliseconds(lambda: training_step(shared, z, image)),
        "with logits of a quarter, ms": session.milliseconds(lambda: training_step(shared, small, image)),
        "with own compatibilities, ms": session.milliseconds(lambda: training_step(own, z, image)),
        "small logits against enlarged ones": enlarging,
        "equal compatibilities against one for both": sharing,
        "right": max(enlarging, sharing) < 1e-4,
    }


def programs(session: Session) -> Row:
    """Seconds of 20 training steps with different photos of one size, and programs in Triton's cache after each.

    After the second image nothing new should be compiled.
    """
    folder = Path(os.environ["TRITON_CACHE_DIR"])
    crf = layer(2, "triton").to(session.device)
    z, photo = tensors(session, ("photo", 120, 131, 2))
    seconds, counts = [], []
    for k in range(20):
        start = time.perf_counter()
        training_step(crf, z, photo + k * torch.randn_like(photo))
        session.wait()
        seconds.append(round(time.perf_counter() - start, 3))
        counts.append(len(list(folder.rglob("*.cubin"))))
    return {"each": seconds, "programs": counts, "right": counts[-1] == counts[1]}


def synchronisations(session: Session, backend: str) -> Row:
    """How often a training step with a new image makes the CPU wait."""
    z, image = tensors(session, ("photo", 200, 301, 21))
    crf = layer(21, backend).to(session.device)
    training_step(crf, z, image)
    session.wait()

    def steps() -> None:
        for _ in range(20):
            training_step(crf, z, image)

    places = waits(steps)
    each = sum(places.values()) / 20
    return {"each step": each, "where": places, "right": each <= 3}


def launches(session: Session, backend: str, case: Case, n_images: int) -> Row:
    """Launches of a training step, and what share of the time the card is busy."""
    z, image = tensors(session, case, n_images)
    crf = layer(z.shape[1], backend).to(session.device)
    wall = session.milliseconds(lambda: training_step(crf, z, image), 3)
    activities = [torch.profiler.ProfilerActivity.CUDA, torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as profile:
        training_step(crf, z, image)
        session.wait()
    kernels = [e for e in profile.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    by_name: Counter[str] = Counter()
    for event in kernels:
        by_name[event.name[:60]] += event.time_range.elapsed_us() / 1e3
    return {
        "launches": len(kernels),
        "wall, ms": wall,
        "busy, ms": round(sum(by_name.values()), 3),
        "slowest, ms": {name: round(ms, 3) for name, ms in by_name.most_common(8)},
    }


def main() -> None:
    session = Session("B", __doc__)
    if session.on_gpu:
        session.attempt("copying", copying)
    if "triton" in session.backends:
        session.attempt("triton: 20 photos of one size", programs)
    for case in TINY if session.tiny else CASES:
        kind, height, width, n_labels = case
        name = f"{kind}, {height}x{width}, {n_labels} labels"
        for backend in session.backends:
            session.attempt(f"{backend}: {name}", times, case, backend)
        session.attempt(f"CPU with copies: {name}", on_the_host, case)
    for case in TINY[:1] if session.tiny else (CASES[0], CASES[1], CASES[5]):
        for backend in session.backends:
            name = f"{backend}: graphs, {case[1]}x{case[2]}, {case[3]} labels"
            session.attempt(name, graphs_on_and_off, case, backend)
    for case in TINY[:1] if session.tiny else CASES[:2]:
        for backend in session.backends:
            name = f"{backend}: {case[1]}x{case[2]}, small logits and own compatibilities"
            session.attempt(name, variants, case, backend)
    session.attempt("verdict", verdict)
    for name in LOSSES[:2] if session.tiny else LOSSES:
        session.attempt(f"loss {name}, 8 of 512x1024, 19 labels", loss_times, name)
    for backend in session.backends if session.on_gpu else ():
        session.attempt(f"{backend}: synchronisations", synchronisations, backend)
        for n_images, case in ((1, CASES[0]), (8, CASES[0]), (1, CASES[1])):
            name = f"{n_images} of {case[1]}x{case[2]}"
            session.attempt(f"{backend}: launches, {name}", launches, backend, case, n_images)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:  # so that it is seen what compiling costs
        os.environ["TRITON_CACHE_DIR"] = empty
        main()

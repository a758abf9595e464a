"""Part A: does a GPU compute what the CPU computes, in all sizes, types and modes?

The tests that need a GPU; then marginals and gradients next to those of the compiled kernels of the CPU, for labels,
channels, batches, shapes, images, normalisations and compatibilities that go to the edges; reduced precision; graphs.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import torch

import classicseg.torch as ct
from benchmarks.gpu.images import image_of, logits_of
from benchmarks.gpu.session import Session, captured, largest_difference, layer
from benchmarks.shared.folders import ROOT
from benchmarks.shared.records import Row
from classicseg.torch import losses

FAR = 1e-3
"""From the CPU: rounding differs, and is amplified by the updates."""
FAR_IN_HALF = 2e-2


@dataclass(frozen=True)
class Case:
    """A batch of images and a CRF with small ranges, so that there are many vertices."""

    n_labels: int = 3
    shape: tuple[int, ...] = (30, 41)
    n_images: int = 1
    channels: int = 3
    kind: str = "random"
    normalization: str = "symmetric"
    full: bool = False

    def __str__(self) -> str:
        size = "x".join(map(str, self.shape))
        costs = "full costs" if self.full else "Potts"
        return (
            f"{self.n_images} of {size}, {self.kind}, {self.channels} channels, {self.n_labels} labels, "
            f"{self.normalization}, {costs}"
        )

    def image(self) -> torch.Tensor:
        """Random, of one colour, or of one colour but for a pixel."""
        seed = torch.Generator().manual_seed(1)
        image = 255 * torch.rand(self.n_images, self.channels, *self.shape, generator=seed)
        if self.kind != "random":
            image[:] = 128
        if self.kind == "one other pixel":
            image.view(-1)[0] = 250
        return image

    def logits(self) -> torch.Tensor:
        seed = torch.Generator().manual_seed(2)
        return 3 * torch.randn(self.n_images, self.n_labels, *self.shape, generator=seed)

    def layer(self, backend: str) -> ct.DenseCRF:
        seed = torch.Generator().manual_seed(3)
        costs = torch.rand(self.n_labels, self.n_labels, generator=seed) if self.full else None
        weight = 0.05 if self.normalization == "none" else 4.0
        kernels = [
            ct.GaussianKernel(2, weight, normalization=self.normalization),
            ct.BilateralKernel(7, 25, weight, normalization=self.normalization),
        ]
        return ct.DenseCRF(self.n_labels, kernels, costs, n_iter=3, output="marginals", backend=backend)


def cases() -> Iterator[Case]:
    """One thing after the other, the commonest first."""
    yield from (Case(n_labels=n, full=full) for n in (2, 3, 5, 21, 40, 150, 182) for full in (False, True))
    yield from (Case(shape=shape) for shape in ((1, 1), (1, 50), (50, 1), (17, 33), (64, 64), (7, 20, 21)))
    yield from (Case(kind=kind) for kind in ("flat", "one other pixel"))
    yield from (Case(channels=channels) for channels in (1, 4))
    yield from (Case(n_images=n, shape=(13, 16)) for n in (2, 8, 256))
    yield from (Case(normalization=how, n_labels=5) for how in ("none", "before", "after"))


TINY = [Case(shape=(9, 11), full=full) for full in (False, True)]
"""For the CPU: the compiled kernels that the tests need, too."""


def answer(crf: ct.DenseCRF, logits: torch.Tensor, image: torch.Tensor) -> list[torch.Tensor]:
    """Marginals, the gradient of logits scaled to the size of one, and those of parameters: before and after a step."""
    found = []
    optimizer = torch.optim.SGD(crf.parameters(), 1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        z = logits.clone().requires_grad_()
        marginals = crf(z, image)
        marginals[:, 0].square().mean().backward()
        gradients = [p.grad.clone() for p in crf.parameters() if p.grad is not None]
        found += [marginals.detach(), z.grad * logits[:, 0].numel(), *gradients]
        optimizer.step()
    return found


WARM = [
    *(f"from benchmarks.gpu.correct import Case, warm; warm(Case(n_labels={n}))" for n in (2, 3, 5, 21, 150)),
    "from benchmarks.gpu.processor import warm; warm()",
]
"""What compiles the kernels of the CPU that this part and part D need, each in a process of its own."""


def warm(case: Case) -> None:
    logits, image = case.logits(), case.image()
    answer(case.layer("numba"), logits, image)
    with torch.no_grad():
        case.layer("numba")(logits, image)


def compare(session: Session, case: Case, backend: str) -> Row:
    logits, image = case.logits(), case.image()
    wanted = answer(case.layer("numba"), logits, image)
    found = answer(case.layer(backend).to(session.device), logits.to(session.device), image.to(session.device))
    difference = largest_difference(found, wanted)
    return {"difference": difference, "right": difference < FAR}


@contextmanager
def tf32() -> Iterator[None]:
    """What scripts of training often ask for: products with 10 bits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


MODES: dict[str, tuple[Callable[[str], AbstractContextManager[object]], torch.dtype]] = {
    "autocast to bfloat16": (lambda device: torch.autocast(device, torch.bfloat16), torch.float32),
    "autocast to float16": (lambda device: torch.autocast(device, torch.float16), torch.float32),
    "logits in bfloat16": (lambda device: nullcontext(), torch.bfloat16),
    "logits in float16": (lambda device: nullcontext(), torch.float16),
    "TF32 allowed": (lambda device: tf32(), torch.float32),
}
"""Contexts and dtypes of logits under which the answer must stay near."""


def in_mode(session: Session, backend: str, name: str) -> Row:
    """How far marginals and gradients move; half precision rounds them, so it is allowed more."""
    context, dtype = MODES[name]
    case = Case(full=True, shape=(9, 11)) if session.tiny else Case(n_labels=21, full=True, shape=(60, 70))
    logits, image = (x.to(session.device) for x in (case.logits().to(dtype), case.image()))
    wanted = answer(case.layer(backend).to(session.device), logits.float(), image)
    with context(session.device.type):
        found = answer(case.layer(backend).to(session.device), logits, image)
    difference = largest_difference(found[:1], wanted[:1])
    of_gradients = largest_difference(found[1:2], wanted[1:2])
    right = difference < (FAR if dtype == torch.float32 else FAR_IN_HALF)
    return {"difference": difference, "of gradients": of_gradients, "right": right}


def in_half(session: Session, backend: str, dtype: torch.dtype) -> Row:
    """The layer itself turned to half precision: positions must stay exact, so marginals stay near."""
    case = Case(n_labels=5, shape=(4 if session.tiny else 70, 320))
    logits, image = (x.to(session.device) for x in (case.logits().to(dtype), case.image()))
    crf = case.layer(backend).to(session.device)
    wanted = crf(logits.float(), image)
    difference = largest_difference([crf.to(dtype)(logits, image)], [wanted])
    return {"difference": difference, "right": difference < FAR_IN_HALF}


def replayed(session: Session, backend: str, width: int) -> Row:
    """A graph, replayed with other logits, next to the same without a graph."""
    crf = layer(5, backend).to(session.device)
    image, z = (x.to(session.device) for x in (image_of("photo", 60, width), logits_of(5, 60, width)))
    lattice = crf.lattice(image)

    def work() -> torch.Tensor:
        with torch.no_grad():
            return crf(z, lattice=lattice)

    replay = captured(work)
    z.copy_(torch.roll(z, 9, dims=-1))
    difference = largest_difference([replay().clone()], [work()])
    return {"difference": difference, "right": difference == 0}


def captured_training(session: Session, backend: str) -> Row:
    """Forward and backward of a training step with one lattice in a graph, replayed with other logits."""
    crf = layer(5, backend).to(session.device)
    image, z = (x.to(session.device) for x in (image_of("photo", 60, 71), logits_of(5, 60, 71)))
    lattice, own = crf.lattice(image), z.clone().requires_grad_()

    def work() -> torch.Tensor:
        given = [own, *(p for p in crf.parameters() if p.requires_grad)]
        found = torch.autograd.grad(crf(own, lattice=lattice).square().mean(), given)
        return torch.cat([x.flatten() for x in found])

    replay = captured(work)
    with torch.no_grad():
        own.copy_(torch.roll(z, 9, dims=-1))
    difference = largest_difference([replay().clone()], [work()])
    return {"difference": difference, "right": difference < 1e-6}


def trained_with_graphs(session: Session, backend: str) -> Row:
    """Steps of training, with images of one size, some of which have lattices of other sizes, next to plain ones."""
    case = TINY[1] if session.tiny else Case(full=True, n_images=2, n_labels=5)
    noise = torch.Generator().manual_seed(4)

    def train(name: str) -> list[torch.Tensor]:
        noise.manual_seed(4)
        crf = case.layer(name).to(session.device)
        optimizer, found = torch.optim.SGD(crf.parameters(), 1e-3), []
        for step in range(8):
            image = case.image() * (step % 3 + 1) / 3 + torch.rand(case.image().shape, generator=noise)
            z = case.logits().roll(step, -1).to(session.device).requires_grad_()
            optimizer.zero_grad()
            marginals = crf(z, image.to(session.device))
            marginals[:, 0].square().mean().backward()
            found += [marginals.detach(), *(p.grad.clone() for p in crf.parameters() if p.grad is not None)]
            optimizer.step()
        return found

    difference = largest_difference(train(session.with_graphs(backend)), train(backend))
    return {"difference": difference, "right": difference < FAR}


def captured_loss(session: Session, backend: str) -> Row:
    """DenseCRFLoss in a graph: it reads nothing back."""
    loss = losses.DenseCRFLoss(50, 15, backend=backend).to(session.device)
    p, image = logits_of(5, 60, 70).softmax(1).to(session.device), image_of("photo", 60, 70).to(session.device)
    lattice = loss.lattice(image)
    captured(lambda: loss(p, lattice=lattice))
    return {"captured": True}


def tests(session: Session) -> Row:
    """The tests that need a GPU."""
    files = [str(f) for f in (ROOT / "tests").rglob("test_*.py") if "mark.gpu" in f.read_text(encoding="utf-8")]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "--maxfail=20", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    print(done.stdout[-6000:], done.stderr[-2000:])
    return {"right": done.returncode == 0, "says": (done.stderr + done.stdout).strip().splitlines()[-1]}


def main() -> None:
    session = Session("A", __doc__)
    if session.on_gpu:
        compiling = [
            subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for code in WARM
        ]
        session.attempt("pytest -m gpu", tests)
        for process in compiling[:-1]:
            process.wait()
    for case in TINY if session.tiny else cases():
        for backend in session.backends:
            session.attempt(f"{backend}: {case}", compare, case, backend)
    for backend in session.backends:
        for name in MODES:
            session.attempt(f"{backend}: {name}", in_mode, backend, name)
        for dtype in (torch.bfloat16, torch.float16):
            session.attempt(f"{backend}: layer in {dtype}", in_half, backend, dtype)
        session.attempt(f"{backend}: training with graphs of updates", trained_with_graphs, backend)
        if session.on_gpu:
            for width in (70, 71, 72, 73):  # odd and even numbers of vertices
                session.attempt(f"{backend}: graph, width {width}", replayed, backend, width)
            session.attempt(f"{backend}: graph of a training step", captured_training, backend)
            session.attempt(f"{backend}: graph of DenseCRFLoss", captured_loss, backend)
    wrong = [row["what"] for row in session.rows if row.get("right") is False or "error" in row]
    print(f"wrong: {len(wrong)} of {len(session.rows)}", *wrong, sep="\n  ")


if __name__ == "__main__":
    main()

"""Part E, if time is left: `torch.compile`, determinism, memory over images of all sizes, checks of memory access."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import torch

import classicseg.torch as ct
from benchmarks.gpu.images import image_of, logits_of
from benchmarks.gpu.session import Session, largest_difference, layer
from benchmarks.shared.folders import ROOT
from benchmarks.shared.records import Row

SMALL = """
import torch
import classicseg.torch as ct

crf = ct.DenseCRF({labels}, [ct.GaussianKernel(2, 3), ct.BilateralKernel(9, 20, 5)], backend="triton").cuda()
z = torch.randn(2, {labels}, 17, 33, device="cuda", requires_grad=True)
crf(z, 255 * torch.rand(2, 3, 17, 33, device="cuda")).mean().backward()
"""


def compiled(session: Session, backend: str, mode: str) -> Row:
    """A network and a CRF in one graph: the answer of the same without compiling."""
    torch.manual_seed(0)
    model = ct.HybridCRF(torch.nn.Conv2d(3, 5, 3, padding=1), layer(5, backend)).to(session.device).eval()
    image = image_of("photo", 40, 52).to(session.device)
    with torch.no_grad():
        wanted = model(image)
        found = torch.compile(model, fullgraph=True, mode=mode)(image)
    difference = largest_difference([found], [wanted])
    return {"difference": difference, "right": difference < 1e-4}


def deterministic(session: Session, backend: str) -> Row:
    """Two training steps with only deterministic algorithms: the same bits."""
    z, image = (x.to(session.device) for x in (logits_of(21, 100, 131), image_of("photo", 100, 131)))
    crf = layer(21, backend, learn=("weights", "compatibility", "sigma")).to(session.device)

    def gradients() -> list[torch.Tensor]:
        crf.zero_grad()
        own = z.clone().requires_grad_()
        crf(own, image).square().mean().backward()
        return [own.grad, *(p.grad.clone() for p in crf.parameters())]

    torch.use_deterministic_algorithms(True)
    try:
        same = all(torch.equal(a, b) for a, b in zip(gradients(), gradients(), strict=True))
    finally:
        torch.use_deterministic_algorithms(False)
    return {"right": same}


def many_sizes(session: Session, backend: str) -> Row:
    """Memory kept after images of changing size, as a share of the peak that they needed."""
    crf = layer(5, backend).to(session.device)
    sizes = [(40 + 13 * k % 200, 60 + 29 * k % 300) for k in range(3 if session.tiny else 300)]
    for height, width in sizes:
        z = logits_of(5, height, width).to(session.device).requires_grad_()
        crf(z, image_of("noise", height, width).to(session.device)).mean().backward()
    if not session.on_gpu:
        return {"images": len(sizes)}
    reserved, peak = torch.cuda.memory_reserved(), torch.cuda.max_memory_allocated()
    return {"images": len(sizes), "reserved, MB": reserved >> 20, "peak, MB": peak >> 20}


def too_large(session: Session, backend: str) -> Row:
    """More than the card holds: the allocator's own error, and the memory given back."""
    before = torch.cuda.memory_allocated()
    crf = layer(150, backend).to(session.device)
    try:
        z = torch.zeros(1, 150, 16384, 16384, device=session.device)
        crf(z, torch.zeros(1, 3, 16384, 16384, device=session.device))
    except torch.OutOfMemoryError as error:
        said = str(error)[:100]
    else:
        said = "it fits"
    z = None
    return {"says": said, "kept, MB": (torch.cuda.memory_allocated() - before) >> 20}


def sanitized(session: Session, tool: str, n_labels: int) -> Row:
    """compute-sanitizer over a small training step."""
    command = ["compute-sanitizer", "--tool", tool, sys.executable, "-c", SMALL.format(labels=n_labels)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)
    return {"right": done.returncode == 0 and "ERROR SUMMARY: 0" in done.stdout, "says": done.stdout[-300:]}


def main() -> None:
    session = Session("E", __doc__)
    for backend in session.backends:
        session.attempt(f"{backend}: deterministic", deterministic, backend)
        session.attempt(f"{backend}: images of many sizes", many_sizes, backend)
        if session.on_gpu:
            for mode in ("default", "reduce-overhead"):
                session.attempt(f"{backend}: torch.compile, {mode}", compiled, backend, mode)
            session.attempt(f"{backend}: too large", too_large, backend)
    if shutil.which("compute-sanitizer") and "triton" in session.backends:
        for tool in ("memcheck", "racecheck"):
            for n_labels in (2, 21):
                session.attempt(f"{tool}, {n_labels} labels", sanitized, tool, n_labels)


if __name__ == "__main__":
    main()

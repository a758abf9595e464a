"""Minimum cuts: photos, volumes and graphs, two labels each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from classicseg.bench.problem import Problem
from classicseg.bench.suites import graphs
from classicseg.bench.suites.photos import binary, mr_volume, organ

PHOTOS = "the GrabCut set of Microsoft Research: mrf/grabcut/imgs/NAME.jpg and mrf/grabcut/bboxes/NAME.txt"
VOLUME = "data/2013_12_1_img.nii.gz and _init.nii.gz of github.com/HiLab-git/SimpleCRF, in mrf/volumes"


def _organ(connectivity: int, data: Path | None) -> Any:
    return organ(64, connectivity)


def _graph(make: Callable[[], graphs.FlowProblem]) -> Callable[[Any], Any]:
    return lambda data: make().crf()


def problems(data: Path | None) -> list[Problem]:
    """All of the suite, those whose files are not there among them."""
    found = [
        Problem(
            f"cuts/{photo}-512-{connectivity}", partial(binary, photo=photo, size=512, connectivity=connectivity),
            (f"mrf/grabcut/imgs/{photo}.jpg", f"mrf/grabcut/bboxes/{photo}.txt"), PHOTOS,
            summary=f"a photo of 512 x 512, {connectivity} neighbours",
        )
        for photo in ("flower", "sheep")
        for connectivity in (4, 8)
    ]  # fmt: skip
    volumes = ("mrf/volumes/2013_12_1_img.nii.gz", "mrf/volumes/2013_12_1_init.nii.gz")
    for n in (6, 26):
        found.append(Problem(f"cuts/organ-64-{n}", partial(_organ, n), summary=f"a volume, {n} neighbours, generated"))
        volume = partial(mr_volume, connectivity=n)
        found.append(Problem(f"cuts/mr-{n}", volume, volumes, VOLUME, summary=f"a brain, {n} neighbours"))
    made = {
        "mesh": (lambda: graphs.mesh(30_000, 100), "a mesh of tetrahedra, 30,000 nodes"),
        "ball": (lambda: graphs.ball(48, 200), "the voxels of a ball, as a graph"),
        "random": (lambda: graphs.random_graph(20_000, 3, 60), "20,000 nodes, directed edges between any two"),
    }
    return found + [Problem(f"cuts/{name}", _graph(make), summary=text) for name, (make, text) in made.items()]

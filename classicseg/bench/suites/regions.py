"""Photos divided into regions, next to how people divided them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from classicseg.bench.problem import Problem
from classicseg.bench.suites.pictures import existing, rgb
from classicseg.bench.tasks import Regions

ORIGIN = (
    "BSDS500, github.com/BIDS/BSDS500: bsds500/NAME.jpg, and bsds500/NAME_human.npz, whose array segs (annotators, H, "
    "W) holds the segmentations of its .mat file"
)
KNOWN = ("105025", "148089")


def photo(data: Path, name: str) -> Regions:
    """A photo of BSDS500 with all segmentations of people."""
    humans = np.load(existing(data / "bsds500" / f"{name}_human.npz"))["segs"]
    return Regions(rgb(data / "bsds500" / f"{name}.jpg").astype(np.uint8), tuple(humans))


def cup(data: Path | None) -> Regions:
    """The photo that comes with the library, at a quarter of its size, and the outlines of its truth."""
    import classicseg as cs

    sample = cs.sample()
    return Regions(np.ascontiguousarray(sample.image[::3, ::3]), (sample.truth[::3, ::3],))


def problems(data: Path | None) -> list[Problem]:
    """The known ones, and whatever else of the set is there."""
    names = [] if data is None else sorted(file.stem for file in (data / "bsds500").glob("*.jpg"))
    return [Problem("regions/cup", cup, quick=True, summary="the photo that comes with the library")] + [
        Problem(
            f"regions/{name}", partial(photo, name=name), (f"bsds500/{name}.jpg", f"bsds500/{name}_human.npz"), ORIGIN,
            summary="a photo of BSDS500",
        )
        for name in names or KNOWN
    ]  # fmt: skip

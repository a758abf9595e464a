"""Files of the UAI competitions: pairwise energies with the best labellings that were published.

Any ``.uai``, ``.uai.xz`` or ``.uai.gz`` in the folder ``uai`` of the data takes part; a file with the same name and
``.MAP`` after ``.uai`` is its published labelling, ``.evid`` what is known of it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from classicseg.bench.problem import Problem

ORIGIN = (
    "the UAI 2014 competition, MAP task: github.com/dechterlab/uai-competitions, or uai2014/MAP of "
    "github.com/mroavi/uai; put NAME.uai (or .uai.xz) and NAME.uai.MAP into the folder uai"
)
KNOWN = {
    "Grids_18": "a torus of 40 x 40, costs of mixed signs",
    "Grids_20": "a grid of 80 x 80, costs of mixed signs",
    "Segmentation_11": "228 superpixels, 21 labels",
    "Segmentation_12": "231 superpixels",
    "Segmentation_13": "225 superpixels",
    "Segmentation_14": "231 superpixels",
}


def problems(data: Path | None) -> list[Problem]:
    """The known ones, and whatever else is there."""
    files = {name: f"uai/{name}.uai.xz" for name in KNOWN}
    for path in sorted((data / "uai").glob("*.uai*")) if data is not None else []:
        match = re.fullmatch(r"(.+)\.uai(\.xz|\.gz)?", path.name)
        if match:
            files[match[1]] = f"uai/{path.name}"
    return [_problem(data, name, file) for name, file in sorted(files.items())]


def _problem(data: Path | None, name: str, file: str) -> Problem:
    def make(folder: Path) -> Any:
        from classicseg import io

        evidence = _beside(folder, name, "evid")
        return io.read_uai(folder / file, evidence=evidence if evidence.is_file() else None)

    labels = None if data is None else _beside(data, name, "MAP")
    known = labels is not None and labels.is_file()
    return Problem(
        f"uai/{name}", make, (file,), ORIGIN, labels={"UAI 2014": f"uai/{name}.uai.MAP"} if known else {},
        summary=KNOWN.get(name, "a file of the folder"),
    )  # fmt: skip


def _beside(folder: Path, name: str, ending: str) -> Path:
    return folder / "uai" / f"{name}.uai.{ending}"

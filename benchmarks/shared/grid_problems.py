"""Grid energies by name, to time solvers with: those of classicseg.bench, in more sizes.

    python benchmarks/shared/grid_problems.py    # what there is

Images are looked for in ``folders.DATA``; a problem whose images are not there raises FileNotFoundError.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.folders import DATA
from classicseg.bench.suites import mrf
from classicseg.bench.suites.photos import GAMMA, binary, linear, mr_volume, of_fields, organ, potts

MIDDLEBURY: dict[str, Callable[[], cs.GridCRF]] = {name: partial(make, DATA) for name, make in mrf.MIDDLEBURY.items()}

PROBLEMS: dict[str, Callable[[], cs.GridCRF]] = {
    **MIDDLEBURY,
    "tsukuba-no-cues": partial(mrf.tsukuba, DATA, cues=False),
    **{
        f"{photo}-{size or 'native'}-{connectivity}": partial(binary, DATA, photo, size, connectivity)
        for photo in GAMMA
        for size in (256, 512, 1024, 2048, None)
        for connectivity in (4, 8)
    },
    **{
        f"potts{n}-{size}{'-contrast' if contrast else ''}": partial(potts, n, size, contrast=contrast)
        for n in (5, 21)
        for size in (256, 512, 1024)
        for contrast in (False, True)
    },
    **{f"organ-{n}-{c}": partial(organ, n, c) for n in (64, 96, 128) for c in (6, 26)},
    **{f"mr-{c}": partial(mr_volume, DATA, c) for c in (6, 26)},
    "linear16-512": linear,
    "tiny-cut-4": partial(of_fields, (40, 50), 2, 4),
    "tiny-cut-8": partial(of_fields, (40, 50), 2, 8),
    "tiny-cut-26": partial(of_fields, (9, 12, 14), 2, 26),
    "tiny-potts": partial(of_fields, (40, 50), 5, 4),
}


if __name__ == "__main__":
    for name, make in PROBLEMS.items():
        try:
            print(f"{name:28}{make()}")
        except FileNotFoundError as missing:
            print(f"{name:28}{missing}")

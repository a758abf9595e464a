"""What does `refine` gain where it chooses its strength itself, and would it have without having seen the data?

    python benchmarks/pipelines/strength.py

Real scores of networks at several fractions of the resolution (see coarse.py), mean IoU of each data set and fraction,
all its images together, in points above the network alone, enlarged bilinearly. "left out" is what each data set
would have gained had the limits of ``classicseg.pipelines.strength`` been chosen on the *other* data sets: of all
limits within TOLERANCE of the best mean over the others, no cell of them below HARM, the most careful ones. Then
boundary F, the images that lose, and how long choosing takes as a share of refining with the preset `default`.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.coarse import cells, enlarged
from benchmarks.shared.datasets import VOID, Example, bundled
from benchmarks.shared.harness import arguments
from benchmarks.shared.records import save, this_run
from classicseg import metrics
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.pipelines.appearance import Appearance
from classicseg.pipelines.presets import PRESETS
from classicseg.pipelines.strength import Evidence, Limits, Trial, blocks_of, choose, decide, evidence_of, trial_of

LADDER = ("gentle", "firm", "strong", "strongest")
OTHERS = ("default", "conservative", "deeplab", "irnet", "pydensecrf")
TOLERANCE, HARM, LOSS = 0.1, -0.1, -1.5
"""Points: between limits that are as good; that a cell may lose in choosing; from which on an image counts as lost."""

Cell = tuple[str, int]


@dataclass(frozen=True)
class Seen:
    """What is known of one image."""

    confusions: dict[str, np.ndarray]
    boundary: dict[str, float]
    evidence: Evidence
    trials: dict[str, Trial]
    chosen: str
    seconds: dict[str, float]

    def gain(self, preset: str) -> float:
        return mean_iou(self.confusions[preset]) - mean_iou(self.confusions["alone"])

    def decided(self, limits: Limits) -> str:
        return decide(self.evidence, self.trials.__getitem__, limits)


def mean_iou(confusion: np.ndarray) -> float:
    return 100 * cs.scores_of(confusion).mean_iou


def look(example: Example, presets: tuple[str, ...]) -> Seen:
    spatial, n_labels = example.truth.shape, len(example.unary)
    seen = Appearance.of(example.image, spatial, None if example.image.ndim == len(spatial) else -1, 1.0)
    scores = UnaryGrid(example.unary, spatial, False)
    evidence = evidence_of(scores, None, blocks_of(spatial, seen.spacing), 1)
    small = seen.thinned(evidence.means.shape[1:])
    kernels = {name: small.kernels(small.in_units(PRESETS[name], {})) for name in ("strong", "strongest")}
    labels = {"alone": example.unary.argmin(axis=0)}
    labels |= {name: cs.refine(example.image, unary=example.unary, preset=name) for name in presets}
    chosen = choose(scores, seen, {}, 1)
    return Seen(
        {name: cs.confusion_matrix(x, example.truth, n_labels, ignore_label=VOID) for name, x in labels.items()},
        {name: boundary_f(labels[name], example.truth, n_labels) for name in {"alone", chosen}},
        evidence,
        {name: trial_of(evidence, k, 1) for name, k in kernels.items()},
        chosen,
        {
            "choosing": shortest(lambda: choose(scores, seen, {}, 1)),
            "default": shortest(lambda: cs.refine(example.image, unary=example.unary, preset="default", n_threads=1)),
        },
    )


def shortest(call: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def boundary_f(labels: np.ndarray, truth: np.ndarray, n_labels: int) -> float:
    """In percent; of a volume the mean over the slices in which there is a border."""
    pairs = [(labels, truth)] if truth.ndim == 2 else list(zip(labels, truth, strict=True))
    with_border = [(x, t) for x, t in pairs if len(np.unique(t[t != VOID])) > 1]
    return float(np.mean([100 * metrics.boundary_f_score(x, t, n_labels, ignore_label=VOID) for x, t in with_border]))


class Points:
    """Gains of cells, each worked out once for the same choices."""

    def __init__(self, found: dict[Cell, list[Seen]]) -> None:
        self.found, self._known = found, {}

    def of(self, preset: Callable[[Seen], str]) -> dict[Cell, float]:
        return {cell: self._gain(cell, tuple(map(preset, members))) for cell, members in self.found.items()}

    def lost(self, preset: Callable[[Seen], str]) -> int:
        """Images that lose."""
        chosen = [(s, preset(s)) for members in self.found.values() for s in members]
        for s, name in chosen:
            if (id(s), name) not in self._known:
                self._known[id(s), name] = s.gain(name)
        return sum(self._known[id(s), name] < LOSS for s, name in chosen)

    def _gain(self, cell: Cell, names: tuple[str, ...]) -> float:
        if (cell, names) not in self._known:
            members = self.found[cell]
            before = mean_iou(sum(s.confusions["alone"] for s in members))
            after = mean_iou(sum(s.confusions[name] for s, name in zip(members, names, strict=True)))
            self._known[cell, names] = after - before
        return self._known[cell, names]


def all_limits() -> list[Limits]:
    """The most careful first."""
    return [
        Limits(sharp, coarse, Limits.doubtful, crowded, (area, most_area), (kept, most_kept))
        for sharp, coarse, crowded, area, most_area, kept, most_kept in itertools.product(
            (1.6, 1.3, 1.0, 0.0),
            (2.5, 2.0, 1.5, 0.0),
            (3.0, 4.0, 6.0, 99.0),
            (9.0, 0.92, 0.88, 0.84, 0.8),
            (9.0, 1.0, 0.98, 0.9),
            (0.9, 0.85, 0.8),
            (0.95, 0.9),
        )
    ]


def chosen_limits(found: dict[Cell, list[Seen]]) -> Limits:
    """The most careful of the best; the mean is that over data sets."""
    names, known, best = {name for name, _ in found}, Points(found), []
    for limits in all_limits():
        points = known.of(lambda s, limits=limits: s.decided(limits))
        lost = known.lost(lambda s, limits=limits: s.decided(limits))
        mean = np.mean([np.mean([p for cell, p in points.items() if cell[0] == name]) for name in names])
        best.append((float(mean) if min(points.values()) >= HARM and lost == 0 else -np.inf, limits))
    top = max(mean for mean, _ in best)
    return next(limits for mean, limits in best if mean >= top - TOLERANCE)


def left_out(found: dict[Cell, list[Seen]]) -> tuple[dict[Cell, float], dict[str, str]]:
    points, limits = {}, {}
    for name in dict.fromkeys(name for name, _ in found):
        of_others = chosen_limits({cell: members for cell, members in found.items() if cell[0] != name})
        limits[name] = str(of_others)
        points |= Points({c: m for c, m in found.items() if c[0] == name}).of(lambda s, x=of_others: s.decided(x))
        print(name, "left out:", of_others, flush=True)
    return points, limits


def main() -> None:
    options = arguments(__doc__).parse_args()
    run, presets = this_run(threads=1), LADDER if options.tiny else LADDER + OTHERS
    every = [("nuclei", f, [enlarged(e, f) for e in bundled()]) for f in (1, 4)] if options.tiny else cells()
    found: dict[Cell, list[Seen]] = {}
    for name, f, examples in every:
        found[name, f] = [look(example, presets) for example in examples]
        print(name, f, flush=True)
    if not found:
        print("no data here, nothing measured")
        return
    points = Points(found)
    auto, by_preset = points.of(lambda s: s.chosen), {p: points.of(lambda s, p=p: p) for p in presets}
    without, limits = ({}, {}) if options.tiny else left_out(found)
    rows: list[dict[str, Any]] = []
    for cell, members in found.items():
        rows.append(
            {
                "data": f"{cell[0]} ({len(members)})",
                "size": f"1/{cell[1]}",
                "alone": round(mean_iou(sum(s.confusions["alone"] for s in members)), 2),
                "auto": round(auto[cell], 2),
                "left out": round(without.get(cell, np.nan), 2),
                **{p: round(of_cells[cell], 2) for p, of_cells in by_preset.items()},
                "boundary F": round(float(np.mean([s.boundary[s.chosen] - s.boundary["alone"] for s in members])), 2),
                "chosen": dict(Counter(s.chosen for s in members)),
                "choosing": round(float(np.median([s.seconds["choosing"] / s.seconds["default"] for s in members])), 3),
            }
        )
        print(rows[-1], flush=True)
    images = [s for members in found.values() for s in members]
    sample = cs.sample()
    about = {
        "mean gain of auto": round(float(np.mean(list(auto.values()))), 2),
        "mean gain left out": round(float(np.mean(list(without.values()))), 2) if without else None,
        "images below -1.5": f"{points.lost(lambda s: s.chosen)} of {len(images)}",
        "mean IoU of the bundled photo": round(
            cs.scores(cs.refine(sample.image, sample.probabilities), sample.truth, ignore_label=VOID).mean_iou, 4
        ),
        "limits without": limits,
    }
    print(about)
    save("pipelines_strength", rows, run, options.output, about=about)


if __name__ == "__main__":
    main()

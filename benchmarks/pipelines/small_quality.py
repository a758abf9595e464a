"""Scores smaller than the image: what does `refine` gain over enlarging them, and what do others?

    python benchmarks/pipelines/small_quality.py [--only camvid ...]

Logits are averaged over blocks of f pixels along each axis, as networks give them that answer at 1/f of the
resolution. Gains of mean IoU, in points, over bilinear interpolation and argmax: of `refine` as it is, and of presets
with and without `dilution`, which lets interpolated scores count less; of the colour guided filter with windows of 2 f
and 4 f, and of joint bilateral upsampling with a sigma of f and 2 f, of the interpolated probabilities. Also the gain
of the boundary F score. The renderer chooses the exponent of the dilution anew with each data set left out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.coarse import FRACTIONS, enlarge, shrink
from benchmarks.shared.datasets import DATASETS, VOID, Example, bundled, eight_bit
from benchmarks.shared.harness import arguments
from benchmarks.shared.records import Row, save, this_run
from benchmarks.shared.upsampling import guided_filter, joint_bilateral

EXPONENTS = (0.0, 0.1, 0.2, 0.33, 0.5)
DILUTED = ("default", "gentle", "firm")
ALONE, OURS = "alone", "auto"
Method = Callable[[Example, np.ndarray, int], np.ndarray]


def probabilities(example: Example, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those of logits that were enlarged, and the image with its channels last and in 8-bit units."""
    large = enlarge(logits, example.truth.shape)
    p = np.exp(large - large.max(axis=0))
    image = eight_bit(example.image)
    return p / p.sum(axis=0), image[..., None] if image.shape == example.truth.shape else image


def refined(preset: str, **changes: float) -> Method:
    return lambda example, logits, _: cs.refine(example.image, logits=logits, preset=preset, **changes)


def filtered(how: Callable[[np.ndarray, np.ndarray, int], np.ndarray], times: int) -> Method:
    return lambda example, logits, f: how(*probabilities(example, logits), times * f).argmax(axis=0)


METHODS: dict[str, Method] = {
    ALONE: lambda example, logits, _: enlarge(logits, example.truth.shape).argmax(axis=0),
    "guided 2f": filtered(guided_filter, 2),
    "guided 4f": filtered(guided_filter, 4),
    "jbu 1f": filtered(joint_bilateral, 1),
    "jbu 2f": filtered(joint_bilateral, 2),
    OURS: refined(OURS),
    "default": refined("default"),
    **{f"{preset}, exponent {x}": refined(preset, dilution=x) for preset in DILUTED for x in EXPONENTS},
}


def cells(only: list[str], tiny: bool) -> Iterator[tuple[str, int, list[Example]]]:
    if tiny:
        yield "bundled", 4, list(bundled())
        return
    for name in only:
        examples = list(DATASETS[name]())
        for f in FRACTIONS[name] if examples else ():
            if f > 1:
                yield name, f, examples


def mean_iou(confusion: np.ndarray) -> float:
    return 100 * cs.metrics.scores_of(confusion).mean_iou


def boundary(labels: np.ndarray, example: Example) -> float:
    return 100 * cs.boundary_f_score(labels, example.truth, len(example.unary), ignore_label=VOID)


def measure(name: str, f: int, examples: list[Example]) -> Row:
    logits = [shrink(-example.unary, f) for example in examples]
    row: Row = {"case": f"{name} 1/{f}", "data set": name, "images": len(examples)}
    gain: dict[str, float] = {}
    ious: dict[str, list[float]] = {}
    edges: dict[str, float] = {}
    for method, solve in METHODS.items():
        labels = [solve(example, z, f) for example, z in zip(examples, logits, strict=True)]
        confusions = [
            cs.confusion_matrix(x, example.truth, len(example.unary), ignore_label=VOID)
            for x, example in zip(labels, examples, strict=True)
        ]
        gain[method] = mean_iou(np.sum(confusions, axis=0))
        ious[method] = [mean_iou(confusion) for confusion in confusions]
        if examples[0].truth.ndim == 2 and method in (ALONE, OURS):
            edges[method] = float(np.mean([boundary(x, e) for x, e in zip(labels, examples, strict=True)]))
    alone = gain.pop(ALONE)
    row["alone"] = round(alone, 2)
    row["gain"] = {method: round(iou - alone, 2) for method, iou in gain.items()}
    row["worst_image"] = round(min(ours - alone for ours, alone in zip(ious[OURS], ious[ALONE], strict=True)), 2)
    row["boundary_gain"] = round(edges[OURS] - edges[ALONE], 2) if edges else None
    return row


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", choices=FRACTIONS, default=list(FRACTIONS), help="data sets")
    options = parser.parse_args()
    run, rows = this_run(threads=cs.get_num_threads()), []
    for cell in cells(options.only, options.tiny):
        rows.append(measure(*cell))
        print(rows[-1], flush=True)
    if rows:
        save("pipelines_small_quality", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()

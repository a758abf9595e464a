"""What does the dense CRF do to real segmentations, ours and pydensecrf2's at the same parameters, and how fast?

    python benchmarks/dense/quality.py [--rounds 7] [--datasets camvid ...] [--pictures FOLDER]

For every data set (see datasets.py): the labels of the classifier alone, of pydensecrf2, of our drop-in at the same
parameters, and of `refine` with its default and its conservative preset. Mean IoU and accuracy are those of all images
of a data set together. Times are from costs and image to labels and marginals, lattices built included. The drop-in
uses all threads there are, pydensecrf2 has one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.datasets import DATASETS, VOID, Example, bundled, eight_bit
from benchmarks.shared.dense_peers import DEEPLAB, DROP_IN, IRNET, README, Parameters, with_pydensecrf
from benchmarks.shared.harness import arguments, milliseconds, needs, ratio, take_turns
from benchmarks.shared.records import save, this_run
from classicseg import plot

PARAMETERS = {"readme": README, "irnet": IRNET, "deeplab": DEEPLAB}


def answers(example: Example) -> tuple[dict[str, np.ndarray], list[float], list[float]]:
    """Labels of every contender; shares of equal labels and largest differences between drop-in and pydensecrf2."""
    unary, image = example.unary, eight_bit(example.image)
    labels = {"before": unary.argmin(axis=0)}
    equal, difference = [], []
    for name, p in PARAMETERS.items():
        theirs, their_q = with_pydensecrf(unary, image, p)
        ours, our_q = with_pydensecrf(unary, image, p, DROP_IN)
        labels |= {f"{name}: pydensecrf2": theirs, f"{name}: drop-in": ours}
        equal.append(float((theirs == ours).mean()))
        difference.append(float(np.abs(their_q - our_q).max()))
    for preset in ("default", "conservative"):
        labels[preset] = cs.refine(example.image, unary=unary, preset=preset)
    return labels, equal, difference


def times(example: Example, p: Parameters, rounds: int) -> dict[str, list[float]]:
    unary, image = example.unary, eight_bit(example.image)
    return take_turns(
        {
            "pydensecrf2": lambda: with_pydensecrf(unary, image, p),
            "drop-in": lambda: with_pydensecrf(unary, image, p, DROP_IN),
            "default": lambda: cs.refine(example.image, unary=unary),
        },
        rounds,
    )


def picture(example: Example, labels: dict[str, np.ndarray]) -> np.ndarray:
    """Image, truth, before; pydensecrf2, drop-in, default. Of a volume, the slice with most foreground."""
    image, truth = example.image, example.truth
    if example.unary.ndim == 4:
        z = int((truth > 0).sum(axis=(0, 1)).argmax())
        image, truth = image[:, :, z], truth[:, :, z]
        labels = {name: array[:, :, z] for name, array in labels.items()}
    shown = [plot.displayable(image), plot.overlay(image, np.where(truth == VOID, 0, truth))]
    names = ("before", "readme: pydensecrf2", "readme: drop-in", "default")
    return plot.tile([*shown, *(plot.overlay(image, labels[name]) for name in names)], columns=3)


def measure(name: str, examples: Iterable[Example], rounds: int, pictures: Path | None) -> dict[str, object] | None:
    matrices: dict[str, np.ndarray] = {}
    seconds: dict[str, list[float]] = {}
    agreement: list[float] = []
    difference: list[float] = []
    n_labels = 0
    for example in examples:
        n_labels = len(example.unary)
        labels, equal, different = answers(example)
        agreement += equal
        difference += different
        for key, array in labels.items():
            counts = cs.confusion_matrix(array, example.truth, n_labels, ignore_label=VOID)
            matrices[key] = matrices.get(key, 0) + counts
        volume = example.unary.ndim == 4 and example.truth.size > 1_000_000
        for key, runs in times(example, README, 3 if volume else rounds).items():
            seconds.setdefault(key, []).extend(runs)
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(example, labels)).save(pictures / f"{name}-{example.name}.png")
    if not matrices:
        return None
    scores = {key: cs.scores_of(matrix) for key, matrix in matrices.items()}
    return {
        "dataset": name,
        "labels": n_labels,
        "mean_iou": {key: round(100 * s.mean_iou, 2) for key, s in scores.items()},
        "accuracy": {key: round(100 * s.accuracy, 2) for key, s in scores.items()},
        "ms": {key: milliseconds(runs) for key, runs in seconds.items()},
        "drop_in_times_faster": ratio(seconds["pydensecrf2"], seconds["drop-in"]),
        "equal_labels": min(agreement),
        "largest_difference_of_marginals": max(difference),
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--pictures", type=Path, help="folder for a picture of every image")
    options = parser.parse_args()
    needs("pydensecrf")
    run, rows = this_run(threads=cs.get_num_threads(), libraries=["pydensecrf2"]), []
    chosen = {"bundled": bundled} if options.tiny else {name: DATASETS[name] for name in options.datasets}
    for name, examples in chosen.items():
        row = measure(name, examples(), 1 if options.tiny else options.rounds, options.pictures)
        if row is None:
            print(f"{name}: skipped, no such data here")
            continue
        rows.append(row)
        print(f"\n{name}: mean IoU, accuracy")
        for key in row["mean_iou"]:
            print(f"  {key:24}{row['mean_iou'][key]:8.2f}{row['accuracy'][key]:8.2f}")
        print({k: v for k, v in row.items() if k not in ("mean_iou", "accuracy")}, flush=True)
    if rows:
        save("dense_quality", rows, run, options.output, key="dataset")


if __name__ == "__main__":
    main()

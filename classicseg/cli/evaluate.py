"""Compare label pictures with the truth: mean IoU, IoU of each class, boundary F and trimap IoU.

Pictures of the same name are compared. With a model instead of label pictures, it is run on the images of the folder,
resized as in its training; its labels are compared in the size of the images, and how far its probabilities are to be
believed (those of the CRF, with --crf) is told as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from classicseg.cli.output import add_json_option, report

if TYPE_CHECKING:
    import numpy as np

SUMMARY = "labels and truth in, scores out"
WIDTHS = (1, 2, 3, 5, 10, 20)
"""Pixels on either side of borders, for trimap IoU: from the line itself to the neighbourhood of an object."""
Examples: TypeAlias = "Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray | None]]"
"""Name, labels, truth and probabilities of each; these are None where labels are all that is known."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--labels", type=Path, help="folder of label pictures to be scored")
    parser.add_argument("--truth", type=Path, help="folder of true label pictures; 255 is void")
    parser.add_argument("--classes", type=Path, help="classes.txt of the truth; the labels count its classes from 0")
    parser.add_argument("--model", type=Path, help="from classicseg train; needs PyTorch")
    parser.add_argument("--data", type=Path, help="with --model: folder as for classicseg train")
    parser.add_argument("--split", help="with --model: which split of the folder")
    parser.add_argument("--crf", metavar="PRESET", help="with --model: refine with a dense CRF of this preset")
    parser.add_argument("--tolerance", type=float, help="of boundary F, pixels; default: 0.75 %% of the diagonal")
    add_json_option(parser)


def run(options: argparse.Namespace) -> None:
    """Read, compare, report."""
    import numpy as np

    from classicseg import io, metrics

    folders, model = (options.labels, options.truth), (options.model, options.data)
    if None not in folders and model == (None, None):
        classes, examples = _of_folders(options)
    elif None not in model and folders == (None, None):
        classes, examples = _of_model(options)
    else:
        raise ValueError("give either --labels and --truth, or --model and --data")
    n = len(classes)
    total, near, borders = np.zeros((n, n), np.int64), np.zeros((len(WIDTHS), n, n), np.int64), []
    tables: list[np.ndarray] = []
    for name, labels, truth, probabilities in examples:
        try:
            total += metrics.confusion_matrix(labels, truth, n, ignore_label=io.VOID)
            if (truth == io.VOID).all():
                continue
            near += [metrics.trimap_confusion(labels, truth, n, width, ignore_label=io.VOID) for width in WIDTHS]
            borders.append(
                metrics.boundary_f_score(labels, truth, n, tolerance=options.tolerance, ignore_label=io.VOID)
            )
            if probabilities is not None:
                tables.append(metrics.reliability(probabilities, truth, ignore_label=io.VOID))
        except ValueError as failure:
            raise ValueError(f"{name}: {failure}") from failure
    scores = metrics.scores_of(total)
    done = {
        "n_images": len(borders),
        "accuracy": scores.accuracy,
        "mean_iou": scores.mean_iou,
        "boundary_f": float(np.mean(borders)),
        "calibration_error": metrics.calibration_error(np.sum(tables, axis=0)) if tables else None,
        "iou": {name: None if np.isnan(x) else x for name, x in zip(classes, scores.iou, strict=True)},
        "trimap_iou": {
            str(width): metrics.scores_of(x).mean_iou if x.any() else None
            for width, x in zip(WIDTHS, near, strict=True)
        },
    }
    report(options, done, _text(done))


def _text(done: dict[str, Any]) -> str:
    def percent(value: float | None) -> str:
        return "     -" if value is None else f"{100 * value:6.2f}"

    lines = [f"{done['n_images']} images", f"{'accuracy, %':28}{percent(done['accuracy'])}"]
    lines += [
        f"{'mean IoU, %':28}{percent(done['mean_iou'])}",
        f"{'boundary F, %':28}{percent(done['boundary_f'])}",
        f"{'calibration error, %':28}{percent(done['calibration_error'])}",
    ]
    lines += [f"{'  IoU of ' + name + ', %':28}{percent(x)}" for name, x in done["iou"].items()]
    lines += [f"{f'  IoU within {w} px, %':28}{percent(x)}" for w, x in done["trimap_iou"].items()]
    return "\n".join(lines)


def _of_folders(options: argparse.Namespace) -> tuple[list[str], Examples]:
    import numpy as np

    from classicseg import io

    files = []
    for folder in (options.labels, options.truth):
        if not folder.is_dir():
            raise FileNotFoundError(f"no such folder: {folder}")
        files.append({f.stem: f for f in sorted(folder.iterdir()) if f.suffix.lower() in (".png", ".npy", ".tif")})
    given, true = files
    alone = sorted(set(true) ^ set(given))
    if alone or not true:
        what = f"{(true | given)[alone[0]]} has no partner of the same name" if alone else f"{options.truth} is empty"
        raise ValueError(f"{what}; every label picture needs its truth")
    pairs = [(str(given[name]), io.read_labels(given[name]), io.read_labels(true[name])) for name in true]
    if options.classes is not None:
        names, numbers = io.read_classes(options.classes)
        table = np.arange(io.VOID + 1)
        table[list(numbers)] = list(numbers.values())
        pairs = [(name, labels, table[np.clip(truth, 0, io.VOID)]) for name, labels, truth in pairs]
        classes = list(names)
    else:
        largest = max(max(int(x.max()), int(np.where(t == io.VOID, 0, t).max())) for _, x, t in pairs)
        classes = [str(i) for i in range(largest + 1)]
    return classes, ((*pair, None) for pair in pairs)


def _of_model(options: argparse.Namespace) -> tuple[list[str], Examples]:
    from classicseg.cli._torch import train_module
    from classicseg.energies.softmax import softmax
    from classicseg.pipelines.presets import check
    from classicseg.pipelines.refine import refinement

    train = train_module()
    if options.crf is not None:
        check(options.crf)  # an unknown name ends it here, not after the network has run
    model = train.Model.load(options.model)
    data = train.FolderData(options.data, options.split)
    if data.classes != model.classes:
        raise ValueError(f"{options.data} has the classes {data.classes}, but {options.model} knows {model.classes}")

    def examples() -> Examples:
        for i in range(len(data)):
            image, truth = data[i]
            logits = model.predict(image)
            if options.crf is None:
                yield data.name(i), logits.argmax(0), truth, softmax(logits)
            else:
                found = refinement(image, logits=logits, preset=options.crf)
                yield data.name(i), found.labels, truth, found.marginals

    return list(model.classes), examples()

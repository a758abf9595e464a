"""Compare label pictures with the truth: mean IoU, IoU of each class, boundary F and trimap IoU.

Pictures of the same name are compared; 255 is void unless classes.txt says that it is a class. With a model instead of
label pictures, it is run on the images of the folder, resized as in its training; its labels are compared in the size
of the images, and how far its probabilities are to be believed (those of the CRF, with --crf) is told as well. Of
scans (.nii.gz) and stacks whose files say how large a voxel is, the means of millilitres, Dice, HD95 and surface
distances are told, of maps (GeoTIFF) in metres the sums of hectares.

Files that cannot be compared are named, and scores are those of the others: the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from classicseg.cli import upright
from classicseg.cli.jobs import listed, sentence
from classicseg.cli.output import add_json_option, report
from classicseg.cli.progress import Progress
from classicseg.cli.sizes import Sizes, as_json, lines_of
from classicseg.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from classicseg.io.raster import Profile

SUMMARY = "labels and truth in, scores out"
WIDTHS = (1, 2, 3, 5, 10, 20)
"""Pixels on either side of borders, for trimap IoU: from the line itself to the neighbourhood of an object."""
Results: TypeAlias = "Iterator[tuple[Path | str, Counts | None, Exception | None]]"
"""Name, and what was counted, or the error that ended it."""
Pair: TypeAlias = tuple[Path, Path]
Compared: TypeAlias = "tuple[np.ndarray, np.ndarray, np.ndarray | None, Profile | None]"
"""Labels, truth, probabilities (None where labels are all that is known) and what the file of the truth says."""


class Counts(NamedTuple):
    """What is summed up over pictures."""

    n_void: int
    total: np.ndarray
    """(L, L), the confusion of all pixels."""
    near: np.ndarray | None
    """(width, L, L), that of pixels near borders; None of volumes, and if all are void."""
    border: float
    """The boundary F, likewise."""
    sizes: Sizes
    table: np.ndarray | None
    """Of reliability; None without probabilities."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--labels", type=Path, help="folder of label pictures to be scored")
    parser.add_argument("--truth", type=Path, help="folder of true label pictures; 255 is void")
    parser.add_argument("--classes", type=Path, help="classes.txt of the truth; the labels count its classes from 0")
    parser.add_argument("--model", type=Path, help="from classicseg train; needs PyTorch")
    parser.add_argument("--data", type=Path, help="with --model: folder as for classicseg train")
    parser.add_argument("--split", help="with --model: which split of the folder, or a list, such as test.txt")
    parser.add_argument(
        "--label-suffix", default="", metavar="END", help="of the truth, such as _mask, if a.png has a_mask.png"
    )
    parser.add_argument(
        "--window", type=int, nargs=2, metavar=("H", "W"),
        help="with --model: see large images in windows of this size that overlap, as classicseg predict does",
    )  # fmt: skip
    parser.add_argument("--device", default="cpu", help="with --model: default %(default)s")
    parser.add_argument("--crf", metavar="PRESET", help="with --model: refine with a dense CRF of this preset")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="of label pictures: how many at a time (default: all processors)"
    )
    parser.add_argument("--tolerance", type=float, help="of boundary F, pixels; default: 0.75 %% of the diagonal")
    upright.add_arguments(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Read, compare, report."""
    import numpy as np

    from classicseg import metrics
    from classicseg.io.classes import check_counts

    folders, model = (options.labels, options.truth), (options.model, options.data)
    if None not in folders and model == (None, None):
        classes, results = _of_folders(options)
    elif None not in model and folders == (None, None):
        classes, results = _of_model(options)
    else:
        raise InputError("give either --labels and --truth, or --model and --data")
    n, n_void, n_images = len(classes), 0, 0
    total, near, borders = np.zeros((n, n), np.int64), np.zeros((len(WIDTHS), n, n), np.int64), []
    tables: list[np.ndarray] = []
    sizes, failed = Sizes(n), dict[Path, str]()
    for name, counts, error in results:
        if counts is None:
            failed[Path(name)] = sentence(error or Exception())
            options.say(failed[Path(name)] if str(name) in failed[Path(name)] else f"{name}: {failed[Path(name)]}")
            continue
        n_void += counts.n_void
        total += counts.total
        n_images += bool(counts.total.any())
        sizes.include(counts.sizes)
        if counts.near is not None:
            near += counts.near
            borders.append(counts.border)
        if counts.table is not None:
            tables.append(counts.table)
    if failed and not total.any() and not n_void:
        raise InputError(f"nothing could be compared: {next(iter(failed.values()))}")
    if options.truth is not None:  # with a model, all was looked at before
        check_counts(total.sum(1), n_void, classes, "the truth")
    scores = metrics.scores_of(total)
    done = {
        "n_images": n_images,
        "n_failed": len(failed),
        "accuracy": scores.accuracy,
        "mean_iou": scores.mean_iou,
        "boundary_f": float(np.mean(borders)) if borders else None,
        "calibration_error": metrics.calibration_error(np.sum(tables, axis=0)) if tables else None,
        "iou": {name: None if np.isnan(x) else x for name, x in zip(classes, scores.iou, strict=True)},
        "trimap_iou": {
            str(width): metrics.scores_of(x).mean_iou if x.any() else None
            for width, x in zip(WIDTHS, near, strict=True)
        },
    }
    told = sizes.told(classes)
    report(options, done | as_json(told), "\n".join([_text(done), *lines_of(told)]))
    if failed:
        options.say(f"{len(failed)} failed: {listed(failed)}; scores are those of the others")
    return 1 if failed else 0


def _counted(compared: Compared, n: int, tolerance: float | None) -> Counts:
    """Compare the labels of a picture with their truth."""
    import numpy as np

    from classicseg import io, metrics

    labels, truth, probabilities, profile = compared
    n_void, total = int((truth == io.VOID).sum()), metrics.confusion_matrix(labels, truth, n, ignore_label=io.VOID)
    near, border, table, sizes = None, 0.0, None, Sizes(n)
    if n_void == truth.size:
        return Counts(n_void, total, near, border, sizes, table)
    if truth.ndim == 2:  # borders are those of pictures
        near = np.array([metrics.trimap_confusion(labels, truth, n, w, ignore_label=io.VOID) for w in WIDTHS])
        border = metrics.boundary_f_score(labels, truth, n, tolerance=tolerance, ignore_label=io.VOID)
    sizes.add(labels, truth, profile)
    if probabilities is not None:
        table = metrics.reliability(probabilities, truth, ignore_label=io.VOID)
    return Counts(n_void, total, near, border, sizes, table)


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


def _of_folders(options: argparse.Namespace) -> tuple[list[str], Results]:
    from classicseg import io
    from classicseg.io.classes import read_colors, table_of
    from classicseg.io.files import NIFTI
    from classicseg.io.folders import LABELS, pairs_of

    pairs = list(pairs_of(options.labels, options.truth, LABELS, options.label_suffix, NIFTI).values())
    if options.classes is not None:
        names, numbers = io.read_classes(options.classes)
        classes, table, colors = list(names), table_of(numbers), read_colors(options.classes)
    else:

        def largest(pair: Pair) -> int:
            return max(_largest(io.read_labels(file, exif=options.exif), io.VOID) for file in pair)

        found = [n for _, n, _ in _of_pairs(largest, pairs, options.workers) if n is not None]
        n_classes = max([2, *(n + 1 for n in found)])
        classes, table, colors = [str(i) for i in range(n_classes)], table_of({i: i for i in range(n_classes)}), {}

    def compare(pair: Pair) -> Counts:
        return _counted(_compared(*pair, table, colors, options.exif), len(classes), options.tolerance)

    return classes, _of_pairs(compare, pairs, options.workers, Progress(len(pairs)))


def _of_pairs(
    call: Callable[[Pair], Any], pairs: Sequence[Pair], n_workers: int | None, progress: Progress | None = None
) -> Iterator[tuple[Path, Any, Exception | None]]:
    """What a call makes of each pair, several at a time, or its error; in order, so that sums are always the same."""
    from classicseg.pipelines.many import attempt, workers_for
    from classicseg.pipelines.pool import results_of

    n_workers, _ = workers_for(len(pairs), n_workers, 1)
    results = results_of(lambda pair: attempt(lambda: call(pair)), pairs, n_workers, in_order=True)
    with contextlib.closing(results):
        for i, (found, error) in results:
            if progress is not None:
                progress.step()
                if error is not None or i + 1 == len(pairs):
                    progress.clear()
            yield pairs[i][0], found, error


def _largest(labels: np.ndarray, void: int) -> int:
    return int(labels.max(where=labels != void, initial=0))


def _compared(
    given: Path, true: Path, table: np.ndarray, colors: dict[tuple[int, int, int], int], exif: bool
) -> Compared:
    """Labels and their truth, both counted as the classes are."""
    import numpy as np

    from classicseg import io
    from classicseg.io.raster import check_same_place, profile_of

    labels, truth = io.read_labels(given, exif=exif), io.read_labels(true, exif=exif, colors=colors)
    profile = profile_of(truth) or profile_of(labels)
    check_same_place(profile_of(truth), profile_of(labels), given, true)
    unknown = (truth < 0) | (truth > io.VOID)
    mapped = table[np.where(unknown, 0, truth)]
    unknown |= mapped < 0
    if unknown.any():
        raise InputError(f"{true} has the label {truth[unknown][0]}, which is none of the classes")
    if table[io.VOID] != io.VOID:  # labels that another program has written as it writes the truth
        labels = np.where(labels == io.VOID, table[io.VOID], labels)
    return labels, mapped, None, profile


def _of_model(options: argparse.Namespace) -> tuple[list[str], Results]:
    from classicseg.cli._torch import enough_memory, train_module
    from classicseg.energies.softmax import softmax
    from classicseg.pipelines.presets import check as check_preset
    from classicseg.pipelines.refine import refinement

    train = train_module()
    from classicseg.torch.train.preparation import check

    if options.crf is not None:
        check_preset(options.crf)  # an unknown name ends it here, not after the network has run
    model = train.Model.load(options.model).to(train.as_device(options.device))
    data = train.FolderData(options.data, options.split, exif=options.exif, label_suffix=options.label_suffix)
    if data.classes != model.classes:
        raise InputError(f"{options.data} has the classes {data.classes}, but {options.model} knows {model.classes}")
    check(model, data, data.survey, None, "the data")

    def results() -> Results:
        for i in range(len(data)):
            image, truth = data[i]
            with enough_memory("give --window 512 512, or a smaller one"):
                logits = model.predict(image, window=options.window)
            compared: Compared
            if options.crf is None:
                compared = logits.argmax(0), truth, softmax(logits), None
            else:
                refined = refinement(image, logits=logits, preset=options.crf)
                compared = refined.labels, truth, refined.marginals, None
            try:
                counts = _counted(compared, len(model.classes), options.tolerance)
            except ValueError as failure:
                raise InputError(f"{data.name(i)}: {failure}") from failure
            yield data.name(i), counts, None

    return list(model.classes), results()

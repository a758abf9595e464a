"""Segment images with a trained network, with or without a dense CRF behind it. Needs PyTorch.

Nothing is predicted if a result would be written over a photo or over another result.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from classicseg.cli import upright
from classicseg.cli.output import check_apart
from classicseg.errors import InputError
from classicseg.pipelines.presets import NAMES

SUMMARY = "a trained network and photos in, labels out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("model", type=Path, help="from classicseg train")
    parser.add_argument("images", type=Path, nargs="+", help="photos")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="folder for the label pictures; not that of the photos"
    )
    parser.add_argument("--crf", choices=NAMES, help="refine with a dense CRF of this preset")
    parser.add_argument("--overlay", action="store_true", help="also write pictures of the labels on the photos")
    parser.add_argument("--logits", action="store_true", help="also write the logits, .npy")
    parser.add_argument("--probabilities", action="store_true", help="also write the probabilities, .npy")
    parser.add_argument(
        "--window", type=int, nargs=2, metavar=("H", "W"),
        help="see large photos in windows of this size that overlap; the CRF sees the whole",
    )  # fmt: skip
    parser.add_argument("--flips", action="store_true", help="the mean with the mirror image, for twice the time")
    parser.add_argument("--device", default="cpu", help="default: %(default)s")
    upright.add_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Read, predict, refine, write."""
    import numpy as np

    from classicseg import io, plot
    from classicseg.cli._torch import enough_memory, train_module
    from classicseg.energies.softmax import softmax
    from classicseg.inputs import as_bytes
    from classicseg.pipelines.refine import refine

    targets = [_targets(options, path) for path in options.images]
    _check(options, [target for of_image in targets for target in of_image.values()])
    train = train_module()
    model = train.Model.load(options.model).to(train.as_device(options.device))
    options.output.mkdir(parents=True, exist_ok=True)
    for path, target in zip(options.images, targets, strict=True):
        image, _ = io.read_masked_image(path, exif=options.exif)
        try:
            with enough_memory("give --window 512 512, or a smaller one"):
                logits = model.predict(image, window=options.window, flips=options.flips)
        except ValueError as failure:
            raise InputError(f"{path}: {failure}") from failure
        labels = logits.argmax(0) if options.crf is None else refine(image, logits=logits, preset=options.crf)
        io.write_labels(target["labels"], labels)
        if "overlay" in target:
            io.write_image(target["overlay"], plot.overlay(as_bytes(image, None), labels))
        if "logits" in target:
            io.write_marginals(target["logits"], logits)
        if "probabilities" in target:
            io.write_marginals(target["probabilities"], softmax(logits))
        present = ", ".join(f"{model.classes[i]} {100 * np.mean(labels == i):.1f} %" for i in np.unique(labels))
        print(f"{target['labels']}: {present}")


def _targets(options: argparse.Namespace, path: Path) -> dict[str, Path]:
    """What is written for an image."""
    ends = {"overlay": "_overlay.png", "logits": "_logits.npy", "probabilities": "_probabilities.npy"}
    asked = {"labels": ".png"} | {what: end for what, end in ends.items() if getattr(options, what)}
    return {what: options.output / f"{path.stem}{end}" for what, end in asked.items()}


def _check(options: argparse.Namespace, targets: list[Path]) -> None:
    """Raise an error, before anything is predicted, if files are missing or would be written over."""
    for path in (options.model, *options.images):
        if path.is_dir():
            raise InputError(f"{path} is a folder; name the files in it, as in {path}/*")
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path}")
    if options.output.exists() and not options.output.is_dir():
        raise InputError(f"{options.output} is no folder; -o names one for the results")
    if options.output.resolve() in {path.resolve().parent for path in options.images}:
        raise InputError(f"{options.output} is the folder of the photos, which results might replace; give another one")
    check_apart([options.model, *options.images], targets)

"""Segment images with a trained network, with or without a dense CRF behind it. Needs PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path

from classicseg.pipelines.presets import NAMES

SUMMARY = "a trained network and photos in, labels out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("model", type=Path, help="from classicseg train")
    parser.add_argument("images", type=Path, nargs="+", help="photos")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the label pictures")
    parser.add_argument("--crf", choices=NAMES, help="refine with a dense CRF of this preset")
    parser.add_argument("--overlay", action="store_true", help="also write pictures of the labels on the photos")
    parser.add_argument("--logits", action="store_true", help="also write the logits, .npy")
    parser.add_argument("--device", default="cpu", help="default: %(default)s")


def run(options: argparse.Namespace) -> None:
    """Read, predict, refine, write."""
    import numpy as np

    from classicseg import io, plot
    from classicseg.cli._torch import train_module
    from classicseg.pipelines.refine import refine

    model = train_module().Model.load(options.model).to(options.device)
    options.output.mkdir(parents=True, exist_ok=True)
    for path in options.images:
        image = io.read_image(path)
        try:
            logits = model.predict(image)
        except ValueError as failure:
            raise ValueError(f"{path}: {failure}") from failure
        labels = logits.argmax(0) if options.crf is None else refine(image, logits=logits, preset=options.crf)
        target = options.output / f"{path.stem}.png"
        io.write_labels(target, labels)
        if options.overlay:
            io.write_image(options.output / f"{path.stem}_overlay.png", plot.overlay(image, labels))
        if options.logits:
            io.write_marginals(options.output / f"{path.stem}_logits.npy", logits)
        present = ", ".join(f"{model.classes[i]} {100 * np.mean(labels == i):.1f} %" for i in np.unique(labels))
        print(f"{target}: {present}")

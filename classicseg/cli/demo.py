"""Refine what a network has made of a bundled image and show what the CRF changes: figures and a picture."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from classicseg.pipelines.presets import AUTO, NAMES, PRESETS

SUMMARY = "refine the output of a network for a bundled image and write a picture"
OUTPUTS = {"output": "images"}
SAMPLES = ("nuclei", "coffee")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("-o", "--output", type=Path, default=Path("classicseg-demo.png"), help="default: %(default)s")
    parser.add_argument(
        "--sample", default="nuclei", choices=SAMPLES,
        help="nuclei: of a convolutional network; coffee: 5 labels, of a simple classifier (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--preset", default=AUTO, choices=NAMES, help="parameters of the CRF (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Refine the sample, print figures, write the picture."""
    from classicseg import data, io, metrics, plot
    from classicseg.machine.threads import get_num_threads
    from classicseg.pipelines.refine import refinement
    from classicseg.plot.pictures import captioned

    sample = data.sample(options.sample)
    start = time.perf_counter()
    refinement(sample.image, sample.probabilities, preset=options.preset)
    compiling = time.perf_counter() - start
    start = time.perf_counter()
    result = refinement(sample.image, sample.probabilities, preset=options.preset)
    seconds = time.perf_counter() - start

    crf, preset = result.crf, result.strength
    assert crf is not None
    before = crf.unary.argmin(0)
    print(sample.origin)
    print(f"{crf}")
    print(f"preset {preset!r}: {PRESETS[preset].summary}")
    for kernel in crf.kernels:
        print(f"  {kernel}")
    print(f"{'':28}{'before':>12}{'after':>12}")
    print(f"{'energy':28}{crf.energy(before):12.0f}{crf.energy(result.labels):12.0f}")
    rows = [metrics.scores(labels, sample.truth, crf.n_labels, ignore_label=sample.ignore_label)
            for labels in (before, result.labels)]  # fmt: skip
    print(f"{'right pixels, %':28}{100 * rows[0].accuracy:12.2f}{100 * rows[1].accuracy:12.2f}")
    print(f"{'mean IoU, %':28}{100 * rows[0].mean_iou:12.2f}{100 * rows[1].mean_iou:12.2f}")
    for name, old, new in zip(sample.label_names, rows[0].iou, rows[1].iou, strict=True):
        print(f"{'  IoU of ' + name + ', %':28}{100 * old:12.2f}{100 * new:12.2f}")
    print(f"time: {seconds:.3f} s for {result.n_iter} updates on {get_num_threads()} threads"
          f" ({max(0.0, compiling - seconds):.1f} s more the first time, to load or compile the kernels)")  # fmt: skip

    views = {
        "the image": sample.image,
        "before: the network": plot.overlay(sample.image, before),
        "after: refined": plot.overlay(sample.image, result.labels),
        "the truth": plot.label_image(sample.truth, ignore_label=sample.ignore_label),
    }
    io.write_image(options.output, plot.tile([captioned(view, name) for name, view in views.items()], columns=2))
    print(f"picture: {options.output} (image, before, after, truth)")

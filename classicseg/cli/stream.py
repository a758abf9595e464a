"""`classicseg refine --stream`: images that are larger than memory."""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from pathlib import Path
from typing import Any

from classicseg.cli import cluster, evidence
from classicseg.cli.output import report

_OTHERS = ("overlay", "marginals", "sigmoid", "key", "reverse_axes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what makes an image pass by in windows."""
    parser.add_argument(
        "--stream", action="store_true",
        help="read image, scores and mask window by window, once for each update: .npy, GeoTIFF, TIFF stacks, .zarr, "
        "and .nii.gz with scratch space; labels are written as one of these. For images that are larger than memory. A "
        "run that was ended goes on when it is started again in the same way",
    )  # fmt: skip
    parser.add_argument(
        "--window", type=int, metavar="N", help="with --stream: how many rows (or slices) are read at once"
    )
    parser.add_argument(
        "--state", type=Path, metavar="FOLDER",
        help="with --stream: where to keep what is known after each update (default: OUTPUT.state)",
    )  # fmt: skip
    cluster.add_option(parser, "with --stream: ", "do all of the work")


def _scores(options: argparse.Namespace) -> dict[str, Any]:
    """What the file holds, as an argument of :func:`classicseg.refine_streamed`."""
    path: Path = options.probabilities
    if not options.labels:
        return {"unary" if options.unary else "logits" if options.logits else "probabilities": path}
    from classicseg.machine.threads import resolve_threads
    from classicseg.streaming.refine.drawn import DrawnLabels

    path = path if options.cluster is None else path.absolute()  # workers may be in another folder
    how = options.confidence, options.ignore_label
    return {"unary": DrawnLabels(path, str(path), *how, resolve_threads(options.threads))}


def run(options: argparse.Namespace) -> None:
    """Refine, and report."""
    from classicseg import io
    from classicseg.errors import InputError
    from classicseg.io.windows import as_source
    from classicseg.streaming.refine.plan import plan_streamed
    from classicseg.streaming.refine.streamed import run_streamed
    from classicseg.streaming.refine.survey import StreamOptions

    refused = [name for name in _OTHERS if getattr(options, name) is not None and getattr(options, name) is not False]
    if refused:
        raise InputError(f"--stream does not go with --{refused[0].replace('_', '-')}")
    if options.image is None or options.probabilities is None:
        raise InputError("give an image and the file of its probabilities")
    evidence.check_kind(options)
    start = time.perf_counter()
    image, scores = as_source(options.image, "image"), _scores(options)
    preset, axes = options.preset, (options.label_axis, options.channel_axis)
    changes: StreamOptions = {
        "n_threads": options.threads,
        "sigma": options.sigma,
        "weight": options.weight,
        "bilateral_sigma": options.bilateral_sigma,
        "color_sigma": options.color_sigma,
        "bilateral_weight": options.bilateral_weight,
        "temperature": options.temperature,
        "max_iter": options.max_iter,
        "quality": options.quality,
        "align_corners": options.align_corners,
        "exact": options.exact,
        "nodata": math.nan if options.nodata is None else options.nodata,  # what is NaN takes no part in any case
        "fill": io.VOID,
        "spacing": evidence.spacing_of(options, image),
        "window": options.window,
        "state": options.state,
        "progress": True,
    }
    if options.plan:
        how = {"mask": options.mask, "preset": preset, "label_axis": axes[0], "channel_axis": axes[1]}
        plan = plan_streamed(image, **scores, **how, **changes)
        report(options, dataclasses.asdict(plan), str(plan))
        return
    if options.cluster is None:
        _, strength = run_streamed(image, scores, options.mask, options.output, preset, axes, changes)
    else:
        from classicseg.dask.refinement import ClusterOptions, run_on_workers

        cluster.be_quiet()
        del changes["exact"]  # it always is
        more: ClusterOptions = {"cluster": options.cluster, **changes}
        _, strength = run_on_workers(options.image, scores, options.mask, options.output, preset, axes, more)
    seconds = time.perf_counter() - start
    done = {"output": str(options.output), "preset": strength, "seconds": round(seconds, 4)}
    report(options, done, f"{options.output}: preset {strength}, in {seconds:.2f} s")

"""`classicseg split --stream`: images that are larger than memory."""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classicseg.cli import cluster
from classicseg.cli.output import report

if TYPE_CHECKING:
    from classicseg.splitmerge.homogeneity import Homogeneity

_OTHERS = ("overlay", "regions", "quadtree", "gif", "gray", "nodata")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what makes an image pass by in windows."""
    parser.add_argument(
        "--stream", action="store_true",
        help="read image and mask window by window, three times: .npy, GeoTIFF, TIFF stacks, .zarr, and .nii.gz with "
        "scratch space; labels are written as one of these. For images that are larger than memory, with the labels of "
        "those that are not. A run that was ended goes on when it is started again in the same way",
    )  # fmt: skip
    parser.add_argument(
        "--window", type=int, metavar="N", help="with --stream: how many pixels along the last axis are read at once"
    )
    parser.add_argument(
        "--state", type=Path, metavar="FOLDER",
        help="with --stream: where to keep what is known after the first half (default: OUTPUT.state)",
    )  # fmt: skip
    cluster.add_option(parser, "with --stream: ", "segment windows")


def run(options: argparse.Namespace, predicate: Homogeneity) -> None:
    """Segment, and report."""
    from classicseg.errors import InputError
    from classicseg.streaming.split.plan import plan_split_and_merge
    from classicseg.streaming.split.streamed import split_and_merge_streamed
    from classicseg.streaming.split.survey import SplitOptions

    refused = [name for name in _OTHERS if getattr(options, name) is not None and getattr(options, name) is not False]
    if options.min_area != 1:
        refused.append("min_area")
    if refused:
        raise InputError(f"--stream does not go with --{refused[0].replace('_', '-')}")
    start = time.perf_counter()
    changes: SplitOptions = {
        "min_size": options.min_size,
        "max_depth": options.max_depth,
        "connectivity": options.connectivity,
        "merge": None if options.merge == "none" else options.merge,
        "window": options.window,
        "n_threads": options.threads,
        "state": options.state,
        "progress": True,
    }
    if options.plan:
        plan = plan_split_and_merge(options.image, predicate, mask=options.mask, **changes)
        report(options, dataclasses.asdict(plan), str(plan))
        return
    given: dict[str, Any] = {"out": options.output, "table": options.table, "mask": options.mask, **changes}
    if options.cluster is None:
        split_and_merge_streamed(options.image, predicate, **given)
    else:
        from classicseg.dask.regions import split_and_merge

        cluster.be_quiet()
        split_and_merge(options.image, predicate, **given, cluster=options.cluster)
    seconds = time.perf_counter() - start
    done = {
        "output": str(options.output),
        "predicate": repr(predicate),
        "merge": options.merge,
        "seconds": round(seconds, 4),
    }
    report(options, done, f"{options.output}: regions under {predicate!r} in {seconds:.2f} s")

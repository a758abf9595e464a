"""Find the minimum of an energy of two labels by a minimum cut, on images that may be larger than memory."""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

from classicseg.cli import cluster
from classicseg.cli.output import add_json_option, report

SUMMARY = "costs of two labels in, the minimum cut out, larger than memory if need be"
OUTPUTS = {"output": "labels"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("unary", type=Path, help="costs of both labels, (2, H, W) or (2, D, H, W): .npy, .zarr, .tif")
    parser.add_argument(
        "-w", "--weights", type=float, default=1.0, metavar="W",
        help="what neighbours of different labels cost (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--image", type=Path, help="let the weights follow the contrast of this image: .npy, .zarr, .tif"
    )
    parser.add_argument("--beta", type=float, help="how steeply (default: by the contrast of the whole image)")
    parser.add_argument("--connectivity", type=int, metavar="N", help="neighbours: 4 or 8, in volumes 6, 18 or 26")
    parser.add_argument("--mask", type=Path, help="pixels that take part: .npy, .zarr, .tif")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="labels: .npy, .zarr, .tif, 255 outside of the mask"
    )
    parser.add_argument("--window", type=int, metavar="N", help="how many rows (or slices) a band begins with at most")
    parser.add_argument("--memory", type=float, metavar="BYTES", help="what a band may take (default: 1073741824)")
    parser.add_argument(
        "--state", type=Path, metavar="FOLDER",
        help="where to keep what is known after each band (default: OUTPUT.state): a run that was ended goes on when "
        "it is started again in the same way",
    )  # fmt: skip
    cluster.add_option(parser, "", "cut and prove bands")
    parser.add_argument("--plan", action="store_true", help="only say what memory, scratch space and time it takes")
    parser.add_argument("--threads", type=int, help="default: all processors")
    add_json_option(parser)


def run(options: argparse.Namespace) -> None:
    """Cut, and report."""
    from classicseg import io
    from classicseg.pipelines.cut_plan import plan_minimum_cut
    from classicseg.pipelines.cut_problem import CutOptions
    from classicseg.pipelines.cut_streamed import minimum_cut_streamed

    given = {name: getattr(options, name) for name in ("unary", "weights", "image", "beta", "connectivity", "mask")}
    more: CutOptions = {
        "fill": None if options.mask is None else io.VOID,
        "memory": options.memory,
        "window": options.window,
        "state": options.state,
        "n_threads": options.threads,
        "progress": True,
    }
    if options.plan:
        plan = plan_minimum_cut(**given, **more)
        report(options, dataclasses.asdict(plan), str(plan))
        return
    start = time.perf_counter()
    if options.cluster is None:
        result = minimum_cut_streamed(**given, **more, out=options.output)
    else:
        from classicseg.dask.cuts import minimum_cut

        cluster.be_quiet()
        result = minimum_cut(**given, **more, out=options.output, cluster=options.cluster)
    seconds = time.perf_counter() - start
    done = {
        "output": str(options.output),
        **{name: getattr(result, name) for name in ("energy", "flow", "cut", "step", "n_bands", "n_open")},
        "seconds": round(seconds, 4),
    }
    report(options, done, f"{options.output}: {result}, in {seconds:.2f} s")

"""Minimise an energy by minimum cuts, on images that may be larger than memory."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from classicseg.cli import cluster
from classicseg.cli.output import add_json_option, report

SUMMARY = "costs in, labels of the minimum cut (or of moves, or messages) out, larger than memory if need be"
OUTPUTS = {"output": "labels"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "unary", type=Path,
        help="costs of all labels, (L, H, W) or (L, D, H, W): .npy, .zarr, .tif; with two labels the minimum is found, "
        "with more, expansions lower the energy until none does any more",
    )  # fmt: skip
    parser.add_argument(
        "--method", choices=("graph_cut", "expansion", "trws"),
        help="trws passes messages, which also tell how far the labels can be from the best ones (default: graph_cut "
        "with two labels, expansion with more)",
    )  # fmt: skip
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
    parser.add_argument(
        "--init", type=Path, metavar="LABELS", help="where moves start, with more than two labels: .npy, .zarr, .tif"
    )
    parser.add_argument(
        "--max-iter", type=int, metavar="N",
        help="cycles over all labels at most, of more than two, or iterations of messages (default: 100)",
    )  # fmt: skip
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
    from classicseg.errors import InputError
    from classicseg.io.windows import as_source
    from classicseg.streaming.cut.plan import plan_minimum_cut
    from classicseg.streaming.cut.streamed import minimum_cut_streamed
    from classicseg.streaming.messages.plan import plan_trws
    from classicseg.streaming.messages.streamed import trws_streamed
    from classicseg.streaming.moves.plan import plan_expansion
    from classicseg.streaming.moves.streamed import expansion_streamed

    given: dict[str, Any] = {name: getattr(options, name) for name in _GIVEN}
    given |= {"fill": None if options.mask is None else io.VOID, "n_threads": options.threads, "progress": True}
    n_labels = as_source(options.unary, "unary").shape[0]
    method = options.method or ("graph_cut" if n_labels == 2 else "expansion")
    if options.cluster is not None and method != "graph_cut":
        raise InputError(f"cluster goes with two labels and graph_cut: {method} is the work of this process")
    for name, methods in _OF_METHODS.items():
        if method in methods:
            given[name] = getattr(options, name)
        elif getattr(options, name) is not None:
            which = "more than two labels" if options.method is None else f"method {' or '.join(methods)}"
            raise InputError(f"{name} goes with {which}, got method {method}")
    ways: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "graph_cut": (plan_minimum_cut, minimum_cut_streamed),
        "expansion": (plan_expansion, expansion_streamed),
        "trws": (plan_trws, trws_streamed),
    }
    plan_of, work = ways[method]
    if options.plan:
        plan = plan_of(**given)
        report(options, dataclasses.asdict(plan), str(plan))
        return
    start = time.perf_counter()
    if options.cluster is None:
        result = work(**given, out=options.output)
    else:
        from classicseg.dask.cuts import minimum_cut

        cluster.be_quiet()
        result = minimum_cut(**given, out=options.output, cluster=options.cluster)
    seconds = time.perf_counter() - start
    known = {name: value for name, value in vars(result).items() if name != "labels"}
    done = {"output": str(options.output), **known, "seconds": round(seconds, 4)}
    report(options, done, f"{options.output}: {result}, in {seconds:.2f} s")


_GIVEN = ("unary", "weights", "image", "beta", "connectivity", "mask", "memory", "window", "state")
"""Options that are called the same from Python."""

_OF_METHODS = {"init": ("expansion",), "max_iter": ("expansion", "trws")}
"""Options that only some methods have."""

"""Compile all kernels for this machine now, so that the first real call does not wait."""

from __future__ import annotations

import argparse
import time

SUMMARY = "compile the kernels for this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--bench", action="store_true", help="also those of all solvers, for classicseg bench --quick")


def run(options: argparse.Namespace) -> None:
    """Compile, and say how long it took."""
    from classicseg.pipelines.warmup import warmup

    start = time.perf_counter()
    warmup()
    if options.bench:
        from classicseg.bench.preparing import compile_all

        compile_all()
    print(f"kernels are ready ({time.perf_counter() - start:.1f} s)")

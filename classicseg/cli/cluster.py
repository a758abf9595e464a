"""The option `--cluster`: workers of Dask instead of threads of this process."""

from __future__ import annotations

import argparse
import logging


def add_option(parser: argparse.ArgumentParser, when: str, what: str) -> None:
    """Declare it; `when` it counts, and `what` workers do."""
    parser.add_argument(
        "--cluster", metavar="ADDRESS",
        help=f"{when}have the workers of a Dask scheduler {what}, such as tcp://10.0.0.1:8786; local:N starts N "
        "processes here. Needs the extra dask",
    )  # fmt: skip


def be_quiet() -> None:
    """Dask would tell of every connection."""
    logging.getLogger("distributed").setLevel(logging.WARNING)

"""The command ``classicseg``: ``refine``, ``cutout``, ``split``, ``train``, ``predict``, ``evaluate`` and others.

Exit codes: 0 done, 2 a wrong argument or file (one line on standard error), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from classicseg import __version__
from classicseg.cli import cutout, demo, evaluate, predict, refine, split, train, warmup

_COMMANDS = {  # these modules import what is heavy when they run: --help is answered at once
    "refine": refine,
    "cutout": cutout,
    "split": split,
    "train": train,
    "predict": predict,
    "evaluate": evaluate,
    "demo": demo,
    "warmup": warmup,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        ``sys.argv[1:]`` if None.

    Returns
    -------
    int

    Examples
    --------
    >>> from classicseg.cli import main
    >>> main(["refine", "no-such-photo.jpg", "p.npy", "-o", "labels.png"])
    2
    """
    logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr)
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, MemoryError) as failure:
        print(f"classicseg {options.command}: {failure}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="classicseg", description="Classical image segmentation: conditional random fields, split-and-merge."
    )
    parser.add_argument("--version", action="version", version=f"classicseg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, module in _COMMANDS.items():
        command = commands.add_parser(name, help=module.SUMMARY, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser

"""The command ``classicseg``: ``refine``, ``cutout``, ``split``, ``segment``, ``cut``, ``train`` and others.

Exit codes: 0 done, 1 some of many images failed and the others are done, 2 a wrong argument or file (one line on
standard error), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Any

from classicseg import __version__
from classicseg.cli import (
    bench,
    check,
    cut,
    cutout,
    demo,
    evaluate,
    learn,
    many,
    predict,
    refine,
    segment,
    split,
    train,
    warmup,
)  # fmt: skip
from classicseg.cli.options import Command
from classicseg.cli.output import check_outputs

_COMMANDS = {  # these modules import what is heavy when they run: --help is answered at once
    "refine": refine,
    "cutout": cutout,
    "split": split,
    "segment": segment,
    "cut": cut,
    "check": check,
    "train": train,
    "predict": predict,
    "evaluate": evaluate,
    "demo": demo,
    "bench": bench,
    "learn": learn,
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
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser(words)
    if not words:
        parser.print_help()
        return 0
    if not words[0].startswith("-") and words[0] not in _COMMANDS:
        import difflib  # here, as --help is answered at once

        near = difflib.get_close_matches(words[0], _COMMANDS, 1) or [", ".join(_COMMANDS)]
        print(f"classicseg: no command {words[0]!r}; did you mean {near[0]}?", file=sys.stderr)
        return 2
    options = parser.parse_args(words)

    def say(message: object, *where: Any, **more: Any) -> None:
        print(f"classicseg {options.command}: {options.parser.in_options(str(message), words)}", file=sys.stderr)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = say
            options.say = say
            options.several = many.are_asked(options)
            check_outputs(options, {} if options.several else getattr(_COMMANDS[options.command], "OUTPUTS", {}))
            return options.run(options) or 0
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr, flush=True)
        if any(thread.name == "classicseg" for thread in threading.enumerate()):  # in a kernel: too long to wait
            sys.stdout.flush()
            os._exit(130)
        return 130
    except (ValueError, TypeError, OSError, MemoryError) as failure:
        say(failure)
        return 2


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of all commands, with the arguments of those that the `words` name: to declare them takes a while."""
    parser = argparse.ArgumentParser(
        prog="classicseg", description="Classical image segmentation: conditional random fields, split-and-merge."
    )
    parser.add_argument("--version", action="version", version=f"classicseg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command", parser_class=Command)
    for name, module in _COMMANDS.items():
        command = commands.add_parser(name, help=module.SUMMARY, description=module.__doc__)
        if name in words:
            module.add_arguments(command)
        command.set_defaults(run=module.run, parser=command)
    return parser

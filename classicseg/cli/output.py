"""What commands write, and what they say about what they have done."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from classicseg.errors import InputError


def check_outputs(options: argparse.Namespace, outputs: Mapping[str, str]) -> None:
    """Raise an error now if something could not be written later; `outputs` says what each option names."""
    from classicseg import io

    targets = {name: path for name in outputs if (path := getattr(options, name)) is not None}
    for name, path in targets.items():
        io.check_output(path, outputs[name])
    others = [value for name, value in vars(options).items() if name not in targets]
    given = [path for value in others for path in (value if isinstance(value, list) else [value])]
    given = [path for path in given if isinstance(path, Path)]
    check_apart(given, list(targets.values()))


def check_apart(given: Iterable[Path], targets: Sequence[Path]) -> None:
    """Raise an error now if a file would be written over one that is read, or over one that was just written."""
    read = {path.resolve() for path in given}
    written: set[Path] = set()
    for path in targets:
        target = path.resolve()
        if target in read:
            raise InputError(f"{path} would be written over the file that is read; give another name")
        if target in written:
            raise InputError(f"{path} would be written twice; names of images must differ without their suffixes")
        written.add(target)


def check_axes(options: argparse.Namespace, outputs: Mapping[str, str], n_axes: int) -> None:
    """Raise an error now if an output could not hold labels of so many axes later."""
    for name, what in outputs.items():
        path = getattr(options, name)
        if n_axes == 2 or path is None:
            continue
        if what in ("images", "animations", "mattes"):
            raise InputError(f"--{name} is for pictures, which have 2 axes; the image has {n_axes} without channels")
        if what == "labels" and path.suffix.lower() == ".png":
            raise InputError(f"{path} would have 2 axes, but the labels have {n_axes}; write .npy or .tif")


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Let users ask for JSON."""
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def report(options: argparse.Namespace, done: Mapping[str, Any], text: str) -> None:
    """Print what was done: the text for people, or all of it as JSON for programs."""
    print(json.dumps(done, indent=2) if options.json else text)

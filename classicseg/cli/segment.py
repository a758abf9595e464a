"""Segment a photo by one of twelve methods, by name: thresholds, superpixels, watersheds, merging, growing from seeds.

Labels begin with 1: regions, or classes from dark to bright where thresholds make them. Options of a method are given
as in Python: classicseg segment photo.jpg --method slic --option n_segments=400 -o labels.png

Of many images, or a folder of them, outputs are folders: classicseg segment images/*.jpg --method otsu -o labels
"""

from __future__ import annotations

import argparse
import ast
import time
from pathlib import Path
from typing import Any

from classicseg.cli import inside, many, regions
from classicseg.cli.options import Command
from classicseg.cli.output import add_json_option, check_axes
from classicseg.errors import InputError

SUMMARY = "photo in, labels out, by one of twelve methods"
OUTPUTS = regions.OUTPUTS
_SEEDS = ("seeds", "markers")  # what methods call them that grow from some
_BYTES = {"felzenszwalb": 400, "random_walker": 600}  # of memory for each pixel, measured
_OTHERS = 150
"""The same of all other methods: of slic, which takes the most."""


def add_arguments(parser: Command) -> None:
    """Declare the arguments of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.more_help = _methods
    parser.add_argument(
        "image", type=Path, nargs="+",
        help="photo or volume: .jpg, .png, .tif, .npy, .nii.gz, …; or many, a folder, or a pattern",
    )  # fmt: skip
    parser.add_argument(
        "-m", "--method", default="split_and_merge", metavar="NAME", help="see below (default: %(default)s)"
    )
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the method; may be given several times"
    )
    parser.add_argument(
        "--seeds", type=Path, metavar="FILE",
        help="label map of the size of the image, 0 where no seed is, for methods that grow from seeds or markers",
    )  # fmt: skip
    inside.add_arguments(parser)
    regions.add_arguments(parser)
    parser.add_argument("--threads", type=int, help="of methods that use several (default: all processors)")
    many.add_arguments(parser, "seeds")
    many.add_plan(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """One image, or many."""
    from classicseg.io.batches import DRAWN

    _method_of(options)  # what is wrong for all is told once
    return many.run(options, one, OUTPUTS, {"seeds": DRAWN, "mask": DRAWN})


def one(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Read, segment, write, and say what was done."""
    import numpy as np

    from classicseg.inputs import channel_axis_of
    from classicseg.pipelines.segment import segment

    method, given = _method_of(options)
    like, mask = inside.read(options)
    axis = channel_axis_of(like.shape, "auto")
    check_axes(options, OUTPUTS, like.ndim - (axis is not None))
    mask = inside.of_values(options, like, mask, axis)
    image = inside.shown(like, mask, axis)
    if options.seeds is not None:
        given[next(name for name in _SEEDS if name in method.options())] = inside.drawn(options, options.seeds, like)
    spatial = image.shape if axis is None else tuple(np.delete(image.shape, axis))
    with many.admitted(options, _BYTES.get(method.name, _OTHERS) * float(np.prod(spatial))) as n_threads:
        if "n_threads" in method.options():
            given["n_threads"] = n_threads
        start = time.perf_counter()
        labels = segment(image, method.name, mask=mask, channel_axis=axis, **given)
        seconds = time.perf_counter() - start
    regions.write(options, image, labels, mask, like)
    n_labels = int(np.unique(labels[labels > 0]).size)
    done = {
        "output": str(options.output),
        "shape": list(labels.shape),
        "method": method.name,
        "n_labels": n_labels,
        "seconds": round(seconds, 4),
    }
    size = " x ".join(map(str, labels.shape))
    return done, f"{options.output}: {size} pixels, {n_labels} labels by {method.name} in {seconds:.2f} s"


def _method_of(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The method, and its options as Python has them but for seeds, which are a file."""
    from classicseg.pipelines.segmenters import SEGMENTERS

    if options.method not in SEGMENTERS:
        import difflib

        near = difflib.get_close_matches(options.method, SEGMENTERS, 1) or [", ".join(SEGMENTERS)]
        raise InputError(f"no method {options.method!r}; did you mean {near[0]}?")
    method = SEGMENTERS[options.method]
    grows = [name for name in _SEEDS if name in method.options()]
    given = dict(map(_as_option, options.option))
    if "n_threads" in given:
        raise InputError("options say what a method does; how many threads it uses is --threads")
    if options.seeds is not None and not grows:
        raise InputError(f"seeds are for methods that grow from some, not for {method.name}")
    if options.seeds is None and grows == ["seeds"]:
        raise InputError(f"{method.name} needs --seeds: a label map")
    method.checked(given | ({} if options.seeds is None else {grows[0]: 1}))
    return method, given


def _as_option(text: str) -> tuple[str, Any]:
    """A name and its value: a number, None, True or False if it reads like one, else the word."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"option must be NAME=VALUE, got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _methods() -> str:
    """All methods and their options."""
    from classicseg.pipelines.segmenters import SEGMENTERS

    lines = (
        f"  {name}: {method.summary}\n      {', '.join(map(_shown, method.options())) or 'none'}"
        for name, method in SEGMENTERS.items()
    )
    return "methods and their options:\n" + "\n".join(lines)


def _shown(option: str) -> str:
    own = {"seeds": "--seeds FILE", "markers": "markers (how many) or --seeds FILE", "n_threads": "--threads N"}
    return own.get(option, option)

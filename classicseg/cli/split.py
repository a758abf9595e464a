"""Segment a photo by split-and-merge: split into homogeneous blocks, merge neighbouring ones.

Of many images, or a folder of them, outputs are folders: classicseg split images/*.jpg -o labels
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classicseg.cli import inside, many, regions, stream_split
from classicseg.cli.output import add_json_option, check_axes
from classicseg.errors import InputError

if TYPE_CHECKING:
    from classicseg.splitmerge.homogeneity import Homogeneity

SUMMARY = "photo in, regions out, by split-and-merge"
OUTPUTS = {**regions.OUTPUTS, "quadtree": "images", "gif": "animations"}
_PREDICATES = ("range", "std", "mean")
_BYTES = 60  # of memory for each value of an image, where nearly every pixel is a region
_RECORDED = 1_000_000
"""Pixels up to which steps are drawn: each frame of the film is a picture of them all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "image", type=Path, nargs="+",
        help="photo or volume: .jpg, .png, .tif, .npy, .nii.gz, …; or many, a folder, or a pattern",
    )  # fmt: skip
    parser.add_argument("-t", "--threshold", type=float, default=24.0, help="in the units of the image (default: 24)")
    parser.add_argument(
        "--predicate", choices=_PREDICATES, default="range",
        help="what may be at most the threshold: the range of a region, its standard deviation, or the difference of"
        " the means of its parts (default: %(default)s)",
    )  # fmt: skip
    inside.add_arguments(parser)
    regions.add_arguments(parser)
    parser.add_argument("--quadtree", type=Path, help="also write a picture of the blocks of the split")
    parser.add_argument("--gif", type=Path, help="also write an animation of the split and the merge")
    parser.add_argument("--gray", action="store_true", help="take the mean of the channels first")
    parser.add_argument("--min-size", type=int, default=1, metavar="N", help="smallest side of a block (default: 1)")
    parser.add_argument("--max-depth", type=int, metavar="N", help="how many times over to split at most")
    parser.add_argument("--min-area", type=int, default=1, metavar="N", help="regions of fewer pixels join a neighbour")
    parser.add_argument("--connectivity", type=int, default=1, metavar="N", help="1: sides, 2: corners too")
    parser.add_argument("--merge", choices=("fast", "best_first", "none"), default="fast", help="default: %(default)s")
    parser.add_argument("--threads", type=int, help="default: all processors")
    stream_split.add_arguments(parser)
    many.add_arguments(parser, "")
    many.add_plan(parser, "; with --stream: what memory, scratch space and time one takes")
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """One image, many, or one that is larger than memory."""
    if options.stream:
        if len(options.image) != 1:
            raise InputError("--stream takes one image")
        (options.image,) = options.image
        stream_split.run(options, predicate_of(options))
        return 0
    if any(value is not None for value in (options.window, options.state, options.cluster)):
        raise InputError("--window, --state and --cluster go with --stream")
    from classicseg.io.batches import DRAWN

    return many.run(options, one, OUTPUTS, {"mask": DRAWN})


def one(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Read, segment, write, and say what was done."""
    from classicseg import io, plot
    from classicseg.inputs import channel_axis_of
    from classicseg.splitmerge.split_merge import quadtree, record_split_and_merge, split_and_merge

    predicate = predicate_of(options)
    like, mask = inside.read(options)
    image = like
    axis = channel_axis_of(image.shape, "auto")
    check_axes(options, OUTPUTS, image.ndim - (axis is not None))
    mask = inside.of_values(options, image, mask, axis)
    image = inside.shown(image, mask, axis)
    if options.gray and image.ndim == 3 and image.shape[-1] in (3, 4):
        image = image[..., :3].mean(axis=-1).round().astype(image.dtype)
    if options.gif is not None and image.size > 3 * _RECORDED:
        raise InputError(f"--gif draws every step of images of up to {_RECORDED} pixels, got shape {image.shape}")
    blocks: dict[str, Any] = {"min_size": options.min_size, "max_depth": options.max_depth}
    rules: dict[str, Any] = {
        **blocks,
        "connectivity": options.connectivity,
        "merge": None if options.merge == "none" else options.merge,
        "min_area": options.min_area,
    }
    with many.admitted(options, _BYTES * image.size) as n_threads:
        start = time.perf_counter()
        labels = split_and_merge(image, predicate, mask=mask, **rules, n_threads=n_threads)
        seconds = time.perf_counter() - start
    regions.write(options, image, labels, mask, like)
    if options.quadtree is not None:
        leaves = quadtree(image, predicate, mask=mask, **blocks)
        io.write_image(options.quadtree, plot.quadtree(image, leaves, zoom=regions.zoom_of(image)))
    if options.gif is not None:
        record = record_split_and_merge(image, predicate, mask=mask, **rules).record
        io.write_animation(options.gif, plot.split_and_merge_frames(image, record))
    n_regions = int(labels.max())
    done = {
        "output": str(options.output),
        "shape": list(labels.shape),
        "predicate": repr(predicate),
        "merge": options.merge,
        "n_regions": n_regions,
        "seconds": round(seconds, 4),
    }
    size = " x ".join(map(str, labels.shape))
    return done, f"{options.output}: {size} pixels, {n_regions} regions under {predicate!r} in {seconds:.2f} s"


def predicate_of(options: argparse.Namespace) -> Homogeneity:
    """What may be one region."""
    from classicseg.splitmerge.homogeneity import Range
    from classicseg.splitmerge.predicates import MeanDifference, StdDev

    kinds = {"range": Range, "std": StdDev, "mean": MeanDifference}
    found: Homogeneity = kinds[options.predicate](options.threshold)
    return found

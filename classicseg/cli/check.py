"""Look at a folder of images and labels before a network is trained: what it holds, and all that is wrong.

Tells pixels and images of each class, the share of void, sizes and dtypes, pictures that are stored on their side, and
what would end a training: files without a partner or of one name, labels in JPEG, masks of 0 and 255, labels of no
class, damaged files. Ends with exit code 2 if something must be put right.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from classicseg.cli import upright
from classicseg.cli.output import add_json_option, report
from classicseg.errors import InputError

if TYPE_CHECKING:
    from classicseg.io.inspection import Inspection

SUMMARY = "a folder of images and labels in, what is wrong with it out"
_SHOWN = 10  # of a list


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("data", type=Path, help="folder with classes.txt, images and labels, as for classicseg train")
    parser.add_argument(
        "--split", help="such as train, for data/train and data/train_labels, or train.txt, a list; default: no splits"
    )
    parser.add_argument("--label-suffix", default="", metavar="END", help="such as _mask, if a.png has a_mask.png")
    upright.add_arguments(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> None:
    """Read, count, report."""
    from classicseg.io.inspection import inspect

    found = inspect(options.data, options.split, exif=options.exif, label_suffix=options.label_suffix)
    done = {
        "n_images": found.n_images,
        "classes": {
            name: {"pixels": int(count), "images": int(images)}
            for name, count, images in zip(found.classes, found.counts, found.n_seen_in, strict=True)
        },
        "void_pixels": found.n_void,
        "sizes": dict(found.sizes.most_common()),
        "kinds": dict(found.kinds.most_common()),
        "turned": found.turned,
        "empty": found.empty,
        "faults": found.faults,
    }
    report(options, done, _text(options.data, found))
    if found.faults:
        more = f" ({len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
        raise InputError(f"{options.data} cannot be trained on: {found.faults[0]}{more}")


def _text(root: Path, found: Inspection) -> str:
    n_pixels = max(1, int(found.counts.sum()) + found.n_void)
    lines = [f"{root}: {found.n_images} images that can be read, {len(found.classes)} classes"]
    for name, count, n_images in zip(found.classes, found.counts, found.n_seen_in, strict=True):
        lines.append(f"  {name:24}{100 * count / n_pixels:7.2f} % of the pixels, in {n_images} images")
    lines.append(f"  {'(void)':24}{100 * found.n_void / n_pixels:7.2f} %")
    lines += _counted("height x width", found.sizes) + _counted("pixels", found.kinds)
    lines += _listed("stored on their side or mirrored, turned upright by EXIF", found.turned)
    lines += _listed("labels of nothing but void", found.empty)
    lines += _listed("must be put right", found.faults)
    return "\n".join(lines)


def _counted(what: str, counter: Mapping[str, int]) -> list[str]:
    common = sorted(counter.items(), key=lambda item: -item[1])
    shown = "; ".join(f"{name} ({count})" for name, count in common[:_SHOWN])
    return [f"{what}: {shown}" + ("; …" if len(common) > _SHOWN else "")] if common else []


def _listed(what: str, sentences: list[str]) -> list[str]:
    if not sentences:
        return []
    more = [f"  … and {len(sentences) - _SHOWN} more"] if len(sentences) > _SHOWN else []
    return [f"{what}: {len(sentences)}", *(f"  {sentence}" for sentence in sentences[:_SHOWN]), *more]

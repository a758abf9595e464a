"""Pictures whose files say how the camera was held, and what belongs to them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from classicseg.io.orientation import Turn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how pictures can be left as they are stored."""
    parser.add_argument(
        "--no-exif", action="store_false", dest="exif",
        help="leave pictures as they are stored; by default they are turned upright as EXIF says, and what belongs to "
        "them with them where it fits only so",
    )  # fmt: skip


def turn_along(options: argparse.Namespace, image: Path, size: tuple[int, ...], of: Path) -> Turn | None:
    """How something of this height and width, from the file `of`, is to be turned with its image."""
    from classicseg.io import orientation
    from classicseg.io.reading import read_turn

    return orientation.turn_along(read_turn(image), size, of, image) if options.exif and len(size) == 2 else None

"""What commands write of the regions of an image: labels, pictures, and the region table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classicseg.cli import inside

if TYPE_CHECKING:
    import numpy as np

OUTPUTS = {"output": "labels", "overlay": "images", "regions": "images", "table": "tables"}
_WIDE = 1024  # pixels that a picture with lines has at least, or nearly, so that they hide little of it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the outputs."""
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="labels, 0 outside: .png, .npy, .tif, .nii.gz, .zarr"
    )
    parser.add_argument("--overlay", type=Path, help="also write a picture of the regions on the photo")
    parser.add_argument("--regions", type=Path, help="also write a picture of the regions in their mean colours")
    parser.add_argument("--table", type=Path, help="also write the region table as .csv or .parquet")


def zoom_of(image: np.ndarray) -> int:
    """How many times larger the picture of a small image is made."""
    return max(1, round(_WIDE / image.shape[1]))


def write(
    options: argparse.Namespace, image: np.ndarray, labels: np.ndarray, mask: np.ndarray | None, like: np.ndarray
) -> None:
    """Write what is asked for of the labels of an image, which was made of the image `like` that was read."""
    import numpy as np

    from classicseg import io, plot
    from classicseg.splitmerge.regions import describe_regions

    inside.write_labels(options, labels, like, mask, 0)
    if options.overlay is not None:
        zoom = zoom_of(image)
        given = (image, labels) if mask is None else (image, labels, mask)
        large = [np.asarray(a).repeat(zoom, axis=0).repeat(zoom, axis=1) for a in given]
        io.write_image(options.overlay, inside.overlay(*large, alpha=0.35))
    if options.regions is not None:
        io.write_image(options.regions, plot.regions(image, labels))
    if options.table is not None:
        _write_table(options.table, describe_regions(labels, image))


def _write_table(path: Path, table: dict[str, Any]) -> None:
    from classicseg.io.tables import TableFile

    columns = {name: column for name, column in table.items() if name != "neighbours"}
    file = TableFile(path)
    try:
        file.write({**columns, "neighbours": [" ".join(map(str, near.tolist())) for near in table["neighbours"]]})
    except BaseException:
        file.discard()
        raise
    file.finish()

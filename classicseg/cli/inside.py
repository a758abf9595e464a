"""Which pixels of an image take part in a command, and what its outputs show of the others."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from classicseg.cli import upright

if TYPE_CHECKING:
    import numpy as np


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what leaves pixels out, and that the image may stay as it is stored."""
    upright.add_arguments(parser)
    parser.add_argument(
        "--mask", type=Path, metavar="FILE",
        help="picture or array of the size of the image: pixels of 0 take no part. Nor do those that are NaN in the"
        " image, or wholly transparent by its alpha channel",
    )  # fmt: skip
    parser.add_argument(
        "--nodata", type=float, metavar="VALUE",
        help="pixels that have this value in all channels take no part (default: what a GeoTIFF says)",
    )  # fmt: skip


def read(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray | None]:
    """The image, and which of its pixels its file and the mask say take part; None if none of them says anything."""
    from classicseg import inputs
    from classicseg.io.reading import read_turned_image

    image, inside, _ = read_turned_image(options.image, exif=options.exif, alpha=True, nodata=options.nodata is None)
    if options.mask is None:
        return image, inside
    given = drawn(options, options.mask, image)
    if inside is None:
        return image, given
    mask = inputs.as_mask(given, inside.shape)
    return image, inside if mask is None else inside & mask


def drawn(options: argparse.Namespace, path: Path, image: np.ndarray) -> np.ndarray:
    """A label map or mask for the image, turned upright along with it."""
    from classicseg import io
    from classicseg.io.raster import check_same_place, profile_of

    given = io.read_labels(path, exif=options.exif)
    check_same_place(profile_of(image), profile_of(given), path, options.image)
    turn = upright.turn_along(options, options.image, given.shape, path)
    return given if turn is None else turn.applied(given)


def of_values(
    options: argparse.Namespace, image: np.ndarray, inside: np.ndarray | None, channel_axis: int | None
) -> np.ndarray | None:
    """The same, less pixels that are NaN or of no data; None if all take part."""
    import numpy as np

    from classicseg import inputs
    from classicseg.errors import InputError

    spatial = image.shape if channel_axis is None else tuple(np.delete(image.shape, channel_axis))
    known = None if inside is None else inputs.as_mask(inside, spatial)
    parts = [] if known is None else [known]
    channels = image[np.newaxis] if channel_axis is None else np.moveaxis(image, channel_axis, 0)
    if image.dtype.kind == "f":
        parts.append(~np.isnan(channels).any(axis=0))
    if options.nodata is not None:
        parts.append((channels != options.nodata).any(axis=0))
    mask = np.logical_and.reduce(parts) if parts else np.ones(spatial, bool)
    if not mask.any():
        raise InputError(f"{options.image} has no pixel that takes part: all are masked, transparent, or of no data")
    return None if mask.all() else mask


def check_labels(n_labels: int, mask: np.ndarray | None) -> None:
    """Raise an error now if the label of pixels outside would be that of others later."""
    from classicseg import io
    from classicseg.errors import InputError

    if mask is not None and n_labels > io.VOID:
        raise InputError(f"pixels outside are written as {io.VOID}, which is one of the {n_labels} labels here")


def write_labels(
    options: argparse.Namespace, labels: np.ndarray, like: np.ndarray, mask: np.ndarray | None, outside: int
) -> None:
    """Write labels, `outside` where the mask is not, to lie where the image `like` does that was read."""
    import numpy as np

    from classicseg import io

    held = labels if mask is None else np.where(mask, labels, outside)
    target, nodata = options.output, None if mask is None else outside
    io.write_labels(target, as_stored(held, options, like, target), like=like, nodata=nodata)


def as_stored(
    array: np.ndarray, options: argparse.Namespace, like: np.ndarray, target: Path, n_before: int = 0
) -> np.ndarray:
    """An array whose axes were reversed with those of the image, but for some in front, as files like that have it."""
    import numpy as np

    from classicseg.io.raster import profile_of

    profile = profile_of(like)
    is_reversed = getattr(options, "reverse_axes", False)
    if not is_reversed or profile is None or not target.name.endswith(profile.suffixes):
        return array
    return np.transpose(array, (*range(n_before), *range(array.ndim - 1, n_before - 1, -1)))


def shown(image: np.ndarray, mask: np.ndarray | None, channel_axis: int | None) -> np.ndarray:
    """The image as pictures are made of it: values outside do not decide how its range is stretched."""
    import numpy as np

    from classicseg import inputs

    if mask is None or image.dtype == np.uint8:
        return image
    return np.asarray(inputs.image_inside(image, mask, channel_axis))


def overlay(image: np.ndarray, labels: np.ndarray, mask: np.ndarray | None = None, *, alpha: float = 0.5) -> np.ndarray:
    """Labels laid over their image, (H, W) or (H, W, C), which stays as it is outside."""
    from classicseg import plot
    from classicseg.pipelines.image import filled_from_nearest

    if mask is None:
        return plot.overlay(image, labels, alpha=alpha)
    picture = plot.overlay(image, filled_from_nearest(labels, mask, None), alpha=alpha)
    picture[~mask] = plot.displayable(image)[~mask]
    return picture

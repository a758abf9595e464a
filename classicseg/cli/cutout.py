"""Cut an object out of a photo by strokes on a second picture, or by a box.

Strokes are 1 on the object, 2 on the background and 0 elsewhere in a picture of one channel or with a palette (other
values by --object and --background), or red on the object and blue on the background in a picture with colours, which
may be a copy of the photo. What is transparent counts as erased.

Of many images, or a folder of them, outputs are folders, and so are scribbles, in files of the same names but for the
suffix; a box, or a file of strokes, is that of all.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classicseg.cli import evidence, inside, many, upright
from classicseg.cli.output import add_json_option, check_axes

if TYPE_CHECKING:
    import numpy as np

SUMMARY = "strokes or a box in, the mask of an object out"
OUTPUTS = {"output": "labels", "overlay": "images", "probabilities": "marginals", "alpha": "mattes"}

_CLEARLY = 64  # how much redder or bluer than its other channels a stroke is: a quarter of the range tells it from gray
_NEARLY = 16  # how much a copy of a photo may differ from it where nothing is drawn, as compression makes it
_BYTES = 250  # of memory for each pixel: its network, its colours, and what their models say
_OPAQUE = 128  # alpha from which on a pixel counts as drawn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "image", type=Path, nargs="+",
        help="photo or volume: .jpg, .png, .tif, .npy, .nii.gz, …; or many, a folder, or a pattern",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, required=True,
        help="labels, 255 outside: .png with palette, .npy, .tif, .nii.gz or .zarr",
    )  # fmt: skip
    parser.add_argument("--scribbles", type=Path, help="strokes: .png, .tif, .npy, .nii.gz of the size of the image")
    parser.add_argument("--object", type=int, default=1, metavar="N", help="value of object strokes (default: 1)")
    parser.add_argument(
        "--background", type=int, default=2, metavar="N", help="value of background strokes (default: 2)"
    )
    parser.add_argument(
        "--box", type=int, nargs="+", metavar="X", help="x0 y0 x1 y1 (in volumes x0 y0 z0 x1 y1 z1) around the object"
    )
    inside.add_arguments(parser)
    evidence.add_spacing(parser)
    parser.add_argument("--overlay", type=Path, help="also write a picture of the mask on the photo")
    parser.add_argument(
        "--alpha", type=Path, metavar="FILE",
        help="also write the object with a soft mask, for hair and fur: .png with transparency",
    )  # fmt: skip
    parser.add_argument("--probabilities", type=Path, help="also write the (L, H, W) probabilities: .npy or .tif")
    parser.add_argument("--colors", choices=("mixture", "histogram"), default="mixture", help="default: %(default)s")
    parser.add_argument("--weight", type=float, help="weight of the boundary (default: 50)")
    parser.add_argument("--max-iter", type=int, help="rounds (default: 10)")
    parser.add_argument("--threads", type=int, help="default: all processors")
    many.add_arguments(parser, "scribbles")
    many.add_plan(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """One image, or many."""
    from classicseg.io.batches import DRAWN

    return many.run(options, one, OUTPUTS, {"scribbles": DRAWN, "mask": DRAWN})


def one(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Read, cut, write, and say what was done."""
    import numpy as np

    from classicseg import io
    from classicseg.pipelines.cutout import cutout

    image, mask = inside.read(options)
    scribbles = None
    if options.scribbles is not None:
        scribbles = read_scribbles(options, image)
    box = options.box
    n_axes = 2 if scribbles is None else scribbles.ndim
    if box is not None and len(box) % 2 == 0:
        n_axes = len(box) // 2
        box = [*box[:n_axes][::-1], *box[n_axes:][::-1]]
    check_axes(options, OUTPUTS, n_axes)
    axis = None if image.ndim == n_axes else image.ndim - 1
    mask = inside.of_values(options, image, mask, axis)
    with many.admitted(options, _BYTES * float(np.prod(image.shape[:n_axes]))) as n_threads:
        cut = cutout(
            image,
            scribbles,
            box=box,
            mask=mask,
            alpha=options.alpha is not None,
            colors=options.colors,
            weight=options.weight,
            max_iter=options.max_iter,
            spacing=evidence.spacing_of(options, image),
            n_threads=n_threads,
        )
    inside.write_labels(options, cut.labels, image, mask, io.VOID)
    if options.overlay is not None:
        io.write_image(options.overlay, inside.overlay(inside.shown(image, mask, axis), cut.labels, mask))
    if options.alpha is not None:
        io.write_matte(options.alpha, cut.matte.rgba)
    if options.probabilities is not None:
        io.write_marginals(options.probabilities, cut.probabilities, like=image)
    done = {
        "output": str(options.output),
        "shape": list(cut.labels.shape),
        "object_pixels": int(cut.mask.sum()),
        "n_iter": cut.n_iter,
        "converged": cut.converged,
        "seconds": round(cut.seconds, 4),
        "energy": cut.energy,
        "history": [step.energy for step in cut.history],
    }
    size = " x ".join(map(str, cut.labels.shape))
    text = (
        f"{options.output}: {size} pixels, {100 * cut.mask.mean():.1f} % object, {cut.n_iter} rounds in "
        f"{cut.seconds:.2f} s, energy {cut.history[0].energy:.6g} -> {cut.energy:.6g}"
    )
    return done, text


def read_scribbles(options: argparse.Namespace, photo: np.ndarray) -> np.ndarray:
    """Strokes as `cutout` takes them: 1 object, 0 background, -1 none."""
    import numpy as np

    from classicseg import io
    from classicseg.errors import InputError
    from classicseg.io.raster import check_same_place, profile_of

    path, values, coloured = options.scribbles, (options.object, options.background), False
    try:
        drawn = io.read_labels(path, exif=options.exif)
    except InputError:
        drawn, coloured = io.read_image(path, exif=options.exif), True
        if drawn.ndim != 3 or drawn.shape[2] < 3:
            raise
    check_same_place(profile_of(photo), profile_of(drawn), path, options.image)
    size = drawn.shape[:2] if coloured else drawn.shape
    erased = _transparent(path, size, options.exif)
    turn = upright.turn_along(options, options.image, size, path)
    if turn is not None:
        drawn, erased = turn.applied(drawn), turn.applied(erased)
    if coloured:
        drawn, values = _coloured_strokes(drawn, photo), (1, 2)
    strokes = np.select([drawn == values[0], drawn == values[1]], [1, 0], -1)
    return np.where(erased, -1, strokes)


def _coloured_strokes(picture: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """1 where a picture is red, 2 where it is blue, 0 elsewhere, and where it is a copy of the photo."""
    import numpy as np

    channels = picture.astype(np.int32)
    red, blue = channels[..., 0], channels[..., 2]
    others = np.maximum(channels[..., 1], blue), np.maximum(channels[..., 1], red)
    drawn = np.select([red - others[0] >= _CLEARLY, blue - others[1] >= _CLEARLY], [1, 2])
    seen = photo[..., np.newaxis] if photo.ndim == 2 else photo
    if photo.dtype != np.uint8 or seen.shape[:2] != channels.shape[:2] or seen.shape[2] not in (1, 3):
        return drawn
    change = np.abs(channels[..., :3] - seen).max(axis=2)
    is_copy = np.median(change) <= _NEARLY
    return np.where(change < _CLEARLY, 0, drawn) if is_copy else drawn


def _transparent(path: Path, shape: tuple[int, ...], exif: bool) -> np.ndarray:
    """Where a picture is transparent; formats without transparency are so nowhere."""
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.has_transparency_data:
                turned = ImageOps.exif_transpose(picture) if exif else picture
                return np.asarray(turned.convert("RGBA"))[..., 3] < _OPAQUE
    except (UnidentifiedImageError, OSError):
        pass
    return np.zeros(shape, bool)

"""What `classicseg refine` starts from: probabilities, logits, one foreground channel, costs, labels or seeds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from classicseg.cli import upright

if TYPE_CHECKING:
    import numpy as np

Shapes: TypeAlias = "list[tuple[int, ...]]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the file of probabilities holds, and where those of many images are."""
    parser.add_argument(
        "--probabilities", type=Path, dest="folder", metavar="FOLDER",
        help="of many images, and with --film: where their probabilities are, in files of the same names but for the "
        "suffix",
    )  # fmt: skip
    parser.add_argument("--logits", action="store_true", help="the file holds logits, not probabilities")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--sigmoid", action="store_true", help="the file holds the foreground alone, as a sigmoid gives it: (H, W)"
    )
    kinds.add_argument("--unary", action="store_true", help="the file holds costs, -log p: lower is better")
    kinds.add_argument(
        "--labels", action="store_true",
        help="the file is a label map, also .png; seeds, as from class activation maps, leave the rest unknown; a file "
        "of 0 and 255 alone is a mask",
    )  # fmt: skip
    parser.add_argument(
        "--confidence", type=float, metavar="P", help="with --labels: probability that a label is right (default: 0.7)"
    )
    parser.add_argument(
        "--ignore-label", type=int, metavar="N", help="with --labels: value of unknown pixels (default: 255)"
    )
    parser.add_argument("--key", help="name of the array in a file that holds several")
    parser.add_argument("--label-axis", type=int, default=0, metavar="N", help="where the labels are (default: 0)")
    parser.add_argument(
        "--align-corners", action="store_true",
        help="of scores smaller than the image: the first and the last lie at the middles of the outermost pixels",
    )  # fmt: skip


def add_spacing(parser: argparse.ArgumentParser) -> None:
    """Declare how far pixels are apart."""
    parser.add_argument(
        "--spacing", type=float, nargs="+", metavar="S",
        help="distance of neighbouring pixels: one number, or one for each axis of (H, W) or (D, H, W); default: "
        "that of a scan (in millimetres) or a stack, as its file has it, else 1",
    )  # fmt: skip


def spacing_of(options: argparse.Namespace, image: Any = None) -> float | Sequence[float] | None:
    """One number, one for each axis, or nothing; if none is given, that of the file of a scan or a stack.

    That of a map is left: its pixels are nearly squares, and ranges are thought of in pixels there, not in metres.
    """
    from classicseg.io.raster import profile_of

    if options.spacing:
        return options.spacing[0] if len(options.spacing) == 1 else options.spacing
    profile = profile_of(image)
    if profile is None or profile.spacing is None or hasattr(profile, "crs"):
        return None
    return profile.spacing[::-1] if getattr(options, "reverse_axes", False) else profile.spacing


def check_kind(options: argparse.Namespace) -> None:
    """Raise an error if what is said of the file of probabilities does not go together."""
    from classicseg.errors import InputError

    if options.logits and (options.unary or options.labels):
        raise InputError("--logits goes with probabilities and with --sigmoid, not with --unary or --labels")
    if not options.labels and (options.confidence, options.ignore_label) != (None, None):
        raise InputError("--confidence and --ignore-label go with --labels")


def read_evidence(options: argparse.Namespace, image: np.ndarray, of: Path) -> dict[str, Any]:
    """What the file says about the pixels of an image from the file `of`, as arguments of `refinement_crf`."""
    from classicseg import io
    from classicseg.energies.unary import unary_from_sigmoid
    from classicseg.io.raster import check_same_place, profile_of
    from classicseg.streaming.refine.drawn import DrawnLabels

    check_kind(options)
    path, key, expected = options.probabilities, options.key, _spatial_shapes(image, options.channel_axis)
    if options.labels:
        drawn = io.read_labels(path, key, exif=options.exif)
        check_same_place(profile_of(image), profile_of(drawn), path, of)
        drawn = _turned_along(drawn, options, of, None)
        known = DrawnLabels(_of_one_image(drawn, expected), str(path), options.confidence, options.ignore_label)
        return {"unary": known[tuple(slice(0, n) for n in known.shape)]}
    scores = io.read_probabilities(path, key)
    check_same_place(profile_of(image), profile_of(scores), path, of)
    if options.sigmoid:
        scores = _of_one_image(_turned_along(scores, options, of, None), expected)
        return {"unary": unary_from_sigmoid(scores, from_logits=options.logits)}
    kind = "unary" if options.unary else "logits" if options.logits else "probabilities"
    scores = _turned_along(scores, options, of, options.label_axis)
    scores, axis = _labels_of_one_image(scores, options.label_axis, expected, path)
    return {kind: scores, "label_axis": axis}


def _turned_along(array: np.ndarray, options: argparse.Namespace, of: Path, label_axis: int | None) -> np.ndarray:
    """What the file says, turned as its image was, if it lies as that is stored."""
    longer = [axis for axis in range(array.ndim) if array.shape[axis] > 1]
    if label_axis is not None:
        label_axis %= array.ndim
        longer = [axis for axis in longer if axis != (label_axis if label_axis in longer else longer[0])]
    turn = upright.turn_along(options, of, tuple(array.shape[axis] for axis in longer), options.probabilities)
    return array if turn is None else turn.applied(array, *longer)


def _of_one_image(array: np.ndarray, expected: Shapes) -> np.ndarray:
    """`array`; without axes of length 1, such as that of a batch, if it fits the image only so."""
    squeezed = array.squeeze()
    if array.shape in expected or squeezed.shape in expected:
        return array if array.shape in expected else squeezed
    return array if _is_smaller(array.shape, expected) or not _is_smaller(squeezed.shape, expected) else squeezed


def _labels_of_one_image(scores: np.ndarray, label_axis: int, expected: Shapes, path: Path) -> tuple[np.ndarray, int]:
    """Scores, without axes of length 1 if they fit the image only so, and where their labels are then."""
    from classicseg.errors import InputError

    n = scores.ndim
    if not -n <= label_axis < n:
        return scores, label_axis
    if scores.shape[label_axis] > 1 and _without(scores.shape, label_axis % n) in expected:
        return scores, label_axis
    squeezed = scores.squeeze()
    fitting = [axis for axis in range(squeezed.ndim) if _without(squeezed.shape, axis) in expected]
    longer = [axis for axis in range(n) if scores.shape[axis] > 1]
    given = sum(axis < label_axis % n for axis in longer)
    if given in fitting:
        return squeezed, given
    if fitting:
        raise InputError(
            f"{path} of shape {scores.shape} fits an image of {' x '.join(map(str, expected[-1]))} pixels only if its "
            f"labels are on another axis; give --label-axis {longer[fitting[-1]] - n}"
        )
    smaller = scores.shape[label_axis] > 1 and _is_smaller(_without(scores.shape, label_axis % n), expected)
    if not smaller and given < squeezed.ndim and _is_smaller(_without(squeezed.shape, given), expected):
        return squeezed, given
    return scores, label_axis


def labels_first(seen: dict[str, Any]) -> tuple[str, np.ndarray]:
    """Which argument the file became, and its scores, (L, *grid)."""
    import numpy as np

    ((name, scores),) = ((name, array) for name, array in seen.items() if name != "label_axis")
    axis = seen.get("label_axis", 0)
    return name, np.moveaxis(scores, axis, 0) if -scores.ndim <= axis < scores.ndim else scores


def channel_axis(image: np.ndarray, seen: dict[str, Any], given: int | Literal["infer"] | None) -> int | None:
    """Where the channels of an image are, by what is known of its pixels, or else as they usually are."""
    from classicseg.errors import InputError
    from classicseg.inputs import channel_axis_of
    from classicseg.pipelines.fit import fit_scores

    name, scores = labels_first(seen)
    try:
        axis: int | None = fit_scores(image, scores, name, given)[0]
    except InputError:  # which comes again, where more is known, and says more
        return channel_axis_of(image.shape, "auto" if given == "infer" else given)
    return axis


def _spatial_shapes(image: np.ndarray, channel_axis: int | Literal["infer"] | None) -> Shapes:
    """Those that an image can have, the likeliest last: it may have no channels, and seldom has them in front."""
    from classicseg.inputs import channel_axis_of

    shape = image.shape
    if channel_axis != "infer":
        axis = channel_axis_of(shape, channel_axis)
        return [shape if axis is None else _without(shape, axis)]
    if channel_axis_of(shape, "auto") is not None:
        return [shape, shape[:-1]]
    return [shape[:-1], shape[1:], shape]


def _is_smaller(shape: tuple[int, ...], expected: Shapes) -> bool:
    """Whether an image can have so many pixels, or more, along each axis."""
    return any(len(shape) == len(of) and all(m <= n for m, n in zip(shape, of, strict=True)) for of in expected)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])

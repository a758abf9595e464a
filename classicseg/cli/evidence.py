"""What `classicseg refine` starts from: probabilities, logits, one foreground channel, costs, labels or seeds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np

Shapes: TypeAlias = "list[tuple[int, ...]]"
_CONFIDENCE = 0.7  # as `unary_from_labels` has it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the file and what it holds."""
    parser.add_argument(
        "probabilities", type=Path, nargs="?",
        help="labels first, (L, H, W) or (L, D, H, W), or smaller than the image, as networks give them: .npy, .npz, "
        ".pt, .safetensors, .tif, .nii.gz",
    )  # fmt: skip
    parser.add_argument("--logits", action="store_true", help="the file holds logits, not probabilities")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--sigmoid", action="store_true", help="the file holds the foreground alone, as a sigmoid gives it: (H, W)"
    )
    kinds.add_argument("--unary", action="store_true", help="the file holds costs, -log p: lower is better")
    kinds.add_argument(
        "--labels", action="store_true",
        help="the file is a label map, also .png; seeds, as from class activation maps, leave the rest unknown",
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


def spacing_of(options: argparse.Namespace) -> float | list[float] | None:
    """One number, one for each axis, or nothing."""
    return options.spacing[0] if options.spacing and len(options.spacing) == 1 else options.spacing


def read_evidence(options: argparse.Namespace, image: np.ndarray) -> dict[str, Any]:
    """What the file says about the pixels of an image, as arguments of `refinement_crf`."""
    from classicseg import inputs, io
    from classicseg.energies.unary import unary_from_labels, unary_from_sigmoid
    from classicseg.errors import InputError

    if options.logits and (options.unary or options.labels):
        raise InputError("--logits goes with probabilities and with --sigmoid, not with --unary or --labels")
    path, key, expected = options.probabilities, options.key, _spatial_shapes(image, options.channel_axis)
    if not options.labels and (options.confidence, options.ignore_label) != (None, None):
        raise InputError("--confidence and --ignore-label go with --labels")
    if options.labels:
        unknown = io.VOID if options.ignore_label is None else options.ignore_label
        labels = inputs.as_labels(_of_one_image(io.read_labels(path, key), expected), None, 2**31 - 1, unknown)
        known = labels[labels != unknown]
        n_labels = max(2, int(known.max()) + 1) if known.size else 2
        confidence = _CONFIDENCE if options.confidence is None else options.confidence
        return {"unary": unary_from_labels(labels, n_labels, confidence=confidence, ignore_label=unknown)}
    scores = io.read_probabilities(path, key)
    if options.sigmoid:
        return {"unary": unary_from_sigmoid(_of_one_image(scores, expected), from_logits=options.logits)}
    kind = "unary" if options.unary else "logits" if options.logits else "probabilities"
    scores, axis = _labels_of_one_image(scores, options.label_axis, expected, path)
    return {kind: scores, "label_axis": axis}


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


def channel_axis(image: np.ndarray, seen: dict[str, Any], given: int | Literal["infer"] | None) -> int | None:
    """Where the channels of an image are, by what is known of its pixels, or else as they usually are."""
    from classicseg.inputs import as_axis, channel_axis_of

    shape = image.shape
    if given != "infer":
        return None if given is None else as_axis(given, len(shape), "channel_axis", "image")
    (scores,) = (array for name, array in seen.items() if name != "label_axis")
    spatial = _without(scores.shape, seen.get("label_axis", 0) % scores.ndim)
    fitting = [
        axis for axis in (None, -1, 0) if (shape if axis is None else _without(shape, axis % len(shape))) == spatial
    ]
    return fitting[0] if fitting else channel_axis_of(shape, "auto")


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

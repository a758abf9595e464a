"""Turn the probabilities of a network into a crisp segmentation with a dense CRF.

One image is followed by the file of its probabilities. Of many images, or a folder of them, --probabilities names the
folder of theirs, and outputs are folders: classicseg refine images/*.jpg --probabilities probs -o labels
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classicseg.cli import evidence, film, inside, many, stream
from classicseg.cli.output import add_json_option, check_axes
from classicseg.errors import InputError
from classicseg.pipelines.presets import AUTO, NAMES

if TYPE_CHECKING:
    from classicseg.pipelines.refine import Refinement

SUMMARY = "probabilities and photos in, crisp labels out"
OUTPUTS = {"output": "labels", "overlay": "images", "marginals": "marginals"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "image", type=Path, nargs="*",
        help="photo or volume (.jpg, .png, .tif, .npy, .nii.gz, …) and the file of its probabilities: labels first, "
        "(L, H, W) or (L, D, H, W), or smaller than the image, as networks give them (.npy, .npz, .pt, .safetensors, "
        ".tif, .nii.gz); or many images, a folder, or a pattern",
    )  # fmt: skip
    evidence.add_arguments(parser)
    inside.add_arguments(parser)
    film.add_arguments(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True,
        help="labels, 255 outside: .png with palette, .npy, .tif, .nii.gz or .zarr, which lie where an image of that "
        "format does",
    )  # fmt: skip
    parser.add_argument("--overlay", type=Path, help="also write a picture of the labels on the photo")
    parser.add_argument("--marginals", type=Path, help="also write the (L, H, W) marginals: .npy, or .tif with L bands")
    parser.add_argument(
        "--reverse-axes",
        action="store_true",
        help="of a volume: NIfTI files are (X, Y, Z), what nnU-Net saves beside them is (L, Z, Y, X)",
    )
    parser.add_argument(
        "--channel-axis", type=_axis, default="infer", metavar="N",
        help="where the channels of the image are, or none (default: infer, what fits)",
    )  # fmt: skip
    evidence.add_spacing(parser)
    parser.add_argument("--preset", default=AUTO, choices=NAMES, help="parameters of the CRF (default: %(default)s)")
    parser.add_argument("--sigma", type=float, help="range of the smoothness kernel, pixels")
    parser.add_argument("--weight", type=float, help="weight of the smoothness kernel")
    parser.add_argument("--bilateral-sigma", type=float, help="range of the appearance kernel, pixels")
    parser.add_argument("--color-sigma", type=float, help="range of the appearance kernel in the units of the image")
    parser.add_argument("--bilateral-weight", type=float, help="weight of the appearance kernel")
    parser.add_argument(
        "--temperature", type=float, metavar="T",
        help="what scores are divided by, as logits: above 1 for a network that is too sure of itself (default: 1)",
    )  # fmt: skip
    parser.add_argument("--max-iter", type=int, help="mean-field updates")
    parser.add_argument("--quality", choices=("fast", "high", "exact"), default="fast", help="default: %(default)s")
    parser.add_argument("--exact", action="store_true", help="also do the work that can hardly change a label")
    parser.add_argument("--threads", type=int, help="default: all processors")
    stream.add_arguments(parser)
    many.add_arguments(parser, "probabilities")
    many.add_plan(parser, "; with --stream: what memory, scratch space and time one takes")
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """One image, many, a film, or an image that is larger than memory."""
    images = options.image
    if options.film is not None:
        options.image, options.probabilities = images or None, None
        film.run(options)
        return 0
    if options.folder is None and len(images) == 2 and options.several:  # two folders
        options.folder = images.pop()
    options.probabilities = options.folder
    if options.folder is not None and not options.folder.is_dir():
        raise InputError(f"--probabilities must be the folder of those of many images, got {options.folder}")
    if options.folder is None and len(images) == 2:
        *options.image, options.probabilities = images
        options.several = False
    elif options.folder is None or not images:
        raise InputError(
            "give an image and the file of its probabilities, or images with --probabilities FOLDER, or --film with it"
        )
    if options.stream and options.folder is None:
        options.image = options.image[0]
        stream.run(options)
        return 0
    if options.stream or any(value is not None for value in (options.window, options.state, options.cluster)):
        raise InputError("--window, --state and --cluster go with --stream, which takes one image")
    from classicseg.io import batches

    drawn = batches.DRAWN if options.labels else batches.SCORES
    return many.run(options, one, OUTPUTS, {"probabilities": drawn, "mask": batches.DRAWN})


def one(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Read, refine, write, and say what was done."""
    import numpy as np

    from classicseg import io
    from classicseg.pipelines.many import bytes_of_refinement
    from classicseg.pipelines.refine import refinement

    like, mask = inside.read(options)
    image, spacing = like, evidence.spacing_of(options, like)
    if options.reverse_axes:
        image = image.T if image.ndim <= 3 else image.transpose(2, 1, 0, 3)
        mask = None if mask is None else mask.T
    seen = evidence.read_evidence(options, image, options.image)
    axis = evidence.channel_axis(image, seen, options.channel_axis)
    shape, n_channels = (image.shape, 1) if axis is None else (tuple(np.delete(image.shape, axis)), image.shape[axis])
    check_axes(options, OUTPUTS, len(shape))
    mask = inside.of_values(options, image, mask, axis)
    scores = evidence.labels_first(seen)[1]
    inside.check_labels(len(scores), mask)
    with many.admitted(options, bytes_of_refinement(shape, n_channels, len(scores), scores.size)) as n_threads:
        start = time.perf_counter()
        result = refinement(
            image,
            **seen,
            preset=options.preset,
            mask=mask,
            channel_axis=options.channel_axis,
            n_threads=n_threads,
            sigma=options.sigma,
            weight=options.weight,
            bilateral_sigma=options.bilateral_sigma,
            color_sigma=options.color_sigma,
            bilateral_weight=options.bilateral_weight,
            temperature=options.temperature,
            max_iter=options.max_iter,
            quality=options.quality,
            align_corners=options.align_corners,
            exact=options.exact,
            marginals=options.marginals is not None,
            spacing=spacing,
        )
        seconds = time.perf_counter() - start
    crf = result.crf
    assert crf is not None
    inside.write_labels(options, result.labels, like, mask, io.VOID)
    if options.overlay is not None:
        shown = inside.shown(image, mask, axis)
        shown = np.moveaxis(shown, 0, -1) if shown.shape[1:] == crf.shape else shown
        io.write_image(options.overlay, inside.overlay(shown, result.labels, mask))
    if result.marginals is not None:
        stored = inside.as_stored(result.marginals, options, like, options.marginals, 1)
        io.write_marginals(options.marginals, stored, like=like)
    return ({}, "") if options.brief else _told(options, result, seconds)


def _told(options: argparse.Namespace, result: Refinement, seconds: float) -> tuple[dict[str, Any], str]:
    """What was done, with energies, which take as long as some updates."""
    crf = result.crf
    assert crf is not None
    before = crf.grid.cheapest()
    energy_before = crf.energy(before)
    differs = before != result.labels
    changed = float(differs.mean() if crf.mask is None else differs[crf.mask].mean())
    done = {
        "output": str(options.output),
        "shape": list(crf.shape),
        "pixels_inside": crf.n_points,
        "n_labels": crf.n_labels,
        "preset": result.strength,
        "kernels": [repr(kernel) for kernel in crf.kernels],
        "n_iter": result.n_iter,
        "seconds": round(seconds, 4),
        "energy_before": energy_before,
        "energy": result.energy,
        "may_differ": result.may_differ,
        "energy_is_exact": crf.energy_is_exact,
        "changed_pixels": changed,
    }
    size = " x ".join(map(str, crf.shape))
    text = (
        f"{options.output}: {size} pixels, {crf.n_labels} labels, preset {result.strength}, {result.n_iter} updates "
        f"in {seconds:.2f} s; "
        f"{100 * changed:.1f} % of the pixels changed, energy {energy_before:.5g} -> {result.energy:.5g}"
    )
    return done, text


def _axis(word: str) -> int | str | None:
    """The number of an axis, "infer", or None for none."""
    return {"none": None, "infer": "infer"}[word.lower()] if word.isalpha() else int(word)

"""Turn the probabilities of a network into a crisp segmentation with a dense CRF."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from classicseg.cli import evidence, film, inside, stream
from classicseg.cli.output import add_json_option, check_axes, report
from classicseg.pipelines.presets import AUTO, NAMES

SUMMARY = "probabilities and photo in, crisp labels out"
OUTPUTS = {"output": "labels", "overlay": "images", "marginals": "marginals"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("image", type=Path, nargs="?", help="photo or volume: .jpg, .png, .tif, .npy, .nii.gz, …")
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
    add_json_option(parser)


def run(options: argparse.Namespace) -> None:
    """Read, refine, write, report."""
    import numpy as np

    from classicseg import io
    from classicseg.errors import InputError
    from classicseg.pipelines.refine import refinement

    if options.film is not None:
        film.run(options)
        return
    if options.stream:
        stream.run(options)
        return
    if options.plan or any(value is not None for value in (options.window, options.state, options.cluster)):
        raise InputError("--window, --state, --cluster and --plan go with --stream")
    if options.image is None or options.probabilities is None or options.folder is not None:
        raise InputError("give an image and the file of its probabilities, or --film with --probabilities FOLDER")
    like, mask = inside.read(options)
    image, spacing = like, evidence.spacing_of(options, like)
    if options.reverse_axes:
        image = image.T if image.ndim <= 3 else image.transpose(2, 1, 0, 3)
        mask = None if mask is None else mask.T
    seen = evidence.read_evidence(options, image, options.image)
    axis = evidence.channel_axis(image, seen, options.channel_axis)
    check_axes(options, OUTPUTS, image.ndim - (axis is not None))
    mask = inside.of_values(options, image, mask, axis)
    inside.check_labels(len(evidence.labels_first(seen)[1]), mask)
    start = time.perf_counter()
    result = refinement(
        image,
        **seen,
        preset=options.preset,
        mask=mask,
        channel_axis=options.channel_axis,
        n_threads=options.threads,
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
    crf = result.crf
    assert crf is not None
    seconds = time.perf_counter() - start
    inside.write_labels(options, result.labels, like, mask, io.VOID)
    if options.overlay is not None:
        shown = inside.shown(image, mask, axis)
        shown = np.moveaxis(shown, 0, -1) if shown.shape[1:] == crf.shape else shown
        io.write_image(options.overlay, inside.overlay(shown, result.labels, mask))
    if result.marginals is not None:
        stored = inside.as_stored(result.marginals, options, like, options.marginals, 1)
        io.write_marginals(options.marginals, stored, like=like)
    before = crf.grid.cheapest()
    energy_before = crf.energy(before)
    differs = before != result.labels
    changed = float(differs.mean() if mask is None else differs[mask].mean())
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
    report(options, done, text)


def _axis(word: str) -> int | str | None:
    """The number of an axis, "infer", or None for none."""
    return {"none": None, "infer": "infer"}[word.lower()] if word.isalpha() else int(word)

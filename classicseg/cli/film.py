"""What `classicseg refine --film` does: one frame after the other, each with the scores of its name."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from classicseg.cli import evidence
from classicseg.cli.output import check_apart, report

_OF_ONE_IMAGE = ("image", "probabilities", "overlay", "marginals", "reverse_axes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the frames."""
    parser.add_argument(
        "--film", type=Path, nargs="+", metavar="IMAGE",
        help="frames of a film, in their order, instead of one image; -o is then a folder",
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Read, refine and write frame by frame, then report."""
    import numpy as np

    from classicseg import io
    from classicseg.errors import InputError
    from classicseg.pipelines.film import Refiner

    given = [name for name in _OF_ONE_IMAGE if getattr(options, name) not in (None, False)]
    if given or options.folder is None:
        wrong = f"not with {given[0]}" if given else "with --probabilities FOLDER"
        raise InputError(
            f"--film goes {wrong}: give classicseg refine --film IMAGE ... --probabilities FOLDER -o FOLDER"
        )
    scores = [_scores_of(frame, options.folder) for frame in options.film]
    if options.output.exists() and not options.output.is_dir():
        raise InputError(f"{options.output} is no folder; --film writes a picture of labels for each frame")
    targets = [options.output / f"{frame.stem}.png" for frame in options.film]
    check_apart([*options.film, *scores], targets)
    options.output.mkdir(parents=True, exist_ok=True)
    changes = (
        "sigma", "weight", "bilateral_sigma", "color_sigma", "bilateral_weight", "temperature", "quality", "max_iter",
    )  # fmt: skip
    refiner = Refiner(
        preset=options.preset, channel_axis=options.channel_axis, n_threads=options.threads,
        spacing=evidence.spacing_of(options), align_corners=options.align_corners,
        **{name: getattr(options, name) for name in changes},
    )  # fmt: skip
    seconds = 0.0
    for frame, path, target in zip(options.film, scores, targets, strict=True):
        image = io.read_image(frame, exif=options.exif)
        seen = evidence.read_evidence(argparse.Namespace(**vars(options) | {"probabilities": path}), image, frame)
        name, scores_of_frame = evidence.labels_first(seen)
        start = time.perf_counter()
        try:
            labels = refiner(image, **{name: scores_of_frame})
        except ValueError as failure:
            raise InputError(f"{frame}: {failure}") from failure
        seconds += time.perf_counter() - start
        io.write_labels(target, labels)
    n, size = len(scores), " x ".join(map(str, np.shape(labels)))
    done = {
        "output": str(options.output),
        "frames": n,
        "shape": list(labels.shape),
        "preset": options.preset,
        "seconds": round(seconds, 4),
    }
    report(
        options, done, f"{options.output}: {n} frames of {size} pixels in {seconds:.2f} s, {n / seconds:.1f} a second"
    )


def _scores_of(frame: Path, folder: Path) -> Path:
    """The one file in a folder that is called as the frame is, but for its suffix."""
    from classicseg.errors import InputError

    found = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name.startswith(f"{frame.stem}.")]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise InputError(f"{folder} must hold one file called {frame.stem} for {frame}, got {names}")
    return found[0]

"""Segment images with a trained network, with or without a dense CRF behind it. Needs PyTorch.

Of many images, or a folder of them, outputs are folders: classicseg predict unet.pt photos/*.jpg -o labels
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classicseg.cli import evidence, inside, many
from classicseg.cli.output import add_json_option
from classicseg.errors import InputError
from classicseg.pipelines.presets import NAMES

if TYPE_CHECKING:
    import numpy as np

    from classicseg.torch.train import Model

SUMMARY = "a trained network and photos in, labels out"
OUTPUTS = {"output": "labels", "overlay": "images", "logits": "marginals", "probabilities": "marginals"}
_COPIES = 3  # of the logits that an image needs: as they are, and as probabilities that are written


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("model", type=Path, help="from classicseg train")
    parser.add_argument("image", type=Path, nargs="+", help="photo (.jpg, .png, .tif, …); or many, a folder, a pattern")
    parser.add_argument(
        "-o", "--output", type=Path, required=True,
        help="labels, 255 outside: .png with palette, .npy, .tif, .nii.gz or .zarr, which lie where an image of that "
        "format does",
    )  # fmt: skip
    parser.add_argument("--crf", choices=NAMES, help="refine with a dense CRF of this preset")
    evidence.add_spacing(parser)
    inside.add_arguments(parser)
    parser.add_argument("--overlay", type=Path, help="also write a picture of the labels on the photo")
    parser.add_argument("--logits", type=Path, help="also write the (L, H, W) logits: .npy, or .tif with L bands")
    parser.add_argument("--probabilities", type=Path, help="also write the probabilities, likewise")
    parser.add_argument(
        "--window", type=int, nargs=2, metavar=("H", "W"),
        help="see large photos in windows of this size that overlap; the CRF sees the whole",
    )  # fmt: skip
    parser.add_argument("--flips", action="store_true", help="the mean with the mirror image, for twice the time")
    parser.add_argument("--device", default="cpu", help="default: %(default)s")
    parser.add_argument("--threads", type=int, help="default: all processors")
    many.add_arguments(parser, "")
    many.add_plan(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """One image, or many."""
    from classicseg.cli._torch import train_module
    from classicseg.io.batches import DRAWN

    train = train_module()
    model = train.Model.load(options.model).to(train.as_device(options.device))
    with _threads_of_pytorch(options.threads):
        return many.run(options, partial(one, _Network(model)), OUTPUTS, {"mask": DRAWN})


class _Network:
    """A model that sees one image at a time, on all threads: several at once would take the memory of several.

    Attributes
    ----------
    classes : tuple of str
    memory : float
        Bytes that it has taken for an image, at most; 0 if the system does not tell.
    """

    def __init__(self, model: Model) -> None:
        self.classes, self._model, self._seeing, self.memory = model.classes, model, threading.Lock(), 0.0

    def logits_of(self, image: np.ndarray, options: argparse.Namespace) -> np.ndarray:
        """Logits (L, H, W) of an image."""
        from classicseg.cli._torch import enough_memory

        with self._seeing, enough_memory("give --window 512 512, or a smaller one"):
            held, most = _bytes_held()
            try:
                logits = self._model.predict(image, window=options.window, flips=options.flips)
            except ValueError as failure:
                raise InputError(f"{options.image}: {failure}") from failure
            _, now = _bytes_held()
            if now > most:  # else it took no more than something before
                self.memory = max(self.memory, now - held)
            return logits


def one(network: _Network, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Read, predict, refine, write, and say what was done."""
    import numpy as np

    from classicseg import io
    from classicseg.energies.softmax import softmax
    from classicseg.inputs import as_bytes, image_inside
    from classicseg.pipelines.many import bytes_of_refinement
    from classicseg.pipelines.refine import refinement

    like, mask = inside.read(options)
    axis = None if like.ndim == 2 else -1
    mask = inside.of_values(options, like, mask, axis)
    image = np.asarray(image_inside(like, mask, axis))
    start, crf = time.perf_counter(), None
    logits = network.logits_of(image, options)
    seen = time.perf_counter() - start
    inside.check_labels(len(logits), mask)
    labels = logits.argmax(0)
    needed = _COPIES * float(logits.nbytes)
    if options.crf is not None:
        needed += bytes_of_refinement(labels.shape, image.size // labels.size, len(logits), logits.size)
    with many.admitted(options, needed) as n_threads:
        if options.crf is not None:
            refined = refinement(
                image,
                logits=logits,
                preset=options.crf,
                mask=mask,
                channel_axis=axis,
                spacing=evidence.spacing_of(options, like),
                n_threads=n_threads,
            )
            labels, crf = refined.labels, refined
    seconds = time.perf_counter() - start
    inside.write_labels(options, labels, like, mask, io.VOID)
    if options.overlay is not None:
        io.write_image(options.overlay, inside.overlay(as_bytes(image, None), labels, mask))
    if options.logits is not None:
        io.write_marginals(options.logits, logits, like=like)
    if options.probabilities is not None:
        io.write_marginals(options.probabilities, softmax(logits), like=like)
    shares = _shares(labels if mask is None else labels[mask], network.classes)
    done = {
        "output": str(options.output),
        "shape": list(labels.shape),
        "n_labels": len(logits),
        "preset": None if crf is None else crf.strength,
        "seconds": round(seconds, 4),
        "network_seconds": round(seen, 4),
        "shares": shares,
    }
    if options.plan:
        done |= {"network_memory": network.memory}
        if crf is not None and crf.crf is not None:
            done |= {"kernels": [repr(kernel) for kernel in crf.crf.kernels]}
    text = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items() if share > 0)
    return done, f"{options.output}: {text}"


def _bytes_held() -> tuple[float, float]:
    """Memory that this process has now, and the most that it had; twice 0 where the system does not tell."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (ImportError, OSError):
        return 0.0, 0.0
    return float(pages * resource.getpagesize()), 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _shares(labels: np.ndarray, classes: tuple[str, ...]) -> dict[str, float]:
    """Which part of the pixels has each class."""
    import numpy as np

    counts = np.bincount(labels.reshape(-1), minlength=len(classes))
    return {name: float(n / labels.size) for name, n in zip(classes, counts, strict=True)}


@contextmanager
def _threads_of_pytorch(n: int | None) -> Iterator[None]:
    """While this lasts, PyTorch uses so many threads, if a number is given."""
    import torch

    before = torch.get_num_threads()
    if n is not None:
        torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)

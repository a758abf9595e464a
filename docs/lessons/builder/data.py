"""What pages show: small images, as bytes."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from builder.sources import FACTS

CUP = (96, 144)
"""Rows and columns of the cup."""


def photo() -> bytes:
    """The image of the sample, small, (H, W, 3), a byte each."""
    from skimage.transform import resize

    from classicseg import data

    return bytes(np.rint(resize(data.sample().image, (*CUP, 3), anti_aliasing=True) * 255).astype(np.uint8))


def cup() -> bytes:
    """The sample, small: :func:`photo`, 255 times its probabilities (5, H, W), and its truth, a byte each."""
    from skimage.transform import resize

    from classicseg import data

    sample = data.sample()
    probabilities = [resize(p.astype(np.float32), CUP, anti_aliasing=True) for p in sample.probabilities]
    rows, columns = (
        ((np.arange(n) + 0.5) * full / n).astype(int) for n, full in zip(CUP, sample.truth.shape, strict=True)
    )
    truth = sample.truth[np.ix_(rows, columns)]
    parts = [np.rint(255 * np.stack(probabilities)), truth]
    return photo() + b"".join(part.astype(np.uint8).tobytes() for part in parts)


def gray_cup() -> bytes:
    """The cup in gray, 64 x 64, a byte each."""
    from skimage.transform import resize

    from classicseg import data

    gray = data.sample().image @ np.array([0.299, 0.587, 0.114])
    return bytes(np.rint(resize(gray, (64, 96), anti_aliasing=True)[:, 16:80]).astype(np.uint8))


def grain() -> bytes:
    """Noise of 100 x 100 gray levels, normal with a standard deviation of 12, signed bytes."""
    from scipy.special import ndtri

    numbers = (np.random.PCG64(8).random_raw(100 * 100) + 0.5) / 2.0**64  # the same with every version of NumPy
    return np.rint(12 * ndtri(numbers)).astype(np.int8).tobytes()


def networks() -> bytes:
    """What is known about the library's networks, as JSON."""
    return json.dumps(json.loads(FACTS.read_text(encoding="utf-8"))["networks"]).encode()


DATA: dict[str, Callable[[], bytes]] = {
    "cup": cup,
    "photo": photo,
    "gray": gray_cup,
    "grain": grain,
    "networks": networks,
}
"""Functions that make the bytes, by the name that pages use."""

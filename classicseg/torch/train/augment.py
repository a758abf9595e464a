"""Augmentation: an image is never seen the same way twice."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.io import VOID
from classicseg.torch.train.resize import resize_image, resize_labels


@dataclass(frozen=True)
class Augmentation:
    """Random changes of an image and its labels.

    Attributes
    ----------
    flip : float
        Probability of a mirror image.
    scale : (float, float)
        Range of the factor by which a picture is enlarged; its logarithm is uniform.
    crop : (int, int), optional
        Height and width of a random window; by default that of the picture. What lies outside the picture is void.
    jitter : float
        Brightness, contrast and saturation are each multiplied by up to 1 + this or its inverse.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.torch import train
    >>> change = train.Augmentation(crop=(16, 20))
    >>> image, labels = change(np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), np.uint8), np.random.default_rng(0))
    >>> image.shape, labels.shape
    ((16, 20, 3), (16, 20))
    """

    flip: float = 0.5
    scale: tuple[float, float] = (0.75, 1.5)
    crop: tuple[int, int] | None = None
    jitter: float = 0.25

    def __post_init__(self) -> None:
        inputs.as_probability(self.flip, "flip")
        low, high = self.scale
        if not 0 < low <= high < np.inf:
            raise InputError(f"scale must be two rising positive numbers, got {self.scale!r}")
        if self.crop is not None and (len(self.crop) != 2 or min(self.crop) < 1):
            raise InputError(f"crop must be height and width, got {self.crop!r}")
        inputs.as_weight(self.jitter, "jitter", at_least=0)

    def __call__(
        self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """A changed (H, W, C) uint8 image and its labels; the same for the same state of `rng`."""
        size = labels.shape if self.crop is None else self.crop
        low, high = self.scale
        factor = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        window = [max(1, round(n / factor)) for n in size]  # cut first: only what is seen is resized
        corner = [_offset(rng, n, m) for n, m in zip(labels.shape, window, strict=True)]
        image, labels = _window(image, corner, window, 0), _window(labels, corner, window, VOID)
        image, labels = resize_image(image, size), resize_labels(labels, size)
        if rng.random() < self.flip:
            image, labels = image[:, ::-1], labels[:, ::-1]
        return np.ascontiguousarray(self._recoloured(image, rng)), np.ascontiguousarray(labels)

    def _recoloured(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        bound = np.log1p(self.jitter)
        brightness, contrast, saturation = np.exp(rng.uniform(-bound, bound, 3)).astype(np.float32)
        if self.jitter == 0:
            return image
        x = image.astype(np.float32)
        mean = x.mean()
        x = (x - mean) * contrast + mean * brightness
        if x.shape[2] > 1:
            gray = x.mean(2, keepdims=True)
            x = gray + (x - gray) * saturation
        return np.clip(np.rint(x), 0, 255).astype(np.uint8)


def with_crop(augmentation: Augmentation, size: tuple[int, int]) -> Augmentation:
    """The same with a fixed size, so that pictures of several sizes make a batch."""
    return augmentation if augmentation.crop is not None else dataclasses.replace(augmentation, crop=size)


def _offset(rng: np.random.Generator, n: int, m: int) -> int:
    """Where a window of m starts in n: within, or so that it covers all."""
    return int(rng.integers(min(0, n - m), max(0, n - m) + 1))


def _window(array: np.ndarray, corner: list[int], size: list[int], fill: int) -> np.ndarray:
    axes = list(zip(corner, size, array.shape[:2], strict=True))
    cut = array[tuple(slice(max(0, c), min(n, c + m)) for c, m, n in axes)]
    margins = [(max(0, -c), max(0, c + m - n)) for c, m, n in axes]
    return np.pad(cut, margins + [(0, 0)] * (array.ndim - 2), constant_values=fill) if np.any(margins) else cut

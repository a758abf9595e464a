"""Objects of hair, fur and blurred borders over photos, with their true alpha and colours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_FINER = 4  # strands are drawn so many times larger, and averaged


class Composite(NamedTuple):
    """An image that was put together.

    Attributes
    ----------
    image : ndarray, (H, W, 3), uint8
    alpha : ndarray, (H, W), float32
    foreground : ndarray, (H, W, 3), float32
        True colours of the object, 0 to 255, where alpha is above 0.
    """

    image: np.ndarray
    alpha: np.ndarray
    foreground: np.ndarray


KINDS = ("hair", "fur", "wisps", "blurred", "sharp")


def composite(background: np.ndarray, texture: np.ndarray, kind: str, size: tuple[int, int], seed: int) -> Composite:
    """An object of one of the `KINDS` over a background.

    Parameters
    ----------
    background, texture : ndarray, (h, w, 3), uint8
        Photos, resized to fill the image; the object is coloured like the second.
    kind : str
        Long strands that curl, a fringe of short ones, a few fine ones that lie loose, a border that is out of focus,
        or one without any of that.
    size : tuple of int
        Rows and columns.
    seed : int
    """
    rng = np.random.default_rng(seed)
    behind, colors = (_filling(photo, size) for photo in (background, texture))
    outline = _outline(size, rng)
    alpha = _blob(size, outline)
    if kind == "blurred":
        from scipy.ndimage import gaussian_filter

        alpha = gaussian_filter(alpha, size[0] / 100)
        return _over(behind, colors, alpha)
    if kind == "sharp":
        return _over(behind, colors, alpha)
    strands, shade = _strands(size, outline, kind, rng)
    tint = colors.mean(axis=(0, 1)) * 0.5 + colors * 0.5
    hair = np.clip(tint * shade[..., None], 0, 255)
    both = strands + alpha * (1 - strands)
    mixed = (strands[..., None] * hair + (alpha * (1 - strands))[..., None] * colors) / np.maximum(both, 1e-6)[
        ..., None
    ]
    return _over(behind, np.where(both[..., None] > 0, mixed, colors), both)


def _over(behind: np.ndarray, colors: np.ndarray, alpha: np.ndarray) -> Composite:
    alpha = np.where(alpha > 254.5 / 255, 1, np.where(alpha < 0.5 / 255, 0, alpha)).astype(np.float32)
    image = alpha[..., None] * colors + (1 - alpha[..., None]) * behind
    return Composite(image.round().clip(0, 255).astype(np.uint8), alpha, colors.astype(np.float32))


def _filling(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of a photo, resized to fill an image of this size."""
    from PIL import Image

    height, width = photo.shape[:2]
    scale = max(size[0] / height, size[1] / width)
    resized = Image.fromarray(photo).resize(
        (round(width * scale) + 1, round(height * scale) + 1), Image.Resampling.BICUBIC
    )
    top, left = (resized.height - size[0]) // 2, (resized.width - size[1]) // 2
    return np.asarray(resized, np.float32)[top : top + size[0], left : left + size[1]]


def _outline(size: tuple[int, int], rng: np.random.Generator, n: int = 720) -> np.ndarray:
    """Points (n, 2) of a closed curve, a head or a bush, rows first."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radius = np.ones(n)
    for k in range(2, 7):
        radius += rng.normal(0, 0.16 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    center = np.array([0.55, 0.5]) * size
    return center + 0.27 * size[0] * radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], 1)


def _blob(size: tuple[int, int], outline: np.ndarray) -> np.ndarray:
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (size[1] * _FINER, size[0] * _FINER))
    ImageDraw.Draw(canvas).polygon([(x * _FINER, y * _FINER) for y, x in outline], fill=255)
    return _averaged(np.asarray(canvas, np.float32) / 255)


def _strands(
    size: tuple[int, int], outline: np.ndarray, kind: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Opacity of all strands, and how bright those at a pixel are."""
    from PIL import Image, ImageDraw

    unit = size[0] / 480
    n, length, thick, curl, spread = {
        "hair": (700, 70, 1.1, 0.06, 0.5),
        "fur": (2600, 16, 1.3, 0.03, 0.35),
        "wisps": (160, 110, 0.8, 0.05, 0.8),
    }[kind]
    cover = Image.new("L", (size[1] * _FINER, size[0] * _FINER))
    bright = Image.new("F", cover.size, 1.0)
    drawing, painting = ImageDraw.Draw(cover), ImageDraw.Draw(bright)
    middle = outline.mean(axis=0)
    for _ in range(n):
        at = outline[rng.integers(len(outline))]
        out = at - middle
        heading = np.arctan2(out[0], out[1]) + rng.normal(0, spread)
        turn = rng.normal(0, curl)
        steps = max(4, int(length * unit * rng.uniform(0.4, 1.2) / 3))
        opacity, shade = int(255 * rng.uniform(0.6, 1)), float(rng.uniform(0.6, 1.3))
        here = at - 4 * unit * np.array([np.sin(heading), np.cos(heading)])
        for k in range(steps):
            heading += turn + rng.normal(0, curl / 2)
            there = here + 3 * np.array([np.sin(heading), np.cos(heading)])
            line = [(here[1] * _FINER, here[0] * _FINER), (there[1] * _FINER, there[0] * _FINER)]
            width = max(1, round(_FINER * thick * unit * (1 - k / steps)))
            drawing.line(line, fill=opacity, width=width)
            painting.line(line, fill=shade, width=width + 2)
            here = there
    return _averaged(np.asarray(cover, np.float32) / 255), _averaged(np.asarray(bright))


def _averaged(large: np.ndarray) -> np.ndarray:
    height, width = large.shape
    return large.reshape(height // _FINER, _FINER, width // _FINER, _FINER).mean(axis=(1, 3))

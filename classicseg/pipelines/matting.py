"""From a mask to a soft one, and to colours that can be put on another background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.kernels.matting import add_blends, add_models, evaluate, shrink
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines.prepared_image import PreparedImage

# Chosen on composites of known alpha, by benchmarks/pipelines/alpha.py; colours are in the units of an 8-bit image.
_FITTED_ON = 400_000  # pixels: linear functions of colour are found in an image of about this size
_WINDOWS = (0.0075, 0.015, 0.03)  # radii, as shares of the side of a square of as many pixels as the image
_NOISE = 0.65  # variance that colours have without meaning anything: 0.8 of 255 levels
_TOLERATED = 0.1  # mean squared error of a window at which it counts half
_ROUNDS = 2  # in the second, functions are fitted to alpha: where the mask missed the border, colours find it
_STRETCH = 0.05  # alpha below is haze, and is 0; as much below 1 is 1
_BLENDS = ((0.006, 1.0), (0.03, 0.1), (0.1, 1e-3))  # radii of windows of colours, and what they count
_INSIDE, _OUTSIDE = 0.03, 0.09  # how far from its border the mask is final, as shares of the same side
_SURE = 0.004  # a step of 8 bits: less is not worth an interpolation
_MOST_FINE = (2, (1, 3))  # axes and channels that there are kernels for


@dataclass(frozen=True, eq=False)
class Matte:
    """An object with a soft mask: how much of each pixel is its, and which colour that has.

    Attributes
    ----------
    alpha : ndarray, (H, W), float32
        0 to 1.
    foreground : ndarray, (H, W) or (H, W, 3), float32
        Colours of the object without the background that shines through, in the units of the image; 0 where alpha is 0.
    low, high : float
        The values of the image that are shown black and white: 0 and 255 of one of 8 bits, else the ends of its range.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> image = np.full((20, 24, 3), 40, np.uint8)
    >>> image[6:14, 7:17] = (220, 60, 30)
    >>> matte = cs.cutout(image, box=(3, 3, 18, 21), alpha=True).matte
    >>> matte.alpha.shape, matte.rgba.shape, matte.over((0, 255, 0))[0, 0].tolist()
    ((20, 24), (20, 24, 4), [0, 255, 0])
    """

    alpha: np.ndarray
    foreground: np.ndarray
    low: float = 0.0
    high: float = 255.0

    @property
    def rgba(self) -> np.ndarray:
        """The object as a picture, (H, W, 4) uint8: red, green, blue, and how opaque; not multiplied by alpha."""
        picture = np.empty((*self.alpha.shape, 4), np.uint8)
        picture[..., :3] = self._shown().round()
        picture[..., 3] = (255 * self.alpha).round()
        return picture

    def over(self, background: ArrayLike) -> np.ndarray:
        """The object put on a colour or a picture.

        Parameters
        ----------
        background : array_like, (3,) or (H, W, 3)
            0 to 255.

        Returns
        -------
        ndarray, (H, W, 3), uint8

        Raises
        ------
        ValueError
            If it has another shape or values out of range.
        """
        behind = inputs.as_numbers(background, "background")
        wanted = (*self.alpha.shape, 3)
        if behind.shape not in ((3,), wanted):
            raise InputError(f"background must be a colour, (3,), or a picture, {wanted}, got shape {behind.shape}")
        if behind.min() < 0 or behind.max() > 255:
            raise InputError(f"background must have values from 0 to 255, got {behind.min():g} to {behind.max():g}")
        share = self.alpha[..., np.newaxis]
        mixed: np.ndarray = share * self._shown() + (1 - share) * behind
        return mixed.round().astype(np.uint8)

    def _shown(self) -> np.ndarray:
        """Colours as 0 to 255, (H, W, 1 or 3)."""
        colors = self.foreground if self.foreground.ndim == 3 else self.foreground[..., np.newaxis]
        span = np.float32(self.high - self.low)
        shown: np.ndarray = (colors - np.float32(self.low)) / (span if span > 0 else np.float32(np.inf))
        shown = (255 * shown).clip(0, 255)
        return shown


def check_flat(prepared: PreparedImage) -> None:
    """Refuse what has no soft mask: volumes, and images of other than 1 or 3 channels."""
    n_axes, channels = _MOST_FINE
    if len(prepared.shape) != n_axes or len(prepared.image) not in channels:
        raise InputError(
            "alpha is for images, (H, W) or (H, W, 3), got "
            f"{' x '.join(map(str, prepared.shape))} pixels of {len(prepared.image)} channels"
        )


def matte_of(prepared: PreparedImage, objects: np.ndarray, strokes: np.ndarray, n_threads: int) -> Matte:
    """The soft mask of objects, a bool mask; strokes, -1 where there are none, stay what they are.

    Alpha is close to a linear function of colour in a small window [1]_. Such functions are fitted to the mask in
    windows of three sizes around each pixel [2]_, and each pixel takes the mean of those of all windows that it is in,
    weighted by how well they explain the mask; then the same with alpha for the mask. Linear functions of colour are
    the same for means of pixels, so that large images are worked on in a smaller size and only evaluated in their own.
    The colours of the object are those around that are surely of it, plus what remains to be explained of the pixel
    [3]_.

    References
    ----------
    .. [1] A. Levin, D. Lischinski, Y. Weiss, "A closed-form solution to natural image matting", PAMI 30(2), 2008.
       doi:10.1109/TPAMI.2007.1177
    .. [2] K. He, J. Sun, X. Tang, "Guided image filtering", PAMI 35(6), 2013. doi:10.1109/TPAMI.2012.213
    .. [3] M. Forte, "Approximate fast foreground colour estimation", ICIP 2021. doi:10.1109/ICIP42928.2021.9506164
    """
    from scipy.ndimage import binary_dilation

    check_flat(prepared)
    (height, width), colors = prepared.shape, prepared.colors
    factor = max(1, round((height * width / _FITTED_ON) ** 0.5))
    rows, columns = -(-height // factor), -(-width // factor)
    n, side = rows * columns, (rows * columns) ** 0.5
    shape, of_small = np.array([height, width, rows, columns], np.int64), np.array([rows, columns], np.int64)
    threads = resolve_threads(n_threads, height * width)
    image, share = np.empty((3, n), np.float32), np.empty(n, np.float32)
    run(shrink, threads, new_sync(1), colors, objects.reshape(-1), shape, factor, image, share)

    models, totals = np.empty((5, n), np.float32), np.empty((5, n), np.float32)
    final, alpha = _finality(share.reshape(rows, columns), side).reshape(-1), share
    for _ in range(_ROUNDS):
        totals[:] = 0
        for radius in _WINDOWS:
            reach = max(1, round(radius * side))
            run(add_models, threads, new_sync(2), image, alpha, of_small, reach, _NOISE, _TOLERATED, models, totals)
        linear = totals[:4] / totals[4] * (1 - final)
        linear[3] += final * (share > 0.5)
        alpha = (linear[:3] * image).sum(axis=0) + linear[3]
        alpha = ((alpha - np.float32(_STRETCH)) / np.float32(1 - 2 * _STRETCH)).clip(0, 1)

    planes, blends = np.empty((8, n), np.float32), np.zeros((8, n), np.float32)
    for radius, counts in _BLENDS:
        reach = max(1, round(radius * side))
        weight = np.float32(counts / (2 * reach + 1) ** 2)
        run(add_blends, threads, new_sync(2), image, alpha, of_small, reach, weight, planes, blends)
    of_object, of_rest = (blends[at : at + 3] / np.maximum(blends[at + 3], 1e-30) for at in (0, 4))

    mixed = (np.abs(alpha - share) > _SURE) | ((share > 0) & (share < 1)) | ((alpha > 0) & (alpha < 1))
    unsure = binary_dilation(mixed.reshape(rows, columns), np.ones((3, 3))).reshape(-1)
    certain = strokes >= 0 if prepared.mask is None else (strokes >= 0) | ~prepared.mask
    state = (objects + 2 * certain).astype(np.uint8).reshape(-1)
    small = np.concatenate([linear, of_object, of_rest]).astype(np.float32)
    n_channels = len(colors)
    soft, foreground = np.empty(height * width, np.float32), np.empty((height * width, n_channels), np.float32)
    run(
        evaluate, threads, new_sync(1), colors, shape, factor, small, unsure, state, np.float32(_STRETCH),
        prepared.units, soft, foreground,
    )  # fmt: skip
    axes = (height, width) if n_channels == 1 else (height, width, n_channels)
    return Matte(soft.reshape(height, width), foreground.reshape(axes), *prepared.shown)


def _finality(share: np.ndarray, side: float) -> np.ndarray:
    """How little colours matter at a pixel, 0 to 1: not at all from some distance to the border of the mask on.

    A highlight in the middle of an object is no hole, even if it has the colour of the background.
    """
    from scipy.ndimage import distance_transform_edt

    inside = share > 0.5
    if inside.all() or not inside.any():
        return np.ones(share.shape, np.float32)
    depth = distance_transform_edt(inside) / (_INSIDE * side)
    height = distance_transform_edt(~inside) / (_OUTSIDE * side)
    final: np.ndarray = (np.minimum(depth + height, 1) ** 2).astype(np.float32)
    return final

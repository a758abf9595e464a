"""Pictures of what split-and-merge makes: blocks and regions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.plot.pictures import borders, displayable, enlarged

_YELLOW = (255, 214, 0)  # stands out on gray photos


def quadtree(
    image: ArrayLike, blocks: ArrayLike, *, zoom: int = 1, color: Sequence[int] = _YELLOW, alpha: float = 0.7
) -> np.ndarray:
    """The borders of blocks drawn over their image.

    Parameters
    ----------
    image : array_like, (H, W) or (H, W, C)
        Any real dtype.
    blocks : array_like of int, (n, 3)
        Corner and side (y, x, side) of each, as :func:`classicseg.quadtree` gives.
    zoom : int
        Pixels of the picture along the side of a pixel of the image.
    color : three numbers, 0 to 255
    alpha : float
        In [0, 1]: how opaque the lines are.

    Returns
    -------
    ndarray, (H * zoom, W * zoom, 3), uint8
        Blocks of less than 3 picture pixels a side get no border: they would only be lines.

    Raises
    ------
    ValueError
        If shapes or numbers cannot be.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> from classicseg import plot
    >>> image = np.zeros((8, 12), np.uint8)
    >>> image[2, 3] = 200
    >>> plot.quadtree(image, cs.quadtree(image, cs.Range(24)), zoom=4).shape
    (32, 48, 3)
    """
    factor = inputs.as_count(zoom, "zoom", 1)
    share = _share(alpha)
    ink = inputs.as_color(color, "color")
    corners = inputs.read(blocks, "blocks")
    if corners.ndim != 2 or corners.shape[1] != 3 or corners.dtype.kind not in "iu":
        raise InputError(
            f"blocks must be integers (y, x, side) of shape (n, 3), got {corners.dtype} of shape {corners.shape}"
        )
    shown = displayable(image)
    outside = (corners[:, :2] < 0).any() or (corners[:, :2] >= shown.shape[:2]).any()
    if outside or (corners[:, 2] < 1).any():
        raise InputError(f"blocks must begin within the image of shape {shown.shape[:2]} and have a side of at least 1")
    picture = enlarged(shown, factor)
    height, width = picture.shape[:2]
    line = np.zeros((height, width), bool)
    for y, x, side in ([factor * number for number in block] for block in corners.tolist()):
        if side >= 3:
            line[y, x : x + side] = True
            line[y : y + side, x] = True
            line[min(y + side, height) - 1, x : x + side] |= y + side >= height
            line[y : y + side, min(x + side, width) - 1] |= x + side >= width
    picture[line] = ((1 - share) * picture[line] + share * ink).round().astype(np.uint8)
    return picture


def regions(
    image: ArrayLike,
    labels: ArrayLike,
    *,
    zoom: int = 1,
    border: Sequence[int] | None = None,
    background: Sequence[int] = (0, 0, 0),
) -> np.ndarray:
    """Every region in its mean colour: what is left of an image if its regions are all one knows.

    Parameters
    ----------
    image : array_like, (H, W) or (H, W, C)
        Any real dtype.
    labels : array_like of int, (H, W)
        At least 0; 0 is no region.
    zoom : int
        Pixels of the picture along the side of a pixel of the image.
    border : three numbers, 0 to 255, optional
        Colour of a line where regions meet; none by default.
    background : three numbers, 0 to 255
        Colour of label 0.

    Returns
    -------
    ndarray, (H * zoom, W * zoom, 3), uint8

    Raises
    ------
    ValueError
        If the sizes do not fit.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> from classicseg import plot
    >>> image = np.array([[0, 0, 90], [0, 2, 92]], np.uint8)
    >>> plot.regions(image, cs.split_and_merge(image, 10))[..., 0].tolist()
    [[0, 0, 91], [0, 0, 91]]
    """
    factor = inputs.as_count(zoom, "zoom", 1)
    line = None if border is None else inputs.as_color(border, "border")
    outside = inputs.as_color(background, "background")
    base = displayable(image)
    array = inputs.as_labels(labels, base.shape[:2], 2**31 - 1)
    _, dense, counts = np.unique(array, return_inverse=True, return_counts=True)
    dense = dense.reshape(array.shape)
    means = np.stack([np.bincount(dense.ravel(), base[..., c].ravel()) / counts for c in range(3)], axis=1)
    picture = means.round().astype(np.uint8)[dense]
    picture[array == 0] = outside
    picture = enlarged(picture, factor)
    if line is not None:
        picture[borders(enlarged(array, factor))] = line
    return picture


def _share(alpha: float) -> float:
    share = inputs.as_weight(alpha, "alpha")
    if not 0 <= share <= 1:
        raise InputError(f"alpha must be at least 0 and at most 1, got {alpha!r}")
    return share

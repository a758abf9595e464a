"""Labels as colours, laid over images, and pictures side by side."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.memory import check_memory

_CAPTION = 22  # height of a line of text
_PER_COLOR = 200  # bytes while a palette is made

_FIRST = np.frombuffer(
    bytes.fromhex(
        "404040 e69f00 56b4e9 009e73 f0e442 0072b2 d55e00 cc79a7 87fff0 a569ff 4b00e1 780087"
        "a53c00 b4d287 87d2ff 870000 964b87 0f694b c3f0a5 781eb4 964be1 f0c300 c3a578 c32db4"
    ),
    np.uint8,
).reshape(-1, 3)
"""Gray, the seven colours of Okabe and Ito, and then always the colour that is furthest from all before it to the eyes
of whoever is nearest to confusing them: distances in Oklab, seen normally and with each kind of dichromacy."""

_RAMP = np.array([[0, 32, 77], [61, 78, 107], [124, 123, 120], [187, 175, 113], [255, 234, 70]], float)
"""From dark blue by gray to yellow, evenly lighter: it reads the same without red or green, and printed in gray."""


def palette(n_labels: int) -> np.ndarray:
    """Colours that tell labels apart.

    Parameters
    ----------
    n_labels : int
        At least 1.

    Returns
    -------
    ndarray, (n_labels, 3), uint8
        Label 0 is dark gray. The first n colours are the same for every `n_labels`.

    Raises
    ------
    ValueError
        If that is no whole number of at least 1, or there is not enough memory.

    Notes
    -----
    The first eight are those of Okabe and Ito [1]_; 24 can be told apart by eyes that miss a kind of cone, too
    [2]_. Nobody tells more than that apart: from there on hues step by the golden angle, so that each new one falls
    into the widest gap of those before it.

    References
    ----------
    .. [1] M. Okabe, K. Ito, "Color universal design", 2008.
    .. [2] G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, "A physiologically-based model for simulation of color
       vision deficiency", IEEE TVCG 15(6), 2009. doi:10.1109/TVCG.2009.113.

    Examples
    --------
    >>> from classicseg import plot
    >>> plot.palette(3).shape
    (3, 3)
    """
    n = inputs.as_count(n_labels, "n_labels", 1)
    check_memory(n * _PER_COLOR, f"a palette of n_labels={n} colours")
    return _colors_of(np.arange(n))


def _colors_of(index: np.ndarray) -> np.ndarray:
    """The colours, (n, 3) uint8, of labels (n,)."""
    hue = (0.02 + 0.61803398875 * (index - 1)) % 1
    value = np.array([0.95, 0.75, 0.85])[index % 3]
    saturation = np.array([0.75, 0.9, 0.55])[(index // 3) % 3]
    # hue to RGB: each channel is a trapezoid of the hue, shifted by a third of the circle
    offsets = np.array([0.0, 2 / 3, 1 / 3])
    distance = np.abs((hue[:, None] + offsets) % 1 * 6 - 3) - 1
    rgb = value[:, None] * (1 - saturation[:, None] * (1 - np.clip(distance, 0, 1)))
    colors = (rgb * 255).round().astype(np.uint8)
    first = index < len(_FIRST)
    colors[first] = _FIRST[index[first]]
    return colors


def label_image(labels: ArrayLike, *, colors: np.ndarray | None = None, ignore_label: int | None = None) -> np.ndarray:
    """Labels as colours.

    Parameters
    ----------
    labels : array_like of int, of any shape, such as (H, W)
        Labels, at least 0.
    colors : ndarray, (n, 3), uint8, optional
        One colour for each label; :func:`palette` if None.
    ignore_label : int, optional
        Shown white.

    Returns
    -------
    ndarray, the shape of the labels and 3, uint8

    Raises
    ------
    ValueError
        If a label has no colour.

    Examples
    --------
    >>> from classicseg import plot
    >>> plot.label_image([[0, 1]]).shape
    (1, 2, 3)
    """
    table = None if colors is None else _colors(colors)
    limit = 2**31 - 1 if table is None else len(table)
    nothing = None if ignore_label is None else inputs.as_integer(ignore_label, "ignore_label")
    array = inputs.as_labels(labels, None, limit, nothing)
    ignored = np.zeros(array.shape, bool) if nothing is None else array == nothing
    shown = np.where(ignored, 0, array)
    if table is None:
        if shown.max() < shown.size:
            names = np.arange(int(shown.max()) + 1)
        else:  # a large number needs no colours for all below it
            names, inverse = np.unique(shown, return_inverse=True)
            shown = inverse.reshape(shown.shape)
        table = _colors_of(names)
    picture: np.ndarray = table[shown]
    picture[ignored] = 255
    return picture


def overlay(image: ArrayLike, labels: ArrayLike, *, alpha: float = 0.5, colors: np.ndarray | None = None) -> np.ndarray:
    """Labels laid over their image, with a white line where labels meet.

    Parameters
    ----------
    image : array_like, (H, W) or (H, W, C)
        Any real dtype; unless it is uint8, its range is stretched to what can be shown.
    labels : array_like of int, (H, W)
        Labels, at least 0.
    alpha : float
        In [0, 1]: how much of the colours to show.
    colors : ndarray, (n, 3), uint8, optional
        As in :func:`label_image`.

    Returns
    -------
    ndarray, (H, W, 3), uint8

    Raises
    ------
    ValueError
        If the sizes do not fit or `alpha` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import plot
    >>> plot.overlay(np.zeros((4, 6)), np.eye(4, 6, dtype=int)).shape
    (4, 6, 3)
    """
    share = inputs.as_weight(alpha, "alpha")
    if not 0 <= share <= 1:
        raise InputError(f"alpha must be at least 0 and at most 1, got {alpha!r}")
    base = displayable(image)
    array = inputs.as_labels(labels, base.shape[:2], 2**31 - 1)
    mixed = (1 - share) * base + share * label_image(array, colors=colors)
    picture = mixed.round().astype(np.uint8)
    picture[borders(array)] = 255
    return picture


def displayable(image: ArrayLike) -> np.ndarray:
    """An image as (H, W, 3) uint8: gray is tripled, channels past the third are left out, other dtypes stretched.

    Raises
    ------
    ValueError
        If it has neither 2 nor 3 axes.

    Examples
    --------
    >>> from classicseg import plot
    >>> plot.displayable([[0.0, 2.0]])[..., 0].tolist()
    [[0, 255]]
    """
    array = inputs.read(image, "image")
    if array.ndim not in (2, 3) or array.size == 0:
        raise InputError(f"image must have 2 or 3 axes and hold anything to be shown, got shape {array.shape}")
    if array.ndim == 2 or array.shape[2] < 3:
        gray = array if array.ndim == 2 else array[..., 0]
        array = np.repeat(gray[..., None], 3, axis=2)
    array = array[..., :3]
    if array.dtype == np.uint8:
        return array
    values = inputs.as_numbers(array, "image")
    low, high = float(values.min()), float(values.max())
    stretched = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return (stretched * 255).round().astype(np.uint8)


def uncertainty(marginals: ArrayLike) -> np.ndarray:
    """Where labels are in doubt: the entropy of the marginals of each pixel, from dark blue to yellow.

    Parameters
    ----------
    marginals : array_like, (L, *spatial)
        Probabilities, as those of a :class:`~classicseg.Result`.

    Returns
    -------
    ndarray, the spatial shape and 3, uint8
        Dark blue where one label has all probability, yellow where all are equally likely.

    Raises
    ------
    ValueError
        If they are no probabilities of at least two labels.

    Examples
    --------
    >>> from classicseg import plot
    >>> plot.uncertainty([[1.0, 0.5], [0.0, 0.5]]).tolist()
    [[0, 32, 77], [255, 234, 70]]
    """
    p = inputs.as_numbers(inputs.read(marginals, "marginals"), "marginals")
    if p.ndim < 2 or len(p) < 2 or p.size == 0 or p.min() < 0 or p.max() > 1 + 1e-3:
        raise InputError(f"marginals must be probabilities of shape (L, *spatial) with L > 1, got shape {p.shape}")
    terms = np.where(p > 0, -p * np.log(np.maximum(p, 1e-30)), 0.0)  # in nats; the limit at 0 is 0
    return ramp(terms.sum(0) / np.log(len(p)))


def ramp(shares: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1 as colours from dark blue to yellow: their shape and 3, uint8."""
    at = np.clip(shares, 0, 1) * (len(_RAMP) - 1)
    knots = np.arange(len(_RAMP))
    colors = np.stack([np.interp(at, knots, channel) for channel in _RAMP.T], axis=-1)
    return colors.round().astype(np.uint8)


def tile(pictures: Sequence[np.ndarray], columns: int, gap: int = 8) -> np.ndarray:
    """Pictures of equal size in rows, with white gaps.

    Parameters
    ----------
    pictures : sequence of ndarray, (H, W, 3), uint8
        A multiple of `columns`.
    columns : int
    gap : int
        Pixels.

    Returns
    -------
    ndarray, uint8

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import plot
    >>> plot.tile([np.zeros((4, 6, 3), np.uint8)] * 4, columns=2, gap=2).shape
    (10, 14, 3)
    """
    width, space = inputs.as_count(columns, "columns", 1), inputs.as_count(gap, "gap", 0)
    given = [inputs.read(picture, "pictures") for picture in inputs.as_sequence(pictures, "pictures", "pictures")]
    shapes = {picture.shape for picture in given}
    if len(shapes) != 1 or len(given) % width or given[0].ndim != 3 or given[0].shape[2] != 3:
        raise InputError(
            f"pictures must be a multiple of columns={width} pictures of one shape (H, W, 3), got {len(given)} of "
            f"shapes {sorted(shapes)}"
        )
    for picture in given:
        if picture.dtype != np.uint8:
            raise InputTypeError(f"pictures must be uint8, got {picture.dtype}")
    height, side, _ = given[0].shape
    check_memory(3 * 3 * len(given) * (height + space) * (side + space), f"pictures with a gap of {space}")
    framed = [np.pad(picture, ((0, space), (0, space), (0, 0)), constant_values=255) for picture in given]
    rows = [np.hstack(framed[i : i + width]) for i in range(0, len(framed), width)]
    tiled: np.ndarray = np.vstack(rows)[: -space or None, : -space or None]
    return tiled


def as_png(picture: np.ndarray) -> str:
    """A picture (H, W, 3) uint8 as the address of an image that holds it."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def captioned(picture: np.ndarray, text: str) -> np.ndarray:
    """A picture (H, W, 3) uint8 with a line of text below."""
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (picture.shape[1], _CAPTION), (255, 255, 255))
    ImageDraw.Draw(strip).text((6, 5), text, fill=(0, 0, 0))
    return np.concatenate([picture, np.asarray(strip)])


def enlarged(picture: np.ndarray, zoom: int) -> np.ndarray:
    """Every pixel of (H, W, ...) as a square of `zoom` pixels a side."""
    check_memory(picture.nbytes * zoom * zoom, f"a picture of shape {picture.shape} with zoom={zoom}")
    return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _colors(colors: np.ndarray) -> np.ndarray:
    table = inputs.read(colors, "colors")
    if table.ndim != 2 or table.shape[1] != 3 or table.size == 0 or table.dtype != np.uint8:
        raise InputError(f"colors must be uint8 of shape (n, 3), got {table.dtype} of shape {table.shape}")
    return table


def borders(labels: np.ndarray) -> np.ndarray:
    """Where labels (H, W) differ from those to the left or above, (H, W) bool."""
    edges = np.zeros(labels.shape, bool)
    edges[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edges[1:] |= labels[1:] != labels[:-1]
    return edges

"""Two pictures of the same place, one over the other, with a slider between them: HTML that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.plot.pictures import as_png, displayable, enlarged

_SMALL = 400  # pixels: smaller pictures are enlarged, by whole numbers


class Html(str):
    """Text that notebooks show as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"Html({len(self)} characters)"


def before_after(
    before: ArrayLike, after: ArrayLike, *, names: Sequence[str] = ("before", "after"), start: float = 0.5
) -> Html:
    """Two pictures under one slider: what a step has changed, and where.

    Parameters
    ----------
    before, after : array_like, (H, W) or (H, W, C)
        Of one size; any real dtype, as for :func:`overlay`, which makes such pictures of labels.
    names : two of str
        Captions, and what screen readers say.
    start : float
        In [0, 1]: where the slider stands at first. Left of it is `before`.

    Returns
    -------
    Html
        A ``str`` that notebooks show; no script or file of elsewhere is needed. Mouse, touch and arrow keys move it.

    Raises
    ------
    ValueError
        If the sizes differ, there are not two names, or `start` is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import plot
    >>> slider = plot.before_after(np.zeros((4, 6)), np.eye(4, 6))
    >>> slider.startswith("<figure"), "<script" in slider
    (True, False)
    """
    pictures = [displayable(before), displayable(after)]
    if pictures[0].shape != pictures[1].shape:
        raise InputError(
            f"before and after must be of one size, got {pictures[0].shape[:2]} and {pictures[1].shape[:2]}"
        )
    titles = [html.escape(str(name)) for name in inputs.as_sequence(names, "names", "texts")]
    if len(titles) != 2:
        raise InputError(f"names must be two, got {len(titles)}")
    share = inputs.as_weight(start, "start")
    if not 0 <= share <= 1:
        raise InputError(f"start must be at least 0 and at most 1, got {start!r}")
    return Html(_page(pictures, titles, 100 * share))


def _page(pictures: list[np.ndarray], titles: list[str], percent: float) -> str:
    height, width = pictures[0].shape[:2]
    zoom = max(1, _SMALL // max(height, width))
    sources = [as_png(enlarged(picture, zoom)) for picture in pictures]
    whole = "display:block;width:100%;height:auto;margin:0"
    return (
        f'<figure style="position:relative;max-width:{zoom * width}px;margin:0;--at:{percent:g}%">'
        f'<img alt="{titles[1]}" src="{sources[1]}" style="{whole}">'
        f'<img alt="{titles[0]}" src="{sources[0]}" style="{whole};position:absolute;top:0;left:0;'
        'clip-path:inset(0 calc(100% - var(--at)) 0 0)">'
        '<span style="position:absolute;top:0;left:var(--at);width:2px;margin-left:-1px;background:#fff;'
        f'box-shadow:0 0 3px #000;aspect-ratio:auto;height:calc(100% - 3.4em);pointer-events:none"></span>'
        f'<input type="range" min="0" max="100" step="0.5" value="{percent:g}" '
        f'aria-label="{titles[0]} left of the line, {titles[1]} right of it" '
        "oninput=\"this.parentNode.style.setProperty('--at',this.value+'%')\" "
        'style="display:block;width:100%;height:1.6em;margin:.2em 0 0;padding:0">'
        '<figcaption style="display:flex;justify-content:space-between;height:1.6em;line-height:1.6em">'
        f"<span>{titles[0]}</span><span>{titles[1]}</span></figcaption></figure>"
    )

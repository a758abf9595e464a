"""Labels as small pictures."""

from __future__ import annotations

import numpy as np

from classicseg.plot.pictures import as_png

_SIDE = 200  # pixels of a picture at most
_FEW = 12  # labels up to which colours tell them apart; more are levels, such as depths or gray values


def picture_of(labels: np.ndarray) -> str | None:
    """The address of a picture that holds it, or None if labels are those of no image. Volumes show the middle."""
    if labels.ndim == 3:
        labels = labels[labels.shape[0] // 2]
    if labels.ndim != 2 or min(labels.shape) < 2:
        return None
    step = -(-max(labels.shape) // _SIDE)
    small = labels[::step, ::step].astype(np.int64)
    if small.max() < _FEW:
        from classicseg.plot import palette

        colors = palette(max(int(small.max()) + 1, 2))
        return as_png(np.where((small < 0)[..., None], 0, colors[np.maximum(small, 0)]).astype(np.uint8))
    levels = (255 * np.maximum(small, 0) // max(int(small.max()), 1)).astype(np.uint8)
    return as_png(np.repeat(levels[..., None], 3, axis=2))

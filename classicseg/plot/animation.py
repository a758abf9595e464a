"""A split-and-merge, step by step, as frames of a film."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.plot.blocks import quadtree, regions
from classicseg.plot.pictures import captioned, displayable, enlarged


def split_and_merge_frames(
    image: ArrayLike, record: Any, *, merge_frames: int = 24, zoom: int | None = None
) -> list[np.ndarray]:
    """Frames of a recorded split-and-merge: one for each depth of the tree, then the merges in equal shares.

    Parameters
    ----------
    image : array_like, (H, W) or (H, W, C)
        The one that was segmented.
    record : Record
        ``record_split_and_merge(image, ...).record``.
    merge_frames : int
        How many frames show the merges.
    zoom : int, optional
        Pixels of the picture along the side of a pixel of the image. By default such that the frame is about 512 wide
        and at most about 1024 high.

    Returns
    -------
    list of ndarray, (H * zoom + 22, W * zoom, 3), uint8
        With a caption below. :func:`classicseg.io.write_animation` makes a GIF of them.

    Raises
    ------
    ValueError
        If the record is of another image or of a volume.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> from classicseg import plot
    >>> image = np.tile(np.arange(32, dtype=np.uint8) // 8 * 60, (32, 1))
    >>> record = cs.record_split_and_merge(image, 24).record
    >>> frames = plot.split_and_merge_frames(image, record, merge_frames=4)
    >>> len(frames), frames[0].shape
    (8, (534, 512, 3))
    """
    if not isinstance(getattr(record, "merges", None), np.ndarray):
        raise InputTypeError(f"record must be that of record_split_and_merge, got {type(record).__name__}")
    base = displayable(image)
    if record.shape != base.shape[:2]:
        raise InputError(f"the record is of an image of shape {record.shape}, got one of shape {base.shape[:2]}")
    n_frames = inputs.as_count(merge_frames, "merge_frames", 1)
    factor = (
        max(1, round(512 / max(base.shape[1], base.shape[0] / 2))) if zoom is None else inputs.as_count(zoom, "zoom", 1)
    )
    frames = [captioned(enlarged(base, factor), "the image")]
    for depth in range(record.depth + 1):
        blocks = record.blocks_at(depth)
        labels = _blocks_as_labels(blocks, record)
        shown = regions(base, labels)
        frames.append(captioned(quadtree(shown, blocks, zoom=factor), f"split, depth {depth}: {len(blocks)} blocks"))
    total = len(record.merges)
    n_leaves = int(record.leaves.max()) + 1
    for n in np.unique(np.linspace(0, total, n_frames + 1).round().astype(int)[1:]).tolist():
        shown = regions(base, record.labels_after(n) + 1, zoom=factor)
        frames.append(captioned(shown, f"merge {n} of {total}: {n_leaves - n} regions"))
    return frames


def _blocks_as_labels(blocks: np.ndarray, record: Any) -> np.ndarray:
    """The block of each pixel, numbered from 1; 0 outside the mask."""
    labels = np.zeros(record.shape, np.int32)
    for number, (y, x, side) in enumerate(blocks.tolist(), 1):
        labels[y : y + side, x : x + side] = number
    labels[record.leaves < 0] = 0
    return labels

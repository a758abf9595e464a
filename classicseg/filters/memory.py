"""How much memory lattices and what they filter take, summed up before any of it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classicseg.filters.blur import Blur
from classicseg.filters.building import MOST_ROWS_OF_16_BITS, index_type, stripes_of
from classicseg.filters.counting import Count, count_vertices, most_vertices
from classicseg.filters.features import Features
from classicseg.kernels.dense.bank import RowLayout
from classicseg.machine.memory import check_memory, is_far_below_free

_KEY, _ROW, _FLOAT, _ENTRY = 8, 4, 4, 16  # bytes of a key, the number of a row, a float32, an entry of a hash table
_PLACES = 3  # of a table for each vertex: from 2 to 4


def check_lattices(
    feature_sets: Sequence[Features], blurs: Sequence[Blur], n_channels: int, n_threads: int, what: str
) -> None:
    """Raise BudgetError if to build lattices and to filter `n_channels` with all of them needs more than is free.

    Where even lattices whose points share no vertex would take less than half of that, there is nothing to find out,
    and no sample is drawn: with 16 GiB free, for RGB and 2 labels, that is up to some 4 million pixels.
    """
    n = feature_sets[0].n
    most = [most_vertices(*pair) for pair in zip(feature_sets, blurs, strict=True)]
    if is_far_below_free(peak_bytes(n, most, n_channels, n_threads)):
        return
    counts = [count_vertices(*pair) for pair in zip(feature_sets, blurs, strict=True)]
    per_point, n_features = sum(count.vertices for count in counts) / n, max(features.d for features in feature_sets)
    check_memory(
        peak_bytes(n, counts, n_channels, n_threads),
        what,
        f"samples show {per_point:.3g} lattice vertices for each point; larger sigmas, fewer features than "
        f"{n_features} (such as the first principal components of many bands), fewer labels or fewer pixels need less, "
        "and so does refine_streamed, which reads an image of any size window by window",
    )


def peak_bytes(n: int, counts: Sequence[Count], n_channels: int, n_threads: int) -> float:
    """Most bytes in use at the same time while lattices of `n` points are built and filter `n_channels` together.

    What the caller has before, features and values, is not counted; the result is. The steps are those of
    :mod:`classicseg.filters.building` and of mean field.
    """
    rows = [count.vertices + count.duplicates for count in counts]
    duplicates = _ROW * sum(count.duplicates for count in counts)
    points, widened = _bytes_of_points(n, counts)
    neighbours = sum(_bytes_of_neighbours(count) for count in counts)
    # Every lattice keeps its keys, their table, and the rows of what its stripes have met, until neighbours are found.
    merged = (
        points
        + duplicates
        + _FLOAT * sum(rows)  # their masses
        + sum((_KEY + _PLACES * _ENTRY) * count.vertices + _ROW * row for count, row in zip(counts, rows, strict=True))
    )
    copied = sum(_ROW * (count.links + count.shells * count.vertices) for count in counts)
    layout = RowLayout.of(n_channels)
    width = _FLOAT * layout.n_panels * len(layout.lanes)
    filtering = widened + neighbours + duplicates + 2 * width * sum(rows) + _FLOAT * (n_channels + 1) * n
    if duplicates_cost_more(duplicates / _ROW, layout, widened / 2):
        filtering += widened / 2 - width * duplicates / _ROW
    return max(
        points + _KEY * sum(rows) + _bytes_of_embedding(n, counts, n_threads),
        merged + (2 * _KEY + 1) * max(rows),  # keys in a row and once more where they come from, marks of duplicates
        merged + (widened - points) + neighbours + copied + duplicates,
        filtering,
    )


def duplicates_cost_more(n_duplicates: float, layout: RowLayout, nbytes: float) -> bool:
    """Whether duplicates in a second row array of `layout` take much more memory than `nbytes`, another index."""
    return _FLOAT * n_duplicates * layout.n_panels * len(layout.lanes) > 2 * nbytes


def _bytes_of_points(n: int, counts: Sequence[Count]) -> tuple[float, float]:
    """Bytes of the corners of all points: first with the numbers of vertices in stripes, then with those of rows."""
    corners = n * sum(count.corners for count in counts)
    rows = [count.vertices + count.duplicates for count in counts]
    narrow = np.dtype(index_type(n, max(rows) / stripes_of(n), sum(rows))).itemsize
    wide = narrow if sum(rows) < MOST_ROWS_OF_16_BITS else _ROW
    return corners * (narrow + _FLOAT), corners * (narrow * (wide > narrow) + wide + _FLOAT)


def _bytes_of_neighbours(count: Count) -> float:
    if count.shells:
        return _ROW * (count.links + count.shells * count.vertices)
    return 2 * _ROW * count.corners * count.vertices


def _bytes_of_embedding(n: int, counts: Sequence[Count], n_threads: int) -> float:
    """Bytes of the stripes that are embedded at once: features, and a table and a list of keys that grow by 4."""
    stripes = stripes_of(n)
    features = 3 * _FLOAT * max(count.corners for count in counts) * n / stripes
    growing = 5 * (_ENTRY + _KEY / 2) * max(count.vertices + count.duplicates for count in counts) / stripes
    return min(n_threads, stripes) * (features + growing)

"""The pixels of an image as nodes of a graph, for costs that a grid CRF has no room for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.grid import NEIGHBOURHOODS, Offset, directions, edge_ends, edge_shape
from classicseg.errors import InputError, InputTypeError
from classicseg.inputs.reading import text
from classicseg.machine.memory import check_memory
from classicseg.types import Brief

_MANY = 2**20  # pixels; for fewer nobody needs to ask whether there is memory


@dataclass(frozen=True, eq=False, repr=False)
class PixelGraph(Brief):
    """Pixels, and which are neighbours; :func:`pixel_graph` makes one.

    Attributes
    ----------
    shape : tuple of int
        Of the image. Nodes are its pixels in raster order.
    directions : dict of str to tuple of int
        Offset of each direction, as those of a :class:`GridCRF`.
    edges : ndarray, (E, 2), int64
        Pairs of neighbours, all edges of the first direction before those of the second, each in raster order; the
        first node is the first pixel in raster order.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> graph = cs.pixel_graph((2, 3))
    >>> graph.edges.tolist()
    [[0, 1], [1, 2], [3, 4], [4, 5], [0, 3], [1, 4], [2, 5]]
    """

    shape: tuple[int, ...]
    directions: dict[str, Offset]
    edges: np.ndarray

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape))
        return f"PixelGraph({size} pixels, {2 * len(self.directions)} neighbours, {len(self.edges)} edges)"

    def edge_weights(self, weights: Mapping[str, ArrayLike]) -> np.ndarray:
        """Weights of directions, of either sign, as one for each edge.

        Parameters
        ----------
        weights : mapping of str to array_like
            For each direction a number, or an array such as ``"right"`` (H, W - 1) and ``"down"`` (H - 1, W).

        Returns
        -------
        ndarray, (E,), float64

        Raises
        ------
        ValueError
            If a direction is missing, one is not of this graph, a shape does not fit, or a value is NaN or too large.
        TypeError
            If they are no mapping, or no real numbers.

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> graph = cs.pixel_graph((2, 3))
        >>> graph.edge_weights({"right": [[1, -2], [3, 4]], "down": -1}).tolist()
        [1.0, -2.0, 3.0, 4.0, -1.0, -1.0, -1.0]
        """

        def weights_of(given: ArrayLike, shape: tuple[int, ...], name: str) -> np.ndarray:
            numbers = inputs.read(given, name)
            checked = inputs.as_signed(numbers, () if numbers.ndim == 0 else shape, name)
            return np.broadcast_to(checked, shape).reshape(-1)

        return np.concatenate(self._of_directions(weights, "weights", weights_of))

    def edge_tables(self, tables: Mapping[str, ArrayLike]) -> np.ndarray:
        """Tables of directions as one for each edge.

        Parameters
        ----------
        tables : mapping of str to array_like
            For each direction one table (L, L), or an array of tables such as ``"right"`` (H, W - 1, L, L). Rows are
            labels of the pixel that is first in raster order. ``np.inf`` forbids a pair.

        Returns
        -------
        ndarray, (E, L, L), float64

        Raises
        ------
        ValueError
            If a direction is missing, one is not of this graph, shapes do not fit, or a value is NaN or too large.
        TypeError
            If they are no mapping, or no real numbers.

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> graph = cs.pixel_graph((2, 3))
        >>> tables = {"right": np.arange(16).reshape(2, 2, 2, 2), "down": [[0, 1], [5, 0]]}
        >>> crf = cs.GraphCRF(np.zeros((2, 6)), graph.edges, tables=graph.edge_tables(tables))
        >>> cs.minimize(crf, "trws").labels.reshape(2, 3).tolist()
        [[0, 0, 0], [0, 0, 0]]
        """

        def tables_of(given: ArrayLike, shape: tuple[int, ...], name: str) -> np.ndarray:
            numbers = inputs.read(given, name)
            size = numbers.shape[-2:]
            if numbers.shape not in (size, (*shape, *size)) or len(size) < 2 or size[0] != size[1]:
                every = text((*shape, "L", "L"))
                raise InputError(f"{name} must have shape (L, L) or {every}, got {text(numbers.shape)}")
            checked = inputs.as_signed(numbers, numbers.shape, name)
            return np.broadcast_to(checked, (*shape, *size)).reshape(-1, *size)

        parts = self._of_directions(tables, "tables", tables_of)
        sizes = {part.shape[-1] for part in parts}
        if len(sizes) > 1:
            raise InputError(f"tables must be of the same labels in all directions, got {sorted(sizes)} of them")
        return np.concatenate(parts)

    def _of_directions(
        self, given: Mapping[str, ArrayLike], name: str, part: Callable[[ArrayLike, tuple[int, ...], str], np.ndarray]
    ) -> list[np.ndarray]:
        """What `part` makes of each direction, in their order."""
        if not isinstance(given, Mapping):
            raise InputTypeError(f"{name} must be a mapping of directions to arrays, got {type(given).__name__}")
        if set(given) != set(self.directions):
            has = ", ".join(map(repr, given)) or "none"
            raise InputError(f"{name} must have the directions {', '.join(map(repr, self.directions))}, got {has}")
        return [
            part(given[one], edge_shape(self.shape, offset), f"{name}[{one!r}]")
            for one, offset in self.directions.items()
        ]


def pixel_graph(shape: Sequence[int], connectivity: int | None = None) -> PixelGraph:
    """The graph of the pixels of an image or volume: for weights of both signs, and for a table for each edge.

    :class:`GridCRF` is faster, but its weights are at least 0, and all edges share a compatibility. A
    :class:`GraphCRF` of these edges has room for anything, and goes to the same solvers; labels are in raster order.

    Parameters
    ----------
    shape : sequence of int
        One to three spatial axes.
    connectivity : int, optional
        Neighbours of a pixel: 2 on a line, 4 or 8 in an image, 6, 18 or 26 in a volume; the smallest by default.

    Returns
    -------
    PixelGraph

    Raises
    ------
    ValueError
        If there are no such grids or neighbourhoods.
    TypeError
        If a length is no whole number.
    BudgetError
        If there is no memory for so many edges.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> rng = np.random.default_rng(0)
    >>> unary = rng.integers(0, 9, (2, 5, 6))
    >>> graph = cs.pixel_graph(unary.shape[1:])
    >>> signs = {"right": rng.choice([-1, 1], (5, 5)), "down": rng.choice([-1, 1], (4, 6))}
    >>> crf = cs.GraphCRF(unary.reshape(2, -1), graph.edges, cs.Potts(3), graph.edge_weights(signs))
    >>> result = cs.minimize(crf, "branch_and_cut")
    >>> result.labels.reshape(5, 6).shape, result.gap
    ((5, 6), 0.0)
    """
    lengths = inputs.as_shape(shape, "shape")
    if len(lengths) not in NEIGHBOURHOODS:
        raise InputError(f"shape must be the lengths of one to three axes, got {text(lengths)}")
    offsets = directions(len(lengths), connectivity)
    if math.prod(lengths) > _MANY:
        check_memory(40.0 * math.prod(lengths) * len(offsets), f"the edges of a graph of shape {text(lengths)}")
    return PixelGraph(lengths, offsets, edges_of(lengths, offsets))


def edges_of(shape: tuple[int, ...], offsets: Mapping[str, Offset]) -> np.ndarray:
    """Both pixels of each edge, (E, 2) int64, direction by direction."""
    pixels = np.arange(math.prod(shape)).reshape(shape)
    ends = ([pixels[side].reshape(-1) for side in edge_ends(offset)] for offset in offsets.values())
    return np.concatenate([np.stack(pair, axis=1) for pair in ends])

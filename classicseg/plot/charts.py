"""Charts, drawn with matplotlib: energies over time, the flow of a minimum cut, a lattice."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.plot.network import Network
from classicseg.plot.triangles import Triangles
from classicseg.types import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from classicseg.energies.grid_crf import GridCRF

LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#404040")
"""Of lines on white, where yellow cannot be seen."""
INK, FLOW, CUT, FREE = "#7f7f7f", "#0072b2", "#d55e00", "#e69f00"  # of Okabe and Ito, but for the gray


def trace(results: Result | Mapping[str, Result], *, logarithmic: bool = False) -> Figure:
    """Energy and lower bound of each iteration over time.

    Parameters
    ----------
    results : Result or mapping of str to Result
        Of one energy, by their names.
    logarithmic : bool
        Whether time is drawn on a logarithmic scale.

    Returns
    -------
    matplotlib.figure.Figure
        Lines are energies, dashed ones bounds. A result without a history is a point.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    TypeError
        If something is no result.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> from classicseg import plot
    >>> crf = cs.GridCRF(np.random.default_rng(0).random((2, 6, 6)), cs.Potts(0.3))
    >>> figure = plot.trace({method: cs.minimize(crf, method) for method in ("icm", "trws")})
    """
    import matplotlib.pyplot as plt

    given = dict(results) if isinstance(results, Mapping) else {getattr(results, "method", "") or "run": results}
    for name, result in given.items():
        if not isinstance(result, Result):
            raise InputTypeError(f"results must be of minimize, got {type(result).__name__} for {name!r}")
    if not given:
        raise InputError("results must hold at least one result, got none")
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    draw_trace(axes, given)
    if inputs.as_flag(logarithmic, "logarithmic"):
        axes.set_xscale("log")
    return figure


def draw_trace(axes: Axes, results: Mapping[str, Result]) -> None:
    """Draw the histories of results."""
    for (name, result), color in zip(results.items(), islice(cycle(LINES), len(results)), strict=True):
        rows = [row for row in result.history if row.energy is not None]
        points = [(row.seconds, row.energy) for row in rows] or [(result.seconds, result.energy)]
        axes.plot(*zip(*points, strict=True), "-o", color=color, markersize=3, label=name)
        bounds = [(row.seconds, row.lower_bound) for row in result.history if row.lower_bound is not None]
        if not bounds and result.lower_bound is not None:
            bounds = [(result.seconds, result.lower_bound)]
        if bounds:
            axes.plot(*zip(*bounds, strict=True), "--s", color=color, markersize=2.5, label=f"{name}, bound")
    axes.set(xlabel="seconds", ylabel="energy")
    axes.locator_params("x", nbins=5)
    if len(results) > 1 or len(axes.lines) > 1:
        axes.legend(fontsize="small")


def flow(crf: GridCRF) -> Figure:
    """The network of a small image with a maximum flow through it, and the minimum cut.

    Parameters
    ----------
    crf : GridCRF
        2 labels that attract each other, an image of at most 1024 pixels.

    Returns
    -------
    matplotlib.figure.Figure
        Each circle is a pixel, open for label 0 and filled for label 1 of the cut; what it would rather be is the
        colour of its rim. The width of a gray line is the capacity of an edge, the width of the blue one in it what
        flows. Edges of the cut are full, and drawn in red.

    Raises
    ------
    ValueError
        If there are more than two labels or too many pixels, a label is forbidden, or labels repel each other.
    TypeError
        If it is no GridCRF.
    ImportError
        Without matplotlib.

    Notes
    -----
    The flow is that of :func:`scipy.sparse.csgraph.maximum_flow`, of costs in millionths of the largest.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> from classicseg import plot
    >>> unary = np.array([[[0, 3, 4], [0, 1, 5]], [[4, 2, 0], [5, 2, 0]]])
    >>> figure = plot.flow(cs.GridCRF(unary, cs.Potts(2)))
    """
    import matplotlib.pyplot as plt
    from matplotlib.collections import LineCollection

    network = Network.of(crf)
    height, width = network.shape
    figure, axes = plt.subplots(figsize=(1.2 + 0.62 * width, 0.8 + 0.62 * height), layout="constrained")
    ends = network.places[network.edges][:, :, ::-1]  # (edges, 2 ends, x and y)
    most = max(network.capacity.max(initial=0), 1)
    for amount, color, order in ((network.capacity, "#d9d9d9", 1), (network.flow, FLOW, 2)):
        axes.add_collection(LineCollection(ends, linewidths=9 * amount / most, colors=color, zorder=order))
    cut = network.in_cut()
    axes.add_collection(LineCollection(ends[cut], linewidths=9 * network.capacity[cut] / most, colors=CUT, zorder=3))
    for label in (0, 1):
        mine = network.labels == label
        y, x = network.places[mine].T
        rims = [FREE if wish > 0 else "#56b4e9" for wish in network.wish[mine]]
        sizes = 60 + 200 * abs(network.wish[mine]) / max(abs(network.wish).max(), 1)
        faces = rims if label else "white"
        axes.scatter(x, y, sizes, facecolors=faces, edgecolors=rims, linewidths=2.5, zorder=4)
    axes.set(xlim=(-0.7, width - 0.3), ylim=(height - 0.3, -0.7), aspect="equal", xticks=[], yticks=[])
    axes.set_title(f"flow {network.value:.4g}, cut {network.cut():.4g}", fontsize="medium")
    axes.set_frame_on(False)
    return figure


def lattice(features: ArrayLike, values: ArrayLike | None = None) -> Figure:
    """Filtering points of the plane with the permutohedral lattice, step by step: embed, splat, blur, slice.

    Parameters
    ----------
    features : array_like, (2, n)
        Points, in standard deviations of the Gaussian.
    values : array_like, (n,), optional
        What is filtered; by default 1 at the first point and 0 at all others.

    Returns
    -------
    matplotlib.figure.Figure
        Areas of circles are values. Only vertices that some point touches exist.

    Raises
    ------
    ValueError
        If the shapes are others or the lattice has more than 10,000 vertices.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import plot
    >>> figure = plot.lattice(np.random.default_rng(0).normal(0, 1.5, (2, 30)))
    """
    import matplotlib.pyplot as plt

    points = inputs.as_features(features).astype(float)
    if points.ndim != 2 or len(points) != 2:
        raise InputError(f"features must be of shape (2, n), got {points.shape}")
    n = points.shape[1]
    given = np.eye(1, n)[0] if values is None else _of_points(values, n)
    shape = Triangles.of(points)
    splatted = shape.splat(given)
    blurred = shape.blur(splatted)
    sliced = shape.slice(blurred)
    figure, panels = plt.subplots(2, 2, figsize=(8.4, 8.4), sharex=True, sharey=True, layout="constrained")
    titles = ("embed: points in triangles", "splat onto the corners", "blur along three axes", "slice at the points")
    for axes, title in zip(panels.flat, titles, strict=True):
        corners = shape.vertices[shape.corners].reshape(-1, 3, 2)
        for triangle in np.unique(corners.round(6), axis=0):
            axes.fill(*triangle.T, facecolor="none", edgecolor="#c8c8c8", linewidth=0.8, zorder=1)
        axes.set(title=title, aspect="equal", xticks=[], yticks=[])
    on_points, on_vertices = (points, given), (shape.vertices.T, splatted)
    _discs(panels[0, 0], *on_points, FREE)
    _discs(panels[0, 1], *on_vertices, FLOW)
    _discs(panels[1, 0], shape.vertices.T, blurred, FLOW)
    _discs(panels[1, 1], points, sliced, FREE)
    return figure


def _of_points(values: ArrayLike, n: int) -> np.ndarray:
    numbers = inputs.as_numbers(inputs.read(values, "values"), "values")
    if numbers.shape != (n,):
        raise InputError(f"values must be of shape ({n},), one for each point, got {numbers.shape}")
    return numbers.astype(float)


def _discs(axes: Axes, places: np.ndarray, values: np.ndarray, color: str) -> None:
    """Discs with areas by value, and a dot at each place."""
    x, y = places
    axes.scatter(x, y, 4, color=INK, zorder=2)
    size: Any = 260 * np.maximum(values, 0) / max(values.max(initial=0), 1e-12)
    axes.scatter(x, y, size, color=color, alpha=0.85, zorder=3)

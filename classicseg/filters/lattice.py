"""The permutohedral lattice as a filter."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.filters.bank import filter_with
from classicseg.filters.base import Filter
from classicseg.filters.blur import MOST_FEATURES
from classicseg.filters.building import build_bank, choose_blur
from classicseg.filters.counting import index_type_of
from classicseg.filters.features import Column, Features
from classicseg.filters.memory import check_lattices
from classicseg.machine.threads import resolve_threads


class PermutohedralLattice(Filter):
    """Approximate Gaussian filter in any feature space, linear in the number of points.

    ``filter(v)[i]`` approximates ``sum_j exp(-|f_i - f_j|^2 / 2) v[j]``.

    Parameters
    ----------
    features : array_like, (F, *shape)
        Position of each point in a feature space of F >= 1 dimensions, in units of the kernel's standard deviation.
        Any real dtype; arithmetic is float32 after moving far features near the origin.
    accurate : bool
        Blur with a stencil of all near neighbours instead of along the axes. See Notes. It serves up to 6 features;
        with more the blur is that along the axes, and a warning says so.
    n_threads : int, optional
        Threads for building and filtering; results do not depend on it.

    Attributes
    ----------
    shape : tuple of int
        Shape of the set of points.
    n_vertices : int
        Lattice vertices that some point touches. Where there are nearly (F + 1) of them for each point, as with many
        features, points have few neighbours and filtering hardly changes anything.

    Raises
    ------
    ValueError
        If the features are empty, more than 3000 or not finite, or spread over more than about a million standard
        deviations.
    TypeError
        If they are not real numbers.

    Notes
    -----
    A point is splatted to the d + 1 vertices of its simplex, the vertices are blurred with (1/2, 1, 1/2) along each
    of the d + 1 axes, and the result is sliced back with the splatting weights [1]_. Vertices that no point touches
    do not exist; values do not pass through them, which costs accuracy where points are sparse. The accurate blur
    sums all neighbours up to a distance at once, so nothing has to pass through. The sum is scaled so that densely
    filled lattices have the gain of the Gaussian; for the blur along the axes by
    ``sqrt(d + 1) (4 pi / 3)^(d / 2) / 2^(d + 1)``.

    References
    ----------
    .. [1] A. Adams, J. Baek, M. A. Davis, "Fast high-dimensional filtering using the permutohedral lattice",
       Computer Graphics Forum 29(2), 2010. :doi:`10.1111/j.1467-8659.2009.01645.x`

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> y, x = np.mgrid[:20, :30] / 3.0
    >>> lattice = cs.PermutohedralLattice(np.stack([x, y]))
    >>> smooth = lattice.filter(np.ones((1, 20, 30)), "after")
    >>> bool(np.allclose(smooth, 1, atol=1e-5))
    True
    """

    def __init__(self, features: ArrayLike, *, accurate: bool = False, n_threads: int | None = None) -> None:
        array = inputs.as_features(features)
        self.shape = array.shape[1:]
        self._n_threads = resolve_threads(n_threads)
        flat = array.reshape(array.shape[0], -1)
        columns = [Column(column, 1.0) for column in flat]
        inputs.as_flag(accurate, "accurate")
        if accurate and len(columns) > MOST_FEATURES:
            warnings.warn(
                f"accurate=True serves up to {MOST_FEATURES} features, got {len(columns)}; the lattice is blurred "
                "along its axes",
                stacklevel=2,
            )
        blur = choose_blur(columns, accurate)
        features_ = Features(columns, blur)
        self._gain = blur.gain(flat.shape[0])
        check_lattices([features_], [blur], 1, self._n_threads, f"a lattice of {flat.shape[1]} points")
        self._bank = build_bank([features_], [blur], self._n_threads, index_type_of([features_], [blur]))[0]

    @property
    def n_vertices(self) -> int:
        """Number of lattice vertices."""
        return int(self._bank.vertex[0, 1])

    def __repr__(self) -> str:
        return f"PermutohedralLattice({'x'.join(map(str, self.shape))} points, {self.n_vertices} vertices)"

    def _apply(self, values: np.ndarray, adjoint: bool, n_threads: int) -> np.ndarray:
        return filter_with(self._bank, 0, values, self._gain, adjoint, n_threads)

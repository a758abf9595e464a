"""The CRF on a grid: every pixel interacts with its neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.compatibility import Compatibility, as_compatibility
from classicseg.energies.edge_weights import equal_weights, given_weights
from classicseg.energies.frozen import Frozen
from classicseg.energies.grid import Offset, directions, edge_ends, edge_shape
from classicseg.energies.points import only_inside
from classicseg.errors import InputError
from classicseg.kernels.sites.energy import pairwise_energy, unary_energy
from classicseg.machine.memory import writable_alias

_NOISE = 2.0**-50  # of the dearest pair: 0.1 + 0.2 is no more than 0.3


class GridCRF(Frozen):
    r"""Energy of a labelling in which neighbouring pixels interact.

    .. math:: E(x) = \sum_i \psi_i(x_i) + \sum_{(i,j)} w_{ij}\, \mu(x_i, x_j) + \sum_{l \text{ used}} h_l

    with one term for each edge of the grid, i before j in raster order.

    Parameters
    ----------
    unary : array_like, (L, *spatial)
        Cost of each label at each pixel; L >= 2, one to three spatial axes. Negative costs are legal, and so is
        ``np.inf``, which forbids a label at a pixel. Integers are kept exact; float32 and float64 stay what they are.
    compatibility : Potts, TruncatedLinear, TruncatedQuadratic, Diagonal, Matrix or (L, L) array_like
        Cost of the labels of two neighbours.
    weights : float or mapping of str to array_like, optional
        What each edge multiplies its cost by, at least 0; 1 if None. An infinite weight ties its pixels: only
        equal labels are legal there. A mapping names directions: ``"right"`` (H, W - 1), ``"down"`` (H - 1, W),
        ``"down_right"`` and ``"down_left"`` (H - 1, W - 1), in volumes the same within slices and ``"deeper"``
        (D - 1, H, W), ``"deeper_right"``, ``"deeper_up_left"`` and so on across them.
        ``weights["down_left"][r, c]`` belongs to the pixels (r, c + 1) and (r + 1, c). It may hold more directions
        than the connectivity uses. :func:`contrast_weights` makes one. Integers are kept exact.
    connectivity : int, optional
        Neighbours of a pixel: 2 on a line, 4 or 8 in an image, 6, 18 or 26 in a volume. By default the largest for
        which a mapping has all directions, or the smallest if `weights` is no mapping.
    spacing : float or sequence of float, optional
        Distance of neighbouring pixels along each axis. If given, the weight of an edge is that number divided by the
        length of the edge; only for a single number as `weights`.
    label_costs : float or array_like, (L,), optional
        Cost of using a label at all, however often; at least 0.
    label_axis : int
        Where the labels are in `unary`.
    mask : array_like of bool, spatial shape, optional
        Pixels that take part. The others and their edges cost nothing, use no label, and are not looked at; they get
        the label -1 and marginals of 0.

    Attributes
    ----------
    unary : ndarray, (L, *spatial), int32, float32 or float64
        0 outside of the mask.
    n_labels : int
    n_points : int
        Number of pixels that take part.
    shape : tuple of int
        Spatial shape.
    mask : ndarray, spatial shape, bool, or None
        None if all pixels take part.
    connectivity : int
    compatibility : Potts, TruncatedLinear, TruncatedQuadratic, Diagonal or Matrix
    directions : mapping of str to tuple of int
        Offset of each direction of the connectivity: from the pixel of an edge that is first in raster order.
    weights : mapping of str to ndarray
        Read-only weights of each direction.
    flat_weights : dict of str to ndarray
        The same in one axis: one for each edge in raster order, or a single one for all.
    finite_weights : dict of str to ndarray
        The same with a number in place of infinity that is larger than all other costs together can outweigh.
    flat_unary : ndarray, (L * n,)
    cost : ndarray, (L, L), float64
        The compatibility as a matrix: row is the label of the pixel first in raster order.
    label_costs : ndarray, (L,), float64, or None

    Raises
    ------
    ValueError
        If shapes do not fit, a value is NaN or finite and above 1e100, a weight is negative, a pixel has no label that
        it may take, no pixel takes part, or a weight is infinite although equal labels do not cost 0, or different ones
        not more.
    TypeError
        If something is not of a real dtype.

    See Also
    --------
    pixel_graph : Pixels as nodes of a :class:`GraphCRF`, for weights of both signs, or a table for each edge.

    References
    ----------
    .. [1] R. Szeliski et al., "A comparative study of energy minimization methods for Markov random fields with
       smoothness-based priors", IEEE TPAMI 30(6), 2008. doi:10.1109/TPAMI.2007.70844
    .. [2] A. Delong, A. Osokin, H. Isack, Y. Boykov, "Fast approximate energy minimization with label costs", IJCV
       96(1), 2012. doi:10.1007/s11263-011-0437-z

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 5, 0]], [[3, 0, 3]]])
    >>> crf = cs.GridCRF(unary, cs.Potts(2))
    >>> crf.energy([[0, 1, 0]]), crf.energy([[0, 0, 0]])
    (4.0, 5.0)
    """

    unary: np.ndarray
    n_labels: int
    shape: tuple[int, ...]
    mask: np.ndarray | None
    connectivity: int
    directions: dict[str, Offset]
    compatibility: Compatibility
    label_costs: np.ndarray | None
    n_points: int
    weights: Mapping[str, np.ndarray]
    flat_unary: np.ndarray
    flat_weights: dict[str, np.ndarray]
    finite_weights: dict[str, np.ndarray]
    cost: np.ndarray

    def __init__(
        self,
        unary: ArrayLike,
        compatibility: Any,
        weights: float | Mapping[str, ArrayLike] | None = None,
        *,
        connectivity: int | None = None,
        spacing: float | Sequence[float] | None = None,
        label_costs: ArrayLike | None = None,
        label_axis: int = 0,
        mask: ArrayLike | None = None,
    ) -> None:
        given_inside, inside = inputs.without_outside(unary, mask, label_axis, name="unary")
        costs = inputs.as_costs(given_inside, label_axis).view()
        costs.setflags(write=False)
        n_labels, shape = costs.shape[0], costs.shape[1:]
        inside = None if inside is None else inputs.as_mask(inside, shape)
        self._set(unary=costs, n_labels=n_labels, shape=shape, mask=inside)
        self._set(n_points=math.prod(shape) if inside is None else int(np.count_nonzero(inside)))
        self._set(compatibility=as_compatibility(compatibility, n_labels, symmetric=False))
        if isinstance(weights, Mapping):
            if spacing is not None:
                raise InputError("spacing goes with a single number as weights; a mapping says what each edge weighs")
            size, flat = given_weights(weights, shape, connectivity, inside)
        else:
            size, flat = equal_weights(weights, shape, connectivity, spacing, inside)
        self._set(connectivity=size, directions=directions(len(shape), size))
        self._set(label_costs=None if label_costs is None else as_label_costs(label_costs, n_labels))
        self._derive(flat)

    def _derive(self, flat: dict[str, np.ndarray]) -> None:
        shapes = {name: edge_shape(self.shape, offset) for name, offset in self.directions.items()}
        self._set(
            weights=MappingProxyType({name: _as_edges(flat[name], shape) for name, shape in shapes.items()}),
            # without any edge there is no memory to alias
            flat_weights={name: writable_alias(w) if w.size else np.empty(0, w.dtype) for name, w in flat.items()},
            cost=self.compatibility.matrix(self.n_labels),
            flat_unary=writable_alias(self.unary.reshape(-1)),
        )
        self._set(finite_weights=_finite_weights(self))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        del state["weights"], state["flat_unary"], state["finite_weights"]  # views; the first cannot be pickled
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(**state)
        self._derive(self.flat_weights)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape))
        name = type(self.compatibility).__name__
        costs = "" if self.label_costs is None else ", label costs"
        pixels = f"{size} pixels" if self.mask is None else f"{size} pixels, {self.n_points} inside"
        return f"GridCRF({self.n_labels} labels, {pixels}, {self.connectivity} neighbours, {name}{costs})"

    def terms(self, labels: ArrayLike) -> dict[str, float]:
        """The parts that the energy of a labelling is the sum of.

        Parameters
        ----------
        labels : array_like of int, shape `shape`
            Label of each pixel, 0 to L - 1.

        Returns
        -------
        dict of str to float
            ``"unary"``, then all edges of each direction by its name, and ``"label_costs"`` where there are any.

        Raises
        ------
        ValueError
            If the shape does not fit or a label is out of range.
        TypeError
            If the labels are not integers.

        Examples
        --------
        >>> import classicseg as cs
        >>> crf = cs.GridCRF([[[0, 5], [0, 0]], [[3, 0], [3, 3]]], cs.Potts(2), label_costs=1)
        >>> crf.terms([[0, 1], [0, 0]])
        {'unary': 0.0, 'right': 2.0, 'down': 2.0, 'label_costs': 2.0}
        """
        checked = inputs.as_labels(labels, self.shape, self.n_labels, mask=self.mask)
        parts = {"unary": float(np.take_along_axis(self.unary, checked[None], 0).sum(dtype=np.float64))}
        for name, offset in self.directions.items():
            first, second = edge_ends(offset)
            cost = self.cost[checked[first], checked[second]]
            costly = cost != 0
            parts[name] = float((cost[costly] * self.weights[name][costly]).sum())
        if self.label_costs is not None:
            parts["label_costs"] = float(self.label_costs[np.unique(only_inside(checked, self.mask))].sum())
        return parts

    def reason_against_cut(self) -> str | None:
        """Why one minimum cut cannot minimise this energy, or None if it can."""
        if self.n_labels != 2:
            return f"a minimum cut serves 2 labels, got {self.n_labels}"
        if self.label_costs is not None:
            return "a minimum cut knows no label costs"
        cost = self.cost
        together, apart = cost[0, 0] + cost[1, 1], cost[0, 1] + cost[1, 0]
        attraction = (cost[0, 1] - cost[0, 0]) + (cost[1, 0] - cost[1, 1])
        for name, weights in self.weights.items():
            if attraction < -_NOISE * np.abs(cost).max() and weights.size and weights.max() > 0:
                where = np.unravel_index(int(weights.argmax()), weights.shape)
                place = ", ".join(str(int(i)) for i in where)
                return (
                    f"the edge {name!r} at ({place}) is not submodular: cost[0, 0] + cost[1, 1] = {together:g} is more "
                    f"than cost[0, 1] + cost[1, 0] = {apart:g}"
                )
        return None

    def energy(self, labels: ArrayLike) -> float:
        """Energy of a labelling.

        Parameters
        ----------
        labels : array_like of int, shape `shape`
            Label of each pixel, 0 to L - 1.

        Returns
        -------
        float
            Summed in float64; exact if all costs and weights are integers. Infinite if a label is forbidden, or two
            pixels differ that an infinite weight ties.

        Raises
        ------
        ValueError
            If the shape does not fit or a label is out of range.
        TypeError
            If the labels are not integers.

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> cs.GridCRF(np.zeros((3, 2, 2)), cs.TruncatedLinear(10, truncation=1)).energy([[0, 2], [0, 2]])
        20.0
        """
        checked = inputs.as_labels(labels, self.shape, self.n_labels, mask=self.mask)
        flat = writable_alias(checked.reshape(-1))
        total = float(unary_energy(flat, self.flat_unary, self.shape[-1], 0.0))
        for name, offset in self.directions.items():
            sizes = (*as_volume(self.shape, 1), *as_volume(offset, 0))
            total += pairwise_energy(flat, self.finite_weights[name], self.cost, *sizes, 0.0)
        if self.label_costs is not None:
            total += float(self.label_costs[np.unique(only_inside(flat, self.mask))].sum())
        return np.inf if self.n_broken(flat.reshape(self.shape)) else total

    def has_ties(self, name: str) -> bool:
        """Whether some edges of a direction have infinite weight."""
        if not isinstance(name, str) or name not in self.directions:
            raise InputError(f"name must be one of {', '.join(map(repr, self.directions))}, got {name!r}")
        return self.finite_weights[name] is not self.flat_weights[name]

    def n_broken(self, labels: np.ndarray) -> int:
        """How many edges of infinite weight have different int32 labels at their ends."""
        count = 0
        for name, weights in self.weights.items():
            if self.has_ties(name):
                begin, end = edge_ends(self.directions[name])
                count += int(np.count_nonzero(np.isinf(weights) & (labels[begin] != labels[end])))
        return count


def as_volume(triple: tuple[int, ...], fill: int) -> tuple[int, ...]:
    """A shape (filled with 1) or an offset (filled with 0) of one to three axes as one of three axes."""
    return (fill,) * (3 - len(triple)) + triple


def _finite_weights(crf: GridCRF) -> dict[str, np.ndarray]:
    """Weights of each direction, flat; where some are infinite, a copy with a number in their place.

    That number times the least cost of different labels is more than all else that labels can change.
    """
    flat = crf.flat_weights
    tied = [name for name in crf.directions if flat[name].dtype != np.int32 and np.isinf(flat[name].max(initial=0))]
    if not tied:
        return flat
    different = crf.cost[~np.eye(crf.n_labels, dtype=bool)]
    if np.diag(crf.cost).any() or different.min() <= 0:
        raise InputError(
            "infinite weights need a compatibility by which equal labels cost 0 and others more, got costs of "
            f"{different.min():g} and more for different labels, {np.diag(crf.cost).max():g} at most for equal ones"
        )
    unary = crf.unary.reshape(crf.n_labels, -1)
    spread = np.subtract(unary, unary.min(axis=0), dtype=np.float64)
    total = float(np.where(np.isinf(spread), 0, spread).max(axis=0).sum())
    for name, weights in flat.items():
        heaviest = np.where(np.isinf(weights), 0, weights).sum(dtype=np.float64)
        total += float(heaviest * crf.cost.max()) * (math.prod(crf.weights[name].shape) / max(weights.size, 1))
    total += 0.0 if crf.label_costs is None else float(crf.label_costs.sum())
    enough = 4.0 * 2.0 ** np.ceil(np.log2((total or 1.0) / different.min()))
    return {name: np.where(np.isinf(w), enough, w) if name in tied else w for name, w in flat.items()}


def _as_edges(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    view = np.broadcast_to(flat, shape) if flat.size == 1 else flat.reshape(shape).view()
    view.setflags(write=False)
    return view


def as_label_costs(label_costs: ArrayLike, n_labels: int) -> np.ndarray:
    """Costs of using each of the labels, at least 0, as read-only (L,) float64; one number stands for all."""
    costs = inputs.as_numbers(label_costs, "label_costs", axes=(0, 1), dtype=np.float64)
    if costs.min() < 0 or costs.max() > inputs.DEAREST:
        wrong = costs.min() if costs.min() < 0 else costs.max()
        raise InputError(f"label_costs must be at least 0 and at most {inputs.DEAREST:g}, got {wrong:g}")
    if costs.size not in (1, n_labels):
        raise InputError(f"label_costs must be 1 or {n_labels} numbers, got {costs.size}")
    costs = np.broadcast_to(costs, n_labels).copy()
    costs.setflags(write=False)
    return costs

"""The fully connected CRF with Gaussian pairwise kernels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.compatibility import Compatibility, Potts, as_compatibility
from classicseg.energies.frozen import Frozen
from classicseg.energies.kernels import BilateralKernel, PairwiseKernel
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.errors import InputError, InputTypeError
from classicseg.filters import ExactFilter
from classicseg.filters.bank import LatticeBank
from classicseg.filters.blur import MOST_FEATURES
from classicseg.filters.features import Column
from classicseg.machine.threads import resolve_threads

Quality = Literal["fast", "high", "exact"]
QUALITIES = ("fast", "high", "exact")

EXACT_POINTS = 4096
"""Up to this many points `DenseCRF.energy` sums over all pairs whatever the quality."""

_LARGEST_EXACT = 50_000  # points: more make billions of pairs
_EXACT_INSTEAD = f"quality='exact' (up to {_LARGEST_EXACT:,} pixels)"
_VALUES = 2**25  # of labels at pixels: so many are filtered at once for an energy
_SPARSE = 0.5  # vertices by corners of pixels: then a vertex is shared by fewer than two of them


class DenseCRF(Frozen):
    r"""Energy of a labelling in which every pair of pixels interacts.

    .. math:: E(x) = \sum_i \psi_i(x_i) + \sum_{i<j} \sum_k \mu_k(x_i, x_j)\, w_k\, k_k(f_i, f_j)

    with Gaussian kernels :math:`k_k` over positions, colours or other features (each normalised as the kernel says),
    weights :math:`w_k` and label compatibilities :math:`\mu_k`.

    Parameters
    ----------
    unary : array_like, (L, *spatial) or (L, *smaller)
        Cost of each label at each pixel, usually ``-log p``. L >= 2 labels, one or more spatial axes. Kept as given
        if it is float32 and contiguous, else converted; never changed. With `shape` it may be smaller than the image:
        it is interpolated linearly along each axis wherever it is needed, and no larger array is made of it.
    kernels : PairwiseKernel or sequence of PairwiseKernel
        Any number of kernels, even none.
    compatibility : Potts, Diagonal, Matrix or (L, L) array_like, optional
        For kernels that have none of their own; ``Potts(1)`` if not given.
    label_axis : int
        Where the labels are in `unary`.
    quality : {"fast", "high", "exact"}
        How kernels are filtered: by permutohedral lattice, blurred along its axes or with a stencil of all near
        neighbours (more accurate, two to five times the time), or over all pairs (quadratic, for small images).
        Stencils serve kernels of up to 6 features; those of more are filtered as with "fast", and a warning says so.
    shape : tuple of int, optional
        Spatial shape of the image, where `unary` is smaller: along each axis at least as long, in any ratio.
    align_corners : bool
        How a smaller unary lies on the image. False: both cover the same area, the middles of the first values lie
        half a cell from its border, and beyond them nothing changes. True: the middles of the first and of the last
        values are those of the first and last pixels. As in ``torch.nn.functional.interpolate``.

    Attributes
    ----------
    unary : ndarray, (L, *spatial) or (L, *smaller), float32
        Read-only, as all attributes are. :attr:`grid` gives the costs of pixels, whatever its size.
    n_labels : int
    shape : tuple of int
        Spatial shape of the image.
    kernels : tuple of PairwiseKernel
    compatibilities : tuple
        Compatibility of each kernel.
    quality : str
    align_corners : bool

    Raises
    ------
    ValueError
        If shapes do not fit, `shape` is smaller than `unary`, a cost is not finite or above 1e30 in size, L < 2 or the
        quality is unknown.
    TypeError
        If something is not of a real dtype or not a kernel.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.stack([np.zeros((4, 4)), np.ones((4, 4))])
    >>> crf = cs.DenseCRF(unary, [cs.GaussianKernel(sigma=1.0, weight=1.0)])
    >>> crf.energy(np.zeros((4, 4), int))
    0.0
    """

    unary: np.ndarray
    n_labels: int
    shape: tuple[int, ...]
    kernels: tuple[PairwiseKernel, ...]
    compatibilities: tuple[Compatibility, ...]
    quality: Quality
    align_corners: bool

    def __init__(
        self,
        unary: ArrayLike,
        kernels: PairwiseKernel | Sequence[PairwiseKernel],
        compatibility: Any = None,
        *,
        label_axis: int = 0,
        quality: Quality = "fast",
        shape: Sequence[int] | None = None,
        align_corners: bool = False,
    ) -> None:
        costs = inputs.as_unary(unary, label_axis).view()
        costs.setflags(write=False)
        spatial = costs.shape[1:] if shape is None else inputs.as_shape(shape, "shape")
        aligned = inputs.as_flag(align_corners, "align_corners")
        grid = UnaryGrid(costs, spatial, aligned)
        self._set(unary=costs, n_labels=costs.shape[0], shape=spatial, align_corners=aligned, _grid=grid)
        given = [kernels] if isinstance(kernels, PairwiseKernel) else kernels
        terms = tuple(inputs.as_sequence(given, "kernels", "pairwise kernels"))
        for kernel in terms:
            if not isinstance(kernel, PairwiseKernel):
                raise InputTypeError(f"kernels must be pairwise kernels of classicseg, got {kernel!r}")
        usual = self._compatibility(Potts(1.0) if compatibility is None else compatibility)
        own = [None if kernel.compatibility is None else self._compatibility(kernel.compatibility) for kernel in terms]
        self._set(kernels=terms, compatibilities=tuple(usual if mu is None else mu for mu in own))
        self._set(quality=inputs.choice(quality, "quality", QUALITIES))
        if quality == "exact" and self.n_points > _LARGEST_EXACT:
            raise InputError(
                f"quality='exact' takes time quadratic in the pixels and serves up to {_LARGEST_EXACT}, "
                f"got {self.n_points}; use quality='fast'"
            )
        features = self._columns()  # raises if a kernel does not fit the shape
        self._check_size_of_costs()
        for kernel, columns in zip(terms, features, strict=True):
            if quality == "high" and len(columns) > MOST_FEATURES:
                warnings.warn(
                    f"quality='high' serves up to {MOST_FEATURES} features; {kernel!r} has {len(columns)} and is "
                    f"filtered as with quality='fast'. Fewer features or {_EXACT_INSTEAD} are more accurate",
                    stacklevel=2,
                )

    def _compatibility(self, given: Any) -> Compatibility:
        return as_compatibility(given, self.n_labels, symmetric=True)

    def _check_size_of_costs(self) -> None:
        """Raise if the weighted compatibilities are so large that sums of float32 could be infinite."""
        for kernel, mu in zip(self.kernels, self.compatibilities, strict=True):
            largest = abs(kernel.weight) * float(np.abs(mu.matrix(self.n_labels)).max())
            if not largest <= inputs.LARGEST:
                raise InputError(
                    f"weight times compatibility must be at most {inputs.LARGEST:g} in size, got {largest:g} for "
                    f"{kernel!r}"
                )

    def _columns(self) -> list[list[Column]]:
        """The features of each kernel."""
        return [kernel.columns(self.shape) for kernel in self.kernels]

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape))
        return f"DenseCRF({self.n_labels} labels, {size} pixels, {len(self.kernels)} kernels, quality={self.quality!r})"

    @property
    def n_points(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape))

    @property
    def grid(self) -> UnaryGrid:
        """The costs of pixels, which are interpolated where `unary` is smaller than the image."""
        kept: UnaryGrid | None = vars(self).get("_grid")
        return kept or vars(self).setdefault("_grid", UnaryGrid(self.unary, self.shape, self.align_corners))

    def lattice_bank(self, n_threads: int) -> LatticeBank:
        """The normalised lattices of all kernels; built by the first call, with `n_threads` threads, and kept.

        If several threads make the first call at once, each may build them, and all get the same.
        """
        kept: LatticeBank | None = vars(self).get("_lattices")
        if kept is not None:
            return kept
        columns = self._columns()
        norms = [kernel.normalization for kernel in self.kernels]
        accurate = self.quality == "high"
        built = LatticeBank(columns, norms, accurate=accurate, n_threads=n_threads, n_channels=self.n_labels)
        for kernel, (_, n_vertices), own in zip(self.kernels, built.bank.vertex, columns, strict=True):
            if isinstance(kernel, BilateralKernel) and len(own) > MOST_FEATURES:
                _hint_at_sparse_lattice(kernel, len(own), n_vertices / self.n_points)
        return vars(self).setdefault("_lattices", built)

    def _exact_filters(self, n_threads: int) -> list[ExactFilter]:
        """The filters of all kernels over all pairs, kept like the lattices."""
        kept: list[ExactFilter] | None = vars(self).get("_all_pairs")
        if kept is not None:
            return kept
        features = [np.stack([c.values / c.sigma for c in columns]) for columns in self._columns()]
        built = [ExactFilter(f.reshape(len(f), -1), n_threads=n_threads) for f in features]
        return vars(self).setdefault("_all_pairs", built)

    def _filtered(self, flat: np.ndarray, exact: bool, n_threads: int) -> Iterator[np.ndarray]:
        """Normalised K_k applied to (C, n) values, kernel after kernel."""
        for k, kernel in enumerate(self.kernels):
            if exact:
                yield self._exact_filters(n_threads)[k].filter(flat, kernel.normalization, n_threads=n_threads)
            else:
                yield self.lattice_bank(n_threads).filter(k, flat, n_threads)

    def costs(self) -> list[np.ndarray]:
        """The weighted compatibility ``w_k mu_k`` of each kernel, (L, L) float32 each."""
        pairs = zip(self.kernels, self.compatibilities, strict=True)
        return [np.float32(kernel.weight) * mu.matrix(self.n_labels).astype(np.float32) for kernel, mu in pairs]

    def pairwise_message(self, marginals: ArrayLike, *, n_threads: int | None = None) -> np.ndarray:
        """Cost that the marginals of all pixels put on each label of each pixel, their own included.

        Parameters
        ----------
        marginals : array_like, (L, *spatial)
            Probabilities; any finite numbers are taken.
        n_threads : int, optional
            Threads.

        Returns
        -------
        ndarray, (L, *spatial), float32
            ``sum_k w_k mu_k K_k Q``.

        Raises
        ------
        ValueError
            If the shape does not fit, a value is not finite, or values are so large that the result is not.

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> crf = cs.DenseCRF(np.zeros((2, 1, 2)), cs.GaussianKernel(1.0, 1.0, normalization="none"), quality="exact")
        >>> crf.pairwise_message([[[1.0, 1.0]], [[0.0, 0.0]]]).round(3).tolist()
        [[[0.0, 0.0]], [[1.607, 1.607]]]
        """
        values = inputs.as_values(marginals, self.shape, "marginals", n_channels=self.n_labels)
        flat = values.reshape(self.n_labels, -1)
        message = np.zeros_like(flat)
        filtered = self._filtered(flat, self.quality == "exact", resolve_threads(n_threads))
        with np.errstate(over="ignore", invalid="ignore"):
            for cost, kq in zip(self.costs(), filtered, strict=True):
                message += cost @ kq
        if not np.isfinite(message).all():
            raise InputError("marginals are too large: their messages are infinite in float32")
        return message.reshape(self.n_labels, *self.shape)

    @property
    def energy_is_exact(self) -> bool:
        """Whether :meth:`energy` sums over all pairs: up to 4096 pixels, or with ``quality="exact"``."""
        return self.quality == "exact" or self.n_points <= EXACT_POINTS

    def energy(self, labels: ArrayLike, *, n_threads: int | None = None) -> float:
        """Energy of a labelling.

        Parameters
        ----------
        labels : array_like of int, shape `shape`
            Label of each pixel, 0 to L - 1.
        n_threads : int, optional
            Threads; the result does not depend on it.

        Returns
        -------
        float
            Exact up to rounding where :attr:`energy_is_exact`, else with kernels filtered by the lattice.

        Raises
        ------
        ValueError
            If the shape does not fit or a label is out of range.
        TypeError
            If the labels are not integers.

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> crf = cs.DenseCRF(np.zeros((2, 1, 2)), cs.GaussianKernel(1.0, 1.0, normalization="none"))
        >>> round(crf.energy([[0, 1]]), 4)
        0.6065
        """
        return sum(self.terms(labels, n_threads=n_threads).values())

    def terms(self, labels: ArrayLike, *, n_threads: int | None = None) -> dict[str, float]:
        """The parts that the energy of a labelling is the sum of.

        Parameters
        ----------
        labels : array_like of int, shape `shape`
            Label of each pixel, 0 to L - 1.
        n_threads : int, optional
            Threads; the result does not depend on it.

        Returns
        -------
        dict of str to float
            ``"unary"``, and ``"kernel 0"``, ``"kernel 1"`` and so on: all pairs of pixels under each kernel.

        Raises
        ------
        ValueError
            If the shape does not fit or a label is out of range.
        TypeError
            If the labels are not integers.

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> near, wide = (cs.GaussianKernel(sigma, 1.0, normalization="none") for sigma in (1.0, 2.0))
        >>> crf = cs.DenseCRF([[[0.0, 0.5]], [[0.0, 0.25]]], [near, wide])
        >>> {name: round(part, 4) for name, part in crf.terms([[0, 1]]).items()}
        {'unary': 0.25, 'kernel 0': 0.6065, 'kernel 1': 0.8825}
        """
        flat = inputs.as_labels(labels, self.shape, self.n_labels).reshape(-1)
        parts = {"unary": self.grid.of_labels(flat)}
        threads, costs = resolve_threads(n_threads), self.costs()
        sums = [np.zeros(self.n_points) for _ in costs]
        step = max(1, _VALUES // self.n_points)
        for first in range(0, self.n_labels, step):
            some = np.arange(first, min(first + step, self.n_labels))
            is_some = np.equal(flat, some[:, np.newaxis]).astype(np.float32)
            filtered = self._filtered(is_some, self.energy_is_exact, threads)
            for sum_, cost, kq in zip(sums, costs, filtered, strict=True):
                sum_ += np.einsum("ln,ln->n", cost[:, some][flat].T, kq, dtype=np.float64)
        for k, (at_label, cost) in enumerate(zip(sums, costs, strict=True)):
            self_cost = np.diag(cost)[flat]
            if self_cost.any():  # K includes the pair of a pixel with itself; E does not
                at_label -= self_cost * self._self_weight(k, threads)
            parts[f"kernel {k}"] = float(at_label.sum()) / 2
        return parts

    def _self_weight(self, k: int, n_threads: int) -> np.ndarray:
        """Normalised k_k(f_i, f_i) of each pixel."""
        if self.energy_is_exact:
            before, after = self._exact_filters(n_threads)[k].factors(self.kernels[k].normalization)
        else:
            before, after = self.lattice_bank(n_threads).factors(k)
        ones = np.ones(self.n_points, np.float32)
        return (ones if before is None else before) * (ones if after is None else after)

    def free_energy(self, marginals: ArrayLike, *, n_threads: int | None = None) -> float:
        r"""Mean-field free energy, the objective of mean-field inference.

        .. math:: F(Q) = \sum_i \sum_l Q_i(l) \left(\log Q_i(l) + \psi_i(l)
                  + \tfrac12 \sum_k \sum_{l'} w_k \mu_k(l, l') (K_k Q)_i(l')\right)

        Parameters
        ----------
        marginals : array_like, (L, *spatial)
            Probabilities that sum to 1 at each pixel.
        n_threads : int, optional
            Threads.

        Returns
        -------
        float
            Up to the constant log Z and the terms of pixels with themselves, the Kullback-Leibler divergence between
            Q and the distribution of the CRF.

        Raises
        ------
        ValueError
            If the shape does not fit or the values are not probabilities.

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> crf = cs.DenseCRF(np.zeros((2, 3, 3)), cs.GaussianKernel())
        >>> certain = np.stack([np.ones((3, 3)), np.zeros((3, 3))])
        >>> crf.free_energy(certain) < crf.free_energy(np.full((2, 3, 3), 0.5))
        True
        """
        q = inputs.as_marginals(marginals, (self.n_labels, *self.shape))
        message = self.pairwise_message(q, n_threads=n_threads)
        log_q = np.log(np.maximum(q, np.finfo(np.float32).tiny))
        return float(np.sum(q * (log_q + self.grid.full() + message / 2), dtype=np.float64))


def _hint_at_sparse_lattice(kernel: PairwiseKernel, n_features: int, vertices_per_point: float) -> None:
    if vertices_per_point > _SPARSE * (n_features + 1):
        warnings.warn(
            f"{kernel!r} hardly connects pixels: they lie so far apart in its {n_features} features that the lattice "
            f"has {vertices_per_point:.1f} vertices for each. Fewer features (such as the first principal components "
            f"of the bands), larger sigmas or {_EXACT_INSTEAD} do more",
            stacklevel=3,
        )

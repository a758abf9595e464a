"""The fully connected CRF with Gaussian pairwise kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.compatibility import Compatibility, Potts, as_compatibility
from classicseg.energies.dense_checks import as_kernels, check, warn_of_sparse_lattice, warn_of_units
from classicseg.energies.dense_terms import pairwise_terms
from classicseg.energies.frozen import Frozen
from classicseg.energies.kernels import PairwiseKernel
from classicseg.energies.points import energy_of_points, gathered, spread
from classicseg.energies.unary_grid import UnaryGrid, finite_costs, is_forbidden
from classicseg.errors import InputError
from classicseg.filters import ExactFilter
from classicseg.filters.bank import LatticeBank
from classicseg.filters.building import choose_blur
from classicseg.filters.features import Column
from classicseg.machine.threads import resolve_threads

Quality = Literal["fast", "high", "exact"]
QUALITIES = ("fast", "high", "exact")

EXACT_POINTS = 4096
"""Up to this many points `DenseCRF.energy` sums over all pairs whatever the quality."""


class DenseCRF(Frozen):
    r"""Energy of a labelling in which every pair of pixels interacts.

    .. math:: E(x) = \sum_i \psi_i(x_i) + \sum_{i<j} \sum_k \mu_k(x_i, x_j)\, w_k\, k_k(f_i, f_j)

    with Gaussian kernels :math:`k_k` over positions, colours or other features (each normalised as the kernel says),
    weights :math:`w_k` and label compatibilities :math:`\mu_k`.

    Parameters
    ----------
    unary : array_like, (L, *spatial) or smaller
        Cost of each label at each pixel, usually ``-log p``; ``np.inf`` forbids a label. L >= 2 labels, one or more
        spatial axes. Kept as given if it is float32 and contiguous, else converted; never changed. With `shape` it may
        be smaller than the image: it is interpolated linearly along each axis wherever it is needed, and no larger
        array is made of it, unless there is a mask.
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
    mask : array_like of bool, spatial shape, optional
        Pixels that take part. The others are no points of the kernels, cost nothing and are not looked at; they get the
        label -1 and marginals of 0.

    Attributes
    ----------
    unary : ndarray, (L, *spatial) or smaller, float32
        Read-only, as all attributes are; 0 outside of the mask. :attr:`grid` gives the costs of pixels, whatever its
        size.
    n_labels : int
    n_points : int
        Number of pixels that take part.
    shape : tuple of int
        Spatial shape of the image.
    mask : ndarray, spatial shape, bool, or None
        None if all pixels take part.
    has_forbidden : bool
        Whether any cost is infinite.
    kernels : tuple of PairwiseKernel
    compatibilities : tuple
        Compatibility of each kernel.
    quality : str
    align_corners : bool

    Raises
    ------
    ValueError
        If shapes do not fit, `shape` is smaller than `unary`, a cost is NaN, -inf, or finite and above 1e30 in size,
        all labels of a pixel are forbidden, no pixel takes part, L < 2 or the quality is unknown.
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
    n_points: int
    shape: tuple[int, ...]
    mask: np.ndarray | None
    has_forbidden: bool
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
        mask: ArrayLike | None = None,
    ) -> None:
        given_inside, inside = inputs.without_outside(unary, mask, label_axis, name="unary")
        costs, has_forbidden = inputs.as_unary_and_forbidden(given_inside, label_axis)
        costs = costs.view()
        costs.setflags(write=False)
        spatial = costs.shape[1:] if shape is None else inputs.as_shape(shape, "shape")
        self._set(unary=costs, n_labels=costs.shape[0], shape=spatial, has_forbidden=has_forbidden)
        self._set(align_corners=inputs.as_flag(align_corners, "align_corners"))
        self._set(mask=None if inside is None else inputs.as_mask(inside, spatial))
        self._set(n_points=math.prod(spatial) if self.mask is None else int(np.count_nonzero(self.mask)))
        _ = self.grid  # raises if the unary does not fit the shape
        terms = as_kernels(kernels)
        usual = self._compatibility(Potts(1.0) if compatibility is None else compatibility)
        own = [None if kernel.compatibility is None else self._compatibility(kernel.compatibility) for kernel in terms]
        self._set(kernels=terms, compatibilities=tuple(usual if mu is None else mu for mu in own))
        self._set(quality=inputs.choice(quality, "quality", QUALITIES))
        columns = self._columns()  # raises if a kernel does not fit the shape
        check(quality, self.n_points, terms, columns, [mu.matrix(self.n_labels) for mu in self.compatibilities])
        warn_of_units(terms)

    def _compatibility(self, given: Any) -> Compatibility:
        return as_compatibility(given, self.n_labels, symmetric=True)

    def _columns(self) -> list[list[Column]]:
        """The features of each kernel at the pixels that take part."""
        grid = self.shape if self.mask is None else self.mask.shape
        return [gathered(kernel.columns(grid), self.mask) for kernel in self.kernels]

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape)) + (" pixels" if self.mask is None else f" pixels, {self.n_points} inside")
        return f"DenseCRF({self.n_labels} labels, {size}, {len(self.kernels)} kernels, quality={self.quality!r})"

    @property
    def inside(self) -> DenseCRF:
        """The energy of the pixels that take part, in a row: the energy itself if all do. Solvers work on this one."""
        if self.mask is None or self.mask.shape != self.shape:
            return self
        kept: DenseCRF | None = vars(self).get("_inside")
        return kept or vars(self).setdefault("_inside", energy_of_points(self, self.grid, self.mask))

    @property
    def grid(self) -> UnaryGrid:
        """The costs of pixels, which are interpolated where `unary` is smaller than the image.

        In place of infinity they have large numbers that leave a label no probability, and yet can be interpolated.
        """
        kept: UnaryGrid | None = vars(self).get("_grid")
        if kept is None:
            costs = finite_costs(self.unary) if self.has_forbidden else self.unary
            kept = vars(self).setdefault("_grid", UnaryGrid(costs, self.shape, self.align_corners))
        return kept

    def lattice_bank(self, n_threads: int) -> LatticeBank:
        """The normalised lattices of all kernels; built by the first call, with `n_threads` threads, and kept.

        If several threads make the first call at once, each may build them, and all get the same.
        """
        kept: LatticeBank | None = vars(self).get("_lattices")
        if kept is not None:
            return kept
        built = lattices_of(self, None, self.n_labels, n_threads)
        n_features = np.diff(built.bank.corner_start) - 1
        for kernel, (_, n_vertices), d in zip(self.kernels, built.bank.vertex, n_features, strict=True):
            warn_of_sparse_lattice(kernel, int(d), n_vertices / self.n_points)
        return vars(self).setdefault("_lattices", built)

    def _exact_filters(self, n_threads: int) -> list[ExactFilter]:
        """The filters of all kernels over all pairs, kept like the lattices."""
        kept: list[ExactFilter] | None = vars(self).get("_all_pairs")
        if kept is not None:
            return kept
        features = [np.stack([c.values / c.sigma for c in columns]) for columns in self._columns()]
        built = [ExactFilter(f.reshape(len(f), -1), n_threads=n_threads) for f in features]
        return vars(self).setdefault("_all_pairs", built)

    def _filter(self, k: int, flat: np.ndarray, exact: bool, n_threads: int) -> np.ndarray:
        """Normalised K_k applied to (C, n) values."""
        if exact:
            norm = self.kernels[k].normalization
            return self._exact_filters(n_threads)[k].filter(flat, norm, n_threads=n_threads)
        return self.lattice_bank(n_threads).filter(k, flat, n_threads)

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
        if self.mask is not None and self.inside is not self:
            q = inputs.values_inside(marginals, self.mask, "marginals")
            return spread(self.inside.pairwise_message(q, n_threads=n_threads), self.mask)
        values = inputs.as_values(marginals, self.shape, "marginals", n_channels=self.n_labels)
        flat = values.reshape(self.n_labels, -1)
        message = np.zeros_like(flat)
        exact, threads = self.quality == "exact", resolve_threads(n_threads)
        with np.errstate(over="ignore", invalid="ignore"):
            for k, cost in enumerate(self.costs()):
                message += cost @ self._filter(k, flat, exact, threads)
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
        if self.mask is not None and self.inside is not self:
            whole = inputs.as_labels(labels, self.shape, self.n_labels, mask=self.mask)
            return self.inside.terms(whole[self.mask], n_threads=n_threads)
        flat = inputs.as_labels(labels, self.shape, self.n_labels).reshape(-1)
        threads = resolve_threads(n_threads)

        def filtered(k: int, values: np.ndarray) -> np.ndarray:
            return self._filter(k, values, self.energy_is_exact, threads)

        pairs = pairwise_terms(flat, self.costs(), filtered, lambda k: self._self_weight(k, threads))
        return {"unary": self.grid.of_labels(flat)} | {f"kernel {k}": term for k, term in enumerate(pairs)}

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
        if self.mask is not None and self.inside is not self:
            return self.inside.free_energy(inputs.values_inside(marginals, self.mask, "marginals"), n_threads=n_threads)
        q = inputs.as_marginals(marginals, (self.n_labels, *self.shape))
        message = self.pairwise_message(q, n_threads=n_threads)
        log_q, costs = np.log(np.maximum(q, np.finfo(np.float32).tiny)), self.grid.full()
        if self.has_forbidden:
            costs = np.where(is_forbidden(costs), np.where(q > 0, np.float32(np.inf), np.float32(0)), costs)
        return float(np.sum(q * (log_q + costs + message / 2), dtype=np.float64))


def lattices_of(crf: DenseCRF, points: np.ndarray | None, n_channels: int, n_threads: int) -> LatticeBank:
    """New lattices of some of the points that take part, (m,) int64, or of all, for so many channels at once."""
    norms = [kernel.normalization for kernel in crf.kernels]
    columns = crf._columns()
    blurs = [choose_blur(own, crf.quality == "high") for own in columns]
    return LatticeBank(
        columns, norms, blurs=blurs, n_threads=n_threads, n_channels=n_channels,
        pick=None if points is None else lambda _, features: features.at(points),
    )  # fmt: skip

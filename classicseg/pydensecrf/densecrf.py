"""The module ``pydensecrf.densecrf``: CRF objects that scripts fill term by term."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies import dense_crf
from classicseg.energies.compatibility import Diagonal, Matrix
from classicseg.energies.kernels import BilateralKernel, FeatureKernel, GaussianKernel, PairwiseKernel
from classicseg.errors import InputError, InputTypeError
from classicseg.filters.blur import AXES
from classicseg.machine.threads import resolve_threads
from classicseg.pydensecrf import eigen
from classicseg.pydensecrf.unaries import ConstUnary, LogisticUnary, Unary
from classicseg.solvers.dense.engines import infer_fused
from classicseg.solvers.minimize import minimize

__all__ = [
    "CONST_KERNEL",
    "DIAG_KERNEL",
    "FULL_KERNEL",
    "NORMALIZE_AFTER",
    "NORMALIZE_BEFORE",
    "NORMALIZE_SYMMETRIC",
    "NO_NORMALIZATION",
    "ConstUnary",
    "DenseCRF",
    "DenseCRF2D",
    "KernelType",
    "LogisticUnary",
    "NormalizationType",
    "Number",
    "Unary",
    "eigen",
]


class KernelType(IntEnum):
    """Which parameters of a kernel could be learnt. Inference does not depend on it."""

    CONST_KERNEL = 0
    DIAG_KERNEL = 1
    FULL_KERNEL = 2


class NormalizationType(IntEnum):
    """How filtering is normalised. ``NO_NORMALIZATION`` keeps the raw sums of pydensecrf's lattice."""

    NO_NORMALIZATION = 0
    NORMALIZE_BEFORE = 1
    NORMALIZE_AFTER = 2
    NORMALIZE_SYMMETRIC = 3


CONST_KERNEL, DIAG_KERNEL, FULL_KERNEL = KernelType
NO_NORMALIZATION, NORMALIZE_BEFORE, NORMALIZE_AFTER, NORMALIZE_SYMMETRIC = NormalizationType

_NORMALIZATIONS = ("none", "before", "after", "symmetric")

_MOST = 2**31 - 1  # variables, or pixels along a side


class DenseCRF:
    """Dense CRF over `nvar` variables of `nlabels` labels.

    Parameters
    ----------
    nvar : int
        Number of variables N.
    nlabels : int
        Number of labels L. With one label the marginals are all 1.

    Notes
    -----
    Marginals are plain (L, N) float32 arrays, so that ``Q[1]`` and ``Q.reshape`` work beside ``np.array(Q)``. Terms
    add up: adding one twice doubles its weight. Arrays are copied: changing them later changes nothing. Instances can
    be pickled and subclassed.

    Examples
    --------
    >>> import numpy as np
    >>> import classicseg.pydensecrf.densecrf as dcrf
    >>> d = dcrf.DenseCRF(4, 2)
    >>> d.setUnaryEnergy(np.zeros((2, 4), np.float32))
    >>> d.addPairwiseEnergy(np.zeros((1, 4), np.float32), compat=3)
    >>> np.array(d.inference(5)).round(2)[:, 0].tolist()
    [0.5, 0.5]
    """

    def __init__(self, nvar: int, nlabels: int, *args: Any, **kwargs: Any) -> None:  # further ones are ignored there
        self._shape: tuple[int, ...] = (_count(nvar, "nvar"),)
        self._n_labels = _count(nlabels, "nlabels")
        self._costs: np.ndarray | None = None
        self._kernels: list[PairwiseKernel] = []
        self._energy: dense_crf.DenseCRF | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_energy": None}  # its lattices are large, and soon built again

    # --- terms ----------------------------------------------------------------------------------------------------

    def setUnary(self, unary: Unary) -> None:  # noqa: N802 (the names of this interface)
        """Set the unary from a :class:`ConstUnary` or a :class:`LogisticUnary`."""
        if not isinstance(unary, Unary):
            raise InputTypeError(f"unary must be a ConstUnary or LogisticUnary, got {type(unary).__name__}")
        if unary.costs.shape != self._flat:
            raise InputError(f"the unary u must have shape {self._flat}, labels first, got {unary.costs.shape}")
        self._costs, self._energy = unary.costs, None

    def setUnaryEnergy(self, u: ArrayLike, f: ArrayLike | None = None) -> None:  # noqa: N802
        """Set the unary.

        Parameters
        ----------
        u : array_like, (L, N)
            Costs, see :class:`ConstUnary`; or with `f` the weights (L, F) of a linear classifier.
        f : array_like, (F, N), optional
            Its features.

        Raises
        ------
        ValueError
            If the shape does not fit or a value cannot be a cost.
        """
        self.setUnary(ConstUnary(u) if f is None else LogisticUnary(u, f))

    def addPairwiseEnergy(  # noqa: N802
        self,
        features: ArrayLike,
        compat: Any,
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a Gaussian kernel over own features.

        Parameters
        ----------
        features : array_like, (F, N)
            In units of the standard deviation.
        compat : number, (L,) or (L, L) array_like
            Number: Potts, positive smooths. Vector: cost of equal labels, *positive repels*. Matrix: cost of all
            pairs; its symmetric part counts.
        kernel : KernelType
            Checked, without effect.
        normalization : NormalizationType

        Raises
        ------
        ValueError
            If a shape does not fit or a value is not finite.
        """
        array = inputs.as_features(features)
        n = self._flat[1]
        if array.ndim != 2 or array.shape[1] != n:
            raise InputError(f"features must have shape (F, {n}), got {array.shape}")
        grid = array.copy().reshape(array.shape[0], *self._shape)
        weight, options = self._term(compat, kernel, normalization, array.shape[0])
        self._add(FeatureKernel(grid, weight, **options))

    def _term(self, compat: Any, kernel: int, normalization: int, d: int) -> tuple[float, dict[str, Any]]:
        """The weight and the options of a kernel over `d` features."""
        _member(KernelType, kernel, "kernel")
        norm = _NORMALIZATIONS[_member(NormalizationType, normalization, "normalization")]
        # Without normalisation the raw sum of the lattice is wanted, which has a gain other than a Gaussian's.
        weight = 1 / (1 + 2.0**-d) / AXES.gain(d) if norm == "none" else 1.0
        return weight, {"compatibility": _compatibility(compat, self._n_labels), "normalization": norm}

    def _add(self, kernel: PairwiseKernel) -> None:
        self._kernels.append(kernel)
        self._energy = None

    # --- inference ------------------------------------------------------------------------------------------------

    def inference(self, niter: float) -> np.ndarray:
        """Run mean field.

        Parameters
        ----------
        niter : int
            Updates; a float is cut to an integer. 0 or less returns ``softmax(-unary)``.

        Returns
        -------
        ndarray, (L, N), float32
            Marginals.
        """
        n_iter = inputs.as_count(max(0, int(inputs.as_weight(niter, "niter"))), "niter", 0, _MOST)
        if self._n_labels == 1:
            return np.ones(self._flat, np.float32)
        marginals = minimize(self._crf(), "mean_field", max_iter=n_iter).marginals
        assert marginals is not None
        return marginals.reshape(self._flat)

    def startInference(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # noqa: N802
        """Return the first marginals, zeros without a unary, and two scratch matrices for :meth:`stepInference`."""
        empty = np.empty((0, 0), np.float32)
        q = np.zeros(self._flat, np.float32) if self._costs is None else self.inference(0)
        return q, empty, empty.copy()

    def stepInference(self, Q: np.ndarray, tmp1: Any, tmp2: Any) -> None:  # noqa: N802
        """Update marginals once, in place; the scratch matrices are not used."""
        if not (isinstance(Q, np.ndarray) and Q.dtype.kind == "f" and Q.flags.writeable):
            raise InputTypeError(f"Q is updated in place and must be a writable array of floats, got {_described(Q)}")
        energy = self._crf()
        if self._n_labels > 1 and energy.kernels and Q.shape == self._flat and np.isfinite(Q).all():
            first = Q.reshape(energy.n_labels, *energy.shape)
            Q[...] = infer_fused(energy, first, 1, resolve_threads(None, Q.size))[0].reshape(self._flat)
            return
        logits = -self._message(Q)
        if self._costs is not None:
            logits -= self._costs
        logits -= logits.max(axis=0)
        np.exp(logits, out=logits)
        np.divide(logits, logits.sum(axis=0), out=Q)

    def klDivergence(self, Q: ArrayLike) -> float:  # noqa: N802
        """Kullback-Leibler divergence as pydensecrf defines it: without log Z, every pair counted twice."""
        q = inputs.as_numbers(Q, "Q", axes=(2,))
        total = np.sum(q * np.log(np.maximum(q, np.float32(1e-20))), dtype=np.float64)
        total += np.sum(q * self._message(q), dtype=np.float64)
        if self._costs is not None:
            total += np.sum(q * self._costs, dtype=np.float64)
        return float(total)

    def _message(self, Q: ArrayLike) -> np.ndarray:
        """Pairwise costs of all labels under marginals `Q`, (L, N)."""
        q = inputs.as_values(Q, self._flat[1:], "Q", n_channels=self._n_labels)
        if self._n_labels == 1:  # energies need a second label: one of no probability
            q = np.concatenate([q, np.zeros_like(q)])
        message = self._crf().pairwise_message(q.reshape(-1, *self._shape))
        return message.reshape(q.shape)[: self._n_labels]

    @property
    def _flat(self) -> tuple[int, int]:
        return self._n_labels, int(np.prod(self._shape))

    def _crf(self) -> dense_crf.DenseCRF:
        if self._energy is None:
            if self._costs is None or self._n_labels == 1:
                costs = np.zeros((max(2, self._n_labels), self._flat[1]), np.float32)
            else:
                costs = self._costs
            self._energy = dense_crf.DenseCRF(costs.reshape(-1, *self._shape), self._kernels)
        return self._energy


class DenseCRF2D(DenseCRF):
    """Dense CRF over an image. Width comes before height here, unlike anywhere else in classicseg.

    Parameters
    ----------
    w, h : int
        Width and height; variable ``y * w + x`` is the pixel in row y and column x.
    nlabels : int
        Number of labels.

    Examples
    --------
    >>> import numpy as np
    >>> import classicseg.pydensecrf.densecrf as dcrf
    >>> d = dcrf.DenseCRF2D(6, 4, 2)
    >>> d.setUnaryEnergy(np.zeros((2, 24), np.float32))
    >>> d.addPairwiseGaussian(sxy=3, compat=3)
    >>> d.addPairwiseBilateral(sxy=80, srgb=13, rgbim=np.zeros((4, 6, 3), np.uint8), compat=10)
    >>> np.argmax(d.inference(5), axis=0).shape
    (24,)
    """

    def __init__(self, w: int, h: int, nlabels: int, *args: Any, **kwargs: Any) -> None:
        height, width = _count(h, "h"), _count(w, "w")
        if height * width > _MOST:
            raise InputError(f"w times h must be at most {_MOST}, got {w!r} times {h!r}")
        super().__init__(height * width, nlabels)
        self._shape = (height, width)

    def addPairwiseGaussian(  # noqa: N802
        self,
        sxy: float | Sequence[float],
        compat: Any,
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a kernel over positions; `sxy` is one standard deviation or (x, y). The rest as elsewhere."""
        weight, options = self._term(compat, kernel, normalization, 2)
        self._add(GaussianKernel(_rows_first(sxy), weight, **options))

    def addPairwiseBilateral(  # noqa: N802
        self,
        sxy: float | Sequence[float],
        srgb: float | Sequence[float],
        rgbim: ArrayLike,
        compat: Any,
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a kernel over positions and colours.

        Parameters
        ----------
        sxy : float or (x, y)
            Standard deviation of positions.
        srgb : float or one for each channel
            Standard deviation of colours.
        rgbim : array_like, (h, w, C)
            Any real dtype and number of channels.
        compat, kernel, normalization
            As in :meth:`addPairwiseEnergy`.

        Raises
        ------
        ValueError
            If the size of the image is not that of the CRF or a value is out of range.
        """
        image = inputs.as_numbers(rgbim, "rgbim")
        if image.ndim != 3 or image.shape[:2] != self._shape:
            h, w = self._shape
            raise InputError(f"rgbim must have shape ({h}, {w}, channels) as DenseCRF2D({w}, {h}), got {image.shape}")
        scales = inputs.as_scale(srgb, "srgb", image.shape[2])
        weight, options = self._term(compat, kernel, normalization, 2 + image.shape[2])
        planes = np.moveaxis(image, 2, 0).copy()
        self._add(BilateralKernel(planes, _rows_first(sxy), scales, weight, channel_axis=0, **options))


def _count(value: Any, name: str) -> int:
    """A size of at least 1. Scripts pass quotients of sizes: decimals are cut off, as pydensecrf does."""
    count = inputs.as_count(int(inputs.as_weight(value, name)), name, 1)
    if count > _MOST:
        raise InputError(f"{name} must be at most {_MOST}, got {value!r}")
    return count


def _described(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return type(value).__name__
    return f"{'an' if value.flags.writeable else 'a read-only'} array of {value.dtype}"


def _rows_first(sxy: Any) -> tuple[float, ...]:
    return inputs.as_scale(sxy, "sxy", 2)[::-1]


def _member(kind: type[IntEnum], value: Any, name: str) -> int:
    try:
        return int(kind(value))
    except (ValueError, TypeError):
        names = ", ".join(f"{member.name} = {member.value}" for member in kind)
        raise InputError(f"{name} must be one of {names}, got {value!r}") from None


def _compatibility(compat: Any, n_labels: int) -> Diagonal | Matrix:
    values = inputs.as_numbers(compat, "compat")
    if values.shape == (1, 1) and n_labels == 1:
        values = values[0]
    if values.ndim == 0:
        return Diagonal(values)  # Potts up to a constant, which klDivergence would show
    if values.shape == (n_labels,):
        return Diagonal(-values)
    if values.shape == (n_labels, n_labels):
        return Matrix(values / 2 + values.T / 2)
    raise InputError(
        f"compat must be a number, or of shape ({n_labels},) or ({n_labels}, {n_labels}), got shape {values.shape}"
    )

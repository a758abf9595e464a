"""What a dense CRF refuses and what it warns of, beyond the shapes of what it is given."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from classicseg import inputs
from classicseg.energies.kernels import BilateralKernel, PairwiseKernel
from classicseg.errors import InputError, InputTypeError
from classicseg.filters.blur import MOST_FEATURES
from classicseg.filters.features import Column

_LARGEST_EXACT = 50_000  # points: more make billions of pairs
_EXACT_INSTEAD = f"quality='exact' (up to {_LARGEST_EXACT:,} pixels)"
_SPARSE = 0.5  # vertices by corners of pixels: then a vertex is shared by fewer than two of them


def as_kernels(kernels: Any) -> tuple[PairwiseKernel, ...]:
    """One kernel, or a sequence of them."""
    given = [kernels] if isinstance(kernels, PairwiseKernel) else kernels
    terms = tuple(inputs.as_sequence(given, "kernels", "pairwise kernels"))
    for kernel in terms:
        if not isinstance(kernel, PairwiseKernel):
            raise InputTypeError(f"kernels must be pairwise kernels of classicseg, got {kernel!r}")
    return terms


def check(
    quality: str,
    n_points: int,
    kernels: Sequence[PairwiseKernel],
    columns: Sequence[Sequence[Column]],
    compatibilities: Sequence[np.ndarray],
) -> None:
    """Raise if there are too many points for all their pairs, or costs are so large that sums could be infinite.

    A kernel of more features than stencils serve is filtered along axes: a warning says so.
    """
    if quality == "exact" and n_points > _LARGEST_EXACT:
        raise InputError(
            f"quality='exact' takes time quadratic in the pixels and serves up to {_LARGEST_EXACT}, "
            f"got {n_points}; use quality='fast'"
        )
    for kernel, mu in zip(kernels, compatibilities, strict=True):
        largest = abs(kernel.weight) * float(np.abs(mu).max())
        if not largest <= inputs.LARGEST:
            raise InputError(
                f"weight times compatibility must be at most {inputs.LARGEST:g} in size, got {largest:g} for {kernel!r}"
            )
    for kernel, own in zip(kernels, columns, strict=True):
        if quality == "high" and len(own) > MOST_FEATURES:
            warnings.warn(
                f"quality='high' serves up to {MOST_FEATURES} features; {kernel!r} has {len(own)} and is "
                f"filtered as with quality='fast'. Fewer features or {_EXACT_INSTEAD} are more accurate",
                stacklevel=3,
            )


def warn_of_units(kernels: Sequence[PairwiseKernel]) -> None:
    """Say of an appearance kernel whose image seems to be in another unit.

    A part of an image may be of one colour, and a faint photo has few levels: those are whole numbers.
    """
    for kernel in kernels:
        if isinstance(kernel, BilateralKernel) and kernel.origin is None:
            sigmas = inputs.as_scale(kernel.color_sigma, "color_sigma", len(kernel.image))
            few = (slice(None), *(slice(None, None, 16),) * (kernel.image.ndim - 1))
            for pixels in (kernel.image[few], kernel.image):  # all only if few do not suffice
                spans = [float(channel.max()) - float(channel.min()) for channel in pixels]
                if any(2 * span >= sigma for span, sigma in zip(spans, sigmas, strict=True)):
                    break
            else:
                if (kernel.image != np.round(kernel.image)).any():
                    inputs.warn_of_color_unit(spans, sigmas, stacklevel=3)


def warn_of_sparse_lattice(kernel: PairwiseKernel, n_features: int, vertices_per_point: float) -> None:
    """Say of an appearance kernel of many features that it hardly connects pixels, if it does not."""
    if not isinstance(kernel, BilateralKernel) or n_features <= MOST_FEATURES:
        return
    if vertices_per_point > _SPARSE * (n_features + 1):
        warnings.warn(
            f"{kernel!r} hardly connects pixels: they lie so far apart in its {n_features} features that the lattice "
            f"has {vertices_per_point:.1f} vertices for each. Fewer features (such as the first principal components "
            f"of the bands), larger sigmas or {_EXACT_INSTEAD} do more",
            stacklevel=3,
        )

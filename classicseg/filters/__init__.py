"""High-dimensional Gaussian filtering: one protocol, ``filter(values)``, three ways to compute it.

:class:`PermutohedralLattice`
    Approximate, linear time, any features.
:class:`GaussianFilter`
    Exact, for kernels of the position on a regular grid.
:class:`ExactFilter`
    Exact, quadratic time, any features.
"""

from __future__ import annotations

from classicseg.filters.exact import ExactFilter
from classicseg.filters.gaussian import GaussianFilter
from classicseg.filters.lattice import PermutohedralLattice

__all__ = ["ExactFilter", "GaussianFilter", "PermutohedralLattice"]

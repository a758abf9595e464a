"""The dense CRF as a layer of PyTorch; see :mod:`classicseg.adapters.torch`, whose names these are."""

from __future__ import annotations

from classicseg.adapters.torch import (
    BilateralKernel,
    CRFasRNN,
    DenseCRF,
    DenseCRFLoss,
    GatedCRFLoss,
    GaussianKernel,
    HybridCRF,
    Lattice,
    bilateral_features,
    build_lattice,
    dense_crf,
    losses,
    networks,
    position_features,
    train,
    tune_by_gradient,
)

__all__ = [
    "BilateralKernel",
    "CRFasRNN",
    "DenseCRF",
    "DenseCRFLoss",
    "GatedCRFLoss",
    "GaussianKernel",
    "HybridCRF",
    "Lattice",
    "bilateral_features",
    "build_lattice",
    "dense_crf",
    "losses",
    "networks",
    "position_features",
    "train",
    "tune_by_gradient",
]

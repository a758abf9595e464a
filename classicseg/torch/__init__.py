"""The dense CRF as a layer of PyTorch: trainable and batched, on any device.

::

    import classicseg.torch as ct

    crf = ct.DenseCRF(21, [ct.GaussianKernel(3, 3), ct.BilateralKernel(80, 13, 10)])
    refined = crf(logits, image)  # (B, 21, H, W) and (B, 3, H, W) tensors
"""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401
except ImportError as failure:
    raise ImportError("classicseg.torch needs PyTorch: pip install torch") from failure

from classicseg.torch import losses, networks, train
from classicseg.torch.dense_crf import DenseCRF
from classicseg.torch.functional import bilateral_features, dense_crf, position_features
from classicseg.torch.kernels import BilateralKernel, GaussianKernel
from classicseg.torch.lattice import Lattice, build_lattice
from classicseg.torch.losses import DenseCRFLoss, GatedCRFLoss
from classicseg.torch.tuning import tune_by_gradient
from classicseg.torch.wrappers import CRFasRNN, HybridCRF

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

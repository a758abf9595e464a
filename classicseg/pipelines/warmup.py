"""Compile ahead of the first real call."""

from __future__ import annotations

import numpy as np

from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.kernels import BilateralKernel, GaussianKernel
from classicseg.solvers.registry import minimize
from classicseg.splitmerge.homogeneity import Range
from classicseg.splitmerge.split_merge import split_and_merge

_WIDTHS = (2, 4, 8, 16, 21, 32, 33)  # numbers of labels that lead to different machine code


def warmup() -> None:
    """Compile the kernels of dense CRFs and split-and-merge for photos and volumes, or load them from the disk.

    The first call on a machine takes a minute or two; each later process starts fast without any call.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.warmup()  # doctest: +SKIP
    """
    photo = np.zeros((4, 5, 3), np.uint8)
    volume = np.zeros((3, 4, 5), np.float32)
    for n_labels in _WIDTHS:
        for image, axis in ((photo, -1), (volume, None)):
            shape = image.shape if axis is None else image.shape[:-1]
            crf = DenseCRF(
                np.zeros((n_labels, *shape), np.float32),
                [GaussianKernel(), BilateralKernel(image, channel_axis=axis)],
            )
            minimize(crf, max_iter=1)
    split_and_merge(photo[..., 0], Range(24))
    for image in (photo, volume):
        for merge in ("fast", "best_first"):
            split_and_merge(image, Range(24), merge=merge, min_area=2, return_regions=True)

"""Compile ahead of the first real call."""

from __future__ import annotations

import numpy as np

from classicseg.energies.compatibility import Potts
from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.energies.kernels import BilateralKernel, GaussianKernel
from classicseg.solvers.minimize import minimize
from classicseg.splitmerge.homogeneity import Range
from classicseg.splitmerge.regions import describe_regions
from classicseg.splitmerge.split_merge import split_and_merge

WIDTHS = (2, 4, 8, 16, 24, 32)
"""Numbers of labels that lead to different machine code; each other one shares that of one of these."""


def warmup() -> None:
    """Compile the kernels of CRFs and of split-and-merge for photos, volumes and graphs, or load them from the disk.

    The first call on a machine takes a minute or two; each later process starts fast without any call.

    Notes
    -----
    The number of labels hardly decides what is compiled: kernels of grid CRFs and those of cuts of graphs serve any;
    TRW-S on graphs is compiled for up to 4 labels here, for more when they come, and dense CRFs in six widths, for 2, 3
    to 4, 5 to 8, 9 to 16 and, in turns, for all larger numbers.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.warmup()  # doctest: +SKIP
    """
    photo = np.zeros((4, 5, 3), np.uint8)
    volume = np.zeros((3, 4, 5), np.float32)
    for n_labels in WIDTHS:
        for image, axis in ((photo, -1), (volume, None)):
            shape = image.shape if axis is None else image.shape[:-1]
            kernels = [GaussianKernel(), BilateralKernel(image, channel_axis=axis)]
            for size in (shape, (2,) * len(shape)):
                crf = DenseCRF(np.zeros((n_labels, *size), np.float32), kernels, shape=shape)
                for prune in (False, True):
                    minimize(crf, max_iter=3, prune=prune)
    noise = np.random.default_rng(0).integers(0, 9, (3, 64, 64))  # as hard as it takes to reach every kernel
    for n_labels, shape, connectivity in ((2, (64, 64), 4), (2, (64, 64), 8), (2, (16, 16, 16), 6), (3, (64, 64), 4)):
        unary = noise[:n_labels].reshape(n_labels, *shape)
        grid = GridCRF(unary, Potts(4), connectivity=connectivity)
        minimize(grid, "graph_cut" if n_labels == 2 else "expansion")
    for n_labels, methods in ((2, ("graph_cut", "qpbo", "trws")), (3, ("trws+expansion",))):
        costs: np.ndarray
        for costs in (noise[:n_labels], noise[:n_labels] / 3):  # whole numbers and others
            graph = GraphCRF.from_grid(GridCRF(costs, Potts(4)))
            for method in methods:
                minimize(graph, method)
    split_and_merge(photo[..., 0], Range(24))
    for image in (photo, volume):
        for merge in ("fast", "best_first"):
            labels = split_and_merge(image, Range(24), merge=merge, min_area=2)
            describe_regions(labels, image)

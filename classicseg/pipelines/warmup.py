"""Compile ahead of the first real call."""

from __future__ import annotations

import numpy as np

from classicseg.energies.compatibility import Potts
from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.energies.kernels import BilateralKernel, GaussianKernel
from classicseg.solvers.cut.flow_network import FlowNetwork
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
    noise = np.random.default_rng(0).integers(0, 9, (3, 64, 64))  # as hard as it takes to reach every kernel
    _dense(photo, volume)
    _grids(noise)
    graphs(noise)
    split_and_merge(photo[..., 0], Range(24))
    for image in (photo, volume):
        for merge in ("fast", "best_first"):
            labels = split_and_merge(image, Range(24), merge=merge, min_area=2)
            describe_regions(labels, image)


def _dense(photo: np.ndarray, volume: np.ndarray) -> None:
    """Kernels of dense CRFs."""
    for n_labels in WIDTHS:
        for image, axis in ((photo, -1), (volume, None)):
            shape = image.shape if axis is None else image.shape[:-1]
            kernels = [GaussianKernel(), BilateralKernel(image, channel_axis=axis)]
            for size in (shape, (2,) * len(shape)):
                crf = DenseCRF(np.zeros((n_labels, *size), np.float32), kernels, shape=shape)
                for prune in (False, True):
                    minimize(crf, max_iter=3, prune=prune)


def _grids(noise: np.ndarray) -> None:
    """Kernels of cuts and expansions of grids."""
    for n_labels, shape, connectivity in ((2, (64, 64), 4), (2, (64, 64), 8), (2, (16, 16, 16), 6), (3, (64, 64), 4)):
        unary = noise[:n_labels].reshape(n_labels, *shape)
        grid = GridCRF(unary, Potts(4), connectivity=connectivity)
        minimize(grid, "graph_cut" if n_labels == 2 else "expansion")


def graphs(noise: np.ndarray) -> None:
    """Kernels of graphs, by energies of a grid whose costs are `noise`, (3, H, W) int, and thirds of it."""
    for costs in (noise, noise / 3):
        two, three = (GraphCRF.from_grid(GridCRF(costs[:n_labels], Potts(4))) for n_labels in (2, 3))
        for method in ("graph_cut", "qpbo", "trws"):
            minimize(two, method)
        for method in ("trws", "expansion", "swap"):
            minimize(three, method)
        edges, (source, sink, _) = two.edges.astype(np.int64), costs.reshape(3, -1)
        FlowNetwork(edges, np.ones(len(edges), costs.dtype), source=source, sink=sink).solve()

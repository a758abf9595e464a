"""Belief propagation on small grids, sweep by sweep."""

import numpy as np
from builder.entry import F64, F64S, I32, I32S, entry
from numba import carray

from classicseg.kernels.messages.belief import beliefs, decode, send_in_raster_order
from classicseg.kernels.sites.neighbours import Field


@entry
def propagate(
    height: I32, width: I32, n_labels: I32, unary: F64S, weight: F64, n_iter: I32, later: F64S, earlier: F64S,
    costs: F64S, labels: I32S,
):  # fmt: skip
    """Min-sum belief propagation from messages of 0 on; a sweep goes there and back.

    `unary` are the costs of height x width x labels, and different neighbours cost `weight`. `later` and `earlier` get
    the messages to the right and down, and to the left and up, 2 x height x width x labels; `costs` the beliefs, like
    `unary`; `labels` what is decoded.
    """
    n = np.int64(height) * width
    weights, potts = np.zeros((2, n)), np.ones((n_labels, n_labels))
    for i in range(n):
        weights[0, i] = weight if i % width < width - 1 else 0.0
        weights[1, i] = weight if i < n - width else 0.0
    for label in range(n_labels):
        potts[label, label] = 0.0
    steps, shape = np.empty(2, np.int64), (1, np.int64(height), np.int64(width))
    steps[0], steps[1] = 1, width
    field = Field(carray(unary, (n, np.int64(n_labels))), weights, steps, potts, potts, True, shape)
    onward, back = carray(later, (2, n, np.int64(n_labels))), carray(earlier, (2, n, np.int64(n_labels)))
    onward[:] = 0.0
    back[:] = 0.0
    sync = np.zeros(64, np.int64)
    for _ in range(n_iter):
        send_in_raster_order(sync, 1, field, onward, back, 0.0, 0.0, np.zeros(height))
    beliefs(sync, 1, field, onward, back, carray(costs, (n, np.int64(n_labels))))
    decode(sync, 1, field, back, carray(labels, n))
    return 0

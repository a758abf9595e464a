"""Logits and images as tensors.

Kernels are compiled for each total number of vertices around a point (3 and 6 of the kernels here), and for the widths
2, 4, 8, 16 and 24 of vectors of labels. Tests share a few of them: 9 vertices; 2, 3 and 21 labels.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.oracles import costs, photo

ON_CPU = ["numba", "torch"]
on_lattices = pytest.mark.parametrize("backend", ON_CPU)
on_all = pytest.mark.parametrize("backend", [*ON_CPU, "exact"])


def batch(n_labels, shape=(16, 18), n_images=1, dtype=torch.float32):
    """Logits (B, L, *shape) and a uint8-valued image (B, 3, *shape); images of a batch differ."""
    logits = np.stack([-costs(n_labels, shape, seed=b) for b in range(n_images)])
    image = np.stack([np.moveaxis(photo(*shape, seed=b), -1, 0) for b in range(n_images)])
    return torch.from_numpy(logits).to(dtype), torch.from_numpy(image).to(dtype)

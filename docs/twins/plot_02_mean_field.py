r"""
Mean field
==========

Act as if pixels were independent. Each asks all others what they believe, weighed by
how near and how alike they are, and changes its own belief; all at once, some times
over.

.. math::

    Q \leftarrow \operatorname{softmax}\big(-\psi - \mu\, K Q\big)

:math:`Q` are the marginals, :math:`\psi` the unary costs, :math:`K` the filter and
:math:`\mu` the compatibility.

- **Twin**: ``classicseg/reference/mean_field.py``, in full below.
- **Fast code**: ``classicseg/kernels/dense/mean_field.py``.
- **Paper**: Krähenbühl and Koltun 2011, arXiv:1210.5644.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg.reference.mean_field import mean_field

rng = np.random.default_rng(0)
truth = np.zeros((12, 16), int)
truth[3:9, 4:12] = 1
noisy = truth + rng.normal(0, 0.6, truth.shape)
unary = 2 * np.stack([noisy**2, (noisy - 1) ** 2])

# %%
# The twin gets the filter as a matrix of all pairs of pixels.

places = np.indices(truth.shape).reshape(2, -1) / 1.5
kernel = np.exp(-0.5 * ((places[:, :, None] - places[:, None]) ** 2).sum(0))
scale = 1 / np.sqrt(kernel.sum(1))
kernel = scale[:, None] * kernel * scale  # the symmetric normalisation
potts = 3 * (1 - np.eye(2))
steps = [
    mean_field(unary.reshape(2, -1), [(lambda q: q @ kernel, potts)], n_iter=n)
    for n in (0, 1, 2, 5)
]

# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(2, 2, figsize=(7, 5.6), layout="constrained")
for ax, q, n in zip(axes.flat, steps, (0, 1, 2, 5), strict=True):
    ax.imshow(q[1].reshape(truth.shape), cmap="cividis", vmin=0, vmax=1)
    ax.set(title=f"belief in label 1 after {n} updates", xticks=[], yticks=[])

# %%
# The fast code, with sums over all pairs, gives the same:

crf = cs.DenseCRF(unary, cs.GaussianKernel(sigma=1.5, weight=3), quality="exact")
result = cs.minimize(crf, "mean_field", max_iter=5, tol=0)
difference = abs(result.marginals.reshape(2, -1) - steps[-1]).max()
print(f"largest difference of marginals: {difference:.1e}")
assert difference < 1e-4

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/mean_field.py
#    :language: python

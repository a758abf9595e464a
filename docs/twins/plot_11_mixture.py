r"""
Mixtures of colours
===================

A pixel costs what the Gaussian that explains it best says. A cut-out learns one
mixture for the object and one for the background.

.. math::

    \min_k\; -\log \pi_k\, N(c;\, m_k, \Sigma_k)

:math:`\pi_k` are the shares of the Gaussians.

- **Twin**: ``classicseg/reference/mixture.py``, in full below.
- **Fast code**: ``classicseg/kernels/mixture.py``.
- **Paper**: Rother, Kolmogorov and Blake 2004, doi:10.1145/1015706.1015720.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg.energies.color_models import ColorMixture
from classicseg.reference.mixture import mixture_costs

image = cs.sample().image[::4, ::4].astype(np.float32)
cup = image[25:45, 20:40].reshape(-1, 3).T.copy()
mixture = ColorMixture.fit(cup, 3)
colors = image.reshape(-1, 3).T.copy()
cost, component = mixture.costs(colors)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(image.astype(np.uint8))
axes[0].add_patch(
    plt.Rectangle((20, 25), 20, 20, fill=False, color="#56b4e9", linewidth=2)
)
axes[0].set_title("colours are learned from the box")
shown = axes[1].imshow(cost.reshape(image.shape[:2]), cmap="cividis_r", vmax=40)
axes[1].set_title("what each pixel costs; yellow is cheap")
for ax in axes:
    ax.set(xticks=[], yticks=[])

# %%
slow, best = mixture_costs(colors, mixture.shares, mixture.means, mixture.covariances)
print(f"largest relative difference: {(abs(slow - cost) / (1 + abs(slow))).max():.1e}")
assert np.allclose(slow, cost, rtol=1e-3, atol=1e-2)

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/mixture.py
#    :language: python

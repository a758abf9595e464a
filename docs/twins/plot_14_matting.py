r"""
Soft masks
==========

Where the border is out of focus or hair is in front of sky, a pixel is partly object.
In small windows alpha is nearly a linear function of colour: fit one in every window,
and let each pixel hear all windows that it lies in.

.. math::

    \alpha_p \approx a \cdot c_p + b

with slopes :math:`a` and a constant :math:`b` that are means over the windows around
the pixel.

- **Twin**: ``classicseg/reference/matting.py``, in full below.
- **Fast code**: ``classicseg/kernels/matting.py``,
  ``classicseg/pipelines/matting.py``.
- **Paper**: He, Sun and Tang 2013, doi:10.1109/TPAMI.2012.213; Levin, Lischinski
  and Weiss 2008, doi:10.1109/TPAMI.2007.1177.
"""

import matplotlib.pyplot as plt
import numpy as np

from classicseg.pipelines import matting
from classicseg.pipelines.prepared_image import prepare
from classicseg.reference.matting import linear_models

rng = np.random.default_rng(1)
y, x = np.mgrid[:24, :31]
away = np.hypot(y - 12, x - 15.5) - 6
true = (0.5 - away / 1.6).clip(0, 1)  # a disc out of focus
ground = 60 + 20 * np.sin(x / 3)[..., None] + rng.normal(0, 2, (24, 31, 3))
image = true[..., None] * np.array([200, 120, 90]) + (1 - true[..., None]) * ground
image = image.round().clip(0, 255).astype(np.uint8)
mask = true > 0.5

# %%
# The twin, with the windows and rounds of the fast code:

strokes = np.where(true == 1, 1, -1)
prepared = prepare(image, None, strokes, None, -1)
colors, side = prepared.colors.reshape(3, 24, 31).astype(float), mask.size**0.5
radii = [max(1, round(share * side)) for share in matting._WINDOWS]
final, slow = matting._finality(mask.astype(np.float32), side), mask.astype(float)
for _ in range(matting._ROUNDS):
    models = linear_models(colors, slow, radii, matting._NOISE, matting._TOLERATED)
    models *= 1 - final
    models[3] += final * mask
    slow = (models[:3] * colors).sum(0) + models[3]
    slow = ((slow - matting._STRETCH) / (1 - 2 * matting._STRETCH)).clip(0, 1)

fast = matting.matte_of(prepared, mask, np.full(mask.shape, -1, np.int32), 1).alpha

figure, axes = plt.subplots(2, 2, figsize=(7, 6), layout="constrained")
views = {"the image": image, "the mask": mask, "alpha, twin": slow, "alpha, fast": fast}
for ax, (title, picture) in zip(axes.flat, views.items(), strict=True):
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
    ax.set(title=title, xticks=[], yticks=[])

# %%
print(f"mean difference of the two: {abs(slow - fast).mean():.1e}")
for name, found in (("mask", mask), ("alpha", fast)):
    print(f"{name:6} is off by {abs(found - true).mean():.4f} in the mean")
assert abs(slow - fast).mean() < 1e-3

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/matting.py
#    :language: python

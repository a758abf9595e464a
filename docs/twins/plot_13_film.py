r"""
Motion of blocks
================

A film flickers if each frame is labelled for itself. Where was each block in the
frame before? Try all displacements; the one of the least difference wins. Costs are
then averaged along these ways.

.. math::

    \operatorname{arg\,min}_d\; \operatorname{mean}_{p \in \text{block}} \lvert
    I_t(p) - I_{t-1}(p + d) \rvert + \lambda\, \lvert d \rvert

:math:`\lambda` is small: of equal displacements the shorter one.

- **Twin**: ``classicseg/reference/film.py``, in full below.
- **Fast code**: ``classicseg/kernels/film.py``.
- **Paper**: Bierling 1988, doi:10.1117/12.969046.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs
from classicseg.kernels.film import match_blocks
from classicseg.machine.parallel import new_sync, run
from classicseg.reference.film import block_motion

gray = cs.sample().image[100:260, 150:350, 0]
before = np.ascontiguousarray(gray[10:106, 20:148])
now = np.ascontiguousarray(gray[13:109, 18:146])  # the camera moved by 3 and -2 pixels
ring = [(dy, dx) for dy in range(-3, 4) for dx in range(-3, 4)]
slow, _ = block_motion(now, before, 16, np.array([(0, 0), *ring]), 0.5)

fast = np.empty_like(slow, dtype=np.int32)
starts = np.zeros((1, *fast.shape), np.int32)
run(match_blocks, 1, new_sync(1), now, before, 16, 3, starts, np.float32(0.5), fast)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
rows, columns = np.indices(slow.shape[1:]) * 16 + 8
for ax, motion, title in zip(axes, (slow, fast), ("twin", "fast"), strict=True):
    ax.imshow(now, cmap="gray")
    ax.quiver(
        columns, rows, motion[1], -motion[0], color="#e69f00", scale=60, width=0.006
    )
    ax.set(title=f"{title}: where each block was", xticks=[], yticks=[])

# %%
print("blocks of equal motion:", (slow == fast).all(0).mean())
assert (slow == fast).all()

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/film.py
#    :language: python

r"""
Dice and its gradient
=====================

The Dice loss asks for overlap, :math:`1 - 2 \sum pg / (\sum p + \sum g)`, so the size
of the background does not matter. Its gradient is divided by the square of the sizes:
small regions pull hard, and nearly empty ones harder still.
"""

import matplotlib.pyplot as plt
import numpy as np

from classicseg.reference.losses import dice

sizes = np.array([1, 3, 10, 30, 100, 300, 1000])
n_pixels = 10_000


def slope(n_object, p_object, p_background):
    """Derivative of the loss by one pixel of the object, from a small difference."""
    g = np.zeros(n_pixels)
    g[:n_object] = 1
    p = np.where(g == 1, p_object, p_background)
    moved = p.copy()
    moved[0] += 1e-4
    return (dice(moved[None], g[None])[0] - dice(p[None], g[None])[0]) / 1e-4


figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
for p_background, color in ((0.1, "#404040"), (0.01, "#0072b2"), (0.001, "#d55e00")):
    pull = [-slope(n, 0.3, p_background) for n in sizes]
    axes[0].loglog(sizes, pull, "-o", color=color, label=f"false alarms {p_background}")
axes[0].axhline(
    1 / 0.3 / n_pixels,
    color="#999999",
    linestyle=":",
    label="cross-entropy, mean over pixels",
)
axes[0].set(
    title="pull of one pixel of the object",
    xlabel="size of the object in pixels",
    ylabel="gradient",
)
axes[0].legend(fontsize="small")

p = np.linspace(0.001, 1, 200)
for n, color in ((1, "#d55e00"), (10, "#e69f00"), (100, "#0072b2")):
    g = np.zeros(n_pixels)
    g[:n] = 1
    axes[1].plot(
        p,
        [dice(np.where(g == 1, q, 0.001)[None], g[None])[0] for q in p],
        color=color,
        label=f"{n} pixels",
    )
axes[1].set(title="loss while the object is found", xlabel="probability on the object")
axes[1].legend(title="object of", fontsize="small")

# %%
# With one pixel among ten thousand, false alarms of 0.001 everywhere keep the loss
# above 0.8 even when the object has been found: there is little to gain, and what
# there is is noisy. That is why Dice is often added to cross-entropy, whose gradient
# by a score is never above 1: ``losses.build("dice+ce")``.

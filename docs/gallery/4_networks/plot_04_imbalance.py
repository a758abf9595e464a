r"""
Losses for imbalance
====================

An image has 10,000 pixels, 97 % of them background. A network gives the right label a
probability of 0.8 on background, and of 0.3 on the object. What does training work on?

In natural logarithms a pixel of background costs :math:`-\ln 0.8 = 0.223` and one of
the object :math:`-\ln 0.3 = 1.204`. All of the background costs six times as much as
all of the object, although the background is nearly right. *Focal loss* multiplies by
:math:`(1 - p)^\gamma`.
"""

import matplotlib.pyplot as plt
import numpy as np

from classicseg.reference.losses import focal

n_background, n_object = 9_700, 300
logits = np.log(
    [[0.8, 0.7], [0.2, 0.3]]
)  # a pixel of background, and one of the object
gammas = (0, 1, 2, 5)
totals = np.array(
    [
        focal(logits, np.array([0, 1]), gamma) * [n_background, n_object]
        for gamma in gammas
    ]
)

print(f"{'gamma':>5} {'background':>12} {'object':>8} {'object : background':>20}")
for gamma, (background, object_) in zip(gammas, totals, strict=True):
    print(f"{gamma:5} {background:12.2f} {object_:8.2f} {object_ / background:20.2f}")

figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
share = totals / totals.sum(1, keepdims=True)
axes[0].bar(range(4), share[:, 0], color="#56b4e9", label="background, nearly right")
axes[0].bar(
    range(4), share[:, 1], bottom=share[:, 0], color="#d55e00", label="object, wrong"
)
axes[0].set_xticks(
    range(4), ["cross-entropy", "focal, γ=1", "focal, γ=2", "focal, γ=5"]
)
axes[0].set(title="shares of the loss", ylabel="share")
axes[0].legend(loc="lower right")
p = np.linspace(0.01, 1, 200)
for gamma, color in zip(
    gammas, ("#404040", "#56b4e9", "#e69f00", "#d55e00"), strict=True
):
    axes[1].plot(p, -((1 - p) ** gamma) * np.log(p), color=color, label=f"γ={gamma}")
for x in (0.3, 0.8):
    axes[1].axvline(x, color="#bbbbbb", linestyle=":")
axes[1].set(
    title="loss of one pixel", xlabel="probability of the right label", ylim=(0, 3)
)
axes[1].legend()

# %%
# With γ = 0 focal loss is cross-entropy. You may find 0.3 and 1.2 quoted as the costs
# of these two pixels: such figures mix logarithms of base 2 and base e, and make the
# background look even heavier than it is.

assert np.allclose(totals[0], [-n_background * np.log(0.8), -n_object * np.log(0.3)])

r"""
Losses
======

What a network is asked for, by formula: that each pixel be right, or that regions
overlap.

.. math::

    \text{Dice} = 1 - \frac{2 \sum p\, g}{\sum p + \sum g}

p are probabilities, g is 1 on the truth and 0 elsewhere.

- **Twin**: ``classicseg/reference/losses.py``, in full below.
- **Fast code**: ``classicseg/torch/losses/``.
- **Paper**: Lin et al. 2017, arXiv:1708.02002 (focal); Milletari et al. 2016,
  arXiv:1606.04797 (Dice); Berman et al. 2018, arXiv:1705.08790 (Lovász).
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from classicseg.reference import losses as twin
from classicseg.torch import losses

rng = np.random.default_rng(0)
labels = rng.integers(0, 2, 400)
certainty = np.linspace(-3, 3, 61)
curves = {"cross-entropy": [], "focal": [], "dice": []}
for logit in certainty:  # the same score for the right label everywhere
    scores = np.where(labels == np.arange(2)[:, None], logit, 0.0)
    p, g = twin.softmax(scores), twin.one_hot(labels, 2)
    curves["cross-entropy"].append(twin.cross_entropy(scores, labels).mean())
    curves["focal"].append(twin.focal(scores, labels).mean())
    curves["dice"].append(twin.dice(p, g).mean())

figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for (name, values), color in zip(
    curves.items(), ("#404040", "#0072b2", "#d55e00"), strict=True
):
    ax.plot(certainty, values, color=color, label=name)
ax.set(xlabel="score of the right label above the wrong one", ylabel="loss")
ax.legend()

# %%
# The fast losses, on tensors:

scores = rng.normal(0, 1, (2, 400)).astype(np.float32)
logits = torch.tensor(scores)[None]
truth = torch.tensor(labels)[None]
pairs = {
    "ce": twin.cross_entropy(scores, labels).mean(),
    "focal": twin.focal(scores, labels).mean(),
    "dice": twin.dice(twin.softmax(scores), twin.one_hot(labels, 2)).mean(),
    "ohem": twin.hardest(scores, labels, threshold=0.7, min_share=1 / 16),
}
for name, slow in pairs.items():
    fast = losses.build(name)(logits, truth).item()
    print(f"{name:6} twin {slow:.6f}  fast {fast:.6f}")
    assert abs(slow - fast) < 1e-3

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/losses.py
#    :language: python

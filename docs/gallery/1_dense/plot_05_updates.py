"""
Mean field, update by update
============================

Mean field acts as if pixels were independent. Each asks all others what they believe,
weighed by how near and how alike they are, and changes its own belief. A callback sees
every update.
"""

import matplotlib.pyplot as plt

import classicseg as cs

s = cs.sample("nuclei")
window = (slice(60, 188), slice(60, 188))
image, p = s.image[window], s.probabilities[:, *window]
kernels = [
    cs.GaussianKernel(sigma=2, weight=2),
    cs.BilateralKernel(image, sigma=40, color_sigma=8, weight=6),
]
crf = cs.DenseCRF(cs.unary_from_probabilities(p), kernels)

beliefs = [p[1].astype(float)]
result = cs.minimize(
    crf,
    "mean_field",
    max_iter=6,
    callback=lambda state: beliefs.append(state.marginals[1].copy()),
)

figure, axes = plt.subplots(2, 2, figsize=(8.4, 8.2), layout="constrained")
for ax, n in zip(axes.flat, (0, 1, 2, 6), strict=True):
    ax.imshow(beliefs[n], cmap="cividis", vmin=0, vmax=1)
    ax.set(
        title="the network" if n == 0 else f"after {n} updates", xticks=[], yticks=[]
    )

# %%
# The first update does most of the work, and after five hardly anything moves. What
# falls is the *free energy*, expected energy minus entropy:

cs.plot.trace(cs.minimize(crf, "mean_field", max_iter=10, track=True))

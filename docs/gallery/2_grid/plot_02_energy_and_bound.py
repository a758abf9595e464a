"""
Energy and bound over time, for each solver
===========================================

One energy, many methods. Each returns the energy of its labels; some also return a
*lower bound*, below which no labelling can be. The gap between the two is what is left
to be found.
"""

import matplotlib.pyplot as plt

import classicseg as cs

s = cs.sample()
window = (slice(40, 360, 4), slice(90, 510, 4))
image, truth, p = s.image[window], s.truth[window], s.probabilities[:, *window]
crf = cs.GridCRF(
    cs.unary_from_probabilities(p),
    cs.Potts(2.0),
    cs.contrast_weights(image),
    connectivity=4,
)
print(crf)

methods = ("icm", "belief_propagation", "expansion", "trws")
for method in methods:  # the first run compiles
    cs.minimize(crf, method, max_iter=1)
results = {method: cs.minimize(crf, method, max_iter=30) for method in methods}

# sphinx_gallery_thumbnail_number = 1
figure = cs.plot.trace(results, logarithmic=True)
best = min(result.energy for result in results.values())
figure.axes[0].set_ylim(0.97 * best, 1.12 * best)

# %%
# TRW-S alone proves how good it is: its bound rises to meet its energy.

print(f"{'method':20} {'energy':>10} {'above best':>10} {'bound':>10}")
for method, result in sorted(results.items(), key=lambda item: item[1].energy):
    bound = "" if result.lower_bound is None else f"{result.lower_bound:.1f}"
    above = result.energy / best - 1
    print(f"{method:20} {result.energy:10.1f} {above:10.2%} {bound:>10}")

# %%
# Less energy is not always visible. What can be seen is the difference between the
# weak descent of ICM and the others:

figure, axes = plt.subplots(2, 2, figsize=(8.4, 6.7), layout="constrained")
for ax, (method, result) in zip(axes.flat, results.items(), strict=True):
    ax.imshow(cs.overlay(image, result.labels))
    ax.set(title=method, xticks=[], yticks=[])

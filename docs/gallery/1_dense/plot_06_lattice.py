"""
The permutohedral lattice
=========================

Every pixel talks to every other one, and yet the time grows with the number of pixels
only. The trick: values go to the corners of a lattice of simplices (*splat*), are
exchanged between neighbouring corners (*blur*), and come back (*slice*). With two
features the simplices are triangles, and one can watch.
"""

import matplotlib.pyplot as plt
import numpy as np

import classicseg as cs

rng = np.random.default_rng(5)
points = np.concatenate([[[0.0], [0.0]], rng.normal(0, 1.2, (2, 60))], axis=1)
cs.plot.lattice(points)

# %%
# One point has the value 1, all others 0. Compare what the lattice gives with the
# Gaussian that it stands for:

lattice = cs.PermutohedralLattice(points)
values = np.zeros((1, points.shape[1]))
values[0, 0] = 1
found = lattice.filter(values, "none")[0]
exact = np.exp(-0.5 * (points**2).sum(0))
distance = np.hypot(*points)

figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.scatter(distance, exact, 18, color="#0072b2", label="Gaussian")
ax.scatter(
    distance,
    found,
    18,
    color="#e69f00",
    label=f"lattice, {lattice.n_vertices} corners for {len(exact)} points",
)
ax.set(xlabel="distance, in standard deviations", ylabel="value")
ax.legend()

# %%
# Corners that no point touches do not exist, so nothing passes through them: where
# points are sparse, the lattice gives too little. For photos, with their many pixels
# of like colour, that is rare.

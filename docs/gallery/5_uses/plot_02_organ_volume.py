"""
Medicine: the volume of an organ in millilitres
===============================================

A scan, labels for its voxels, and the spacing of the voxels: ``volumes`` counts and
multiplies. How wrong the result is depends on the labels. The scan is made up: an
ellipsoid of known volume, in noise.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.ndimage as ndi

import classicseg as cs

spacing = (3.0, 1.5, 1.5)  # millimetres between slices, rows, columns
z, y, x = np.mgrid[:20, :56, :56]
places = [
    (axis - middle) * step
    for axis, middle, step in zip((z, y, x), (10, 28, 26), spacing, strict=True)
]
radii = (18.0, 30.0, 24.0)  # millimetres
inside = (
    sum((place / radius) ** 2 for place, radius in zip(places, radii, strict=True)) < 1
)
true_ml = 4 / 3 * np.pi * np.prod(radii) / 1000

rng = np.random.default_rng(6)
scan = 100 + 60 * inside + rng.normal(0, 28, inside.shape)

# %%
# The "network" blurs what it sees and answers at half of the resolution.

logits = ndi.gaussian_filter(scan, (0.7, 1.4, 1.4))[::2, ::2, ::2]
logits = (logits - 130) / 10
refined = cs.refine(
    scan, logits=np.stack([-logits, logits]), spacing=spacing, channel_axis=None
)

found = {
    "threshold of the scan": scan > 130,
    "network, enlarged": ndi.zoom(logits, 2, order=0) > 0,
    "refined": refined == 1,
}

# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(2, 2, figsize=(8.4, 8.2), layout="constrained")
axes.flat[0].imshow(scan[10], cmap="gray")
axes.flat[0].set_title("slice 10 of the scan")
for ax, (name, mask) in zip(axes.flat[1:], found.items(), strict=True):
    ax.imshow(cs.overlay(scan[10], mask[10].astype(int)))
    ax.set_title(name)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])

# %%
# One voxel is 3 x 1.5 x 1.5 mm, that is 0.00675 ml. ``volumes`` gives millilitres of
# each label, and against a truth Dice, the mean distance of both surfaces, and the
# distance that 95 % of them keep, HD95, in millimetres.

print(f"true volume {true_ml:.1f} ml")
print(f"{'':22} {'volume':>18}   Dice   mean  HD95")
for name, mask in found.items():
    organ = cs.volumes(mask, spacing, truth=inside)
    ml, dice = organ.millilitres[1], organ.dice[1]
    print(
        f"{name:22} {ml:6.1f} ml ({ml / true_ml - 1:+6.1%})  {dice:.3f} "
        f"{organ.mean_surface_distance[1]:5.2f} {organ.hd95[1]:5.2f} mm"
    )

# %%
# A volume may come out right by chance, where voxels that are missed make up for those
# too many: look at the overlap and at the distances, too. The specks of the threshold
# lie all over the scan, so its HD95 is large; 95 % of the other surfaces are within a
# slice of the true one.

"""
Land cover: hectares, roads and parking
=======================================

Every pixel of an aerial image is 0.5 m wide. What covers how many hectares? And of all
that is asphalt, what is road and what is a car park? Roads are long and thin, which a
table of regions shows. The land is made up.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.ndimage as ndi

import classicseg as cs

names = ("field", "forest", "water", "asphalt")
colors = np.array([[170, 160, 90], [50, 90, 50], [50, 90, 130], [120, 120, 122]])
metres = 0.5

y, x = np.mgrid[:200, :260]
truth = np.zeros((200, 260), int)
truth[(x < 90 + 14 * np.sin(y / 14)) & (y < 120)] = 1
truth[(y > 150 + 12 * np.sin(x / 23)) & (x < 150)] = 2
road = (abs(y - 0.35 * x - 60) < 4) | (abs(x - 190) < 4)
parking = (abs(y - 40) < 22) & (abs(x - 222) < 24)
truth[road | parking] = 3

rng = np.random.default_rng(5)
image = colors[truth] + rng.normal(0, 12, (200, 260, 3))
image[truth == 1] += ndi.gaussian_filter(rng.normal(0, 70, (200, 260)), 1.5)[
    truth == 1
][:, None]
image = image.clip(0, 255).astype(np.uint8)

# %%
# The "classifier" looks at each pixel alone, so it is as noisy as the image. A minimum
# of a grid CRF is not: neighbours of like colour are tied.

distances = ((image[None].astype(float) - colors[:, None, None]) ** 2).sum(-1) / (
    2 * 22**2
)
crf = cs.GridCRF(distances, cs.Potts(3), cs.contrast_weights(image), connectivity=8)
labels = cs.minimize(crf, "expansion").labels

table = colors.astype(np.uint8)
figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
views = {
    "0.5 m a pixel": image,
    "each pixel alone": table[distances.argmin(0)],
    "with its neighbours": table[labels],
}
for ax, (title, picture) in zip(axes, views.items(), strict=True):
    ax.imshow(picture)
    ax.set(title=title, xticks=[], yticks=[])

# %%
# ``areas`` counts pixels of each label and knows how large they are. Clouds, and what
# lies beyond the flight, would be a label of their own, which ``ignore_label`` leaves
# out.

found, true = cs.areas(labels, metres), cs.areas(truth, metres)
print(f"{'':9} {'found':>7} {'true':>7}   (hectares)")
for name, *hectares in zip(names, found, true, strict=True):
    print(f"{name:9} {hectares[0]:7.3f} {hectares[1]:7.3f}")

# %%
# Asphalt that stays after an opening by 8 m is wide, so it is a car park; the rest is
# road.

asphalt = labels == 3
wide = ndi.binary_opening(asphalt, np.ones((17, 17)))
kind = np.where(asphalt, 1, 0) + wide
shown = np.array([[235, 235, 235], [0, 114, 178], [230, 159, 0]], np.uint8)[kind]
lanes, _ = ndi.label(kind == 1)
pieces = cs.describe_regions(lanes, image)
figure, ax = plt.subplots(figsize=(6.5, 4.8), layout="constrained")
ax.imshow(shown)
ax.set(title="road in blue, car park in orange", xticks=[], yticks=[])
_, road_ha, parking_ha = cs.areas(kind, metres)
print(f"car park {parking_ha:.3f} ha, true {cs.areas(parking, metres)[1]:.3f} ha")
print(f"room for about {parking_ha * 10_000 / 25:.0f} cars")
print(f"road {road_ha:.3f} ha in {len(pieces['area'])} pieces")

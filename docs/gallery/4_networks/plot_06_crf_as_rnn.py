"""
Training a CRF with its network
===============================

Mean field is a chain of filters, sums and softmaxes, so it can be trained like any
network. Unrolled for some updates it is *CRF-as-RNN*. Here a tiny network and a CRF
learn together that a noisy disc is a disc.
"""

import matplotlib.pyplot as plt
import torch

import classicseg.torch as ct

torch.manual_seed(0)
rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")


def example():
    """A disc somewhere, in noise: an image (1, 1, H, W) and its labels."""
    y, x, r = 14 + 20 * torch.rand(1), 14 + 36 * torch.rand(1), 8 + 6 * torch.rand(1)
    truth = ((rows - y) ** 2 + (columns - x) ** 2 < r**2).long()[None]
    return truth[:, None] * 0.5 + 0.35 * torch.randn(1, 1, 48, 64), truth


def train(model, n_steps=60):
    torch.manual_seed(1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    losses = []
    for _ in range(n_steps):
        image, truth = example()
        loss = torch.nn.functional.cross_entropy(model(image), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def network():
    torch.manual_seed(2)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(6, 2, 1)
    )


alone = network()
crf = ct.DenseCRF(2, [ct.GaussianKernel(sigma=2, weight=1)])
hybrid = ct.CRFasRNN(network(), crf)
curves = {"network alone": train(alone), "network and CRF": train(hybrid)}

# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(2, 2, figsize=(8.4, 7.0), layout="constrained")
torch.manual_seed(7)
image, truth = example()
with torch.no_grad():
    pictures = (
        image[0, 0],
        alone(image).argmax(1)[0],
        hybrid.eval()(image).argmax(1)[0],
        truth[0],
    )
for ax, picture, title in zip(
    axes.flat,
    pictures,
    ("an image", "network alone", "network and CRF", "the truth"),
    strict=True,
):
    ax.imshow(picture, cmap="cividis")
    ax.set(title=title, xticks=[], yticks=[])

# %%
# The losses, as means over ten steps:

figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
for (name, losses), color in zip(curves.items(), ("#56b4e9", "#d55e00"), strict=True):
    ax.plot(torch.tensor(losses).reshape(-1, 10).mean(1), "-o", color=color, label=name)
ax.set(xlabel="tens of steps", ylabel="cross-entropy")
ax.legend()

# %%
# What the CRF has learned: how strongly near pixels are tied.

print(
    "weight of the kernel: 1 at first,",
    round(float(crf.weights().detach().ravel()[0]), 2),
    "now",
)

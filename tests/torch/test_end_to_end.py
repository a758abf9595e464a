"""A network and its CRF, trained together, on real images that they have not seen."""

import copy
import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image

import classicseg.torch as ct
from classicseg import metrics

pytestmark = pytest.mark.slow

ROOT = Path(os.environ.get("CLASSICSEG_DATA", Path(__file__).parents[3] / "shared" / "data")) / "camvid"
SIZE, VOID = (64, 48), 255
GROUPS = np.array([0, 1, 1, 2, 2, 3, 1, 1, VOID, VOID, VOID])  # sky, what is built, ground, trees; what moves is void
N_LABELS = 4


def street_scenes(split):
    images, truths = [], []
    for file in sorted((ROOT / split).glob("*.png")):
        image = np.asarray(Image.open(file).convert("RGB").resize(SIZE, Image.Resampling.BOX), np.float32) / 255
        truth = Image.open(ROOT / f"{split}_labels" / file.name).resize(SIZE, Image.Resampling.NEAREST)
        images.append(np.moveaxis(image, -1, 0))
        truths.append(np.asarray(truth, np.int64))
    if not images:
        pytest.skip("the street scenes, which may not be shipped, are not here")
    labels = np.stack(truths)
    grouped = np.where(labels < len(GROUPS), GROUPS[np.minimum(labels, len(GROUPS) - 1)], VOID)
    return torch.tensor(np.stack(images)), torch.tensor(grouped)


def tiny_network():
    layers, n_channels = [], 3
    for dilation in (1, 2, 4):
        layers += [torch.nn.Conv2d(n_channels, 16, 3, padding=dilation, dilation=dilation)]
        layers += [torch.nn.GroupNorm(4, 16), torch.nn.ReLU()]
        n_channels = 16
    return torch.nn.Sequential(*layers, torch.nn.Conv2d(16, N_LABELS, 1))


def train(network, crf, images, truths, n_steps, rate):
    model = network if crf is None else ct.CRFasRNN(network, crf)
    groups = [{"params": network.parameters()}]
    if crf is not None:
        groups.append({"params": crf.parameters(), "lr": 10 * rate})
    optimiser = torch.optim.Adam(groups, rate)
    order = torch.Generator().manual_seed(1)
    for _ in range(n_steps):
        some = torch.randint(len(images), (6,), generator=order)
        loss = torch.nn.functional.cross_entropy(model(images[some]), truths[some], ignore_index=VOID)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def test_a_crf_trained_with_the_network_beats_the_network_alone_on_images_not_seen():
    images, truths = street_scenes("train")
    unseen, wanted = street_scenes("test")
    torch.manual_seed(0)
    network = tiny_network()
    train(network, None, images, truths, 50, 0.02)
    crf = ct.DenseCRF(N_LABELS, [ct.GaussianKernel(1, 1), ct.BilateralKernel(7, 0.08, 2)], n_iter=3)
    found = {}
    for name, layer in (("alone", None), ("with", crf)):  # from the same start, with as many steps on the same images
        model = train(copy.deepcopy(network), layer, images, truths, 15, 0.005)
        with torch.no_grad():
            labels = model(unseen).argmax(1)
        found[name] = metrics.scores(labels.numpy(), wanted.numpy(), N_LABELS, ignore_label=VOID)
    assert found["with"].mean_iou > found["alone"].mean_iou + 0.01

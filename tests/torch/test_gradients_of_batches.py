"""The gradient of a batch in parts is that of the whole; what a loss asks for is computed where images are read."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

from classicseg.torch import losses, train
from classicseg.torch.train.gradients import Batch, Learner
from tests.torch.test_train import CLASSES, pictures, settings, weights


def uneven_data():
    """Pictures of which some are void almost everywhere, so that parts of a batch count differently."""
    images, labels = pictures(4)
    labels[0][2:] = 255
    labels[2][:, :30] = 255
    return train.ArrayData(images, labels, CLASSES)


def network(n_out=2):
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Dropout(0), nn.Conv2d(4, n_out, 1))
    return nn.Sequential(Scaled(), body)


class Scaled(nn.Module):
    def forward(self, image):
        return image / 255


@pytest.mark.parametrize("loss", ["ce", "dice+ce", "lovasz", "ohem", "dice+boundary"])
@pytest.mark.parametrize("accumulate", [2, 3])
def test_parts_of_a_batch_learn_what_the_whole_does(loss, accumulate):
    trained = []
    for parts in (1, accumulate):
        model = network()
        report = train.fit(
            model, uneven_data(), loss=loss, settings=settings(batch_size=4, accumulate=parts, optimizer="sgd", lr=0.1)
        )
        trained.append((weights(model), [epoch.loss for epoch in report.history]))
    torch.testing.assert_close(trained[0][0], trained[1][0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(trained[0][1], trained[1][1], rtol=1e-5)
    assert (trained[0][0] - weights(network())).abs().max() > 1e-3


def test_the_mean_of_parts_would_be_something_else():
    images, labels = pictures(4)
    labels[0][2:], labels[1][2:] = 255, 255
    model, loss = network(), losses.build("ce")
    batch = Batch.of([(image, label, None) for image, label in zip(images, labels, strict=True)])
    gradients = []
    for parts in (1, 2):
        model.zero_grad()
        Learner(model, loss, settings(batch_size=4)).learn(batch, [0] * parts, torch.enable_grad, lambda x: x)
        gradients.append(model[1][3].weight.grad.clone())
    model.zero_grad()
    for half in (slice(0, 2), slice(2, 4)):
        part = Batch(batch.images[half], batch.labels[half], None)
        Learner(model, loss, settings()).learn(part, [0], torch.enable_grad, lambda x: x / 2)
    torch.testing.assert_close(gradients[0], gradients[1])
    assert (model[1][3].weight.grad - gradients[0]).abs().max() > 0.01 * gradients[0].abs().max()


def test_dropout_and_running_statistics_see_each_part_once():
    model = nn.Sequential(Scaled(), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 2, 1))
    seen = []
    model[3].register_forward_hook(lambda module, given, result: seen.append((result == 0).clone()))
    images, labels = pictures(4)
    batch = Batch.of([(image, label, None) for image, label in zip(images, labels, strict=True)])
    Learner(model, losses.build("dice"), settings()).learn(batch, [3, 4], torch.enable_grad, lambda x: x)
    assert torch.equal(seen[0], seen[2])  # once without a graph, once with it
    assert torch.equal(seen[1], seen[3])
    assert not torch.equal(seen[0], seen[1])
    assert model[2].num_batches_tracked == 2
    assert model[2].running_mean.abs().max() > 0


def test_auxiliary_heads_and_one_channel_in_parts():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.aux = network(1), nn.Conv2d(3, 1, 1)

        def forward(self, image):
            return {"out": self.body(image), "aux": self.aux(image / 255)}

    trained = []
    for parts in (1, 2):
        torch.manual_seed(1)
        model = Both()
        train.fit(model, uneven_data(), loss="dice+ce", settings=settings(batch_size=4, accumulate=parts))
        trained.append(weights(model))
    torch.testing.assert_close(*trained, rtol=1e-5, atol=1e-6)
    assert train.predict(model, pictures(1)[0][0]).shape == (2, 24, 32)
    assert len(train.evaluate(model, uneven_data()).iou) == 2


def test_distances_are_computed_where_images_are_read(monkeypatch):
    known = losses.build("dice+boundary")
    results = []
    for loss in (known, lambda z, y: known(z, y)):
        model = network()
        train.fit(model, uneven_data(), loss=loss, settings=settings())
        results.append(weights(model))
    torch.testing.assert_close(*results, rtol=1e-6, atol=1e-8)
    calls = []
    monkeypatch.setattr(
        losses.BoundaryLoss, "maps", lambda self, labels, n: calls.append(1) or torch.zeros(n, *labels.shape)
    )
    train.fit(network(), uneven_data(), loss="dice+boundary", settings=settings(n_epochs=1, n_workers=2))
    assert len(calls) == 4  # one for each image, none in the loss


def test_two_classes_are_one_channel_if_wished(tmp_path):
    data = uneven_data()
    model = train.Model("unet", CLASSES, width=0.03, sigmoid=True)
    train.fit(model, data, loss="focal", settings=settings())
    model.save(tmp_path / "m.pt")
    again = train.Model.load(tmp_path / "m.pt")
    assert again.network.n_labels == 1
    image = data[1][0]
    logits = again.predict(image, flips=True, window=(16, 20))
    assert logits.shape == (2, 24, 32)
    z = again(torch.tensor(image).permute(2, 0, 1)[None].float())[0].detach()
    np.testing.assert_allclose(again.predict(image), torch.cat([-z, z]).numpy() / 2)
    with pytest.raises(ValueError, match="sigmoid=True is for 2 classes, got 3"):
        train.Model("unet", ["a", "b", "c"], sigmoid=True)
    three = train.ArrayData(*pictures(2), ["a", "b", "c"])
    with pytest.raises(ValueError, match="the network has one channel, for 2 classes, but the data have 3 classes"):
        train.evaluate(model, three)

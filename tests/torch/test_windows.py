"""Predictions of windows and of mirror images."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from classicseg.errors import InputError
from classicseg.torch import train
from tests.strategies.folders import images


def pointwise():
    """A network that sees each pixel for itself: parts of an image are seen as the whole is."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.Tanh(), torch.nn.Conv2d(4, 3, 1))
    with torch.no_grad():
        network[0].weight.mul_(0.01)
    return network


@pytest.mark.parametrize("window", [(24, 32), (100, 100), (7, 9), (8, 32), (1, 1), (23, 31)])
@pytest.mark.parametrize("flips", [False, True])
def test_where_pixels_are_seen_alone_windows_and_flips_change_nothing(window, flips):
    torch.manual_seed(0)
    network, image = pointwise(), images()[0]
    whole = torch.from_numpy(train.predict(network, image)).log_softmax(0)
    parts = train.predict(network, image, window=window, flips=flips)
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_borders_of_windows_count_least():
    """A network that is wrong at borders of what it sees is right inside of the photo."""

    class Wrong(torch.nn.Module):
        def forward(self, x):
            at_border = torch.ones_like(x[:, :1])
            at_border[:, :, 1:-1, 1:-1] = 0
            return 4 * torch.cat([0.5 - at_border, at_border - 0.5], 1)

    labels = train.predict(Wrong(), np.zeros((40, 50, 3), np.uint8), window=(16, 16)).argmax(0)
    assert not labels[1:-1, 1:-1].any()
    assert labels[0].all()


def test_each_half_is_seen_by_two_windows():
    from classicseg.torch.train.windows import _starts

    for n in range(1, 40):
        for m in range(1, n + 1):
            starts = _starts(n, m)
            assert starts[0] == 0
            assert starts[-1] == n - m
            assert all(0 < b - a <= max(1, m // 2 + 1) for a, b in itertools.pairwise(starts))


def test_what_does_not_go_together_is_said():
    model = train.Model("unet", ["a", "b"], width=0.03, size=(16, 16))
    with pytest.raises(InputError, match=r"window: this model sees images in the size \(16, 16\)"):
        model.predict(images()[0], window=(16, 16))
    with pytest.raises(InputError, match="window must be a height and a width"):
        train.predict(pointwise(), images()[0], window=(16,))

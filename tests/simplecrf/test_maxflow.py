"""The minimum cuts of SimpleCRF: minima of its energy, found by trying all labellings."""

import itertools

import numpy as np
import pytest

from classicseg.errors import InputError
from classicseg.simplecrf import maxflow


def least(image, p, lamda, sigma, fixed=None):
    """The labelling of least energy, term by term; `fixed` holds a label or -1 for each pixel."""
    shape, best = p.shape[:-1], (np.inf, None)
    values = image.reshape(*shape, -1).astype(np.float64)
    for labels in itertools.product((0, 1), repeat=int(np.prod(shape))):
        x = np.reshape(labels, shape)
        if fixed is not None and ((fixed >= 0) & (fixed != x)).any():
            continue
        total = 0.0
        for i in np.ndindex(shape):
            total -= 0 if fixed is not None and fixed[i] >= 0 else np.log(p[(*i, x[i])])
            for axis in range(len(shape)):
                j = tuple(n + (axis == k) for k, n in enumerate(i))
                if j[axis] < shape[axis] and x[i] != x[j]:
                    total += lamda * np.exp(-((values[i] - values[j]) ** 2).sum() / (2 * sigma**2))
        best = min(best, (total, labels))
    return np.reshape(best[1], shape)


def case(shape, seed, n_channels=None):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.02, 0.98, shape)
    image = rng.normal(0, 10, shape if n_channels is None else (*shape, n_channels)).astype(np.float32)
    return image, np.stack([1 - p, p], axis=-1).astype(np.float32)


@pytest.mark.parametrize("n_channels", [None, 3])
def test_labels_are_the_minimum(n_channels):
    for seed in range(4):
        image, p = case((3, 3), seed, n_channels)
        labels = maxflow.maxflow2d(image, p, (1.5, 12.0))
        assert labels.dtype == np.int8
        np.testing.assert_array_equal(labels, least(image, p, 1.5, 12.0))
        image, p = case((2, 2, 2), seed, n_channels)
        np.testing.assert_array_equal(maxflow.maxflow3d(image, p, (1.5, 12.0)), least(image, p, 1.5, 12.0))


@pytest.mark.parametrize("lamda", [0.0, 1.5, 60.0])
def test_marks_hold_whatever_the_smoothing(lamda):
    image, p = case((3, 3), 5)
    marks = np.zeros((3, 3, 2), np.uint8)
    marks[0, 0] = 1, 1
    marks[0, 2, 0] = marks[2, 1, 1] = 255
    fixed = np.array([[0, -1, 0], [-1, -1, -1], [-1, 1, -1]])
    labels = maxflow.interactive_maxflow2d(image, p, marks, (lamda, 12.0))
    np.testing.assert_array_equal(labels, least(image, p, lamda, 12.0, fixed))
    volume = maxflow.interactive_maxflow3d(image[None], p[None], marks[None], (lamda, 12.0))
    np.testing.assert_array_equal(volume[0], labels)


def test_undecided_pixels_are_foreground_and_probabilities_of_0_rule_out():
    flat = np.zeros((2, 3))
    np.testing.assert_array_equal(maxflow.maxflow2d(flat, np.full((2, 3, 2), 0.5), (1.0, 1.0)), 1)
    p = np.full((2, 3, 2), [0.3, 0.7])
    p[0, 1] = 1, 0
    assert maxflow.maxflow2d(flat, p, (0.1, 1.0)).tolist() == [[1, 0, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"P": np.ones((4, 5, 3))}, "P must have a channel for background"),
        ({"P": np.zeros((4, 5, 2))}, r"P must leave a label at each pixel.* at \(0, 0\)"),
        ({"I": np.zeros((5, 4))}, "I of shape"),
        ({"S": np.zeros((5, 4, 2))}, "S must have the shape of P"),
        ({"param": (1.0,)}, r"param must be \(lambda, sigma\)"),
        ({"param": (-1.0, 1.0)}, "lambda of param must be at least 0"),
        ({"param": (1.0, 0.0)}, "sigma of param must be positive"),
    ],
)
def test_what_cannot_work_is_named(change, message):
    good = {"I": np.zeros((4, 5)), "P": np.ones((4, 5, 2)), "S": np.zeros((4, 5, 2)), "param": (1.0, 1.0)}
    with pytest.raises(InputError, match=message):
        maxflow.interactive_maxflow2d(**(good | change))

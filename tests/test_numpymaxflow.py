"""The interface of numpymaxflow: minima of its energy, found by trying all labellings."""

import itertools

import numpy as np
import pytest

from classicseg import numpymaxflow
from classicseg.errors import InputError, InputTypeError

STEPS = {  # from a pixel to those that numpymaxflow joins it with
    4: [(1, 0), (0, 1)],
    8: [(1, 0), (0, 1), (1, 1)],
    6: [(1, 0, 0), (0, 1, 0), (0, 0, 1)],
    18: [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1)],
    26: [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1), (1, 1, 1)],
}


def energies(image, prob, lamda, sigma, connectivity):
    """Of all labellings, as the formula says: pixel by pixel, pair by pair."""
    shape = prob.shape[1:]
    costs = -np.log(np.maximum(prob.astype(np.float64), np.finfo(np.float32).eps))
    for labels in itertools.product((0, 1), repeat=int(np.prod(shape))):
        x = np.reshape(labels, shape)
        total = 0.0
        for i in np.ndindex(shape):
            total += costs[(x[i], *i)]
            for step in STEPS[connectivity]:
                j = tuple(np.add(i, step))
                if all(a < n for a, n in zip(j, shape, strict=True)) and x[i] != x[j]:
                    distance = sum((float(c[i]) - float(c[j])) ** 2 for c in image)
                    total += lamda * np.exp(-distance / (2 * sigma**2))
        yield total, x


def case(shape, seed, n_channels=1):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.02, 0.98, shape)
    return rng.normal(0, 10, (n_channels, *shape)).astype(np.float32), np.stack([1 - p, p]).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "connectivity"), [((3, 3), 4), ((3, 3), 8), ((2, 2, 2), 6), ((2, 2, 2), 18), ((2, 2, 2), 26)]
)
def test_labels_are_the_minimum(shape, connectivity):
    for seed in range(4):
        image, prob = case(shape, seed, n_channels=1 + seed % 2)
        _, best = min(energies(image, prob, 1.5, 12.0, connectivity), key=lambda pair: pair[0])
        labels = numpymaxflow.maxflow(image, prob, 1.5, 12.0, connectivity)
        assert labels.dtype == np.float32
        np.testing.assert_array_equal(labels, best[None])


def test_seeds_are_probabilities_of_nothing_else():
    image, prob = case((3, 3), 1)
    seed = np.zeros((2, 3, 3), np.uint8)
    seed[:, 0, 0] = seed[0, 1, 2] = seed[1, 2, 0] = 1  # the first pixel is marked as both
    kept = prob.copy()
    sure = prob.copy()
    sure[:, 0, 0] = sure[:, 1, 2] = 1, 0
    sure[:, 2, 0] = 0, 1
    for lamda in (1.0, 50.0):  # so strong that seeds are outvoted
        _, best = min(energies(image, sure, lamda, 12.0, 4), key=lambda pair: pair[0])
        labels = numpymaxflow.maxflow_interactive(image, prob, seed, lamda, 12.0)
        np.testing.assert_array_equal(labels, best[None])
    np.testing.assert_array_equal(prob, kept)


def test_no_connectivity_is_the_smallest():
    image, prob = case((8, 9), 2)
    np.testing.assert_array_equal(
        numpymaxflow.maxflow(image, prob, 2.0, 5.0), numpymaxflow.maxflow(image, prob, 2.0, 5.0, connectivity=4)
    )


def test_undecided_pixels_are_foreground():
    flat = np.zeros((1, 2, 3))
    np.testing.assert_array_equal(numpymaxflow.maxflow(flat, np.full((2, 2, 3), 0.5), 1.0, 1.0), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prob": np.ones((3, 4, 5))}, r"prob must have shape \(2, H, W\)"),
        ({"image": np.ones((1, 4, 6))}, "image of shape"),
        ({"prob": -np.ones((2, 4, 5))}, "prob must not be negative"),
        ({"seed": np.ones((2, 5, 4))}, "seed must have the shape of prob"),
        ({"lamda": -1}, "lamda must be at least 0"),
        ({"sigma": 0}, "sigma must be positive"),
        ({"connectivity": 6}, "connectivity must be one of 0, 4, 8"),
    ],
)
def test_what_cannot_work_is_named(change, message):
    good = {"image": np.zeros((1, 4, 5)), "prob": np.ones((2, 4, 5)), "seed": np.zeros((2, 4, 5))}
    given = good | {"lamda": 1.0, "sigma": 1.0} | change
    with pytest.raises(InputError, match=message):
        numpymaxflow.maxflow_interactive(**given)


def test_words_are_no_image():
    with pytest.raises(InputTypeError, match="image must hold real numbers"):
        numpymaxflow.maxflow("photo.png", np.ones((2, 4, 5)), 1.0, 1.0)

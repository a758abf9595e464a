import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.errors import InputError
from tests.oracles import photo
from tests.strategies.images import bytes_of, equal_values

IMAGE = photo(20, 24)


def expected(image, beta=None):
    """The formula, for the directions right and down of an (H, W, C) image, in float64."""
    image = image.astype(np.float64)
    squares = {"right": (np.diff(image, axis=1) ** 2).sum(-1), "down": (np.diff(image, axis=0) ** 2).sum(-1)}
    if beta is None:
        mean = np.concatenate([s.ravel() for s in squares.values()]).mean()
        beta = 1 / (2 * mean) if mean > 0 else 0
    return {name: np.exp(-beta * s) for name, s in squares.items()}


def assert_same(weights, others, **tolerance):
    assert weights.keys() == others.keys()
    for name, w in weights.items():
        assert w.dtype == np.float32
        np.testing.assert_allclose(w, others[name], **tolerance)


@pytest.mark.slow
@given(st.integers(0, 999), st.integers(-120, 90), st.sampled_from([0.0, 1e5, -3e8]))
@settings(max_examples=30, deadline=None)
def test_weights_are_the_formula_at_every_scale_and_offset(seed, exponent, offset):
    image = np.random.default_rng(seed).integers(0, 256, (5, 6, 3))
    moved = (image + offset) * 2.0**exponent
    assert_same(cs.contrast_weights(moved, connectivity=4), expected(image), rtol=2e-3, atol=1e-6)


@pytest.mark.slow
@given(bytes_of((5, 6, 3)), st.integers(-50, 50))
@settings(max_examples=20, deadline=None)
def test_a_beta_of_the_user_is_in_the_units_of_the_image(image, exponent):
    beta = 1e-4 * 4.0**-exponent
    found = cs.contrast_weights(image * 2.0**exponent, beta=beta, connectivity=4)
    assert_same(found, expected(image, 1e-4), rtol=1e-5, atol=1e-7)


@given(bytes_of((5, 6, 3)))
@settings(max_examples=10, deadline=None)
def test_equal_values_have_equal_weights_whatever_their_dtype_and_layout(image):
    weights = cs.contrast_weights(image)
    for same, axis in equal_values(image):
        assert_same(cs.contrast_weights(same, channel_axis=axis), weights, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (np.float32([[[0], [1e20]], [[2e20], [3]]]), {}),
        ([[[0], [1e25]], [[2e25], [3]]], {}),
        ([[[-3.4e38], [3.4e38]], [[0], [3]]], {}),
        ([[[-3.4e38], [3.4e38]], [[0], [3]]], {"beta": 0.0}),
        ([[[-3.4e38], [3.4e38]], [[0], [3]]], {"beta": 1e300}),
        ([[[-3.4e38], [3.4e38]], [[0], [3]]], {"beta": 1e-300}),
        ([[[1e-40], [2e-40]], [[0], [3e-42]]], {}),
        ([[[1.0], [2]], [[0], [3]]], {"beta": 1e300}),
        ([[[1.0], [2]], [[0], [3]]], {"spacing": 1e-30}),
    ],
)
def test_weights_are_finite(image, options):
    for w in cs.contrast_weights(image, **options).values():
        assert np.isfinite(w).all()
        assert (w >= 0).all()


def test_spacings_that_float32_cannot_divide_by_are_refused():
    with pytest.raises(InputError, match=r"spacing must be between 1e-30 and 1e\+30, got 1e-46"):
        cs.contrast_weights(IMAGE, spacing=1e-46)


@pytest.mark.parametrize("missing", [-9999, -3.4e38, 1e20])
def test_no_data_has_no_part_in_the_automatic_beta(missing):
    image = IMAGE.astype(np.float64)
    image[:, :5] = missing
    weights = cs.contrast_weights(image, connectivity=4)
    for name, w in cs.contrast_weights(IMAGE[:, 5:], connectivity=4).items():
        np.testing.assert_allclose(weights[name][:, 5:], w, rtol=1e-5)
    assert (weights["right"][:, 4] < 1e-6).all()


def test_a_hot_pixel_has_no_part_in_it_either():
    image = IMAGE.astype(np.uint16)
    image[3, 4] = 65535
    right, usual = (cs.contrast_weights(i, connectivity=4)["right"] for i in (image, IMAGE))
    np.testing.assert_allclose(right[5:], usual[5:], rtol=0.05, atol=1e-3)


def test_an_image_of_two_values_has_contrast_even_if_one_of_them_often_means_no_data():
    weights = cs.contrast_weights(np.where(np.arange(6) < 3, -9999, 5), channel_axis=None)
    assert weights["right"].round(3).tolist() == [1, 1, pytest.approx(np.exp(-2.5), abs=1e-3), 1, 1]

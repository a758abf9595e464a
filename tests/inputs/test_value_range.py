import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicseg.inputs import value_range
from tests.oracles import photo
from tests.strategies.images import NO_DATA, bytes_of, equal_values


@given(bytes_of((9, 10, 3)))
@settings(max_examples=20, deadline=None)
def test_equal_values_have_one_range_whatever_their_dtype_and_layout(image):
    assert {value_range(*same) for same in equal_values(image)} == {value_range(image, -1)}


@given(bytes_of((9, 10)), st.integers(-60, 60), st.integers(-1000, 1000))
@settings(max_examples=30, deadline=None)
def test_the_range_follows_scale_and_offset(image, exponent, offset):
    low, high = value_range(image, None)
    assert value_range((image + float(offset)) * 2.0**exponent, None) == pytest.approx(
        ((low + offset) * 2.0**exponent, (high + offset) * 2.0**exponent)
    )


@given(bytes_of((9, 10)), st.integers(0, 89), st.floats(-1e-3, 1e-3))
@settings(max_examples=30, deadline=None)
def test_it_changes_no_more_than_the_values_do(image, pixel, change):
    moved = image.astype(float)
    moved.reshape(-1)[pixel] += change
    for before, after in zip(value_range(image, None), value_range(moved, None), strict=True):
        assert abs(after - before) <= abs(change) + 1e-12


@pytest.mark.parametrize("missing", NO_DATA)
@pytest.mark.parametrize("share", [0.01, 0.4, 0.95])
def test_no_data_does_not_count(missing, share):
    image = np.random.default_rng(0).normal(300, 40, (60, 70))
    holes = np.random.default_rng(1).random(image.shape) < share
    expected = value_range(image[~holes][None], None)
    assert value_range(np.where(holes, missing, image), None) == pytest.approx(expected)


def test_a_hot_pixel_says_nothing_of_the_rest():
    for shape in ((12, 16), (40, 50), (300, 400)):
        image = photo(*shape).astype(np.uint16)
        low, high = value_range(image, -1)
        image[3, 4] = 65535
        image[5, 2] = 0
        assert value_range(image, -1) == pytest.approx((low, high), abs=12)


def test_the_range_of_a_large_image_is_that_of_all_channels():
    """Strides that share a factor with the number of channels or columns would see some of them only."""
    for shape in ((1024, 1024, 3), (1000, 1024, 4), (1, 400_000, 4)):
        image = np.zeros(shape, np.float32)
        image[..., -1] = np.linspace(0, 100, shape[1])
        image[..., 0] = -np.linspace(0, 50, shape[1])
        assert value_range(image, -1) == pytest.approx((-50, 100), rel=0.05)


def test_constant_and_tiny_images():
    assert value_range(np.full((4, 5), 7), None) == (7, 7)
    assert value_range(np.array([[False, True]]), None) == (0, 1)
    assert value_range(np.array([[np.nan, -9999]]), None) == (0, 0)
    speck = np.zeros((40, 50))
    speck[3, 4] = 8
    low, high = value_range(speck, None)
    assert 0 < high - low <= 8

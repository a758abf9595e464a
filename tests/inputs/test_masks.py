import numpy as np
import pytest

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError

MASK = np.array([[True, False, True], [True, True, False]])


@pytest.mark.parametrize(
    "given",
    [
        MASK,
        MASK.tolist(),
        MASK.astype(np.uint8),
        255 * MASK.astype(np.uint8),
        MASK.astype(np.float32),
        MASK.astype(">i4"),
        np.asfortranarray(MASK),
        np.repeat(MASK, 2, axis=1)[:, ::2],
    ],
)
def test_masks_come_as_booleans_and_as_what_stands_for_them(given):
    read = inputs.as_mask(given, (2, 3))
    assert read.dtype == bool
    assert read.flags.c_contiguous
    np.testing.assert_array_equal(read, MASK)


def test_a_mask_of_everything_is_none():
    for everything in (np.ones((2, 3), bool), np.ones((2, 3)), np.full((2, 3), 255)):
        assert inputs.as_mask(everything, (2, 3)) is None


@pytest.mark.parametrize(
    ("mask", "error", "words"),
    [
        (MASK.T, InputError, r"mask must have shape \(2, 3\), got \(3, 2\)"),
        (MASK & False, InputError, "mask is False everywhere: no pixel takes part"),
        (2 * MASK, InputError, r"mask must hold booleans, or 0 and 1, or 0 and 255, got 2 at pixel \(0, 0\)"),
        (np.where(MASK, 255, [[0, 1, 0], [0, 0, 0]]), InputError, r"got 1 at pixel \(0, 1\)"),
        (MASK * 0.5, InputError, "got 0.5"),
        (MASK * np.nan, InputError, "got nan"),
        (np.ma.masked_array(MASK, ~MASK), InputError, "masked"),
        (MASK.astype(str), InputTypeError, "real numbers"),
        (MASK * 1j, InputTypeError, "real numbers"),
    ],
)
def test_what_is_no_mask_is_refused(mask, error, words):
    with pytest.raises(error, match=words):
        inputs.as_mask(mask, (2, 3))


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">f4", "i4", "u1"])
@pytest.mark.parametrize("label_axis", [0, 1, -1])
def test_outside_is_0_whatever_stood_there(dtype, label_axis):
    values = np.moveaxis(np.arange(1, 13).reshape(2, 2, 3).astype(dtype), 0, label_axis)
    if values.dtype.kind == "f":
        np.moveaxis(values, label_axis, 0)[1, ~MASK] = np.nan
    filled, inside = inputs.without_outside(values, MASK, label_axis, name="values")
    np.testing.assert_array_equal(inside, MASK)
    assert filled.dtype == values.dtype.newbyteorder("=")
    np.testing.assert_array_equal(
        np.moveaxis(filled, label_axis, 0), np.arange(1, 13).reshape(2, 2, 3) * MASK.astype(int)
    )


def test_probabilities_outside_are_those_of_the_first_label():
    p = np.full((2, 2, 3), 0.5)
    p[:, ~MASK] = np.nan
    filled, _ = inputs.probabilities_inside(p, MASK)
    np.testing.assert_array_equal(filled[:, ~MASK], [[1, 1], [0, 0]])
    np.testing.assert_array_equal(filled[:, MASK], 0.5)
    assert np.isnan(p).any()


@pytest.mark.parametrize("channel_axis", [None, -1, 0, 1])
def test_outside_has_the_colour_of_the_first_pixel_inside(channel_axis):
    gray = np.array([[7, 99, 3], [4, 5, 99]], np.uint8)
    image = gray if channel_axis is None else np.stack([gray, 2 * gray], axis=channel_axis)
    filled = inputs.image_inside(image, MASK, channel_axis)
    expected = np.where(MASK, gray, 7)
    expected = expected if channel_axis is None else np.stack([expected, 2 * expected], axis=channel_axis)
    assert filled.dtype == np.uint8
    np.testing.assert_array_equal(filled, expected)


def test_labels_outside_may_be_anything():
    labels = np.where(MASK, 1, -1)
    np.testing.assert_array_equal(inputs.as_labels(labels, (2, 3), 2, mask=MASK), MASK.astype(int))
    with pytest.raises(InputError, match="labels must be 0 to 1, got 5"):
        inputs.as_labels(np.where(MASK, 5, 0), (2, 3), 2, mask=MASK)


@pytest.mark.parametrize(("read", "infinity"), [(inputs.as_unary, np.inf), (inputs.as_logits, -np.inf)])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8"])
def test_infinity_of_one_sign_is_legal(read, infinity, dtype):
    values = np.array([[1, infinity, 2], [0, 3, infinity]], dtype)
    np.testing.assert_array_equal(read(values), values.astype(np.float32))
    with pytest.raises(InputError, match=f"must be finite.*only \\{infinity:+} may be infinite"):
        read(-values)
    with pytest.raises(InputError, match=r"all labels at pixel \(0,\): all of them are forbidden"):
        read(np.array([[infinity, 0], [infinity, 0]], dtype))

import numpy as np
import pytest

import classicseg as cs
from classicseg import inputs, metrics, plot
from classicseg.errors import BudgetError, InputError, InputTypeError
from classicseg.machine.memory import check_memory

ARRAY = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "variant",
    [
        ARRAY,
        ARRAY.astype(np.float16),
        ARRAY.astype(">f4"),
        ARRAY.astype(np.uint8),
        ARRAY.astype(np.int64),
        np.asfortranarray(ARRAY),
        ARRAY.repeat(2, axis=2)[..., ::2],
        ARRAY.tolist(),
        np.ma.masked_array(ARRAY),
    ],
)
def test_any_layout_and_dtype_becomes_contiguous_float32(variant):
    array = inputs.as_unary(variant)
    assert array.dtype == np.float32
    assert array.dtype.isnative
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(array, ARRAY)


def test_right_arrays_are_not_copied_and_others_not_changed():
    right = ARRAY.astype(np.float32)
    assert np.shares_memory(inputs.as_unary(right), right)
    other = ARRAY.copy()
    other.setflags(write=False)
    inputs.as_unary(other)
    np.testing.assert_array_equal(other, ARRAY)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (np.array([[1, np.nan], [0, 0]]), InputError, ["thing", "finite", "nan", "(0, 1)"]),
        (np.array([[1, -np.inf], [0, 0]]), InputError, ["thing", "finite", "-inf", "only +inf may be infinite"]),
        (np.array([[1, np.inf], [0, np.inf]]), InputError, ["thing", "finite", "pixel (1,)", "forbidden"]),
        (np.array([[1, np.inf], [1e300, 0]]), InputError, ["thing", "float32", "(1, 0)"]),
        (np.array([[1e300, 0], [0, 0]]), InputError, ["thing", "float32"]),
        (np.zeros((2, 0)), InputError, ["thing", "empty", "(2, 0)"]),
        (np.zeros(3), InputError, ["thing", "spatial axis", "(3,)"]),
        (np.zeros((1, 4)), InputError, ["thing", "2 labels"]),
        (np.zeros((2, 2), complex), InputTypeError, ["thing", "complex"]),
        (np.zeros((2, 2), object), InputTypeError, ["thing", "object"]),
        (np.zeros((2, 2), bool), InputTypeError, ["thing", "bool"]),
        ("text", InputTypeError, ["thing"]),
        (None, InputTypeError, ["thing"]),
        ([[1, 2], [3]], InputError, ["thing"]),
        (np.ma.masked_array(np.zeros((2, 2)), [[0, 1], [0, 0]]), InputError, ["thing", "masked"]),
    ],
)
def test_bad_arrays_raise_what_came_and_what_is_expected(value, error, words):
    with pytest.raises(error) as caught:
        inputs.as_unary(value, name="thing")
    for word in words:
        assert word in str(caught.value)


def test_marginals_must_be_probabilities():
    shape = (2, 3)
    np.testing.assert_array_equal(inputs.as_marginals(np.full(shape, 0.5), shape), 0.5)
    for bad, word in (
        (np.full(shape, 0.6), "sum"),
        (np.full((3, 3), 1 / 3), "shape"),
        ([[1.5] * 3, [-0.5] * 3], "neg"),
    ):
        with pytest.raises(InputError, match=word):
            inputs.as_marginals(bad, shape)


def test_images_name_both_shapes_and_the_axis_that_would_fit():
    image = np.zeros((4, 5, 3))
    assert inputs.as_image(image, (4, 5), -1).shape == (3, 4, 5)
    assert inputs.as_image(image[..., 0], (4, 5), None).shape == (1, 4, 5)
    assert inputs.as_image(image.transpose(2, 0, 1), (4, 5), 0).shape == (3, 4, 5)
    with pytest.raises(InputError, match=r"\(4, 5, 3\).*\(6, 5\)"):
        inputs.as_image(image, (6, 5), -1)
    with pytest.raises(InputError, match="channel_axis=None"):
        inputs.as_image(image[..., 0], (4, 5), -1)
    with pytest.raises(InputError, match="channel_axis=0"):
        inputs.as_image(image.transpose(2, 0, 1), (4, 5), -1)


def test_labels():
    labels = inputs.as_labels(np.array([0, 2], np.uint8), (2,), 3)
    assert labels.dtype == np.int32
    assert inputs.as_labels([True, False], None, 2).tolist() == [1, 0]
    assert inputs.as_labels([0, -1], None, 2, -1).tolist() == [0, -1]
    for bad, error in (([0, 3], InputError), ([0, -1], InputError), ([0.0, 1.0], InputTypeError), ([[0]], InputError)):
        with pytest.raises(error, match="labels"):
            inputs.as_labels(bad, (2,), 3)


def test_numbers():
    assert inputs.as_positive(2, "n", 3) == (2.0, 2.0, 2.0)
    assert inputs.as_positive((1, 2), "n", 2) == (1.0, 2.0)
    for bad in (0, -1, np.nan, np.inf, (1, 2), (), True, "1", None, [[1]]):
        with pytest.raises((InputError, InputTypeError), match="sigma"):
            inputs.as_positive(bad, "sigma", 3)
    assert inputs.as_weight(-2, "w") == -2
    for bad in (np.nan, "x", [1], None):
        with pytest.raises((InputError, InputTypeError), match="weight"):
            inputs.as_weight(bad, "weight")
    assert inputs.as_count(np.int64(3), "n", 0) == 3
    for bad in (-1, 1.5, True, "2", None):
        with pytest.raises((InputError, InputTypeError), match="count"):
            inputs.as_count(bad, "count", 0)


def test_memory_budget():
    check_memory(1, "a byte")
    with pytest.raises(BudgetError, match=r"the work would need .* GiB"):
        check_memory(1e18, "the work")
    with pytest.raises(MemoryError):
        check_memory(1e18, "the work")


class Hostile:
    """An object that fails when it is asked to be an array."""

    def __init__(self, error):
        self.error = error

    def __array__(self, *args, **kwargs):
        raise self.error


HOSTILE = [Hostile(KeyError("no")), Hostile(ZeroDivisionError()), [[Hostile(OSError())]], np.zeros(3, [("a", int)])]


@pytest.mark.parametrize("value", [*HOSTILE, [[1, 2], [3]], {"a"}, None, "abc"])
@pytest.mark.parametrize(
    "call",
    [
        lambda x: cs.split_and_merge(x, 9),
        lambda x: cs.split_and_merge(np.eye(4), 9, mask=x if x is not None else ""),
        lambda x: cs.segment(x, "otsu"),
        lambda x: cs.cutout(x, box=(0, 0, 2, 2)),
        lambda x: cs.cutout(np.eye(4), x),
        lambda x: cs.cutout(np.eye(4), box=x),
        lambda x: cs.cutout(np.eye(4), box=5, probable=x),
        lambda x: cs.refine(x, np.full((2, 4, 4), 0.5)),
        lambda x: cs.GridCRF(x, cs.Potts(1)),
        lambda x: cs.GridCRF(np.zeros((2, 4, 5)), x),
        lambda x: cs.GridCRF(np.zeros((2, 4, 5)), cs.Potts(1), "" if x is None else x),
        lambda x: cs.DenseCRF(np.zeros((2, 4, 5)), x),
        cs.GaussianFilter,
        lambda x: metrics.scores(x, np.eye(4, dtype=int)),
        lambda x: metrics.boundary_f_score(np.eye(4, dtype=int), x),
        metrics.scores_of,
        plot.displayable,
        plot.label_image,
        lambda x: plot.label_image([[0]], colors="" if x is None else x),
        lambda x: plot.overlay(np.eye(4), x),
        lambda x: plot.quadtree(np.eye(4), x),
        lambda x: plot.tile(x, 2),
        lambda x: plot.split_and_merge_frames(np.eye(4), x),
    ],
)
def test_whatever_is_no_array_is_an_error_of_ours(call, value):
    with pytest.raises((InputError, InputTypeError)):
        call(value)


def test_memory_errors_of_objects_stay_what_they_are():
    with pytest.raises(MemoryError):
        inputs.read(Hostile(MemoryError()), "image")

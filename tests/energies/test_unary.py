import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import zoom

import classicseg as cs
from classicseg.errors import InputError, InputTypeError
from tests.oracles import softmax

LOGITS = np.random.default_rng(0).normal(0, 3, (4, 5, 6))
P = softmax(LOGITS)


def test_probabilities_and_logits_agree():
    np.testing.assert_allclose(cs.unary_from_probabilities(P, clip=1e-12), -np.log(P), atol=1e-5)
    np.testing.assert_allclose(cs.unary_from_logits(LOGITS), -np.log(P), atol=1e-5)
    np.testing.assert_allclose(cs.unary_from_logits(LOGITS + 1e4), -np.log(P), atol=2e-3)


@given(arrays(np.float64, (3, 4), elements=st.floats(-1e4, 1e4)))
@settings(max_examples=50, deadline=None)
def test_costs_of_logits_are_normalized(logits):
    np.testing.assert_allclose(np.exp(-cs.unary_from_logits(logits).astype(float)).sum(axis=0), 1, rtol=1e-4)


def test_temperature_scale_and_clip():
    np.testing.assert_allclose(cs.unary_from_logits(LOGITS, temperature=2), -np.log(softmax(LOGITS / 2)), atol=1e-5)
    expected = -np.log(0.8 * P + 0.2 / 4)
    np.testing.assert_allclose(cs.unary_from_probabilities(P, scale=0.8), expected, atol=1e-5)
    assert cs.unary_from_probabilities([[0.0], [1.0]], clip=1e-3).max() == pytest.approx(-np.log(1e-3))


def test_label_axis():
    last = np.moveaxis(P, 0, -1)
    np.testing.assert_array_equal(cs.unary_from_probabilities(last, label_axis=-1), cs.unary_from_probabilities(P))


def test_sigmoid_of_one_channel():
    p = P[0]
    np.testing.assert_allclose(cs.unary_from_sigmoid(p), -np.log([1 - p, p]), atol=1e-5)
    z = LOGITS[0]
    expected = -np.log([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))])
    np.testing.assert_allclose(cs.unary_from_sigmoid(z, from_logits=True), expected, atol=1e-4)


def test_labels():
    unary = cs.unary_from_labels(np.array([[0, 2], [255, 1]], np.uint8), 3, confidence=0.7, ignore_label=255)
    assert unary[0, 0, 0] == pytest.approx(-np.log(0.7))
    assert unary[1, 0, 0] == pytest.approx(-np.log(0.15))
    np.testing.assert_allclose(unary[:, 1, 0], np.log(3))
    np.testing.assert_allclose(np.exp(-unary).sum(axis=0), 1, rtol=1e-5)


def test_scribbles():
    unary = cs.unary_from_scribbles(np.array([0, -1, 1]), 2)
    np.testing.assert_array_equal(unary.argmin(axis=0), [0, 0, 1])
    np.testing.assert_allclose(unary[:, 1], np.log(2))


def test_strokes_that_cannot_say_where_nothing_is_drawn_are_refused():
    drawn = np.array([0, -1, 1])
    with pytest.raises(InputError, match="uint8 cannot hold -1, which becomes 255"):
        cs.unary_from_scribbles(drawn.astype(np.uint8), 2)
    with pytest.raises(InputTypeError, match="got booleans"):
        cs.unary_from_scribbles(drawn == 1, 2)
    expected = cs.unary_from_scribbles(drawn, 2)
    np.testing.assert_array_equal(cs.unary_from_scribbles(drawn.astype(np.uint8), 2, unlabeled=255), expected)


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: cs.unary_from_probabilities(LOGITS), InputError, "logits"),
        (lambda: cs.unary_from_probabilities(P[0, 0]), InputError, "probabilities"),
        (lambda: cs.unary_from_probabilities(P[:1]), InputError, "unary_from_sigmoid"),
        (lambda: cs.unary_from_probabilities(P, clip=0), InputError, "clip"),
        (lambda: cs.unary_from_probabilities(P, scale=2), InputError, "scale"),
        (lambda: cs.unary_from_probabilities(P, label_axis=3), InputError, "label_axis"),
        (lambda: cs.unary_from_probabilities(P.astype(complex)), InputTypeError, "probabilities"),
        (lambda: cs.unary_from_logits(P * np.nan), InputError, "logits"),
        (lambda: cs.unary_from_logits(P, temperature=0), InputError, "temperature"),
        (lambda: cs.unary_from_sigmoid(LOGITS[0]), InputError, "p "),
        (lambda: cs.unary_from_sigmoid([]), InputError, "p "),
        (lambda: cs.unary_from_labels([0, 3], 3), InputError, "labels"),
        (lambda: cs.unary_from_labels([0.5], 3), InputTypeError, "labels"),
        (lambda: cs.unary_from_labels([0], 1), InputError, "n_labels"),
        (lambda: cs.unary_from_labels([0], 2, confidence=1), InputError, "confidence"),
        (lambda: cs.unary_from_scribbles([7], 2), InputError, "scribbles"),
    ],
)
def test_bad_input_raises_and_names_the_argument(call, error, word):
    with pytest.raises(error, match=word):
        call()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rounding_errors_are_forgiven(dtype):
    p = np.array([[[-1e-9, 1 + 1e-6, -1e-4]], [[1, 0, 1]]], dtype)
    assert cs.unary_from_probabilities(p).tolist() == cs.unary_from_probabilities(p.clip(0, 1)).tolist()
    assert cs.unary_from_sigmoid(p[0]).tolist() == cs.unary_from_sigmoid(p[0].clip(0, 1)).tolist()
    crf = cs.DenseCRF(np.zeros((2, 1, 3)), cs.GaussianKernel())
    assert crf.free_energy(p) == crf.free_energy(p.clip(0, 1))
    a, b = (cs.minimize(crf, init=q).marginals.tolist() for q in (p, p.clip(0, 1)))
    assert a == b


def test_overshoot_of_cubic_resampling_is_clipped_with_a_note():
    coarse = np.kron(np.eye(2), np.ones((2, 3)))[None].repeat(2, axis=0)
    coarse[1] = 1 - coarse[0]
    fine = np.stack([zoom(c, 3, order=3) for c in coarse])
    assert fine.min() < -0.01
    with pytest.warns(UserWarning, match=r"^probabilities has values from -0\.\d+ to 1\.\d+, as resampling"):
        unary = cs.unary_from_probabilities(fine)
    np.testing.assert_array_equal(unary, cs.unary_from_probabilities(fine.clip(0, 1)))
    with pytest.warns(UserWarning, match="^p has values"):
        cs.unary_from_sigmoid(fine[0])
    crf = cs.DenseCRF(np.zeros(fine.shape), cs.GaussianKernel())
    with pytest.warns(UserWarning, match="^marginals has values"):
        assert np.isfinite(crf.free_energy(fine))


def test_what_sums_to_one_along_no_axis_is_divided_by_its_sums_with_a_note():
    cams = np.array([[0.9, 0.0, 0.2], [0.6, 0.0, 0.0]])
    with pytest.warns(UserWarning, match=r"sum to 0 to 1\.5 over the labels instead of 1"):
        unary = cs.unary_from_probabilities(cams)
    np.testing.assert_allclose(np.exp(-unary), [[0.6, 0.5, 1], [0.4, 0.5, 1e-5]], atol=1e-5)


@pytest.mark.parametrize(("label_axis", "right"), [(0, 3), (1, 3), (-2, 3)])
def test_sums_along_another_axis_are_refused_with_the_right_one(label_axis, right):
    p = np.moveaxis(softmax(np.random.default_rng(1).normal(size=(3, 4, 5, 6))), 0, -1)
    with pytest.raises(InputError, match=f"along axis {right}: label_axis={label_axis % 4} does not fit; pass label_a"):
        cs.unary_from_probabilities(p, label_axis=label_axis)


def test_inputs_are_not_changed():
    p = P.astype(np.float32)
    before = p.copy()
    cs.unary_from_probabilities(p, scale=0.5)
    cs.unary_from_logits(p, temperature=3)
    np.testing.assert_array_equal(p, before)

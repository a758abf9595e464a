import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

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


def test_inputs_are_not_changed():
    p = P.astype(np.float32)
    before = p.copy()
    cs.unary_from_probabilities(p, scale=0.5)
    cs.unary_from_logits(p, temperature=3)
    np.testing.assert_array_equal(p, before)

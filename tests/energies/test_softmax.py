import numpy as np

from classicseg.energies.softmax import log_softmax, softmax

LOGITS = np.random.default_rng(0).normal(0, 5, (4, 3, 5)).astype(np.float32)


def test_probabilities_sum_to_one_and_keep_their_precision():
    p = softmax(LOGITS)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(0), 1, rtol=1e-6)
    np.testing.assert_allclose(p, np.exp(LOGITS) / np.exp(LOGITS).sum(0), rtol=1e-5)


def test_logarithms_are_those_of_the_probabilities():
    np.testing.assert_allclose(np.exp(log_softmax(LOGITS)), softmax(LOGITS), rtol=1e-5)


def test_large_and_infinite_logits_are_safe():
    logits = np.float32([[1e30, -np.inf], [1e30, 0.0]])
    np.testing.assert_array_equal(softmax(logits), [[0.5, 0], [0.5, 1]])
    np.testing.assert_allclose(log_softmax(np.float32([[0.0], [200.0]])), [[-200.0], [0.0]])

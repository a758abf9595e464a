"""Expected calibration error, against the definition of Guo et al. written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicseg import metrics
from classicseg.errors import InputError
from tests.oracles import softmax


def by_definition(p, truth, n_bins):
    """Bin by bin: the pixels whose largest probability is in ((b - 1) / n_bins, b / n_bins]."""
    flat, true = p.reshape(len(p), -1), truth.reshape(-1)
    n, error = true.size, 0.0
    for b in range(1, n_bins + 1):
        members = [i for i in range(n) if (b - 1) / n_bins < flat[:, i].max() <= b / n_bins]
        if members:
            accuracy = np.mean([flat[:, i].argmax() == true[i] for i in members])
            confidence = np.mean([float(flat[:, i].max()) for i in members])
            error += len(members) / n * abs(accuracy - confidence)
    return error


@given(st.integers(2, 4), st.integers(1, 20), st.integers(0, 10**6), st.floats(0.1, 9))
def test_it_is_what_the_paper_defines(n_labels, n_bins, seed, spread):
    rng = np.random.default_rng(seed)
    p = softmax(spread * rng.normal(size=(n_labels, 5, 6))).astype(np.float32)
    truth = rng.integers(0, n_labels, (5, 6))
    found = metrics.calibration_error(metrics.reliability(p, truth, n_bins))
    assert found == pytest.approx(by_definition(p, truth, n_bins), abs=1e-6)


def test_known_values():
    sure = np.array([[1.0, 1.0, 1.0, 1.0], [0, 0, 0, 0]])
    assert metrics.scores([0, 0, 0, 0], [0, 0, 0, 1], probabilities=sure).calibration_error == 0.25
    honest = np.array([[0.75] * 4, [0.25] * 4])
    assert metrics.scores([0, 0, 0, 0], [0, 0, 0, 1], probabilities=honest).calibration_error == 0
    assert metrics.scores([0], [0]).calibration_error is None


def test_the_ends_of_bins_are_theirs():
    table = metrics.reliability([[0.5, 1.0, 0.6], [0.5, 0.0, 0.4]], [0, 0, 0], n_bins=2)
    assert table[:, 0].tolist() == [1, 2]


def test_tables_of_several_images_add_up():
    rng = np.random.default_rng(1)
    p, truth = softmax(rng.normal(size=(3, 8, 6))), rng.integers(0, 3, (8, 6))
    parts = [metrics.reliability(p[:, i : i + 4], truth[i : i + 4]) for i in (0, 4)]
    np.testing.assert_allclose(sum(parts), metrics.reliability(p, truth))


def test_void_and_masked_pixels_do_not_count_whatever_stands_there():
    rng = np.random.default_rng(2)
    p, truth, labels = softmax(rng.normal(size=(3, 6, 6))), rng.integers(0, 3, (6, 6)), rng.integers(0, 3, (6, 6))
    inside = np.zeros((6, 6), bool)
    inside[1:4, 1:5] = True
    part = np.s_[1:4, 1:5]
    wanted = metrics.scores(labels[part], truth[part], 3, probabilities=p[:, *part])
    p[:, ~inside] = np.nan
    void, wild = np.where(inside, truth, 255), np.where(inside, truth, -7)
    outside = np.where(inside, labels, -1)
    assert metrics.scores(labels, void, ignore_label=255, probabilities=p) == wanted
    assert metrics.scores(outside, wild, mask=inside, probabilities=p) == wanted
    assert metrics.scores(outside, void, ignore_label=255, mask=inside | (rng.random((6, 6)) < 0.5), probabilities=p)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[0.5, 0.5]], [0, 0, 0]), r"probabilities must have shape \(L"),
        (([[0.9, 0.9], [0.9, 0.9]], [0, 0]), "sum to 1"),
        (([[0.5, 0.5], [0.5, 0.5]], [0, 2]), "truth"),
        (([[0.5], [0.5]], [0], 0), "n_bins"),
    ],
)
def test_errors_name_the_argument(arguments, words):
    with pytest.raises(InputError, match=words):
        metrics.reliability(*arguments)


@pytest.mark.parametrize(("table", "words"), [([[0, 0, 0]], "no scored pixel"), ([[1, 1]], "three columns")])
def test_tables_that_cannot_be_are_refused(table, words):
    with pytest.raises(InputError, match=words):
        metrics.calibration_error(table)

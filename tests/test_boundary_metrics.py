"""Scores of borders against definitions that are spelled out pixel by pixel."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicseg import metrics
from classicseg.errors import InputError

VOID = 255


def slow_border(labels, scored):
    """Pixels of the border of each label."""
    found = {}
    height, width = labels.shape
    for y, x in itertools.product(range(height), range(width)):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            inside = 0 <= v < height and 0 <= u < width
            if inside and scored[y, x] and scored[v, u] and labels[y, x] != labels[v, u]:
                found.setdefault(labels[y, x], set()).add((y, x))
    return found


def slow_boundary_f(labels, truth, n_labels, tolerance, ignore_label):
    scored = truth != ignore_label
    given, true = slow_border(labels, scored), slow_border(truth, scored)

    def share(mine, other):
        near = [min((y - v) ** 2 + (x - u) ** 2 for v, u in other) <= tolerance**2 for y, x in mine] if other else [0]
        return np.mean(near) if mine else 0

    values = []
    for label in range(n_labels):
        if not (scored & (truth == label)).any():
            continue
        a, b = given.get(label, set()), true.get(label, set())
        precision, recall = share(a, b), share(b, a)
        both = precision + recall
        values.append(1.0 if not a and not b else 2 * precision * recall / both if both else 0.0)
    return np.mean(values)


def slow_trimap(labels, truth, n_labels, width, ignore_label):
    scored = truth != ignore_label
    border = set().union(*slow_border(truth, scored).values())
    counts = np.zeros((n_labels, n_labels), int)
    for y, x in zip(*np.nonzero(scored), strict=True):
        if any((y - v) ** 2 + (x - u) ** 2 < width**2 for v, u in border):
            counts[truth[y, x], labels[y, x]] += 1
    return counts


def blobs(rng, shape, n_labels, void):
    truth = np.kron(rng.integers(0, n_labels, (shape[0] // 3 + 1, shape[1] // 3 + 1)), np.ones((3, 3), int))
    truth = truth[: shape[0], : shape[1]]
    labels = np.where(rng.random(shape) < 0.2, rng.integers(0, n_labels, shape), truth)
    return labels, np.where(rng.random(shape) < void, VOID, truth)


CASES = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.15]),
    st.sampled_from([0.5, 1, 1.5, 3, 20]),
)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_boundary_f_is_what_its_definition_says(case):
    seed, height, width, n_labels, void, tolerance = case
    labels, truth = blobs(np.random.default_rng(seed), (height, width), n_labels, void)
    if (truth == VOID).all():
        return
    expected = slow_boundary_f(labels, truth, n_labels, tolerance, VOID)
    score = metrics.boundary_f_score(labels, truth, n_labels, tolerance=tolerance, ignore_label=VOID)
    assert score == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_the_trimap_is_what_its_definition_says(case):
    seed, height, width, n_labels, void, reach = case
    labels, truth = blobs(np.random.default_rng(seed), (height, width), n_labels, void)
    if (truth == VOID).all():
        return
    counted = metrics.trimap_confusion(labels, truth, n_labels, int(np.ceil(reach)), ignore_label=VOID)
    np.testing.assert_array_equal(counted, slow_trimap(labels, truth, n_labels, int(np.ceil(reach)), VOID))


def test_a_wide_trimap_is_the_whole_image():
    labels, truth = blobs(np.random.default_rng(3), (30, 40), 3, 0.1)
    whole = metrics.confusion_matrix(labels, truth, 3, ignore_label=VOID)
    np.testing.assert_array_equal(metrics.trimap_confusion(labels, truth, 3, 100, ignore_label=VOID), whole)


def test_boundary_f_falls_as_a_border_moves_away():
    truth = np.zeros((40, 40), int)
    truth[10:30, 10:30] = 1
    values = [metrics.boundary_f_score(np.roll(truth, d, 1), truth, tolerance=2) for d in (0, 2, 4, 8)]
    assert values[0] == values[1] == 1
    assert 1 > values[2] >= values[3] > 0


def test_the_tolerance_follows_the_size_of_the_image():
    truth = np.zeros((300, 400), int)
    truth[100:200, 100:200] = 1  # 0.75 % of the diagonal of 500 is 3.75
    assert metrics.boundary_f_score(np.roll(truth, 3, 1), truth) == 1
    assert metrics.boundary_f_score(np.roll(truth, 4, 1), truth) < 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (([0, 1], [0, 1]), "must be an image"),
        (([[0, 1]], [[0, 1], [1, 1]]), "shape"),
        (([[0, 3]], [[0, 1]], 2), "labels"),
        (([[0, 1]], [[0, 2]], 2), "truth"),
        (([[0, 1]], [[VOID, VOID]], 2), "no scored pixel"),
    ],
)
def test_wrong_input_is_named(arguments, word):
    with pytest.raises(InputError, match=word):
        metrics.boundary_f_score(*arguments, ignore_label=VOID)


def test_tolerance_and_width_are_checked():
    with pytest.raises(InputError, match="tolerance"):
        metrics.boundary_f_score([[0, 1]], [[0, 1]], tolerance=-1)
    with pytest.raises(InputError, match="width"):
        metrics.trimap_confusion([[0, 1]], [[0, 1]], 2, 0)

import numpy as np
import pytest

import classicseg.pydensecrf.densecrf as dcrf
from classicseg.errors import InputError
from classicseg.pydensecrf import utils as ours

LABELS = np.random.default_rng(0).integers(0, 5, (6, 7))
P = np.random.default_rng(1).dirichlet(np.ones(4), (6, 7)).transpose(2, 0, 1)
IMAGE = np.random.default_rng(2).integers(0, 255, (6, 7, 3)).astype(np.uint8)


@pytest.mark.peer
@pytest.mark.parametrize(
    "call",
    [
        lambda u: u.unary_from_labels(LABELS, 4, 0.7),
        lambda u: u.unary_from_labels(LABELS, 5, gt_prob=0.51, zero_unsure=False),
        lambda u: u.compute_unary(LABELS, 4),
        lambda u: u.unary_from_softmax(P),
        lambda u: u.unary_from_softmax(P, scale=0.8, clip=None),
        lambda u: u.unary_from_softmax(P.reshape(4, -1)),
        lambda u: u.softmax_to_unary(P),
        lambda u: u.softmax_to_unary(P, 0.6),
        lambda u: u.create_pairwise_gaussian((3, 2), (6, 7)),
        lambda u: u.create_pairwise_gaussian((3, 2, 1), (3, 4, 5)),
        lambda u: u.create_pairwise_bilateral((5, 6), (13, 12, 11), IMAGE, chdim=2),
        lambda u: u.create_pairwise_bilateral((5, 6), 13, IMAGE, chdim=2),
        lambda u: u.create_pairwise_bilateral((5, 6), (13,), IMAGE, chdim=2),  # scales the first channel only
        lambda u: u.create_pairwise_bilateral((5, 6), (13,), IMAGE[..., 0]),
        lambda u: u.create_pairwise_bilateral((5, 6, 2), (0.5,), IMAGE.astype(float), chdim=-1),
    ],
)
def test_equal_to_pydensecrf(call):
    theirs = pytest.importorskip("pydensecrf.utils")
    answer, expected = call(ours), call(theirs)
    assert answer.dtype == np.float32
    assert answer.shape == expected.shape
    np.testing.assert_array_equal(answer, expected)


def test_unsigned_labels_with_a_zero_work():
    np.testing.assert_array_equal(
        ours.unary_from_labels(LABELS.astype(np.uint8), 4, 0.7), ours.unary_from_labels(LABELS, 4, 0.7)
    )


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: ours.unary_from_labels([0, 255], 4, 0.7), "labels"),
        (lambda: ours.unary_from_labels([0, -1], 4, 0.7, zero_unsure=False), "labels"),
        (lambda: ours.unary_from_labels([0], 0, 0.7), "n_labels"),
        (lambda: ours.unary_from_labels([0], 2, 1.0), "gt_prob"),
        (lambda: ours.unary_from_softmax(P, scale=0), "scale"),
        (lambda: ours.unary_from_softmax(-P, clip=None), "sm"),
        (lambda: ours.create_pairwise_bilateral((1, 1), 1, IMAGE, chdim=3), "chdim"),
        (lambda: ours.create_pairwise_gaussian((0, 1), (2, 2)), "sdims"),
        (lambda: ours.create_pairwise_gaussian((1, 1, 1), (2, 2)), "sdims"),
        (lambda: ours.create_pairwise_bilateral((1, 1), 0, IMAGE, chdim=2), "schan"),
        (lambda: ours.create_pairwise_bilateral((1, 1), (1, 1, 1, 1), IMAGE, chdim=2), "schan"),
    ],
)
def test_bad_input_raises_and_names_the_argument(call, word):
    with pytest.raises(InputError, match=word):
        call()


def test_inputs_are_not_changed():
    image = IMAGE.astype(np.float32)
    before = image.copy()
    ours.create_pairwise_bilateral((5, 6), 13, image, chdim=2)
    np.testing.assert_array_equal(image, before)


def test_one_label_has_finite_costs():
    costs = ours.unary_from_labels([0, 1], np.int64(1), 0.7)
    np.testing.assert_allclose(costs, [[0, -np.log(0.7)]], rtol=1e-6)


def test_too_few_deviations_scale_the_leading_axes():
    features = ours.create_pairwise_bilateral(sdims=(2, 5), schan=(1,), img=np.zeros((4, 5, 1)), chdim=-1)
    expected = np.indices((4, 5, 1)).reshape(3, -1) / np.array([[2], [5], [1]])
    np.testing.assert_allclose(features, [*expected, np.zeros(20)], rtol=1e-6)
    np.testing.assert_array_equal(ours.create_pairwise_gaussian((4,), (2, 3))[0], [0, 0, 0, 0.25, 0.25, 0.25])


def test_variables_with_nan_get_a_uniform_cost_and_a_warning():
    with pytest.warns(RuntimeWarning, match="sm holds NaN at 1 variables"):
        costs = ours.unary_from_softmax([[0.25, np.nan], [0.75, 0.5]])
    np.testing.assert_allclose(costs, -np.log([[0.25, 0.5], [0.75, 0.5]]), rtol=1e-6)
    d = dcrf.DenseCRF(2, 2)
    with pytest.warns(RuntimeWarning, match="u holds NaN at 1 variables"):
        d.setUnaryEnergy(np.array([[1, np.nan], [2, 3]], np.float32))
    np.testing.assert_allclose(d.inference(0)[:, 1], 0.5)

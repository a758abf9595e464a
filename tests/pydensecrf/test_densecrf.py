"""What scripts rely on, without the peer."""

import pickle

import numpy as np
import pytest

import classicseg.pydensecrf.densecrf as dcrf
from classicseg.errors import InputError
from tests.oracles import costs, photo


def filled(n_labels=3, height=24, width=32):
    d = dcrf.DenseCRF2D(width, height, n_labels)
    d.setUnaryEnergy(costs(n_labels, (height, width)).reshape(n_labels, -1))
    d.addPairwiseGaussian(sxy=3, compat=3)
    d.addPairwiseBilateral(sxy=40, srgb=13, rgbim=photo(height, width), compat=5)
    return d


def test_marginals_are_arrays():
    q = filled().inference(5)
    assert q.shape == (3, 24 * 32)
    assert q.dtype == np.float32
    assert np.argmax(q, axis=0).reshape(24, 32).shape == (24, 32)
    np.testing.assert_array_equal(q[1], np.array(q)[1])
    np.testing.assert_allclose(q.sum(axis=0), 1, atol=1e-5)


def test_steps_equal_inference():
    d = filled()
    q, tmp1, tmp2 = d.startInference()
    for _ in range(5):
        d.stepInference(q, tmp1, tmp2)
    np.testing.assert_allclose(q, d.inference(5), atol=1e-5)


def test_iterations_may_be_a_float_or_negative():
    d = filled()
    np.testing.assert_array_equal(d.inference(5.0), d.inference(5))
    np.testing.assert_array_equal(d.inference(-1), d.inference(0))


def test_terms_add_up_and_the_unary_can_be_set_again():
    twice, once = dcrf.DenseCRF2D(8, 6, 2), dcrf.DenseCRF2D(8, 6, 2)
    unary = costs(2, (6, 8)).reshape(2, -1)
    for _ in range(2):
        twice.setUnaryEnergy(unary)
        twice.addPairwiseGaussian(sxy=2, compat=2)
    once.setUnaryEnergy(unary)
    once.addPairwiseGaussian(sxy=2, compat=4)
    np.testing.assert_allclose(twice.inference(4), once.inference(4), atol=1e-5)


def test_one_label_is_certain():
    d = dcrf.DenseCRF2D(8, 6, 1)
    d.setUnaryEnergy(np.zeros((1, 48), np.float32))
    d.addPairwiseGaussian(sxy=2, compat=2)
    np.testing.assert_array_equal(d.inference(3), 1)


def test_width_comes_first_and_unequal_sigmas_are_x_then_y():
    d = dcrf.DenseCRF2D(30, 10, 2)
    unary = np.zeros((2, 10, 30), np.float32)
    unary[1] = 0.1
    unary[:, 5, 15] = 9, 0
    d.setUnaryEnergy(unary.reshape(2, -1))
    d.addPairwiseGaussian(sxy=(5, 0.5), compat=1)
    q = d.inference(1)[1].reshape(10, 30)
    assert q[5, 18] > q[8, 15]  # reaches along x


def test_pickling_and_subclassing():
    class Mine(dcrf.DenseCRF2D):
        pass

    d = Mine(8, 6, 2)
    d.setUnaryEnergy(costs(2, (6, 8)).reshape(2, -1))
    assert d.inference(1).shape == (2, 48)
    again = pickle.loads(pickle.dumps(filled()))
    np.testing.assert_array_equal(again.inference(2), filled().inference(2))


def test_any_layout_and_dtype_and_nothing_is_changed():
    unary, image = costs(3, (24, 32)).reshape(3, -1).astype(np.float64), photo(24, 32)
    expected = filled().inference(5)
    variants = [(np.asfortranarray(unary), image[:, ::-1][:, ::-1]), (unary.astype(">f4"), image.astype(np.int64))]
    for u, im in variants:
        u.setflags(write=False)
        im.setflags(write=False)
        before = u.copy(), im.copy()
        d = dcrf.DenseCRF2D(32, 24, 3)
        d.setUnaryEnergy(u)
        d.addPairwiseGaussian(3, 3)
        d.addPairwiseBilateral(40, 13, im, 5)
        np.testing.assert_allclose(d.inference(5), expected, atol=1e-6)
        np.testing.assert_array_equal(u, before[0])
        np.testing.assert_array_equal(im, before[1])


def test_arrays_may_change_after_they_were_added():
    image, unary, features = photo(24, 32), costs(3, (24, 32)).reshape(3, -1), np.random.default_rng(0).random((2, 768))
    answers = []
    for change in (False, True):
        d = dcrf.DenseCRF2D(32, 24, 3)
        d.setUnaryEnergy(unary)
        d.addPairwiseEnergy(features, 3)
        d.addPairwiseBilateral(40, 13, image, 5)
        if change:
            image[:], unary[:], features[:] = 0, 1, 2
        answers.append(d.inference(5))
    np.testing.assert_array_equal(*answers)


def test_infinite_costs_rule_labels_out():
    unary = costs(3, (24, 32)).reshape(3, -1)
    unary[0, :100] = np.inf
    unary[1:, 100:200] = np.inf
    d = filled()
    d.setUnaryEnergy(unary)
    q = d.inference(5)
    assert not q[0, :100].any()
    np.testing.assert_array_equal(q[0, 100:200], 1)
    np.testing.assert_allclose(q.sum(axis=0), 1, atol=1e-5)


def test_sizes_may_be_quotients():
    d = dcrf.DenseCRF2D(16 / 2, 13 / 2, 2.0)
    d.setUnaryEnergy(costs(2, (6, 8)).reshape(2, -1))
    assert d.inference(1).shape == (2, 48)


def test_unary_classes():
    weights, features = np.eye(2, 3, dtype=np.float32), np.ones((3, 48), np.float32)
    d, e = dcrf.DenseCRF2D(8, 6, 2), dcrf.DenseCRF2D(8, 6, 2)
    d.setUnary(dcrf.LogisticUnary(weights, features))
    e.setUnaryEnergy(weights, features)
    np.testing.assert_array_equal(d.inference(0), e.inference(0))
    constant = dcrf.ConstUnary(weights @ features)
    for crf in (d, e):  # the same object serves again and again
        crf.setUnary(constant)
        np.testing.assert_allclose(crf.inference(0), 0.5)


def test_enums():
    assert dcrf.KernelType.DIAG_KERNEL == dcrf.DIAG_KERNEL == 1
    assert [n.value for n in dcrf.NormalizationType] == [0, 1, 2, 3]
    assert dcrf.NORMALIZE_SYMMETRIC == 3


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda d: d.setUnaryEnergy(np.zeros((3, 48), np.float32)), "shape"),
        (lambda d: d.setUnaryEnergy(np.zeros((2, 6, 8), np.float32)), "axes"),
        (lambda d: d.addPairwiseGaussian(sxy=0, compat=3), "sxy"),
        (lambda d: d.addPairwiseGaussian(sxy=(3, -1), compat=3), "sxy"),
        (lambda d: d.addPairwiseGaussian(sxy=3, compat=[1, 2, 3]), "compat"),
        (lambda d: d.addPairwiseGaussian(sxy=3, compat=np.inf), "compat"),
        (lambda d: d.addPairwiseGaussian(sxy=3, compat=3, kernel=7), "kernel"),
        (lambda d: d.addPairwiseGaussian(sxy=3, compat=3, normalization=4), "normalization"),
        (lambda d: d.addPairwiseBilateral(80, 13, np.zeros((8, 6, 3), np.uint8), 10), "rgbim"),
        (lambda d: d.addPairwiseBilateral(80, 0, np.zeros((6, 8, 3), np.uint8), 10), "srgb"),
        (lambda d: d.addPairwiseEnergy(np.zeros((2, 47)), 3), "features"),
        (lambda d: d.addPairwiseBilateral(80, 13, np.full((6, 8, 3), np.nan), 10), "rgbim"),
        (lambda d: d.setUnary(np.zeros((2, 48))), "unary"),
        (lambda d: d.setUnary(dcrf.ConstUnary(np.zeros((2, 47)))), "shape"),
        (lambda d: d.setUnaryEnergy(np.full((2, 48), np.inf)), "finite cost"),
        (lambda d: d.setUnaryEnergy(np.full((2, 48), -np.inf)), "finite"),
        (lambda d: d.inference(np.nan), "niter"),
        (lambda d: d.inference("5"), "niter"),
        (lambda d: d.stepInference([[1.0]], None, None), "Q"),
        (lambda d: dcrf.DenseCRF2D(0, 6, 2), "w must"),
        (lambda d: dcrf.DenseCRF(4, 0.5), "nlabels"),
    ],
)
def test_bad_input_raises_and_names_the_argument(call, word):
    with pytest.raises((InputError, TypeError), match=word):
        call(dcrf.DenseCRF2D(8, 6, 2))


def test_tiny_color_sigmas_do_not_crash():
    d = filled()
    d.addPairwiseBilateral(sxy=1, srgb=1e-3, rgbim=photo(24, 32), compat=3)
    assert np.isfinite(d.inference(2)).all()
    d.addPairwiseBilateral(sxy=1, srgb=1e-9, rgbim=photo(24, 32), compat=3)
    with pytest.raises(InputError, match="larger sigma"):
        d.inference(2)


def test_sizes_and_products_that_are_too_large_are_named_as_they_were_given():
    with pytest.raises(ValueError, match="w times h must be at most"):
        dcrf.DenseCRF2D(2**31 - 1, 3, 2)
    with pytest.raises(ValueError, match="L and f are too large"):
        dcrf.LogisticUnary(np.full((2, 1), 1e30, np.float32), np.full((1, 3), 1e30, np.float32))

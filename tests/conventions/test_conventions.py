"""The conventions of docs/conventions.md, each pinned."""

import numpy as np

import classicseg as cs


def test_labels_come_first_and_costs_are_minus_log_p():
    unary = cs.unary_from_probabilities(np.array([[[0.9, 0.2]], [[0.1, 0.8]]]))
    np.testing.assert_allclose(unary[:, 0, 0], -np.log([0.9, 0.1]), rtol=1e-5)
    assert cs.minimize(cs.DenseCRF(unary, [])).labels.tolist() == [[0, 1]]


def test_positive_weights_smooth():
    unary = np.zeros((2, 9, 9))
    unary[1] = 0.5
    unary[:, 4, 4] = 0.5, 0.0
    assert cs.minimize(cs.DenseCRF(unary, cs.GaussianKernel(2, 3))).labels.sum() == 0
    assert cs.minimize(cs.DenseCRF(unary, cs.GaussianKernel(2, 0))).labels.sum() == 1


def test_axes_are_row_then_column():
    unary = np.zeros((2, 9, 15))
    unary[1] = 0.01
    unary[:, 4, 7] = 50, 0
    tall = cs.DenseCRF(unary, cs.GaussianKernel((3.0, 0.3), 2.0), quality="exact")
    q = cs.minimize(tall, max_iter=1).marginals[1]
    assert q[6, 7] > q[4, 9]


def test_color_sigma_is_in_the_units_of_the_image():
    unary = np.random.default_rng(0).random((2, 12, 16))
    image = np.random.default_rng(1).integers(0, 255, (12, 16, 3)).astype(np.uint8)
    one = cs.DenseCRF(unary, cs.BilateralKernel(image, 5, 25.5))
    other = cs.DenseCRF(unary, cs.BilateralKernel(image / 255, 5, 0.1))
    np.testing.assert_allclose(cs.minimize(one).marginals, cs.minimize(other).marginals, atol=1e-3)


def test_results_are_int32_and_float32_in_c_order():
    result = cs.minimize(cs.DenseCRF(np.random.default_rng(0).random((2, 5, 6)), cs.GaussianKernel()))
    assert result.labels.dtype == np.int32
    assert result.marginals.dtype == np.float32
    assert result.labels.flags.c_contiguous
    assert result.marginals.flags.c_contiguous


def test_the_energy_counts_pairs_once_and_no_pixel_with_itself():
    crf = cs.DenseCRF(np.zeros((2, 1, 2)), cs.GaussianKernel(1, 2.0, normalization="none"))
    np.testing.assert_allclose(crf.energy([[0, 1]]), 2 * np.exp(-0.5), rtol=1e-5)
    reward = cs.DenseCRF(crf.unary, crf.kernels, cs.Diagonal(1.0))
    np.testing.assert_allclose(reward.energy([[1, 1]]), -2 * np.exp(-0.5), rtol=1e-5)

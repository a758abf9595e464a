import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError
from tests.oracles import gaussian_matrix, normalized, position_features

NORMALIZATIONS = ("none", "before", "after", "symmetric")


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_the_exact_filter_sums_over_all_pairs(normalization):
    rng = np.random.default_rng(0)
    features, signal = rng.uniform(0, 4, (3, 101)), rng.standard_normal((4, 101))
    expected = signal @ normalized(gaussian_matrix(features), normalization).T
    answer = cs.ExactFilter(features).filter(signal, normalization)
    np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-5)
    adjoint = cs.ExactFilter(features).filter(signal, normalization, adjoint=True)
    np.testing.assert_allclose(adjoint, signal @ normalized(gaussian_matrix(features), normalization), atol=1e-4)


@pytest.mark.parametrize("shape", [(9,), (7, 11), (4, 5, 6), (1, 1), (1, 30)])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_the_separable_gaussian_is_exact_on_grids(shape, normalization):
    signal = np.random.default_rng(1).standard_normal((2, *shape))
    n = int(np.prod(shape))
    matrix = normalized(gaussian_matrix(position_features(shape, 1.7)), normalization)
    answer = cs.GaussianFilter(shape, sigma=1.7).filter(signal, normalization)
    np.testing.assert_allclose(answer.reshape(2, n), signal.reshape(2, n) @ matrix.T, rtol=1e-4, atol=2e-5)


def test_spacing_and_one_sigma_per_axis():
    signal = np.random.default_rng(2).standard_normal((1, 8, 9))
    features = np.indices((8, 9), float) * np.array([2.0, 0.5])[:, None, None] / np.array([3.0, 1.0])[:, None, None]
    expected = signal.reshape(1, -1) @ gaussian_matrix(features.reshape(2, -1))
    answer = cs.GaussianFilter((8, 9), sigma=(3, 1), spacing=(2, 0.5)).filter(signal)
    np.testing.assert_allclose(answer.reshape(1, -1), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sigma", [0, -1, np.nan, np.inf, (1, 2, 3), "3"])
def test_bad_sigmas_raise(sigma):
    with pytest.raises((InputError, TypeError), match="sigma"):
        cs.GaussianFilter((4, 4), sigma=sigma)

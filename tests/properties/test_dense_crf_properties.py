"""Whatever comes in: probabilities come out, or a clear error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import classicseg as cs
from classicseg.errors import ClassicsegError

DTYPES = st.sampled_from(["f2", "f4", "f8", ">f4", "i2", "u1", ">i4"])
SIGMAS = st.floats(1e-3, 1e4)
pytestmark = pytest.mark.filterwarnings("ignore:the colours of image span")  # some sigmas are that large


@given(
    shape=array_shapes(min_dims=2, max_dims=2, max_side=24),
    n_labels=st.sampled_from([2, 4]),
    dtypes=st.tuples(DTYPES, DTYPES),
    sigmas=st.tuples(SIGMAS, SIGMAS, SIGMAS),
    weights=st.tuples(st.floats(-5, 20), st.floats(-5, 20)),
    stride=st.sampled_from([1, -1, 2]),
    quality=st.sampled_from(["fast", "high", "exact"]),
    seed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_marginals_are_probabilities(shape, n_labels, dtypes, sigmas, weights, stride, quality, seed):
    rng = np.random.default_rng(seed)
    unary = (9 * rng.random((n_labels, *shape))).astype(dtypes[0]).repeat(abs(stride), axis=2)[..., ::stride]
    image = (100 * rng.random((*shape, 3))).astype(dtypes[1]).repeat(abs(stride), axis=1)[:, ::stride]
    before = unary.copy(), image.copy()
    unary.setflags(write=False)
    kernels = [cs.GaussianKernel(sigmas[0], weights[0]), cs.BilateralKernel(image, sigmas[1], sigmas[2], weights[1])]
    result = cs.minimize(cs.DenseCRF(unary, kernels, quality=quality), max_iter=3)
    assert result.labels.shape == shape
    assert np.isfinite(result.marginals).all()
    np.testing.assert_allclose(result.marginals.sum(axis=0), 1, atol=1e-4)
    np.testing.assert_array_equal(unary, before[0])
    np.testing.assert_array_equal(image, before[1])


@pytest.mark.slow
@given(
    shape=st.one_of(
        st.sampled_from([(1, 1), (1, 2), (1, 17), (1, 40), (40, 1), (1,), (17,), (1, 1, 1), (2, 1, 9)]),
        array_shapes(min_dims=1, max_dims=3, max_side=6),
    ),
    quality=st.sampled_from(["fast", "high", "exact"]),
    normalization=st.sampled_from(["symmetric", "before", "after", "none"]),
    method=st.sampled_from(["mean_field", "mean_field_convergent"]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_sizes_at_the_edge(shape, quality, normalization, method):
    n_labels = {1: 2, 2: 182, 3: 3}[len(shape)]  # each number of axes with each of labels would be compiled anew
    rng = np.random.default_rng(n_labels)
    unary, image = 5 * rng.random((n_labels, *shape)), rng.random(shape)
    kernels = [
        cs.GaussianKernel(2, 3, normalization=normalization),
        cs.BilateralKernel(image, 9, 0.1, 5, channel_axis=None, normalization=normalization),
    ]
    crf = cs.DenseCRF(unary, kernels, quality=quality)
    result = cs.minimize(crf, method, max_iter=2)
    assert result.labels.shape == shape
    np.testing.assert_allclose(result.marginals.sum(axis=0), 1, atol=1e-4)
    assert np.isfinite(result.energy)
    again = cs.minimize(crf, method, max_iter=2, n_threads=3)
    np.testing.assert_array_equal(again.marginals, result.marginals)


@given(
    value=st.one_of(
        st.none(),
        st.text(max_size=3),
        st.floats(allow_nan=True),
        st.lists(st.floats(allow_nan=True), max_size=4),
        st.complex_numbers(),
        st.binary(max_size=3),
        array_shapes(max_dims=4, max_side=3).map(lambda shape: np.full(shape, np.nan)),
    )
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_nonsense_raises_an_error_of_the_library(value):
    for call in (
        lambda: cs.DenseCRF(value, []),
        lambda: cs.refine(value, value),
        lambda: cs.PermutohedralLattice(value),
        lambda: cs.unary_from_probabilities(value),
    ):
        try:
            call()
        except ClassicsegError:
            continue
        raise AssertionError(f"{value!r} was taken")

"""Unary costs on a grid that is smaller than the image: the answer is that of costs that were enlarged before."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import classicseg as cs
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.errors import InputError, InputTypeError
from tests.oracles import costs, photo, stretched

SMALL, SHAPE = (5, 7), (23, 31)


def values(n_labels: int, grid: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, (n_labels, *grid)).astype(np.float32)


def kernels(shape: tuple[int, ...] = SHAPE) -> list:
    return [cs.GaussianKernel(1.5, 1.0), cs.BilateralKernel(photo(*shape), 6, 20, 3)]


@st.composite
def grids(draw):
    """A small shape and a larger one of as many axes, in any ratios, also 1 on some."""
    small = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    more = draw(st.lists(st.one_of(st.integers(0, 3), st.integers(0, 40)), min_size=len(small), max_size=len(small)))
    return tuple(small), tuple(n + extra for n, extra in zip(small, more, strict=True))


@given(grids(), st.booleans(), st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_every_ratio_is_interpolated_as_numpy_does_it(shapes, align_corners, seed):
    small, shape = shapes
    grid = UnaryGrid(values(3, small, seed), shape, align_corners)
    expected = stretched(grid.values, shape, align_corners)
    np.testing.assert_allclose(grid.full(), expected, atol=2e-5)
    begin = seed % grid.n_points
    some = np.full((3, min(37, grid.n_points - begin)), np.nan, np.float32)
    assert grid.read(begin, begin + some.shape[1], some) is some
    np.testing.assert_array_equal(some, grid.full().reshape(3, -1)[:, begin : begin + some.shape[1]])


@pytest.mark.parametrize("n_labels", [2, 21, 40])
def test_labels_of_one_or_several_panels_keep_their_places(n_labels):
    grid = UnaryGrid(values(n_labels, (3, 4)), (5, 13), False)
    np.testing.assert_allclose(grid.full(), stretched(grid.values, (5, 13)), atol=2e-5)


def test_the_convention_is_that_of_scipy():
    given = values(3, SMALL)
    factors = np.array(SHAPE) / SMALL
    expected = [ndimage.zoom(v, factors, order=1, grid_mode=True, mode="nearest") for v in given]
    np.testing.assert_allclose(cs.DenseCRF(given, [], shape=SHAPE).grid.full(), expected, atol=2e-5)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("small", "shape", "mode"), [(SMALL, SHAPE, "bilinear"), ((2, 3, 4), (5, 3, 9), "trilinear")])
def test_the_convention_is_that_of_torch(small, shape, mode, align_corners):
    torch = pytest.importorskip("torch")
    given = values(3, small)
    tensor = torch.from_numpy(given)[None]
    expected = torch.nn.functional.interpolate(tensor, size=shape, mode=mode, align_corners=align_corners)[0]
    actual = cs.DenseCRF(given, [], shape=shape, align_corners=align_corners).grid.full()
    np.testing.assert_allclose(actual, expected, atol=2e-5)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("n_labels", [2, 3])
def test_mean_field_answers_as_with_enlarged_costs(n_labels, align_corners):
    given = costs(n_labels, SMALL)
    small = cs.DenseCRF(given, kernels(), shape=SHAPE, align_corners=align_corners)
    large = cs.DenseCRF(stretched(given, SHAPE, align_corners), kernels())
    for options in ({}, {"track": True}, {"max_iter": 0}, {"init": cs.minimize(large, max_iter=1).marginals}):
        actual, expected = cs.minimize(small, **options), cs.minimize(large, **options)
        np.testing.assert_allclose(actual.marginals, expected.marginals, atol=1e-4)
        np.testing.assert_array_equal(actual.labels, expected.labels)
    np.testing.assert_array_equal(cs.minimize(small, marginals=False).labels, cs.minimize(large).labels)
    convergent = [cs.minimize(crf, "mean_field_convergent", max_iter=3) for crf in (small, large)]
    np.testing.assert_array_equal(convergent[0].labels, convergent[1].labels)


def test_volumes_answer_as_with_enlarged_costs():
    shape, given = (7, 9, 20), costs(3, (3, 4, 5))
    small = cs.DenseCRF(given, cs.GaussianKernel(1.5, 2.0), shape=shape)
    large = cs.DenseCRF(stretched(given, shape), cs.GaussianKernel(1.5, 2.0))
    np.testing.assert_allclose(cs.minimize(small).marginals, cs.minimize(large).marginals, atol=1e-4)


@pytest.mark.parametrize("quality", ["fast", "exact"])
@pytest.mark.parametrize("kernel", [[], kernels()])
def test_every_question_is_answered_as_with_enlarged_costs(quality, kernel):
    given = costs(3, SMALL)
    small = cs.DenseCRF(given, kernel, shape=SHAPE, quality=quality)
    large = cs.DenseCRF(stretched(given, SHAPE), kernel, quality=quality)
    assert small.unary.shape == (3, *SMALL)
    assert small.shape == large.shape == SHAPE
    assert small.n_points == large.n_points
    assert small.grid.is_stretched
    assert not large.grid.is_stretched
    assert large.grid.full() is large.unary
    labels = large.unary.argmin(axis=0)
    np.testing.assert_array_equal(small.grid.cheapest(), labels)
    np.testing.assert_array_equal(large.grid.cheapest(), labels)
    for name, part in large.terms(labels).items():
        assert small.terms(labels)[name] == pytest.approx(part, rel=1e-5)
    q = cs.minimize(large).marginals
    assert small.free_energy(q) == pytest.approx(large.free_energy(q), rel=1e-5)
    np.testing.assert_allclose(small.pairwise_message(q), large.pairwise_message(q), atol=1e-5)
    np.testing.assert_array_equal(cs.minimize(small).labels, cs.minimize(large).labels)


def test_sums_over_many_pixels_are_made_in_pieces():
    given, shape = values(2, (3, 4)), (300, 301)  # more pixels than are read at once
    grid, large = UnaryGrid(given, shape, False), stretched(given, shape)
    labels = np.random.default_rng(1).integers(0, 2, shape)
    expected = np.take_along_axis(large, labels[None], 0).sum()
    assert grid.of_labels(labels.reshape(-1)) == pytest.approx(expected, rel=1e-6)
    assert (grid.cheapest() != large.argmin(axis=0)).mean() < 1e-4


def test_labels_do_not_depend_on_the_number_of_threads():
    crf = cs.DenseCRF(costs(3, (20, 30)), kernels((100, 150)), shape=(100, 150))
    one, many = (cs.minimize(crf, n_threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one.marginals, many.marginals)


def test_a_shape_that_is_that_of_the_unary_changes_nothing():
    given = costs(3, SHAPE)
    crf = cs.DenseCRF(given, kernels(), shape=SHAPE, align_corners=True)
    assert not crf.grid.is_stretched
    np.testing.assert_array_equal(cs.minimize(crf).marginals, cs.minimize(cs.DenseCRF(given, kernels())).marginals)


def test_copies_keep_their_shape():
    crf = cs.DenseCRF(costs(3, SMALL), kernels(), shape=SHAPE, align_corners=True)
    copy = pickle.loads(pickle.dumps(crf))
    np.testing.assert_array_equal(cs.minimize(crf).marginals, cs.minimize(copy).marginals)


@pytest.mark.parametrize("shape", [(4, 31), (23,), (23, 31, 3), (23, 6)])
def test_shapes_that_are_smaller_or_of_other_axes_are_refused(shape):
    with pytest.raises(InputError, match=r"unary of 5 x 7 points cannot be stretched over .* at least as long"):
        cs.DenseCRF(values(2, SMALL), [], shape=shape)


def test_what_is_no_shape_is_refused():
    with pytest.raises(InputError, match="shape must be at least 1"):
        cs.DenseCRF(values(2, SMALL), [], shape=(23, 0))
    with pytest.raises(InputTypeError, match="align_corners must be True or False"):
        cs.DenseCRF(values(2, SMALL), [], shape=SHAPE, align_corners=1)
    with pytest.raises(InputError, match="image"):
        cs.DenseCRF(values(2, SMALL), kernels((10, 12)), shape=SHAPE)


def test_without_marginals_none_are_made():
    crf = cs.DenseCRF(costs(2, SMALL), kernels(), shape=SHAPE)
    assert cs.minimize(crf, marginals=False).marginals is None
    assert cs.minimize(crf, marginals=False, track=True).marginals is None

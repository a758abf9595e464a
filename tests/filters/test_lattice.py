import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError
from classicseg.filters.blur import stencil_blurs
from classicseg.filters.building import choose_blur
from classicseg.filters.features import Column
from classicseg.reference.lattice import Lattice
from tests.oracles import bilateral_features, gaussian_matrix, normalized, photo

NORMALIZATIONS = ("none", "before", "after", "symmetric")
RNG = np.random.default_rng(0)


def values(n, channels=1):
    return np.random.default_rng(5).standard_normal((channels, n))


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 6, 8, 10])
def test_equals_the_twin_in_any_dimension(d):
    features = np.random.default_rng(d).uniform(0, 3, (d, 150)).astype(np.float32)
    signal = values(150)
    ours, twin = cs.PermutohedralLattice(features), Lattice(features)
    assert ours.n_vertices == len(twin.vertices)
    for normalization in NORMALIZATIONS:
        np.testing.assert_allclose(
            ours.filter(signal, normalization), twin.filter(signal, normalization), rtol=2e-4, atol=2e-5
        )


@pytest.mark.parametrize("accurate", [False, True])
@pytest.mark.parametrize("d", [1, 3, 5])
def test_is_self_adjoint_enough_for_gradients(d, accurate):
    features = np.random.default_rng(d).uniform(0, 3, (d, 150))
    lattice = cs.PermutohedralLattice(features, accurate=accurate)
    a, b = values(150), values(150)[:, ::-1]
    for normalization in NORMALIZATIONS:
        left = np.sum(b * lattice.filter(a, normalization), dtype=float)
        right = np.sum(a * lattice.filter(b, normalization, adjoint=True), dtype=float)
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("accurate", [False, True])
def test_a_constant_stays_under_normalization(accurate):
    features = bilateral_features(photo(20, 25), 10, 20)
    lattice = cs.PermutohedralLattice(features, accurate=accurate)
    np.testing.assert_allclose(lattice.filter(np.full((1, 500), 7.0), "after"), 7, rtol=1e-5)
    root = np.sqrt(lattice.row_sums())[None]
    np.testing.assert_allclose(lattice.filter(root, "symmetric"), root, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 6])
def test_the_accurate_blur_is_closer_to_the_gaussian_where_points_are_sparse(d):
    features = np.random.default_rng(d).uniform(0, 6 if d < 3 else 3.5, (d, 1500))
    signal = np.sign(np.sin(3 * features[:1])) + 0.2 * values(1500)
    exact = signal @ normalized(gaussian_matrix(features), "symmetric")
    errors = [
        np.linalg.norm(cs.PermutohedralLattice(features, accurate=accurate).filter(signal, "symmetric") - exact)
        for accurate in (False, True)
    ]
    assert errors[1] < 0.3 * np.linalg.norm(exact)
    assert errors[1] < 1.1 * errors[0]


@pytest.mark.slow
def test_the_accurate_blur_halves_the_error_on_a_photo():
    features = bilateral_features(photo(40, 50), 20, 6)
    signal = values(2000)
    exact = signal @ normalized(gaussian_matrix(features), "symmetric")
    errors = [
        np.linalg.norm(cs.PermutohedralLattice(features, accurate=accurate).filter(signal, "symmetric") - exact)
        for accurate in (False, True)
    ]
    assert errors[1] < 0.7 * errors[0]


@pytest.mark.slow
@pytest.mark.parametrize("accurate", [False, True])
@pytest.mark.parametrize("channels", [1, 5])
def test_results_are_equal_to_the_bit_for_every_number_of_threads(channels, accurate):
    features = bilateral_features(photo(160, 200), 20, 10)
    signal = values(32000, channels)
    answers = [
        cs.PermutohedralLattice(features, accurate=accurate, n_threads=n).filter(signal, "symmetric")
        for n in (1, 2, 3, 5)
    ]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])


def test_channels_do_not_mix():
    features = RNG.uniform(0, 3, (2, 100))
    lattice, signal = cs.PermutohedralLattice(features), values(100, 5)
    together = lattice.filter(signal, "symmetric")
    for channel, alone in zip(together, signal, strict=True):
        np.testing.assert_allclose(channel[None], lattice.filter(alone[None], "symmetric"), rtol=1e-5, atol=1e-6)


def test_features_far_from_the_origin_lose_nothing():
    features = RNG.uniform(0, 3, (3, 200))
    signal = values(200)
    near = cs.PermutohedralLattice(features).filter(signal, "symmetric")
    # A multiple of the lattice's period along the first feature, far beyond the precision of float32.
    far = cs.PermutohedralLattice(features + np.array([[1e7], [-3e6], [5e6]])).filter(signal, "symmetric")
    exact = signal @ normalized(gaussian_matrix(features), "symmetric")
    assert np.linalg.norm(far - exact) < 1.3 * np.linalg.norm(near - exact) + 0.05 * np.linalg.norm(exact)


def test_groups_far_apart_do_not_mix():
    features = np.concatenate([np.linspace(0, 1, 50), np.linspace(0, 1, 50) + 56_756.0])[None]
    signal = np.zeros((1, 100))
    signal[:, 50:] = 1
    np.testing.assert_array_equal(cs.PermutohedralLattice(features).filter(signal)[:, :50], 0)


@pytest.mark.parametrize("accurate", [False, True])
@pytest.mark.parametrize("n", [1, 15, 16, 17])
def test_few_points_and_equal_points(n, accurate):
    lattice = cs.PermutohedralLattice(np.ones((2, n)), accurate=accurate)
    np.testing.assert_allclose(lattice.filter(np.full((1, n), 3.0), "after"), 3, rtol=1e-5)


def test_shapes_layouts_and_dtypes():
    features = np.indices((6, 7), float) / 2
    lattice = cs.PermutohedralLattice(features)
    signal = RNG.standard_normal((1, 6, 7))
    expected = lattice.filter(signal)
    assert expected.shape == (1, 6, 7)
    assert expected.dtype == np.float32
    for variant in (np.asfortranarray(signal), signal.astype(">f8"), signal[:, ::-1][:, ::-1], signal.tolist()):
        np.testing.assert_array_equal(lattice.filter(variant), expected)
    half = signal.astype(np.float16)
    np.testing.assert_array_equal(lattice.filter(half), lattice.filter(half.astype(float)))


@pytest.mark.parametrize(
    ("features", "word"),
    [
        (np.zeros((0, 5)), "features"),
        (np.zeros((2, 0)), "features"),
        (np.full((1, 3), np.nan), "finite"),
        (np.zeros(3), "features"),
        (np.array([[0.0, 1e9]]), "larger sigma"),
    ],
)
def test_bad_features_raise(features, word):
    with pytest.raises(InputError, match=word):
        cs.PermutohedralLattice(features)


def test_bad_values_raise():
    lattice = cs.PermutohedralLattice(np.zeros((1, 4)))
    for bad in (np.zeros((1, 5)), np.zeros(4), np.full((1, 4), np.inf), np.zeros((0, 4))):
        with pytest.raises(InputError, match="values"):
            lattice.filter(bad)
    with pytest.raises(InputError, match="normalization"):
        lattice.filter(np.zeros((1, 4)), "both")


@pytest.mark.parametrize(("d", "n"), [(2, 40_000), (6, 9_990)])
def test_more_vertices_than_16_bits_can_number(d, n):
    # Points far from each other share no vertices: 30,000 in each of four stripes, or 69,930 in the only one.
    points = 30.0 * np.array(np.unravel_index(np.arange(n), (200,) * 2 + (1,) * (d - 2)), np.float32)
    lattice = cs.PermutohedralLattice(points + RNG.uniform(0, 1, (d, 1)))
    assert lattice.n_vertices == n * (d + 1)
    signal = values(n)
    np.testing.assert_allclose(lattice.filter(signal, "after"), signal, rtol=1e-5)


def test_the_larger_stencil_serves_points_that_share_vertices():
    larger, usual = stencil_blurs(3)
    crowded, spread = RNG.uniform(0, 1, (3, 3000)), np.indices((15, 15, 15), np.float32).reshape(3, -1)
    for features, expected in ((crowded, larger), (spread, usual)):
        assert choose_blur([Column(f, 1.0) for f in features], accurate=True) is expected


@pytest.mark.parametrize(
    ("normalization", "before", "after"), [("none", 0, 0), ("before", 1, 0), ("after", 0, 1), ("symmetric", 0.5, 0.5)]
)
def test_factors_of_a_kernel_are_powers_of_its_row_sums(normalization, before, after):
    def bank(norm):
        kernel = cs.BilateralKernel(photo(12, 14), 4, 30, normalization=norm)
        return cs.DenseCRF(np.zeros((2, 12, 14)), kernel).lattice_bank(1)

    sums = bank("none").filter(0, np.ones((1, 168), np.float32), 1)[0]
    for factors, power in zip(bank(normalization).factors(0), (before, after), strict=True):
        if power == 0:
            assert factors is None
        else:
            np.testing.assert_allclose(factors, sums**-power, rtol=1e-5)

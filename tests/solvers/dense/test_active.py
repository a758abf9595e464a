import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import classicseg as cs
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.errors import InputTypeError
from classicseg.kernels.dense.prospects import RUN, survey
from classicseg.machine.parallel import new_sync, run
from classicseg.reference import mean_field as reference
from classicseg.solvers.dense import mean_field as solver
from classicseg.solvers.dense.active import infer_pruned
from classicseg.solvers.dense.prospects import contest, least_of_cells, prospects
from tests.oracles import bilateral_features, costs, gaussian_matrix, normalized, photo, position_features, softmax

SHAPE = (64, 80)


def sharp(n_labels, shape=SHAPE, factor=6.0, seed=0):
    """Costs of a network that knows a few large regions: the larger the factor, the surer."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.standard_normal((n_labels, *shape)), (0, 12, 12))
    p = softmax(factor * smooth / smooth.std() + 0.3 * rng.standard_normal(smooth.shape))
    return -np.log(np.maximum(p, 1e-6)).astype(np.float32)


def with_dead(unary, n_dead, level=7.0, seed=3):
    """More labels, each somewhat above `level` everywhere."""
    dead = level + np.random.default_rng(seed).random((n_dead, *unary.shape[1:]))
    return np.concatenate([unary[:1], dead, unary[1:]]).astype(np.float32)


def crf(unary, weights=(2.0, 4.0), compatibility=None, normalization="symmetric", **options):
    shape = unary.shape[1:]
    kernels = [
        cs.GaussianKernel(6, weights[0], normalization=normalization),
        cs.BilateralKernel(photo(*shape), 16, 40, weights[1], normalization=normalization),
    ]
    return cs.DenseCRF(unary, kernels, compatibility, **options)


def run_pruned(energy, n_iter=10, n_threads=1):
    return infer_pruned(contest(energy, n_iter, n_threads), n_iter, n_threads, marginals=True)


def difference(energy):
    """The pruned result, the plain one, and at how many pixels their labels differ."""
    pruned = run_pruned(energy)
    plain = cs.minimize(energy, max_iter=10)
    return pruned, plain, int((pruned.labels != plain.labels).sum())


def test_what_is_not_pruned_is_equal_to_the_bit():
    energy = crf(0.3 * costs(3, SHAPE))
    plain, pruned = (cs.minimize(energy, max_iter=6, prune=prune) for prune in (False, True))
    assert pruned.may_differ is None
    np.testing.assert_array_equal(pruned.marginals, plain.marginals)
    np.testing.assert_array_equal(pruned.labels, plain.labels)


def test_pixels_that_are_sure_are_left_alone():
    pruned, plain, n = difference(crf(sharp(3, factor=12.0)))
    assert n <= max(1, pruned.may_differ * plain.labels.size)
    assert pruned.may_differ <= 5e-3
    np.testing.assert_allclose(pruned.marginals, plain.marginals, atol=0.05)


@pytest.mark.parametrize("level", [5.0, 12.0])
def test_labels_that_cannot_win_are_left_out(level):
    energy = crf(with_dead(sharp(2), 1, level))
    expected = prospects(energy.grid, energy.costs(), 10, 1)
    assert expected.alive.tolist() == [0, 2]
    assert (expected.rest is not None) == (level == 5.0)
    pruned, plain, n = difference(energy)
    assert n <= max(1, pruned.may_differ * plain.labels.size)
    assert not pruned.marginals[1].any()
    np.testing.assert_allclose(pruned.marginals.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(pruned.marginals[[0, 2]], plain.marginals[[0, 2]], atol=0.05)


def test_a_label_that_wins_somewhere_by_its_neighbours_is_not_left_out():
    unary = with_dead(sharp(2), 10, 7.0)
    unary[5, 20:40, 20:40] = unary.min(axis=0)[20:40, 20:40] + 0.5  # nowhere the cheapest
    energy = crf(unary, (4.0, 8.0))
    assert prospects(energy.grid, energy.costs(), 10, 1).alive.tolist() == [0, 5, 11]


def test_with_one_label_alive_it_is_the_answer():
    unary = np.full((5, 20, 30), 40.0, np.float32)
    unary[3] = 0.0
    result = cs.minimize(crf(unary), prune=True)
    assert (result.labels == 3).all()
    assert (result.marginals[3] == 1).all()
    assert result.marginals.sum() == result.labels.size
    assert result.may_differ == 0
    assert (cs.refine(photo(20, 30), unary=unary) == 3).all()


def test_with_all_pixels_sure_nothing_changes():
    unary = np.zeros((2, *SHAPE), np.float32)
    unary[0, :, :40] = unary[1, :, 40:] = 60.0
    result = cs.minimize(crf(unary), prune=True)
    np.testing.assert_array_equal(result.labels, unary.argmin(axis=0))
    assert result.may_differ == 0
    np.testing.assert_array_equal(result.labels, cs.minimize(crf(unary)).labels)


@given(
    seed=st.integers(0, 99),
    factor=st.sampled_from([1.0, 4.0, 12.0]),
    weights=st.tuples(st.floats(-6, 8), st.floats(-6, 12)),
    compatibility=st.sampled_from(
        [None, cs.Potts(-1.0), cs.Diagonal([-1.0, -2.0, -0.5]), [[0, 1, 2], [1, 0, 3], [2, 3, 1]]]
    ),
    normalization=st.sampled_from(["symmetric", "after"]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_estimate_tells_how_many_labels_differ(seed, factor, weights, compatibility, normalization):
    energy = crf(sharp(3, (24, 48), factor, seed), weights, compatibility, normalization)
    pruned, plain, n = difference(energy)
    assert np.isfinite(pruned.marginals).all()
    if pruned.may_differ is None:
        np.testing.assert_array_equal(pruned.marginals, plain.marginals)
    elif pruned.may_differ <= 1e-3:
        assert n <= 4  # an estimate, not a bound


def test_equals_brute_force():
    shape = (16, 18)
    unary = with_dead(sharp(2, shape, 12.0), 1)
    energy = crf(unary)
    features = position_features(shape, 6), bilateral_features(photo(*shape).astype(np.float32), 16, 40)
    matrices = [normalized(gaussian_matrix(f), "symmetric") for f in features]
    terms = [(lambda v, m=m: v @ m.T, cost) for m, cost in zip(matrices, energy.costs(), strict=True)]
    exact = reference.mean_field(unary.reshape(3, -1), terms, 10).reshape(unary.shape)
    result = cs.minimize(energy, max_iter=10, prune=True)
    assert result.may_differ is not None
    assert (result.labels != exact.argmax(axis=0)).mean() < 0.02


def test_equal_to_the_bit_for_every_number_of_threads():
    energy = crf(with_dead(sharp(2, (170, 180)), 1))
    first, *others = (run_pruned(energy, 8, n) for n in (1, 2, 5))
    assert first.may_differ is not None
    for other in others:
        np.testing.assert_array_equal(other.marginals, first.marginals)
        np.testing.assert_array_equal(other.labels, first.labels)
        assert other.may_differ == first.may_differ


def test_smaller_costs_are_pruned_as_their_stretched_ones():
    small = with_dead(sharp(2, (16, 20)), 1)
    stretched = UnaryGrid(small, SHAPE, False).full()
    many = crf(stretched)
    few = cs.DenseCRF(small, many.kernels, shape=SHAPE)
    a, b = (run_pruned(energy) for energy in (few, many))
    assert (a.labels != b.labels).mean() <= 1e-3
    np.testing.assert_allclose(a.marginals, b.marginals, atol=0.02)


def test_where_too_much_may_differ_nothing_is_pruned(monkeypatch):
    energy = crf(sharp(3, factor=12.0))
    monkeypatch.setattr(solver, "MOST_DIFFER", -1.0)
    result = cs.minimize(energy, max_iter=10, prune=True)
    assert result.may_differ is None
    np.testing.assert_array_equal(result.marginals, cs.minimize(energy, max_iter=10).marginals)


@pytest.mark.parametrize(
    ("energy", "options"),
    [
        ({}, {"init": np.full((3, *SHAPE), 1 / 3)}),
        ({}, {"max_iter": 2}),
        ({"normalization": "none"}, {}),
        ({"normalization": "before"}, {}),
    ],
)
def test_what_cannot_be_pruned_is_not(energy, options):
    energy = crf(sharp(3), **energy)
    pruned = cs.minimize(energy, prune=True, **options)
    assert pruned.may_differ is None
    np.testing.assert_array_equal(pruned.marginals, cs.minimize(energy, **options).marginals)


def test_exact_quality_is_not_pruned():
    assert cs.minimize(crf(sharp(3, (12, 16)), quality="exact"), prune=True).may_differ is None


def test_refine_prunes_unless_it_is_to_be_exact():
    image, unary = photo(*SHAPE), sharp(3)
    exact = cs.refine(image, unary=unary, preset="irnet", exact=True)
    np.testing.assert_array_equal(exact, cs.minimize(cs.refinement_crf(image, unary=unary, preset="irnet")).labels)
    assert (cs.refine(image, unary=unary, preset="irnet") != exact).mean() <= 1e-3


def test_flags_are_checked():
    for option in ("prune", "marginals"):
        with pytest.raises(InputTypeError, match=option):
            cs.minimize(crf(sharp(3)), **{option: "yes"})
    with pytest.raises(InputTypeError, match="exact"):
        cs.refine(photo(*SHAPE), unary=sharp(3), exact=1.5)
    with pytest.raises(InputTypeError, match="prune"):
        cs.refinement_crf(photo(*SHAPE), unary=sharp(3), exact=True)


@pytest.mark.parametrize("n", [5, 16, RUN, RUN + 37])
def test_survey_equals_numpy(n):
    values = np.random.default_rng(n).uniform(0, 8, (7, n)).astype(np.float32)
    values[2] += 5
    lost = np.array([2, 4])
    gaps, rest, share = (
        np.empty((-(-n // RUN), 7), np.float32),
        np.empty(n, np.float32),
        np.empty(-(-n // RUN), np.float32),
    )
    run(survey, 1, new_sync(1), values.reshape(-1), 1, lost, gaps, rest, share, brief=True)
    low = values.min(axis=0)
    np.testing.assert_allclose(gaps.min(axis=0), (values - low).min(axis=1), atol=1e-6)
    np.testing.assert_allclose(rest, -np.log(np.exp(-values[lost]).sum(axis=0)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(share.max(), (1 / (1 + np.exp(rest - low))).max(), rtol=1e-5)


@pytest.mark.parametrize("grid", [(5,), (4, 5), (1, 6), (3, 2, 4)])
def test_no_label_comes_closer_inside_a_cell_than_its_bound(grid):
    values = np.random.default_rng(len(grid)).uniform(0, 6, (4, *grid)).astype(np.float32)
    fine = tuple(9 * n for n in grid)
    full = UnaryGrid(values, fine, True).full().reshape(4, -1)
    gaps = (full - full.min(axis=0)).min(axis=1)
    corners = (values - values.min(axis=0)).reshape(4, -1).min(axis=1)
    assert (np.minimum(corners, least_of_cells(values)) <= gaps + 1e-4).all()

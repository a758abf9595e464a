import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.reference.belief_propagation import belief_propagation as slow
from tests.solvers.grids import CONNECTIVITIES, edges_of, every_labelling, minimum_of, random_grid

COMPATIBILITIES = [
    cs.Potts(2),
    cs.Potts(-1),
    cs.Diagonal([1, 3, 0]),
    cs.TruncatedLinear(1, truncation=2),
    cs.Matrix([[0, 5, 1], [2, 3, 9], [4, 0, 1]]),
]
CHAINS = [(5,), (1, 5), (5, 1), (1, 1, 5), (1, 5, 1), (5, 1, 1)]
CHAIN_PROBLEMS = st.tuples(st.sampled_from(CHAINS), st.sampled_from(COMPATIBILITIES), st.integers(0, 2**32 - 1))


def costs_of_labels(crf, reduce):
    """What `reduce` makes of the energies of all labellings in which a pixel has a label, (L, *spatial)."""
    labellings, energies = every_labelling(crf)
    out = np.empty(crf.unary.shape)
    for label in range(crf.n_labels):
        for pixel in np.ndindex(crf.shape):
            out[(label, *pixel)] = reduce(energies[labellings[(slice(None), *pixel)] == label])
    return out


@settings(deadline=None, max_examples=40)
@given(CHAIN_PROBLEMS, st.sampled_from(["raster", "colours"]))
def test_chains_are_solved_exactly(given_problem, schedule):
    shape, compatibility, seed = given_problem
    crf = random_grid(np.random.default_rng(seed), shape, None, 3, compatibility, noise=6)
    result = cs.minimize(crf, "belief_propagation", schedule=schedule)
    assert result.energy == crf.energy(result.labels) == minimum_of(crf)
    assert result.converged
    assert result.n_iter <= (2 if schedule == "raster" else 7)
    least = costs_of_labels(crf, np.min)
    truth = np.exp(least.min(axis=0) - least)
    np.testing.assert_allclose(result.marginals, truth / truth.sum(axis=0), rtol=1e-5, atol=1e-30)


@settings(deadline=None, max_examples=40)
@given(CHAIN_PROBLEMS, st.sampled_from(["raster", "colours"]), st.sampled_from([0.5, 3.0, 20.0]))
def test_marginals_of_chains_are_exact(given_problem, schedule, temperature):
    shape, compatibility, seed = given_problem
    crf = random_grid(np.random.default_rng(seed), shape, None, 3, compatibility, noise=6)
    result = cs.minimize(crf, "belief_propagation", temperature=temperature, schedule=schedule)
    least = every_labelling(crf)[1].min()
    truth = costs_of_labels(crf, lambda energies: np.exp((least - energies) / temperature).sum())
    np.testing.assert_allclose(result.marginals, truth / truth.sum(axis=0), atol=1e-6)
    np.testing.assert_allclose(result.marginals.sum(axis=0), 1, rtol=1e-6)
    assert result.converged
    assert result.energy == crf.energy(result.labels)


@settings(deadline=None, max_examples=15)
@given(st.sampled_from(COMPATIBILITIES), st.integers(0, 2**32 - 1))
def test_trees_are_solved_exactly(compatibility, seed):
    """A comb: edges of weight 0 cut the loops of the grid."""
    rng = np.random.default_rng(seed)
    right = np.zeros((2, 3), int)
    right[0] = rng.integers(1, 9, 3)
    weights = {"right": right, "down": rng.integers(1, 9, (1, 4))}
    crf = cs.GridCRF(rng.integers(-6, 7, (3, 2, 4)), compatibility, weights)
    assert cs.minimize(crf, "belief_propagation").energy == minimum_of(crf)
    result = cs.minimize(crf, "belief_propagation", temperature=2)
    least = every_labelling(crf)[1].min()
    truth = costs_of_labels(crf, lambda energies: np.exp((least - energies) / 2).sum())
    np.testing.assert_allclose(result.marginals, truth / truth.sum(axis=0), atol=1e-6)


@pytest.mark.slow
@settings(deadline=None, max_examples=24)
@given(
    st.sampled_from(CONNECTIVITIES),
    st.sampled_from(COMPATIBILITIES),
    st.sampled_from([0.0, 4.0]),
    st.sampled_from(["raster", "colours"]),
    st.integers(0, 2**32 - 1),
)
def test_fixed_points_are_those_of_the_twin(kind, compatibility, temperature, schedule, seed):
    """On grids with loops, where both settle."""
    n_axes, connectivity = kind
    rng = np.random.default_rng(seed)
    crf = random_grid(rng, tuple(rng.integers(1, 4, n_axes)), connectivity, 3, compatibility, largest=1, noise=9)
    result = cs.minimize(crf, "belief_propagation", temperature=temperature, schedule=schedule, max_iter=100)
    assert result.energy == crf.energy(result.labels)
    unary, edges = crf.unary.reshape(3, -1), edges_of(crf)
    beliefs, later = (slow(unary, edges, crf.cost, n, temperature) for n in (60, 61))
    if result.converged and np.abs(beliefs - later).max() < 1e-9 and temperature > 0:
        q = np.exp(-beliefs / temperature)
        np.testing.assert_allclose(result.marginals.reshape(3, -1), q / q.sum(axis=0), atol=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(COMPATIBILITIES), st.integers(0, 2**32 - 1))
def test_no_labelling_is_better_than_the_minimum(compatibility, seed):
    crf = random_grid(np.random.default_rng(seed), (2, 3), 8, 3, compatibility)
    states = []
    result = cs.minimize(crf, "belief_propagation", callback=lambda s: states.append(crf.energy(s.labels)))
    assert [row.energy for row in result.history] == states
    assert result.energy >= minimum_of(crf)
    assert result.energy <= min(states)


def test_the_best_labelling_of_all_iterations_is_returned():
    for seed in (2, 21, 31, 32):  # messages go on changing, and the last labels are not the best
        crf = random_grid(np.random.default_rng(seed), (4, 4), 8, 3, cs.Potts(-1))
        result = cs.minimize(crf, "belief_propagation")
        energies = [row.energy for row in result.history]
        assert result.energy == crf.energy(result.labels) == min(energies) < energies[-1]


@pytest.mark.parametrize("temperature", [0, 0.01, 1, 100])
@pytest.mark.parametrize("compatibility", [cs.Potts(3), cs.TruncatedLinear(3, truncation=2)])
def test_forbidden_labels_are_not_used(temperature, compatibility):
    rng = np.random.default_rng(8)
    unary = rng.normal(size=(3, 10, 10))
    unary[rng.random((3, 10, 10)) < 0.3] = np.inf
    unary[1][np.isinf(unary).all(axis=0)] = 0
    result = cs.minimize(
        cs.GridCRF(unary, compatibility), "belief_propagation", temperature=temperature, damping=0.3, max_iter=20
    )
    assert np.isfinite(result.energy)
    assert np.isfinite(result.marginals).all()
    assert not result.marginals[np.isinf(unary)].any()


def test_huge_costs_are_no_trouble():
    unary = np.random.default_rng(8).integers(-(10**9), 10**9, (3, 10, 10))
    for mu in (cs.Potts(10**8), cs.TruncatedLinear(10**8, truncation=2)):
        for temperature in (0, 1e-3, 1):
            result = cs.minimize(cs.GridCRF(unary, mu), "belief_propagation", temperature=temperature, max_iter=5)
            assert np.isfinite(result.marginals).all()


def test_damping_calms_frustrated_messages():
    crf = random_grid(np.random.default_rng(5), (8, 8), 8, 3, cs.Potts(-1), largest=3, noise=2)
    plain = cs.minimize(crf, "belief_propagation", temperature=1, max_iter=60)
    damped = cs.minimize(crf, "belief_propagation", temperature=1, max_iter=60, damping=0.5)
    assert damped.history[-1].change < plain.history[-1].change


@pytest.mark.slow
@pytest.mark.parametrize("kind", CONNECTIVITIES)
@pytest.mark.parametrize("schedule", ["raster", "colours"])
def test_results_do_not_depend_on_threads(kind, schedule):
    n_axes, connectivity = kind
    shape = {1: (300,), 2: (40, 31), 3: (9, 8, 7)}[n_axes]
    crf = random_grid(np.random.default_rng(2), shape, connectivity, 3, COMPATIBILITIES[4])
    for temperature in (0, 5):
        answers = [
            cs.minimize(crf, "belief_propagation", max_iter=5, n_threads=n, schedule=schedule, temperature=temperature)
            for n in (1, 2, 5)
        ]
        for answer in answers[1:]:
            np.testing.assert_array_equal(answer.marginals, answers[0].marginals)
            assert [row.energy for row in answer.history] == [row.energy for row in answers[0].history]


def test_stopping():
    crf = random_grid(np.random.default_rng(2), (20, 20), 4, 6)
    nothing = cs.minimize(crf, "belief_propagation", max_iter=0)
    assert nothing.n_iter == 0
    stopped = cs.minimize(crf, "belief_propagation", callback=lambda state: True)
    assert (stopped.n_iter, stopped.converged) == (1, False)
    assert cs.minimize(crf, "belief_propagation", tol=1e9).n_iter == 1


CRF = cs.GridCRF(np.zeros((3, 4, 5)), cs.Potts())


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"temperature": -1}, "temperature must be at least 0"),
        ({"temperature": np.nan}, "temperature must be finite"),
        ({"damping": 1}, "damping"),
        ({"schedule": "random"}, "schedule must be one of"),
        ({"max_iter": -1}, "max_iter"),
        ({"tol": -1}, "tol"),
        ({"n_threads": 0}, "n_threads"),
    ],
)
def test_bad_arguments_are_named(arguments, word):
    with pytest.raises(ValueError, match=word):
        cs.minimize(CRF, "belief_propagation", **arguments)


def test_label_costs_are_refused():
    with pytest.raises(TypeError, match="label costs"):
        cs.minimize(cs.GridCRF(CRF.unary, cs.Potts(), label_costs=1), "belief_propagation")

"""Methods that go pixel by pixel: iterated conditional modes and annealing."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.reference.icm import icm as slow_icm
from tests.solvers.grids import CONNECTIVITIES, edges_of, minimum_of, random_grid

COMPATIBILITIES = [cs.Potts(2), cs.TruncatedQuadratic(1, truncation=3), cs.Matrix([[0, 5, 1], [2, 3, 9], [4, 0, 1]])]
PROBLEMS = st.tuples(st.sampled_from(CONNECTIVITIES), st.sampled_from(COMPATIBILITIES), st.integers(0, 2**32 - 1))


def problem(kind, compatibility, seed, largest=6, **more):
    n_axes, connectivity = kind
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, largest, n_axes))
    return random_grid(rng, shape, connectivity, 3, compatibility, **more), rng


def is_a_local_minimum(crf, labels):
    least = crf.energy(labels)
    for pixel in np.ndindex(crf.shape):
        for label in range(crf.n_labels):
            changed = labels.copy()
            changed[pixel] = label
            if crf.energy(changed) < least:
                return False
    return True


@settings(deadline=None, max_examples=60)
@given(PROBLEMS, st.sampled_from([None, [0, 30, 10]]))
def test_icm_never_rises_and_ends_where_no_pixel_can_improve(given_problem, label_costs):
    crf, rng = problem(*given_problem, label_costs=label_costs)
    start = rng.integers(0, 3, crf.shape)
    states = []
    result = cs.minimize(crf, "icm", init=start, callback=lambda s: states.append(crf.energy(s.labels)))
    energies = [crf.energy(start), *(row.energy for row in result.history)]
    assert all(later <= earlier for earlier, later in pairwise(energies))
    assert states == energies[1:]
    assert result.energy == crf.energy(result.labels)
    assert result.converged
    assert is_a_local_minimum(crf, result.labels)


@settings(deadline=None, max_examples=20)
@given(PROBLEMS)
def test_where_icm_ends_its_twin_changes_nothing(given_problem):
    crf, _ = problem(*given_problem)
    labels = cs.minimize(crf, "icm").labels
    again = slow_icm(labels.reshape(-1), crf.unary.reshape(3, -1), edges_of(crf), crf.cost, 1)
    np.testing.assert_array_equal(again.reshape(crf.shape), labels)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]))
def test_icm_of_real_costs_never_rises(seed, dtype):
    rng = np.random.default_rng(seed)
    crf = cs.GridCRF(
        rng.normal(size=(4, 9, 8)).astype(dtype),
        cs.TruncatedLinear(0.3, truncation=1.7),
        cs.contrast_weights(rng.random((9, 8, 3))),
    )
    energies = [row.energy for row in cs.minimize(crf, "icm", init=rng.integers(0, 4, (9, 8))).history]
    assert all(later <= earlier for earlier, later in pairwise(energies))


@pytest.mark.parametrize("seed", [337, 555, 1444])
def test_a_sweep_that_lowers_the_energy_only_by_rounding_is_taken_back(seed):
    """Tenths add up to slightly different sums at a pixel and over the grid."""
    rng = np.random.default_rng(seed)
    unary, weight, start = rng.integers(0, 9, (3, 2, 3)) / 10, float(rng.integers(1, 4)), rng.integers(0, 3, (2, 3))
    crf = cs.GridCRF(unary, cs.Potts(0.1), weight, connectivity=8)
    result = cs.minimize(crf, "icm", init=start)
    energies = [crf.energy(start), *(row.energy for row in result.history)]
    assert all(later <= earlier for earlier, later in pairwise(energies))
    assert result.energy == crf.energy(result.labels) == energies[-1]
    assert result.converged


def test_pixels_keep_their_label_if_no_other_is_cheaper():
    start = np.random.default_rng(0).integers(0, 3, (4, 5))
    result = cs.minimize(cs.GridCRF(np.zeros((3, 4, 5)), cs.Potts(1), 0), "icm", init=start)
    np.testing.assert_array_equal(result.labels, start)
    assert (result.n_iter, result.history[0].change, result.converged) == (1, 0, True)


@pytest.mark.slow
@settings(deadline=None, max_examples=10)
@given(PROBLEMS, st.sampled_from([None, [0, 30, 10]]))
def test_annealing_finds_the_minimum_of_tiny_grids(given_problem, label_costs):
    crf, _ = problem(*given_problem, largest=3, label_costs=label_costs)
    if crf.n_points > 8:
        crf = cs.GridCRF(crf.unary[..., :1], crf.compatibility, label_costs=label_costs)
    result = cs.minimize(crf, "annealing", rng=1, max_iter=300, hot=50, cold=1)
    assert result.energy == crf.energy(result.labels) == minimum_of(crf)


@settings(deadline=None, max_examples=20)
@given(PROBLEMS)
def test_annealing_keeps_the_best_labelling(given_problem):
    crf, rng = problem(*given_problem)
    start, drawn = rng.integers(0, 3, crf.shape), []
    result = cs.minimize(
        crf, "annealing", init=start, rng=2, max_iter=20, callback=lambda s: drawn.append(crf.energy(s.labels))
    )
    assert [row.energy for row in result.history] == drawn
    assert result.energy == min(crf.energy(start), *drawn) == crf.energy(result.labels)
    assert not result.converged


@pytest.mark.slow
@pytest.mark.parametrize("label_costs", [None, [3, 0, 5]])
def test_samples_follow_the_distribution(label_costs):
    """At a fixed temperature the labels drawn are those of the Gibbs distribution."""
    rng = np.random.default_rng(6)
    unary = rng.integers(0, 4, (3, 2, 2)).astype(float)
    unary[1, 0, 1] = np.inf
    crf = cs.GridCRF(unary, cs.Matrix([[0, 2, 1], [1, 0, 3], [2, 2, 1]]), connectivity=8, label_costs=label_costs)
    seen = np.zeros((3, 2, 2))
    n = 2500

    def count(state):
        for label in range(3):
            seen[label] += state.labels == label

    cs.minimize(crf, "annealing", rng=4, hot=2, cold=2, max_iter=n, callback=count)
    truth = np.zeros((3, 2, 2))
    for labelling in np.ndindex(3, 3, 3, 3):
        labels = np.array(labelling).reshape(2, 2)
        p = np.exp(-crf.energy(labels) / 2)
        for label in range(3):
            truth[label] += p * (labels == label)
    np.testing.assert_allclose(seen / n, truth / truth.sum(axis=0), atol=0.03)
    assert seen[1, 0, 1] == 0


def test_annealing_begins_at_a_quarter_of_what_the_edges_of_a_pixel_can_cost_and_ends_at_a_twentieth_of_that():
    mu = cs.Matrix([[3, 5, 4], [5, 3, 7], [4, 7, 3]])  # costs of one edge differ by 4 at most
    crf = cs.GridCRF(np.zeros((3, 10, 10)), mu, 0.5)  # 180 edges, each of which two pixels have
    temperatures = [row.change for row in cs.minimize(crf, "annealing", max_iter=9).history]
    assert temperatures[0] == pytest.approx(2 * 180 / 100 * 0.5 * 4 / 4)
    assert temperatures[-1] == pytest.approx(temperatures[0] / 20)
    np.testing.assert_allclose(np.diff(np.log(temperatures)), -np.log(20) / 8)


@pytest.mark.parametrize("method", ["icm", "annealing"])
def test_forbidden_labels_are_not_used(method):
    rng = np.random.default_rng(8)
    unary = rng.normal(size=(3, 10, 10))
    unary[rng.random((3, 10, 10)) < 0.3] = np.inf
    unary[1][np.isinf(unary).all(axis=0)] = 0
    crf = cs.GridCRF(unary, cs.Potts(3))
    worst = np.where(np.isinf(unary), np.inf, -1).argmax(axis=0)
    result = cs.minimize(crf, method, init=worst, max_iter=30)
    assert np.isfinite(result.energy)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "seed"), [("icm", {}), ("annealing", {"rng": 5})])
@pytest.mark.parametrize("kind", CONNECTIVITIES)
@pytest.mark.parametrize("label_costs", [None, [50, 10, 20]])
def test_results_do_not_depend_on_threads(method, seed, kind, label_costs):
    n_axes, connectivity = kind
    shape = {1: (300,), 2: (40, 31), 3: (9, 8, 7)}[n_axes]
    crf = random_grid(np.random.default_rng(2), shape, connectivity, 3, COMPATIBILITIES[2], label_costs=label_costs)
    answers = [cs.minimize(crf, method, max_iter=8, n_threads=n, **seed) for n in (1, 2, 5)]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer.labels, answers[0].labels)
        assert [row.energy for row in answer.history] == [row.energy for row in answers[0].history]


def test_seeds_and_generators():
    crf = random_grid(np.random.default_rng(3), (12, 12), 4, 4)

    def energies(rng):
        return [row.energy for row in cs.minimize(crf, "annealing", rng=rng, max_iter=5).history]

    assert energies(7) == energies(np.random.default_rng(7)) == energies(np.random.PCG64(7))
    assert energies(7) != energies(8)
    assert energies(None) == energies(None)
    generator = np.random.default_rng(7)
    assert energies(generator) != energies(generator)


def test_stopping():
    crf = random_grid(np.random.default_rng(2), (20, 20), 4, 6)
    for method in ("icm", "annealing"):
        nothing = cs.minimize(crf, method, max_iter=0)
        assert nothing.n_iter == 0
        np.testing.assert_array_equal(nothing.labels, crf.unary.argmin(axis=0))
        stopped = cs.minimize(crf, method, callback=lambda state: True)
        assert (stopped.n_iter, stopped.converged) == (1, False)
    assert cs.minimize(crf, "icm", tol=1e9).n_iter == 1


def test_inputs_are_not_changed():
    unary, start = np.random.default_rng(0).integers(0, 9, (3, 6, 6)), np.zeros((6, 6), np.int32)
    for array in (unary, start):
        array.setflags(write=False)
    for method in ("icm", "annealing"):
        assert cs.minimize(cs.GridCRF(unary, cs.Potts()), method, init=start).labels.any()
    assert not start.any()


CRF = cs.GridCRF(np.zeros((3, 4, 5)), cs.Potts())


@pytest.mark.parametrize(
    ("method", "arguments", "error", "word"),
    [
        ("icm", {"init": np.zeros((4, 4), int)}, ValueError, "init must have shape"),
        ("icm", {"init": np.full((4, 5), 3)}, ValueError, "init must be 0 to 2"),
        ("icm", {"max_iter": -1}, ValueError, "max_iter"),
        ("icm", {"tol": -1}, ValueError, "tol"),
        ("icm", {"n_threads": 0}, ValueError, "n_threads"),
        ("annealing", {"init": np.zeros((4, 5))}, TypeError, "init must hold integers"),
        ("annealing", {"rng": "dice"}, TypeError, "rng"),
        ("annealing", {"rng": -1}, ValueError, "rng"),
        ("annealing", {"hot": 0}, ValueError, "hot must be positive"),
        ("annealing", {"cold": np.nan}, ValueError, "cold must be finite"),
        ("annealing", {"hot": 1, "cold": 2}, ValueError, "cold must be at most hot"),
    ],
)
def test_bad_arguments_are_named(method, arguments, error, word):
    with pytest.raises(error, match=word):
        cs.minimize(CRF, method, **arguments)

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.reference import grid_mean_field as reference
from tests.solvers.grids import CONNECTIVITIES, edges_of, random_grid

COMPATIBILITIES = [
    cs.Potts(0.3),
    cs.Potts(-0.4),
    cs.TruncatedLinear(0.1, truncation=2),
    cs.Matrix([[0, 0.5, 0.1], [0.2, 0.3, 0.9], [0.4, 0, 0.1]]),
]
PROBLEMS = st.tuples(st.sampled_from(CONNECTIVITIES), st.sampled_from(COMPATIBILITIES), st.integers(0, 2**32 - 1))


def problem(kind, compatibility, seed):
    n_axes, connectivity = kind
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 6, n_axes))
    return random_grid(rng, shape, connectivity, 3, compatibility, noise=3), rng


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(PROBLEMS, st.sampled_from([0.0, 0.6]))
def test_free_energies_never_rise_and_are_those_of_the_twin(given_problem, damping):
    crf, rng = problem(*given_problem)
    unary, edges = crf.unary.reshape(3, -1), edges_of(crf)
    start = rng.dirichlet(np.ones(3), crf.shape)
    start = np.moveaxis(start, -1, 0).astype(np.float32)
    seen = []
    result = cs.minimize(crf, "mean_field", init=start, damping=damping, callback=lambda s: seen.append(s.marginals))
    first = reference.free_energy(start.reshape(3, -1).astype(float), unary, edges, crf.cost)
    energies = [first, *(row.energy for row in result.history)]
    assert all(later <= earlier + 1e-4 for earlier, later in pairwise(energies[:2]))
    assert all(later <= earlier + 1e-9 * (1 + abs(earlier)) for earlier, later in pairwise(energies[1:]))
    for marginals, value in zip(seen, energies[1:], strict=True):
        twin = reference.free_energy(marginals.reshape(3, -1).astype(float), unary, edges, crf.cost)
        np.testing.assert_allclose(value, twin, rtol=1e-4, atol=1e-3)
    assert result.energy == crf.energy(result.labels)


@settings(deadline=None, max_examples=30)
@given(PROBLEMS)
def test_equals_the_twin_in_the_same_order(given_problem):
    crf, _ = problem(*given_problem)
    coordinates = np.array(list(np.ndindex(crf.shape)))
    colour = (coordinates % 2) @ (2 ** np.arange(len(crf.shape))[::-1])
    order = np.argsort(colour, kind="stable")
    result = cs.minimize(crf, "mean_field", max_iter=4, tol=1e-30)
    slow = reference.mean_field(crf.unary.reshape(3, -1), edges_of(crf), crf.cost, len(result.history), order)
    np.testing.assert_allclose(result.marginals.reshape(3, -1), slow, atol=1e-5)
    np.testing.assert_array_equal(result.labels, result.marginals.argmax(axis=0))


def test_the_free_energy_bounds_the_partition_function():
    crf = random_grid(np.random.default_rng(1), (2, 3), 8, 3, cs.Potts(0.2), noise=2)
    labellings = np.array(list(np.ndindex(*(3,) * 6))).reshape(-1, 2, 3)
    partition = np.log(np.exp([-crf.energy(labels) for labels in labellings]).sum())
    value = cs.minimize(crf, "mean_field", tol=1e-9).history[-1].energy
    assert -partition <= value < -partition + 1


def test_without_edges_marginals_are_exact():
    unary = np.random.default_rng(0).random((4, 1, 1))
    for crf in (cs.GridCRF(unary, cs.Potts(3)), cs.GridCRF(np.repeat(unary, 5, axis=2), cs.Potts(3), 0)):
        result = cs.minimize(crf, "mean_field")
        np.testing.assert_allclose(result.marginals[:, 0, 0], np.exp(-unary[:, 0, 0]) / np.exp(-unary).sum(), rtol=1e-5)
        assert result.converged


def test_forbidden_labels_have_no_probability():
    rng = np.random.default_rng(8)
    unary = rng.normal(size=(3, 10, 10))
    unary[rng.random((3, 10, 10)) < 0.3] = np.inf
    unary[1][np.isinf(unary).all(axis=0)] = 0
    for damping in (0, 0.5):
        result = cs.minimize(cs.GridCRF(unary, cs.Potts(3)), "mean_field", damping=damping)
        assert not result.marginals[np.isinf(unary)].any()
        assert np.isfinite(result.marginals).all()
        assert all(np.isfinite(row.energy) for row in result.history)
        assert np.isfinite(result.energy)


def test_huge_costs_are_no_trouble():
    unary = np.random.default_rng(8).integers(-(10**9), 10**9, (3, 10, 10))
    result = cs.minimize(cs.GridCRF(unary, cs.Potts(10**8)), "mean_field")
    assert np.isfinite(result.marginals).all()
    assert np.isfinite(result.history[-1].energy)


@pytest.mark.slow
@pytest.mark.parametrize("kind", CONNECTIVITIES)
def test_results_do_not_depend_on_threads(kind):
    n_axes, connectivity = kind
    shape = {1: (300,), 2: (40, 31), 3: (9, 8, 7)}[n_axes]
    crf = random_grid(np.random.default_rng(2), shape, connectivity, 3, COMPATIBILITIES[3])
    answers = [cs.minimize(crf, "mean_field", max_iter=10, n_threads=n) for n in (1, 2, 5)]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer.marginals, answers[0].marginals)
        assert [row.energy for row in answer.history] == [row.energy for row in answers[0].history]


def test_stopping():
    crf = random_grid(np.random.default_rng(2), (20, 20), 4, 6, cs.Potts(0.2))
    assert cs.minimize(crf, "mean_field", max_iter=0).n_iter == 0
    stopped = cs.minimize(crf, "mean_field", callback=lambda state: True)
    assert (stopped.n_iter, stopped.converged) == (1, False)
    assert cs.minimize(crf, "mean_field", tol=2).n_iter == 1
    assert cs.minimize(crf, "mean_field").converged


CRF = cs.GridCRF(np.zeros((3, 4, 5)), cs.Potts())


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: cs.minimize(CRF, "mean_field", init=np.zeros((4, 5))), ValueError, "init must have shape"),
        (lambda: cs.minimize(CRF, "mean_field", init=np.zeros((3, 4, 5))), ValueError, "init must sum to 1"),
        (lambda: cs.minimize(CRF, "mean_field", damping=1), ValueError, "damping"),
        (lambda: cs.minimize(CRF, "mean_field", max_iter=-1), ValueError, "max_iter"),
        (lambda: cs.minimize(CRF, "mean_field", tol=-1), ValueError, "tol"),
        (
            lambda: cs.minimize(cs.GridCRF(CRF.unary, cs.Potts(), label_costs=1), "mean_field"),
            TypeError,
            "label costs",
        ),
    ],
)
def test_bad_arguments_are_named(call, error, word):
    with pytest.raises(error, match=word):
        call()

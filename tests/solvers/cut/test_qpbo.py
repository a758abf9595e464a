import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.reference import grid as reference
from tests.solvers.grids import CONNECTIVITIES, edges_of, minimum_of, random_grid


def all_best(crf):
    """Every labelling of least energy."""
    unary, edges, n = crf.unary.reshape(2, -1), edges_of(crf), crf.n_points
    candidates = [np.array([i >> p & 1 for p in range(n)]) for i in range(2**n)]
    values = [reference.energy(labels, unary, edges, crf.cost) for labels in candidates]
    return [labels for labels, value in zip(candidates, values, strict=True) if value == min(values)]


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(CONNECTIVITIES), st.integers(0, 2**32 - 1))
def test_proven_labels_belong_to_a_labelling_of_least_energy(kind, seed):
    n_axes, connectivity = kind
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, {1: 9, 2: 4, 3: 3}[n_axes], n_axes))
    crf = random_grid(rng, shape, connectivity, compatibility=rng.integers(-5, 6, (2, 2)))
    start = rng.integers(0, 2, shape)
    result = cs.minimize(crf, "qpbo", init=start)
    proven = (result.marginals[0] != 0.5).reshape(-1)
    labels = result.labels.reshape(-1)
    best = all_best(crf)
    assert any((labels[proven] == other[proven]).all() for other in best)
    optimum = crf.energy(best[0].reshape(shape))
    assert result.lower_bound <= optimum <= result.energy <= crf.energy(start)
    assert (labels[~proven] == start.reshape(-1)[~proven]).all()
    if proven.all():
        assert result.energy == result.lower_bound == optimum
        assert result.converged


@pytest.mark.parametrize("connectivity", [4, 8])
def test_submodular_energies_are_solved_up_to_ties(connectivity):
    rng = np.random.default_rng(2)
    crf = random_grid(rng, (20, 21), connectivity)
    result = cs.minimize(crf, "qpbo")
    assert result.lower_bound == cs.minimize(crf, "graph_cut").energy
    assert (result.marginals == 0.5).mean() < 0.2


def test_on_a_grid_without_odd_cycles_repulsion_is_solved_too():
    crf = random_grid(np.random.default_rng(3), (3, 4), 4, compatibility=cs.Potts(-1), noise=20)
    assert cs.minimize(crf, "qpbo").lower_bound == minimum_of(crf)


def test_what_it_cannot_minimise_is_said():
    with pytest.raises(TypeError, match="2 labels, got 3"):
        cs.minimize(cs.GridCRF(np.zeros((3, 2, 2)), cs.Potts()), "qpbo")
    with pytest.raises(ValueError, match="init must have shape"):
        cs.minimize(cs.GridCRF(np.zeros((2, 2, 2)), cs.Potts()), "qpbo", init=[[0]])

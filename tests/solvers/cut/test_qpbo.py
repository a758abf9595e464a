import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from tests.solvers.grids import every_labelling, minimum_of, random_grid


def check_what_is_proven(kind, seed):
    n_axes, connectivity = kind
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, {1: 9, 2: 4, 3: 3}[n_axes], n_axes))
    crf = random_grid(rng, shape, connectivity, compatibility=rng.integers(-5, 6, (2, 2)))
    start = rng.integers(0, 2, shape)
    result = cs.minimize(crf, "qpbo", init=start)
    proven = (result.marginals[0] != 0.5).reshape(-1)
    labels = result.labels.reshape(-1)
    labellings, energies = every_labelling(crf)
    optimum = energies.min()
    best = labellings.reshape(energies.size, -1)[energies == optimum]
    assert (best[:, proven] == labels[proven]).all(axis=1).any()
    assert result.lower_bound <= optimum <= result.energy <= crf.energy(start)
    assert (labels[~proven] == start.reshape(-1)[~proven]).all()
    if proven.all():
        assert result.energy == result.lower_bound == optimum
        assert result.converged


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([(1, 2), (2, 4), (2, 8), (3, 6)]), st.integers(0, 2**32 - 1))
def test_proven_labels_belong_to_a_labelling_of_least_energy(kind, seed):
    check_what_is_proven(kind, seed)


@pytest.mark.slow  # to compile: each pixel has 78 edges in the doubled network
def test_labels_of_volumes_are_proven_with_all_their_neighbours():
    for seed in range(30):
        check_what_is_proven((3, 26), seed)


@pytest.mark.parametrize("weight", [1, -1])
def test_the_bound_holds_where_edges_cost_far_more_than_pixels(weight):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        unary = rng.integers(-20, 21, (2, 2, 3)) * 2.0**-32  # far smaller than what edges cost
        crf = cs.GridCRF(unary, cs.Potts(weight), connectivity=8)
        result = cs.minimize(crf, "qpbo", init=rng.integers(0, 2, (2, 3)))
        assert result.lower_bound <= minimum_of(crf) <= result.energy


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


def test_grids_are_probed_and_improved_as_graphs_are():
    rng = np.random.default_rng(3)
    mask = rng.random((3, 4)) < 0.8
    crf = cs.GridCRF(rng.integers(-3, 4, (2, 3, 4)), cs.Potts(-1), connectivity=8, mask=mask)
    result = cs.minimize(crf, "qpbo", weak=True, probe=True, improve=2, rng=0)
    graph = cs.minimize(cs.GraphCRF.from_grid(crf), "qpbo", weak=True, probe=True, improve=2, rng=0)
    assert result.labels.shape == (3, 4)
    assert np.array_equal(result.labels.ravel(), graph.labels)
    assert (result.labels[~mask] == -1).all()
    assert (result.marginals[:, ~mask] == 0).all()
    assert result.lower_bound <= result.energy == crf.energy(result.labels)
    with pytest.raises(ValueError, match="improve must be at least 0, got -1"):
        cs.minimize(crf, "qpbo", improve=-1)

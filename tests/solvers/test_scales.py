"""Energies of any size: what counts is how costs compare, not how large they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from tests.strategies.energies import energies, energy_of, exact_energy, least_energy

MINIMISING = ("graph_cut", "qpbo", "expansion", "swap", "fusion", "trws", "trws+expansion", "belief_propagation", "icm")


def times(crf, factor):
    weights = dict(crf.weights)
    return cs.GridCRF(crf.unary * factor, cs.Matrix(crf.cost * factor), weights, connectivity=crf.connectivity)


def labels_of(crf, method):
    proposals = [np.full(crf.shape, label) for label in range(crf.n_labels)]
    options = {"proposals": proposals} if method == "fusion" else {}
    return cs.minimize(crf, method, n_threads=1, **options).labels.tolist()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(-60, 60), st.sampled_from(MINIMISING))
def test_energies_times_a_power_of_two_have_the_same_labels(seed, exponent, method):
    crf = times(energy_of(seed), 1.0)
    if method in cs.methods(crf):
        assert labels_of(times(crf, 2.0**exponent), method) == labels_of(crf, method)


@pytest.mark.parametrize("method", MINIMISING)
@pytest.mark.parametrize("exponent", [-60, 60])
def test_whole_numbers_times_a_power_of_two_have_the_same_labels(method, exponent):
    rng = np.random.default_rng(exponent + 61)
    unary = rng.integers(0, 20, (2, 4, 5))
    weights = {"right": rng.integers(0, 9, (4, 4)), "down": rng.integers(0, 9, (3, 5))}
    crf = cs.GridCRF(unary, cs.Potts(1), weights)
    assert labels_of(times(crf, 2.0**exponent), method) == labels_of(crf, method)


@pytest.mark.parametrize("method", MINIMISING)
def test_tiny_costs_are_costs(method):
    crf = cs.GridCRF([[[1e-10, 0]], [[0, 1e-10]]], cs.Potts(0))
    assert labels_of(crf, method) == [[1, 0]]


@settings(deadline=None, max_examples=60)
@given(energies, st.sampled_from(["graph_cut", "qpbo", "trws"]))
def test_no_bound_is_above_the_least_energy_and_minima_are_minima(crf, method):
    if method not in cs.methods(crf):
        return
    result = cs.minimize(crf, method, n_threads=1)
    least = least_energy(crf)
    assert result.lower_bound <= least <= exact_energy(crf, result.labels)
    if method != "trws" and result.converged:
        assert result.gap <= 1e-9 * max(1, abs(result.energy))
    assert result.energy == pytest.approx(float(exact_energy(crf, result.labels)), rel=1e-9, abs=1e-3)


@pytest.mark.parametrize("method", ["graph_cut", "qpbo", "trws"])
@pytest.mark.parametrize(
    ("of_unary", "of_edges"), [(1e-300, 1), (1e90, 1), (1, 1e-300), (1, 1e90), (1e-200, 1e90), (0, 1)]
)
def test_bounds_hold_where_pixels_cost_far_more_or_less_than_edges(method, of_unary, of_edges):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        weights = {"right": rng.random((3, 2)) * of_edges, "down": rng.random((2, 3)) * of_edges}
        crf = cs.GridCRF(rng.normal(size=(2, 3, 3)) * of_unary, cs.Potts(0.3), weights)
        result = cs.minimize(crf, method)
        least = least_energy(crf)
        assert result.lower_bound <= least <= exact_energy(crf, result.labels)
        if method == "graph_cut":
            assert exact_energy(crf, result.labels) == pytest.approx(float(least), rel=1e-9, abs=0)


@pytest.mark.parametrize("table", [np.zeros((2, 2)), np.eye(2) * -1e-45, np.eye(2) * 1e-60])
@pytest.mark.parametrize("method", ["trws", "belief_propagation"])
def test_heavy_edges_that_cost_next_to_nothing(method, table):
    crf = cs.GridCRF([[[1.0, 0]], [[0, 1]]], table, 1e90 if table.any() else 1e60)
    ((left, right),) = labels_of(crf, method)
    assert (left == right) == (table.min() < 0)
    assert (left, right) == (1, 0) or table.any()


@pytest.mark.parametrize("method", ["graph_cut", "qpbo", "trws"])
def test_the_least_of_the_integers_is_a_cost(method):
    unary = np.zeros((2, 3, 3), np.int32)
    unary[1, 1, 1] = np.iinfo(np.int32).min
    result = cs.minimize(cs.GridCRF(unary, cs.Potts(0.1)), method)
    assert result.lower_bound <= result.energy == pytest.approx(-(2.0**31) + 0.4)

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

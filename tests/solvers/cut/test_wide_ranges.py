"""Minimum cuts and moves where costs are of very different sizes, fractions, infinite or forbidden."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.energies.grid import directions, edge_ends
from classicseg.reference.max_flow import Graph
from classicseg.solvers.cut import network, waves
from tests.solvers.grids import edges_of, minimum_of
from tests.strategies.energies import exact_energy, least_energy

CUTS = ("graph_cut", "expansion", "swap", "qpbo")


@pytest.mark.parametrize("method", CUTS)
@pytest.mark.parametrize("heavy", [1e9, 10**9, 1e15, np.inf])
def test_one_heavy_edge_does_not_make_the_others_coarse(method, heavy):
    weights = {"right": np.array([[1, 1, heavy]]), "down": np.zeros((0, 4))}
    result = cs.minimize(cs.GridCRF([[[0, 6, 0, 0]], [[4, 0, 4, 4]]], cs.Potts(1), weights), method)
    assert (result.energy, result.converged) == (2, True)
    assert result.lower_bound in (2, None)


@pytest.mark.parametrize("method", ["graph_cut", "qpbo"])
def test_bounds_of_fractions_are_bounds(method):
    for step, height in product(range(1190, 1220, 6), (6, 8)):
        u = 1.59 / 4096
        unary = np.zeros((2, height, height))
        unary[1] = height * (height - 1) * 2 * ((step + 0.01) * u) / height**2
        crf = cs.GridCRF(unary, [[(step + 0.49) * u, 1.59], [1.59, 0]])
        result = cs.minimize(crf, method)
        assert result.lower_bound <= result.energy
        for label in (0, 1):
            labels = np.full(crf.shape, label)
            assert result.energy <= crf.energy(labels)
            assert result.lower_bound <= exact_energy(crf, labels)
        assert result.converged


def reference_minimum(crf):
    """The least energy of Potts(1) in fractions, by the reference for maximum flows."""
    unary = [[Fraction(value) for value in label] for label in crf.unary.reshape(2, -1).tolist()]
    edges = [(i, j, Fraction(float(w)), Fraction(float(w))) for i, j, w in edges_of(crf)]
    graph = Graph([b - a for a, b in zip(*unary, strict=True)], edges)
    return sum(min(pair) for pair in zip(*unary, strict=True)) + graph.max_flow(), list(map(int, graph.reaches_sink()))


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("shape", "connectivity"), [((14, 17), 8), ((4, 5, 6), 6), ((90,), 2)])
def test_weights_that_grow_without_limit_in_flat_parts_of_a_photo(monkeypatch, shape, connectivity, n_threads):
    monkeypatch.setattr(waves, "_STRIP_PIXELS", 50)
    monkeypatch.setattr(network, "_STRIP_PIXELS", 50)
    rng = np.random.default_rng(5)
    image = rng.integers(0, 4, shape).astype(float)
    weights = {}
    for name, offset in directions(len(shape), connectivity).items():
        begin, end = edge_ends(offset)
        weights[name] = 1 / (np.abs(image[begin] - image[end]) + 1e-8)
    crf = cs.GridCRF(rng.random((2, *shape)) * 9, cs.Potts(1), weights, connectivity=connectivity)
    result = cs.minimize(crf, "graph_cut", n_threads=n_threads)
    least, labels = reference_minimum(crf)
    assert result.converged
    assert result.lower_bound <= least
    assert result.energy == pytest.approx(float(least), rel=1e-9)
    assert result.labels.reshape(-1).tolist() == labels
    for method in ("expansion", "swap"):
        assert cs.minimize(crf, method).energy == pytest.approx(float(least), rel=1e-9)


@pytest.mark.parametrize("method", ["expansion", "swap", "trws+expansion"])
@pytest.mark.parametrize("compatibility", [cs.TruncatedLinear(3.7, truncation=2.5), cs.Diagonal([3.7, 3.7, 9.1, 0.3])])
def test_moves_heed_fractions(method, compatibility):
    unary = np.array([[[0, 3699.5]], [[1e5, 0]], [[1e5, 1e5]], [[1e5, 1e5]]])
    crf = cs.GridCRF(unary, compatibility, {"right": np.array([[1000]]), "down": np.zeros((0, 2))})
    result = cs.minimize(crf, method, init=[[0, 1]])
    assert result.labels.tolist() == [[0, 0]]  # to differ would save 3699.5 and cost 3700


@pytest.mark.parametrize("method", CUTS)
def test_infinite_weights_tie_pixels(method):
    rng = np.random.default_rng(3)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        unary = rng.integers(-9, 9, (2, 3, 3)).astype(float)
        right = np.where(rng.random((3, 2)) < 0.5, np.inf, rng.random((3, 2)))
        crf = cs.GridCRF(unary, cs.Potts(2), {"right": right, "down": rng.random((2, 3))})
        result = cs.minimize(crf, method)
        assert result.energy == pytest.approx(float(least_energy(crf)), rel=1e-12)
        assert crf.n_broken(result.labels) == 0


def test_ties_that_cannot_hold_give_an_infinite_energy_and_the_fewest_faults():
    unary = np.zeros((2, 1, 4))
    unary[0, 0, 0] = unary[1, 0, 3] = np.inf
    crf = cs.GridCRF(unary, cs.Potts(1), {"right": np.full((1, 3), np.inf), "down": np.zeros((0, 4))})
    result = cs.minimize(crf, "graph_cut")
    assert (result.energy, result.lower_bound, result.gap) == (np.inf, np.inf, 0)
    assert result.labels[0, [0, 3]].tolist() == [1, 0]
    with pytest.raises(ValueError, match="infinite weights need a compatibility by which equal labels cost 0"):
        cs.GridCRF(unary, cs.Diagonal(1), np.inf)


def with_one_way_out():
    unary = np.full((4, 1, 2), np.inf)
    unary[2, 0, 0] = unary[3, 0, 1] = 0
    return unary


@pytest.mark.parametrize("label_costs", [None, 3])
@pytest.mark.parametrize("method", ["swap", "expansion", "fusion", "trws+expansion", "icm"])
def test_moves_leave_forbidden_labels_one_pixel_after_the_other(method, label_costs):
    crf = cs.GridCRF(with_one_way_out(), cs.Potts(1), label_costs=label_costs)
    options = {"proposals": [np.full((1, 2), label) for label in range(4)]} if method == "fusion" else {}
    result = cs.minimize(crf, method, init=[[0, 1]], **options)
    assert result.labels.tolist() == [[2, 3]]
    assert result.energy == crf.energy([[2, 3]])


def test_a_swap_prefers_the_cheaper_of_two_labels_that_are_both_dear():
    unary = np.array([[[0.0, 0]], [[100, 100]], [[60, 60]]])
    crf = cs.GridCRF(unary + 0.5, cs.Potts(0.25))
    for mu in (crf, cs.GridCRF(unary, cs.Potts(1))):
        moves = cs.minimize(mu, "fusion", init=[[1, 1]], proposals=[[[2, 2]]])
        assert moves.labels.tolist() == [[2, 2]]


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize(("shape", "where"), [((40, 50), waves), ((24, 15, 17), network)])
def test_an_interrupted_cut_is_no_answer_and_the_next_one_is_right(monkeypatch, shape, where, real):
    rng = np.random.default_rng(8)
    unary, step = rng.integers(-40, 41, (2, *shape)), 0.37 if real else 1
    crf = cs.GridCRF(unary * step, cs.Potts(5 * step))
    right = cs.minimize(crf, "graph_cut").energy
    monkeypatch.setattr(network, "_STRIP_PIXELS", 100)
    cut = cs.GraphCut(crf, n_threads=2)
    assert cut.solve().energy == right
    unary[:, 3:9] = rng.integers(-40, 41, unary[:, 3:9].shape)
    for name in ("run", "aligned_zeros") if where is network else ("run",):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, interrupted(getattr(where, name), after=1 if where is network else 0))
            cut.set_unary(unary * step)
            with pytest.raises(KeyboardInterrupt):
                cut.solve()
        anew = cs.minimize(cs.GridCRF(unary * step, cs.Potts(5 * step)), "graph_cut")
        again = cut.solve()
        assert again.energy == anew.energy
        np.testing.assert_array_equal(again.labels, anew.labels)


def interrupted(function, after):
    """The function, with Ctrl-C in place of its call number `after`."""
    calls = []

    def call(*args, **options):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return function(*args, **options)

    return call


def test_pairs_that_only_rounding_makes_repel_are_cut():
    crf = cs.GridCRF([[0.0, 1], [0.7, 0]], [[0.1, 0.3], [0, 0.2]])
    result = cs.minimize(crf, "graph_cut")
    assert result.energy == pytest.approx(float(least_energy(crf)))
    assert result.converged


@pytest.mark.parametrize("ties", [False, True])
def test_costs_that_change_by_orders_of_magnitude_are_cut_like_new_ones(ties):
    rng = np.random.default_rng(4)
    weights = {"right": rng.random((5, 5)), "down": rng.random((4, 6))}
    weights["down"][:2, 3] = np.inf if ties else 1e7
    cut = cs.GraphCut(cs.GridCRF(rng.random((2, 5, 6)), cs.Potts(1), weights))
    for size in (1, 1, 2, 1, 1e6, 1e-6, 1e12, 1, 1, 1):
        unary = rng.normal(size=(2, 5, 6)) * size
        unary[rng.integers(2), rng.integers(5), rng.integers(6)] = np.inf
        cut.set_unary(unary)
        crf = cs.GridCRF(unary, cs.Potts(1), weights)
        again, anew = cut.solve(), cs.minimize(crf, "graph_cut")
        np.testing.assert_array_equal(again.labels, anew.labels)
        assert again.converged
        if not ties:
            assert again.lower_bound <= reference_minimum_of_finite(crf)


def reference_minimum_of_finite(crf):
    unary = np.where(np.isinf(crf.unary), 1e15, crf.unary)
    return reference_minimum(cs.GridCRF(unary, cs.Potts(1), dict(crf.weights)))[0]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_multiples_of_a_power_of_two_are_cut_exactly(bits, seed):
    rng = np.random.default_rng(seed)
    unary = rng.integers(-40 * 2**bits, 40 * 2**bits, (2, 3, 3)) / 2**bits
    unary[rng.integers(2), 1, 1] = np.inf
    weights = rng.integers(0, 8, (3, 2)) / 8
    energy = cs.GridCRF(unary.astype(np.float32), cs.Potts(3), {"right": weights, "down": np.ones((2, 3))})
    result = cs.minimize(energy, "graph_cut")
    assert result.energy == result.lower_bound == minimum_of(energy)
    assert "in exact whole numbers" in result.message
    cut = cs.GraphCut(energy)
    cut.solve()
    for finer in (0.0, 2.0 ** -(bits + 3)):  # as fine as before, and finer than the network was made for
        changed = unary[::-1] + finer
        cut.set_unary(changed)
        best = minimum_of(cs.GridCRF(changed, energy.compatibility, energy.weights))
        assert cut.solve().energy == pytest.approx(best, abs=1e-9)


def test_costs_that_would_round_the_energy_are_not_taken_for_exact():
    unary = np.zeros((2, 40, 50))
    unary[1] = 2.0**40 + 2.0**-10
    result = cs.minimize(cs.GridCRF(unary, cs.Potts(1)), "graph_cut")
    assert result.energy == 0
    unary[0, 0, 0] = 2.0**-10
    unary[0] += 2.0**45
    assert "exact" not in cs.minimize(cs.GridCRF(unary, cs.Potts(1)), "graph_cut").message

"""Cuts and moves on graphs of every kind, against all labellings."""

import itertools

import numpy as np
import pytest

import classicseg as cs
from classicseg.reference import graph as reference
from classicseg.solvers.cut import any_choices, choices
from classicseg.solvers.cut.potts import PottsExpansions
from tests.solvers.graphs import KINDS, edges_of, every_labelling, increasing, minimum_of, random_edges, random_graph

each_kind = pytest.mark.parametrize("kind", KINDS)
MOVES = ("expansion", "swap", "trws+expansion")


def two_labels(rng, kind, n=6):
    """An energy of 2 labels: whole or real costs, with some labels forbidden if it is hard."""
    crf = random_graph(rng, "tables" if kind in ("ragged", "hard") else kind, n, 2)
    if kind == "hard":
        unary = crf.unary.astype(float)
        unary[rng.integers(0, 2, n), np.arange(n)] = np.where(rng.random(n) < 0.5, np.inf, 3)
        return cs.GraphCRF(unary, crf.edges, tables=crf.tables())
    if kind == "ragged":  # of fractions
        return cs.GraphCRF(crf.unary + rng.random((2, n)), crf.edges, tables=crf.tables() + rng.random((1, 2, 2)))
    return crf


def submodular(crf):
    tables = np.array(crf.tables())
    excess = tables[:, 0, 0] + tables[:, 1, 1] - tables[:, 0, 1] - tables[:, 1, 0]
    tables[:, 0, 1] += np.maximum(excess, 0)
    return cs.GraphCRF(crf.unary, crf.edges, tables=tables)


@each_kind
def test_a_minimum_cut_finds_the_least_energy(kind):
    for seed in range(12):
        crf = submodular(two_labels(np.random.default_rng(seed), kind))
        assert "graph_cut" in cs.methods(crf)
        result = cs.minimize(crf, "graph_cut")
        assert result.energy == pytest.approx(minimum_of(crf), rel=1e-14)
        assert result.energy == pytest.approx(reference.energy(result.labels, crf.unary, edges_of(crf)), rel=1e-14)
        assert result.converged
        assert result.gap <= (1e-9 if kind == "ragged" else 0)
        assert result.lower_bound <= minimum_of(crf)


@each_kind
def test_what_roof_duality_proves_holds(kind):
    proven = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        crf = two_labels(rng, kind)
        start = rng.integers(0, 2, 6) if kind != "hard" else crf.unary.argmin(axis=0)
        result = cs.minimize(crf, "qpbo", init=start)
        labels, energies = every_labelling(crf)
        best = labels[energies <= energies.min() + 1e-9]
        known = result.marginals[0] != 0.5
        proven += known.sum()
        assert (best[:, known] == result.labels[known]).all(axis=1).any()
        assert result.lower_bound <= energies.min() + 1e-9
        assert result.energy <= crf.energy(start) + 1e-9
        assert result.energy == pytest.approx(crf.energy(result.labels))
        if result.converged:
            assert result.energy == pytest.approx(energies.min())
    assert proven > 20


@each_kind
def test_what_probing_and_weak_persistency_prove_holds(kind):
    left = {"plain": 0, "weak": 0, "probe": 0}
    for seed in range(12):
        rng = np.random.default_rng(seed)
        crf = two_labels(rng, kind)
        start = rng.integers(0, 2, 6) if kind != "hard" else crf.unary.argmin(axis=0)
        labels, energies = every_labelling(crf)
        best = labels[energies <= energies.min() + 1e-9]
        for name, options in (
            ("plain", {"improve": 2}),
            ("weak", {"weak": True}),
            ("probe", {"weak": True, "probe": True, "improve": 1}),
        ):
            result = cs.minimize(crf, "qpbo", init=start, **options)
            known = result.marginals[0] != 0.5
            left[name] += int((~known).sum())
            assert (best[:, known] == result.marginals[1][known]).all(axis=1).any()
            assert result.lower_bound <= energies.min() + 1e-9
            assert result.energy == pytest.approx(crf.energy(result.labels))
            assert energies.min() - 1e-9 <= result.energy <= crf.energy(start) + 1e-9
            if result.converged:
                assert result.energy == pytest.approx(energies.min())
    assert left["probe"] <= left["weak"] <= left["plain"]


def test_probing_solves_a_ring_that_roof_duality_knows_nothing_of():
    crf = cs.GraphCRF(np.zeros((2, 5)), [[i, (i + 1) % 5] for i in range(5)], cs.Potts(-2))
    plain = cs.minimize(crf, "qpbo", init=np.zeros(5, int))
    assert (plain.lower_bound, plain.energy) == (-10, 0)
    improved = cs.minimize(crf, "qpbo", init=np.zeros(5, int), improve=3)
    probed = cs.minimize(crf, "qpbo", probe=True, improve=3)
    assert improved.energy == minimum_of(crf) == probed.energy == probed.lower_bound == -8
    assert probed.converged
    assert (probed.marginals == 0.5).all()  # turned over, each minimum is another one


def test_one_of_several_minima_is_proven_by_weak_persistency():
    crf = cs.GraphCRF([[0, 0, 0], [0, 0, 3]], [[0, 1]], cs.Potts(2))
    assert cs.minimize(crf, "qpbo").message == "2 of 3 nodes unlabelled"
    result = cs.minimize(crf, "qpbo", weak=True)
    assert result.converged
    assert result.energy == minimum_of(crf)
    assert result.message == "0 of 3 nodes unlabelled"


def test_roof_duality_is_half_the_doubled_energy_on_a_frustrated_triangle():
    crf = cs.GraphCRF(np.zeros((2, 3)), [[0, 1], [1, 2], [2, 0]], cs.Potts(-2))
    result = cs.minimize(crf, "qpbo")
    assert (result.lower_bound, minimum_of(crf)) == (-6, -4)
    assert (result.marginals == 0.5).all()
    assert result.message == "3 of 3 nodes unlabelled"


@each_kind
@pytest.mark.parametrize("method", MOVES)
def test_moves_never_raise_the_energy_and_end_where_none_lowers_it(kind, method):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        crf = random_graph(rng, kind, n=5)
        result = cs.minimize(crf, method)
        assert result.energy == reference.energy(result.labels, crf.unary, edges_of(crf))
        energies = [step.energy for step in result.history if step.energy is not None]
        assert all(b <= a for a, b in itertools.pairwise(energies))
        assert result.energy >= minimum_of(crf)
        if result.lower_bound is not None:
            assert result.lower_bound <= minimum_of(crf) + 1e-12


@pytest.mark.parametrize("compatibility", [cs.Potts(2), cs.TruncatedLinear(1, truncation=2)])
def test_no_single_expansion_lowers_the_energy_that_expansion_ends_with(compatibility):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        edges = random_edges(rng, 6)
        weights = rng.integers(0, 5, len(edges)) + (0.5 * rng.random() if seed % 2 else 0)
        crf = cs.GraphCRF(rng.integers(0, 9, (3, 6)), edges, compatibility, weights)
        result = cs.minimize(crf, "expansion")
        labels, energies = every_labelling(crf)
        for label in range(3):
            near = ((labels == result.labels) | (labels == label)).all(axis=1)
            assert energies[near].min() >= result.energy - 1e-9


def test_expansions_that_look_only_where_something_changed_end_as_those_that_look_everywhere(monkeypatch):
    for seed in range(6):  # a change that is overlooked shows in about every second of them
        rng = np.random.default_rng(seed)
        edges = rng.integers(0, 400, (600, 2))
        edges = edges[edges[:, 0] != edges[:, 1]]
        weights = rng.integers(0, 20, len(edges))
        crf = cs.GraphCRF(rng.integers(0, 100, (10, 400)), edges, cs.TruncatedLinear(1, truncation=4), weights)
        skipping = cs.minimize(crf, "expansion")
        assert skipping.n_iter > 2
        with monkeypatch.context() as everywhere:
            everywhere.setattr(any_choices, "_is_metric", lambda energy: False)
            assert np.array_equal(cs.minimize(crf, "expansion").labels, skipping.labels)


@pytest.mark.parametrize("factor", [1, 2.0**22, 1 / 3])  # in 32 bits, in 64, rounded
def test_expansions_of_equal_costs_of_different_labels_are_those_of_any_costs(monkeypatch, factor):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        edges = rng.integers(0, 400, (800, 2))
        edges = edges[edges[:, 0] != edges[:, 1]]
        weights, prices = factor * rng.integers(0, 40, len(edges)), None if seed else 30 * factor
        unary = factor * rng.integers(-50, 50, (10, 400))
        crf = cs.GraphCRF(unary, edges, cs.Potts(3), weights, label_costs=prices)
        result = cs.minimize(crf, "expansion")
        with monkeypatch.context() as of_any:
            of_any.setattr(choices, "is_potts", lambda energy: False)
            other = cs.minimize(crf, "expansion")
        assert np.array_equal(result.labels, other.labels)
        assert ("exact" in result.message) == ("exact" in other.message) == (factor >= 1)


@each_kind
def test_fusion_takes_the_best_of_proposals(kind):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        crf = random_graph(rng, kind, n=6)
        finite = [labels for labels, energy in zip(*every_labelling(crf), strict=True) if np.isfinite(energy)]
        proposals = [finite[i] for i in rng.integers(0, len(finite), 4)]
        result = cs.minimize(crf, "fusion", proposals=proposals)
        assert result.energy <= min(map(crf.energy, proposals))
        assert result.energy == crf.energy(result.labels) >= minimum_of(crf)


def test_fusion_of_pairs_that_no_cut_can_express_is_left_to_roof_duality():
    tables = [[[4, 0], [0, 4]]] * 4  # neighbours on a ring of even length want to differ
    crf = cs.GraphCRF([[0, 0, 0, 0], [1, 0, 0, 0]], [[0, 1], [1, 2], [2, 3], [3, 0]], tables=tables)
    fused = cs.minimize(crf, "fusion", init=[0, 0, 0, 0], proposals=[[1, 1, 1, 1]])
    assert fused.energy == minimum_of(crf) == 0


def test_label_costs_are_heeded():
    for seed in range(6):
        crf = random_graph(np.random.default_rng(seed), "potts", n=6, label_costs=[30, 3, 1])
        for method in MOVES:
            result = cs.minimize(crf, method)
            assert result.energy == reference.energy(result.labels, crf.unary, edges_of(crf), crf.label_costs)
            assert result.energy <= minimum_of(crf) + 30
    assert "graph_cut" not in cs.methods(random_graph(np.random.default_rng(0), "potts", 4, 2, label_costs=1))


@pytest.mark.parametrize("method", ["graph_cut", "expansion", "swap", "qpbo"])
@pytest.mark.parametrize("real", [False, True])
def test_a_grid_as_a_graph_has_the_same_minimum(method, real):
    rng = np.random.default_rng(2)
    unary = rng.integers(0, 20, (2, 9, 11)) + (rng.random((2, 9, 11)) if real else 0)
    grid = cs.GridCRF(unary, cs.Potts(3))
    on_grid, on_graph = (cs.minimize(crf, method) for crf in (grid, cs.GraphCRF.from_grid(grid)))
    assert on_graph.energy == pytest.approx(on_grid.energy, rel=1e-13)
    if real or method != "expansion":  # which starts elsewhere, and may find another minimum if there are several
        np.testing.assert_array_equal(on_graph.labels, on_grid.labels.ravel())


@pytest.mark.parametrize("n_labels", [2, 9])
def test_expansions_start_from_one_iteration_of_message_passing(n_labels):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        edges, unary = random_edges(rng, 12, 0.3), 9 * rng.random((n_labels, 12))
        crf = cs.GraphCRF(unary, edges, cs.Potts(2), 3 * rng.random(len(edges)))
        ((_, labels),) = reference.trws(crf.unary, increasing(edges_of(crf)), 1)
        assert PottsExpansions(crf).guess().tolist() == labels.tolist()
        assert cs.minimize(crf, "expansion").energy <= crf.energy(labels)


@pytest.mark.parametrize("method", ["graph_cut", "qpbo", "expansion", "swap"])
def test_nodes_outside_of_a_mask_take_no_part(method):
    rng = np.random.default_rng(6)
    mask = np.array([1, 0, 1, 1, 0, 1, 1], bool)
    edges, unary = random_edges(rng, 7), rng.normal(size=(2, 7))
    result = cs.minimize(cs.GraphCRF(unary, edges, cs.Potts(0.5), mask=mask), method)
    number = np.cumsum(mask) - 1
    alone = cs.GraphCRF(unary[:, mask], number[edges[mask[edges].all(axis=1)]], cs.Potts(0.5))
    assert result.labels[~mask].tolist() == [-1, -1]
    assert result.labels[mask].tolist() == cs.minimize(alone, method).labels.tolist()
    assert result.energy == pytest.approx(cs.minimize(alone, method).energy, rel=1e-12)


def test_a_graph_may_have_no_edges():
    crf = cs.GraphCRF([[3, 0, 1], [0, 2, 1]], np.empty((0, 2), int), cs.Potts(1))
    for method in ("graph_cut", "qpbo", "expansion", "swap"):
        assert cs.minimize(crf, method).energy == 1


@pytest.mark.parametrize("size", [2.0**-990, 2.0**300])
def test_tiny_and_huge_costs_are_those_of_another_unit(size):
    crf = random_graph(np.random.default_rng(3), "tables", 6, 3)
    tables, unary = np.array(crf.tables(), float), crf.unary.astype(float)
    same = cs.GraphCRF(size * unary, crf.edges, tables=size * tables)
    labels = cs.minimize(cs.GraphCRF(unary, crf.edges, tables=tables), "expansion").labels
    np.testing.assert_array_equal(cs.minimize(same, "expansion").labels, labels)

"""Every solver on graphs of every kind, against all labellings and the twins."""

import itertools

import numpy as np
import pytest

import classicseg as cs
from classicseg.reference import graph as reference
from tests.solvers.graphs import KINDS, edges_of, every_labelling, increasing, minimum_of, random_edges, random_graph

TREE = [[1, 0], [1, 2], [3, 1], [3, 4], [5, 3]]
METHODS = ("trws", "mean_field", "belief_propagation", "icm", "annealing")

each_kind = pytest.mark.parametrize("kind", KINDS)


def twin(crf):
    """Edges as the reference reads them, finite, from the smaller node to the larger one."""
    return increasing([(int(i), int(j), table) for (i, j), table in zip(crf.edges, crf.tables(), strict=True)])


@each_kind
@pytest.mark.parametrize("method", METHODS)
def test_energies_are_those_of_the_labels_and_bounds_are_never_above_the_least(kind, method):
    for seed in range(12):
        crf = random_graph(np.random.default_rng(seed), kind, n=5)
        result = cs.minimize(crf, method, max_iter=20)
        labels = result.labels
        assert labels.shape == (5,)
        assert labels.dtype == np.int32
        assert result.energy == reference.energy(labels, crf.unary, edges_of(crf))
        if result.lower_bound is not None:
            assert result.lower_bound <= minimum_of(crf) + 1e-12
        if result.marginals is not None:
            assert result.marginals.shape == crf.unary.shape
            assert result.marginals.sum(axis=0) == pytest.approx(1, abs=1e-6)


@each_kind
def test_trws_is_its_twin(kind):
    for seed in range(6):
        crf = random_graph(np.random.default_rng(seed), kind, n=12)
        for n_iter, (bound, labels) in enumerate(reference.trws(crf.unary, twin(crf), 2), 1):
            result = cs.minimize(crf, "trws", max_iter=n_iter, init=np.zeros(12, int))
            last = result.history[n_iter - 1] if len(result.history) >= n_iter else result.history[-1]
            assert last.lower_bound >= bound - 1e-9 * max(1, abs(bound))
            assert result.energy <= min(crf.energy(labels), crf.energy(np.zeros(12, int)))
        tolerance = 1e-9 * max(1, abs(bound))
        assert last.lower_bound <= max(bound, np.ceil(bound - tolerance)) + tolerance or result.n_iter < 2


@each_kind
def test_bounds_hold_for_messages_of_single_precision(kind, monkeypatch):
    exact = {}
    for small in (2**20, 0):
        monkeypatch.setattr("classicseg.solvers.messages.on_graphs._SMALL", small)
        for seed in range(6):
            crf = random_graph(np.random.default_rng(seed), kind, n=6)
            crf = cs.GraphCRF(crf.unary / 7, crf.edges, tables=crf.tables() / 7)
            bounds = [step.lower_bound for step in cs.minimize(crf, "trws", tol=0, max_iter=50).history]
            assert bounds[-1] <= minimum_of(crf) + 1e-12
            assert bounds[-1] == pytest.approx(exact.setdefault(seed, bounds[-1]), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("factor", [1e-60, 1e60])
def test_costs_may_be_far_from_1(factor, monkeypatch):
    monkeypatch.setattr("classicseg.solvers.messages.on_graphs._SMALL", 0)
    crf = random_graph(np.random.default_rng(3), "linear", n=6)
    far = cs.GraphCRF(crf.unary * factor, crf.edges, crf.compatibility, crf.weights * factor)
    near, result = cs.minimize(crf, "trws"), cs.minimize(far, "trws")
    assert result.energy == pytest.approx(near.energy * factor)
    assert result.lower_bound == pytest.approx(near.lower_bound * factor, rel=0.1)


@each_kind
def test_trees_are_solved_exactly(kind):
    for seed in range(6):
        crf = random_graph(np.random.default_rng(seed), kind, n=6, edges=TREE)
        least = minimum_of(crf)
        result = cs.minimize(crf, "belief_propagation")
        assert result.energy == least
        assert result.converged
        by_residual = cs.minimize(crf, "belief_propagation", schedule="residual")
        assert by_residual.converged
        assert by_residual.marginals == pytest.approx(result.marginals, abs=1e-6)
        if not any(np.isinf(crf.unary).ravel()) and kind != "hard":
            labels, energies = every_labelling(crf)
            beliefs = -np.log(np.maximum(result.marginals, 1e-30))
            for node in range(6):
                own = np.array([energies[labels[:, node] == x].min() for x in range(crf.n_labels)])
                found = beliefs[:, node] - beliefs[:, node].min()
                assert found[own - own.min() < 30] == pytest.approx((own - own.min())[own - own.min() < 30], abs=1e-4)
        chain = random_graph(np.random.default_rng(seed), kind, n=6, edges=[[i + 1, i] for i in range(5)])
        by_trws = cs.minimize(chain, "trws")
        assert by_trws.energy == minimum_of(chain)
        assert by_trws.gap == 0


@each_kind
def test_marginals_of_trees_are_those_of_all_labellings(kind):
    crf = random_graph(np.random.default_rng(1), kind, n=6, edges=TREE)
    labels, energies = every_labelling(crf)
    chances = np.exp((energies.min() - energies) / 3.0)
    chances /= chances.sum()
    expected = np.stack([(chances[:, None] * (labels == x)).sum(axis=0) for x in range(crf.n_labels)])
    result = cs.minimize(crf, "belief_propagation", temperature=3.0)
    assert result.marginals == pytest.approx(expected, abs=1e-6)
    damped = cs.minimize(crf, "belief_propagation", temperature=3.0, damping=0.3, max_iter=200)
    assert damped.marginals == pytest.approx(expected, abs=1e-4)


def test_residuals_lead_to_the_same_messages_as_the_order_of_nodes_and_sooner():
    for seed in (1, 2, 3, 5):
        crf = random_graph(np.random.default_rng(seed), "repulsive", n=40, density=0.1, noise=3)
        raster, residual = (
            cs.minimize(crf, "belief_propagation", temperature=1.0, schedule=schedule, max_iter=100)
            for schedule in ("raster", "residual")
        )
        assert residual.converged
        assert residual.n_iter < raster.n_iter
        assert raster.converged == (seed != 3)  # one of them never comes to rest by the order of nodes
        if raster.converged:
            assert residual.marginals == pytest.approx(raster.marginals, abs=1e-5)


@each_kind
def test_icm_and_mean_field_are_their_twins(kind):
    crf = random_graph(np.random.default_rng(4), kind, n=9)
    start = crf.unary.argmin(axis=0)
    for n_sweeps in (1, 2, 9):
        expected = reference.icm(start, crf.unary, twin(crf), n_sweeps)
        assert cs.minimize(crf, "icm", max_iter=n_sweeps).labels.tolist() == expected.tolist()
        q = reference.mean_field(crf.unary, twin(crf), n_sweeps)
        result = cs.minimize(crf, "mean_field", max_iter=n_sweeps, tol=0)
        assert result.marginals == pytest.approx(q, abs=1e-6)
        q = np.maximum(q, 1e-300)
        expected = float((q * (np.where(np.isinf(crf.unary), 0, crf.unary) + np.log(q))).sum())
        expected += sum(q[:, i] @ table @ q[:, j] for i, j, table in twin(crf))
        assert result.history[-1].energy == pytest.approx(expected, rel=1e-5, abs=1e-6)


@each_kind
def test_nothing_rises_that_must_not(kind):
    crf = random_graph(np.random.default_rng(8), kind, n=40, density=0.15)
    for method in ("icm", "mean_field", "trws"):
        energies = [step.energy for step in cs.minimize(crf, method).history]
        assert all(b <= a + 1e-9 * abs(b) for a, b in itertools.pairwise(energies))
    bounds = [step.lower_bound for step in cs.minimize(crf, "trws").history]
    assert (np.diff(bounds) >= 0).all()


@pytest.mark.parametrize("method", ["icm", "annealing"])
def test_label_costs_are_heeded(method):
    for seed in range(5):
        crf = random_graph(np.random.default_rng(seed), "potts", n=6, label_costs=[30, 3, 1])
        result = cs.minimize(crf, method)
        assert result.energy == reference.energy(result.labels, crf.unary, edges_of(crf), crf.label_costs)
    assert set(cs.methods(crf)) >= {"icm", "annealing"}
    with pytest.raises(cs.InputTypeError, match="trws cannot minimise this energy: it knows no label costs"):
        cs.minimize(crf, "trws")


def test_annealing_draws_labels_from_their_distribution_and_finds_the_least():
    found = 0
    for seed in range(6):
        crf = random_graph(np.random.default_rng(seed), "tables", n=6)
        found += cs.minimize(crf, "annealing", rng=1).energy == minimum_of(crf)
    assert found == 6


@pytest.mark.parametrize("compatibility", [cs.Potts(2), cs.TruncatedLinear(2, 3), cs.TruncatedQuadratic(1, 5)])
def test_a_grid_as_a_graph_is_solved_like_the_grid(compatibility):
    rng = np.random.default_rng(2)
    grid = cs.GridCRF(rng.integers(0, 20, (5, 7, 9)), compatibility)
    graph = cs.GraphCRF.from_grid(grid)
    on_grid, on_graph = cs.minimize(grid, "trws"), cs.minimize(graph, "trws")
    assert on_graph.lower_bound == pytest.approx(on_grid.lower_bound, rel=2e-3)
    assert on_graph.energy <= 1.02 * on_grid.energy
    if on_grid.gap == 0:
        assert on_graph.gap == 0
    tied = cs.minimize(grid, "mean_field", tol=0, max_iter=300).history[-1].energy
    assert cs.minimize(graph, "mean_field", tol=0, max_iter=300).history[-1].energy == pytest.approx(tied, rel=0.02)


def test_bounds_of_a_line_of_pixels_and_of_its_graph_are_equal():
    unary = np.random.default_rng(0).normal(size=(4, 60))
    for compatibility in (cs.Potts(0.7), cs.TruncatedLinear(0.5, 2), cs.Matrix(np.arange(16).reshape(4, 4) % 5)):
        grid = cs.GridCRF(unary, compatibility)
        on_grid, on_graph = (cs.minimize(crf, "trws") for crf in (grid, cs.GraphCRF.from_grid(grid)))
        assert on_graph.energy == pytest.approx(on_grid.energy, rel=1e-14)
        assert on_graph.lower_bound == pytest.approx(on_grid.lower_bound, rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_nodes_outside_of_a_mask_take_no_part(method):
    rng = np.random.default_rng(6)
    mask = np.array([1, 0, 1, 1, 0, 1, 1], bool)
    edges, unary = random_edges(rng, 7), rng.normal(size=(3, 7))
    result = cs.minimize(cs.GraphCRF(unary, edges, cs.Potts(0.5), mask=mask), method)
    inner = mask[edges].all(axis=1)
    number = np.cumsum(mask) - 1
    alone = cs.minimize(cs.GraphCRF(unary[:, mask], number[edges[inner]], cs.Potts(0.5)), method)
    assert result.labels[~mask].tolist() == [-1, -1]
    assert result.labels[mask].tolist() == alone.labels.tolist()
    assert result.energy == pytest.approx(alone.energy, rel=1e-12)
    if result.marginals is not None:
        assert not result.marginals[:, ~mask].any()


def test_colours_are_for_grids():
    crf = random_graph(np.random.default_rng(0), "potts")
    with pytest.raises(cs.InputError, match="schedule must be one of 'raster', 'residual', got 'colours'"):
        cs.minimize(crf, "belief_propagation", schedule="colours")


@pytest.mark.parametrize("method", METHODS)
def test_runs_can_be_begun_watched_and_stopped(method):
    crf = random_graph(np.random.default_rng(2), "tables", n=30, density=0.2)
    start = np.full((3, 30), 1 / 3) if method == "mean_field" else np.ones(30, int)
    begun = {} if method == "belief_propagation" else {"init": start}
    states = []
    result = cs.minimize(crf, method, callback=lambda state: states.append(state) or True, progress=True, **begun)
    assert len(states) == len(result.history) == 1
    assert result.message == "the callback asked to stop" or result.converged
    one, two = (cs.minimize(crf, method, n_threads=n, max_iter=7) for n in (1, 2))
    assert one.labels.tolist() == two.labels.tolist()
    assert cs.minimize(crf, method, max_iter=0).n_iter == 0
    if begun:
        with pytest.raises(cs.InputError, match="init must have shape"):
            cs.minimize(crf, method, init=start[..., :-1])


def test_numbers_of_nodes_change_nothing_but_the_order():
    """A graph whose nodes are numbered backwards is visited backwards."""
    rng = np.random.default_rng(11)
    crf = random_graph(rng, "linear", n=60, density=0.1)
    backwards = cs.GraphCRF(crf.unary[:, ::-1], 59 - crf.edges, crf.compatibility, crf.weights)
    for method in ("trws+expansion", "trws", "icm"):
        results = [cs.minimize(energy, method) for energy in (crf, backwards)]
        assert results[0].energy == pytest.approx(results[1].energy, rel=0.1)
    bounds = [cs.minimize(energy, "trws").lower_bound for energy in (crf, backwards)]
    assert bounds[0] == pytest.approx(bounds[1], rel=0.02)

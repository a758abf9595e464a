"""Elimination against all labellings, and what it says of graphs that are too wide for it."""

import itertools

import numpy as np
import pytest

import classicseg as cs
from classicseg.reference import elimination as reference
from classicseg.solvers.messages import elimination
from tests.solvers.graphs import KINDS, edges_of, minimum_of, random_graph
from tests.solvers.grids import minimum_of as minimum_of_grid


def complete(n):
    return [[i, j] for i in range(n) for j in range(i)]


@pytest.mark.parametrize("kind", KINDS)
def test_it_finds_the_least_energy_and_proves_it(kind):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        crf = random_graph(rng, kind, int(rng.integers(3, 8)), 3, density=(0.3, 0.7, 1.0)[seed % 3])
        result = cs.minimize(crf, "elimination")
        assert result.energy == result.lower_bound == minimum_of(crf) == crf.energy(result.labels)
        assert result.converged
        any_order = rng.permutation(crf.shape[0]).tolist()
        assert reference.elimination(crf.unary, edges_of(crf), any_order)[0] == result.energy


def test_bounds_of_real_costs_are_below_the_minimum_by_no_more_than_roundings():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        crf = random_graph(rng, "tables", 7, 3)
        real = cs.GraphCRF(crf.unary + rng.random(crf.unary.shape), crf.edges, tables=crf.tables() / 3)
        result, least = cs.minimize(real, "elimination"), minimum_of(real)
        assert result.energy == pytest.approx(least, abs=1e-12)
        assert least - 1e-10 < result.lower_bound <= min(least, result.energy)
        assert result.converged


def test_grids_masks_forbidden_labels_and_ties():
    rng = np.random.default_rng(0)
    for seed in range(4):
        unary = rng.integers(-3, 4, (2, 2, 4)).astype(float)
        grid = cs.GridCRF(unary, cs.Potts(-2), connectivity=8)
        assert cs.minimize(grid, "elimination").energy == minimum_of_grid(grid)
        hard = unary.copy()
        hard[seed % 2, 1] = np.inf
        mask = np.ones((2, 4), bool)
        mask[0, seed] = False
        tied = {"right": np.full((2, 3), 2.0), "down": np.ones((1, 4))}
        tied["right"][1, seed % 3] = np.inf
        masked = cs.GridCRF(hard, cs.Potts(1), tied, mask=mask)
        result = cs.minimize(masked, "elimination")
        every = (np.where(mask, np.reshape(labels, (2, 4)), -1) for labels in itertools.product((0, 1), repeat=8))
        assert result.energy == min(map(masked.energy, every))
        assert result.labels[0, seed] == -1
        assert result.converged


def test_long_chains_and_trees_and_nodes_without_neighbours():
    rng = np.random.default_rng(1)
    crf = cs.GridCRF(rng.integers(0, 9, (4, 500)), cs.TruncatedQuadratic(2, truncation=3))
    assert cs.minimize(crf, "elimination").energy == cs.minimize(crf, "trws").lower_bound
    parents = [[i, rng.integers(i)] for i in range(1, 300)]
    tree = random_graph(rng, "directed", 300, 3, edges=parents)
    assert cs.minimize(tree, "elimination").energy == cs.minimize(tree, "belief_propagation").energy
    alone = cs.GraphCRF(np.array([[3, 0, 1], [1, 2, 1]]), np.empty((0, 2), int), cs.Potts())
    assert cs.minimize(alone, "elimination").labels.tolist() == [1, 0, 0]


def test_where_no_labels_are_legal_the_energy_is_infinite():
    apart = [[[np.inf, 0], [0, np.inf]]] * 3
    triangle = cs.GraphCRF(np.zeros((2, 3)), [[0, 1], [1, 2], [0, 2]], tables=apart)
    result = cs.minimize(triangle, "elimination")
    assert result.energy == result.lower_bound == np.inf


def test_what_would_take_too_much_is_refused_before_any_work(monkeypatch):
    monkeypatch.setattr(elimination, "_eliminate", None)
    wide = cs.GridCRF(np.zeros((2, 40, 40)), cs.Potts())
    with pytest.raises(cs.BudgetError, match="a grid of 40x40 pixels has a width of 40 at least"):
        cs.minimize(wide, "elimination")
    with pytest.raises(cs.BudgetError, match="the tables of this one take more than the 1 GiB of memory="):
        cs.minimize(cs.GraphCRF.from_grid(wide), "elimination")
    with pytest.raises(cs.BudgetError, match=r"take 0\.00"):
        cs.minimize(cs.GraphCRF(np.zeros((2, 18)), complete(18), cs.Potts(-1)), "elimination", memory=1e-3)
    for memory in (0, -1, np.nan, "much"):
        with pytest.raises((cs.InputError, cs.InputTypeError), match="memory must"):
            cs.minimize(wide, "elimination", memory=memory)


def test_tables_take_what_the_plan_says(monkeypatch):
    """The sizes that are planned are those of the arrays that are made."""
    crf = random_graph(np.random.default_rng(2), "ragged", 12, 4, density=0.4)
    problem = elimination._Problem(crf)
    plan = elimination._plan(problem, 2.0**30)
    made = []
    eliminated = elimination._without
    monkeypatch.setattr(elimination, "_without", lambda *given: made.append(eliminated(*given)) or made[-1])
    cs.minimize(crf, "elimination")
    assert max(table.ndim for table, _ in made) == plan.width
    assert plan.nbytes >= sum(choice.nbytes for _, choice in made)
    assert plan.nbytes >= 3 * max(table.nbytes for table, _ in made)


def test_the_order_by_fill_is_taken_where_it_is_better_and_given_up_where_it_takes_long(monkeypatch):
    crf = random_graph(np.random.default_rng(11), "potts", 40, 2, density=0.12)
    problem = elimination._Problem(crf)
    scores = elimination._by_table, elimination._by_fill
    by_table, by_fill = (elimination._ordered(problem, score, 2.0**30) for score in scores)
    assert elimination._plan(problem, 2.0**30).nbytes == min(by_table.nbytes, by_fill.nbytes)
    monkeypatch.setattr(elimination, "_EFFORT", 10)
    assert elimination._ordered(problem, elimination._by_fill, 2.0**30) is None
    assert elimination._plan(problem, 2.0**30).nbytes == by_table.nbytes

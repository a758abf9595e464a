"""Branch and cut against all labellings, and the relaxation that it rests on."""

import itertools

import numpy as np
import pytest

import classicseg as cs
from classicseg.solvers.cut.branch_and_cut import descend
from classicseg.solvers.cut.cycles import CycleRelaxation
from classicseg.solvers.cut.quadratic import Quadratic
from tests.solvers.graphs import every_labelling, minimum_of, random_graph
from tests.solvers.grids import minimum_of as minimum_of_grid


def rivals(n):
    """Nodes that all want to differ from each other."""
    return cs.GraphCRF(np.zeros((2, n)), [[i, j] for i in range(n) for j in range(i)], cs.Potts(-1))


def ring(n):
    """Nodes that want to differ from both neighbours, which an odd number of them cannot."""
    return Quadratic(0.0, np.full(n, -2.0), np.array([[i, (i + 1) % n] for i in range(n)]), np.full(n, 2.0))


@pytest.mark.parametrize("kind", ["tables", "repulsive", "directed", "potts"])
def test_it_finds_the_least_energy_and_proves_it(kind):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        crf = random_graph(rng, kind, int(rng.integers(2, 12)), 2, density=1 - 0.5 * (seed % 2), noise=1 + seed % 6)
        if seed % 3 == 0:
            unary = crf.unary + rng.random(crf.unary.shape)
            crf = cs.GraphCRF(unary, crf.edges, tables=crf.tables() + rng.random((len(crf.edges), 2, 2)))
        result, least = cs.minimize(crf, "branch_and_cut"), minimum_of(crf)
        assert result.converged
        assert result.energy == pytest.approx(least, abs=1e-9) == crf.energy(result.labels)
        assert least - 1e-7 <= result.lower_bound <= least + 1e-12
        assert seed % 3 == 0 or result.gap == 0


def test_grids_masks_and_forbidden_labels():
    rng = np.random.default_rng(0)
    for seed in range(4):
        unary = rng.integers(-3, 4, (2, 3, 4)).astype(float)
        grid = cs.GridCRF(unary, cs.Potts(-2), connectivity=8)
        assert cs.minimize(grid, "branch_and_cut").energy == minimum_of_grid(grid)
        hard = unary.copy()
        hard[seed % 2, 1] = np.inf
        mask = np.ones((3, 4), bool)
        mask[0, seed] = False
        masked = cs.GridCRF(hard, cs.Potts(-2), connectivity=8, mask=mask)
        result = cs.minimize(masked, "branch_and_cut")
        values = [
            masked.energy(np.where(mask, np.reshape(labels, (3, 4)), -1))
            for labels in itertools.product((0, 1), repeat=12)
        ]
        assert result.energy == min(values)
        assert result.labels[0, seed] == -1
        assert result.converged


def test_where_inequalities_do_not_suffice_branches_do():
    few = cs.minimize(rivals(7), "branch_and_cut", max_iter=2)
    assert not few.converged
    assert few.lower_bound < -12 <= few.energy
    steps = cs.minimize(rivals(7), "branch_and_cut").history
    assert len(steps) > 2
    assert steps[-1].energy == steps[-1].lower_bound == -12
    assert all(np.diff([step.lower_bound for step in steps]) >= 0)
    assert all(np.diff([step.energy for step in steps]) <= 0)


def test_the_relaxation_is_a_bound_and_exact_on_rings():
    for n in (3, 4, 5, 8, 9):
        relaxation = CycleRelaxation(ring(n))
        size = len(relaxation.ends)
        low, high = np.zeros(size), np.ones(size)
        answer = relaxation.solve(low, high)
        while relaxation.tighten(answer.differs):
            answer = relaxation.solve(low, high)
        assert answer.bound == pytest.approx(-2 * (n // 2), abs=1e-6)
        bits = relaxation.rounded(answer.differs)
        assert ring(n).value(descend(ring(n), bits)) == -2 * (n // 2)


def test_multipliers_bound_every_branch_and_every_change():
    rng = np.random.default_rng(3)
    crf = random_graph(rng, "tables", 8, 2, noise=3)
    pairs = crf.tables()
    both = pairs[:, 0, 0] + pairs[:, 1, 1] - pairs[:, 0, 1] - pairs[:, 1, 0]
    first, second = crf.edges.T
    linear = (crf.unary[1] - crf.unary[0]).astype(float)
    linear += np.bincount(first, pairs[:, 1, 0] - pairs[:, 0, 0], 8) + np.bincount(
        second, pairs[:, 0, 1] - pairs[:, 0, 0], 8
    )
    function = Quadratic(crf.unary[0].sum() + pairs[:, 0, 0].sum(), linear, crf.edges.astype(np.int64), both)
    relaxation = CycleRelaxation(function)
    labels, energies = every_labelling(crf)
    differs = np.concatenate([labels, labels[:, first] ^ labels[:, second]], axis=1)
    low, high = np.zeros(differs.shape[1]), np.ones(differs.shape[1])
    for bit in (None, 0, 5):
        if bit is not None:
            low[bit] = 1
        inside = (differs >= low).all(axis=1)
        answer = relaxation.solve(low, high)
        for _ in range(4):
            relaxation.tighten(answer.differs)
            answer = relaxation.solve(low, high)
            assert answer.bound <= energies[inside].min() + 1e-9
            for edge in np.flatnonzero(low < high):
                turned = inside & (differs[:, edge] == (answer.reduced[edge] > 0))
                if turned.any():
                    assert answer.bound + abs(answer.reduced[edge]) <= energies[turned].min() + 1e-9


@pytest.mark.parametrize("factor", [1e-30, 1e-12, 1e80])
def test_costs_of_any_size_are_told_apart(factor):
    for seed in range(4):
        crf = random_graph(np.random.default_rng(seed), "tables", 9, 2, noise=4)
        scaled = cs.GraphCRF(crf.unary * factor, crf.edges, tables=crf.tables() * factor)
        result = cs.minimize(scaled, "branch_and_cut")
        assert result.converged
        assert crf.energy(result.labels) == minimum_of(crf)
        assert crf.energy(result.labels) - result.lower_bound / factor == pytest.approx(0, abs=1e-8)


def test_where_everything_is_forbidden_nothing_is_proven():
    never = [[np.inf, 0], [0, np.inf]]  # three nodes, each of which must differ from both others
    crf = cs.GraphCRF(np.zeros((2, 3)), [[0, 1], [1, 2], [0, 2]], tables=[never] * 3)
    result = cs.minimize(crf, "branch_and_cut")
    assert result.energy == np.inf
    assert not result.converged

import numpy as np
import pytest

from classicseg.reference import grid
from classicseg.reference.trws import trws

RIGHT_DOWN = ((0, 1), (1, 0))


def small(shape=(3, 3), n_labels=3, seed=0):
    rng = np.random.default_rng(seed)
    unary = rng.integers(0, 9, (n_labels, int(np.prod(shape))))
    weights = {o: rng.integers(0, 4, [n - s for n, s in zip(shape, o, strict=True)]) for o in RIGHT_DOWN}
    return unary, grid.edges(shape, weights)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_the_bound_rises_and_stays_below_the_minimum(seed):
    unary, edges = small(seed=seed)
    cost = np.random.default_rng(seed).integers(0, 5, (3, 3))
    least, _ = grid.minimum(unary, edges, cost)
    bounds, energies = [], []
    for bound, labels in trws(unary, edges, cost, 20):
        bounds.append(bound)
        energies.append(grid.energy(labels, unary, edges, cost))
    assert np.all(np.diff(bounds) > -1e-9)
    assert bounds[-1] <= least + 1e-9
    assert min(energies) >= least


def test_a_chain_is_solved_at_once():
    rng = np.random.default_rng(1)
    unary, cost = rng.integers(0, 9, (3, 7)), rng.integers(-3, 5, (3, 3))
    edges = [(i, i + 1, 2.0) for i in range(6)]
    ((bound, labels),) = trws(unary, edges, cost, 1)
    least, _ = grid.minimum(unary, edges, cost)
    assert bound == least == grid.energy(labels, unary, edges, cost)

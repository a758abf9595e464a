from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.solvers.cut.moves import _farthest_first
from tests.solvers.grids import CONNECTIVITIES, edges_of, every_labelling, minimum_of, random_grid

METRICS = [cs.Potts(2), cs.TruncatedLinear(3, truncation=2), cs.TruncatedLinear(1)]
OTHERS = [cs.TruncatedQuadratic(2, truncation=3), cs.Matrix([[0, 5, 1], [2, 3, 9], [4, 0, 1]]), cs.Potts(-1)]
ZERO_AND_ONE_REPEL = cs.Matrix([[3, 0, 4], [0, 3, 4], [4, 4, 0]])


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(METRICS), st.integers(0, 2**32 - 1))
def test_no_single_expansion_of_a_metric_is_better(compatibility, seed):
    crf = random_grid(np.random.default_rng(seed), (2, 3), 8, 3, compatibility)
    result = cs.minimize(crf, "expansion")
    assert result.converged
    labellings, energies = every_labelling(crf)
    for label in range(3):
        reachable = ((labellings == result.labels) | (labellings == label)).all(axis=(1, 2))
        assert result.energy <= energies[reachable].min()


@pytest.mark.slow
@pytest.mark.parametrize("compatibility", [cs.Potts(2), cs.TruncatedQuadratic(2, truncation=3), ZERO_AND_ONE_REPEL])
def test_no_single_swap_of_labels_that_attract_is_better(compatibility):
    """A swap of labels that repel may find only a worse labelling: it is not made, and the other swaps are."""
    cost = compatibility.matrix(3)
    pairs = [(a, b) for a, b in ((0, 1), (0, 2), (1, 2)) if cost[a, a] + cost[b, b] <= cost[a, b] + cost[b, a]]
    for seed in range(100):
        rng = np.random.default_rng(seed)
        crf = random_grid(rng, (2, 3), 8, 3, compatibility)
        result = cs.minimize(crf, "swap", init=rng.integers(0, 3, (2, 3)))
        assert result.converged
        labellings, energies = every_labelling(crf)
        for a, b in pairs:
            either = [(x == a) | (x == b) for x in (labellings, result.labels)]
            reachable = ((labellings == result.labels) | (either[0] & either[1])).all(axis=(1, 2))
            assert result.energy <= energies[reachable].min()


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["expansion", "swap"]),
    st.sampled_from(METRICS + OTHERS),
    st.sampled_from(CONNECTIVITIES),
    st.integers(0, 2**32 - 1),
)
def test_energies_never_rise_and_are_those_of_the_labels(method, compatibility, kind, seed):
    n_axes, connectivity = kind
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 7, n_axes))
    crf = random_grid(rng, shape, connectivity, 3, compatibility)
    start = rng.integers(0, 3, shape)
    states = []
    result = cs.minimize(crf, method, init=start, callback=states.append)
    energies = [crf.energy(start), *(row.energy for row in result.history)]
    assert all(later <= earlier for earlier, later in pairwise(energies))
    assert [crf.energy(state.labels) for state in states] == energies[1:]
    assert result.energy == crf.energy(result.labels)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]))
def test_energies_of_real_costs_never_rise(seed, dtype):
    rng = np.random.default_rng(seed)
    unary = rng.normal(size=(4, 9, 8)).astype(dtype)
    crf = cs.GridCRF(unary, cs.TruncatedLinear(0.3, truncation=1.7), cs.contrast_weights(rng.random((9, 8, 3))))
    start = rng.integers(0, 4, (9, 8))
    for method in ("expansion", "swap"):
        energies = [crf.energy(start), *(row.energy for row in cs.minimize(crf, method, init=start).history)]
        assert all(later <= earlier for earlier, later in pairwise(energies))


def test_a_move_that_pays_only_by_rounding_is_taken_back():
    unit = 2.0**-26  # what costs are rounded to next to edges of weight 1: 0.45 to 0, 0.6 to 1
    unary = np.array([[0, 0, 0.6], [0.45, 0.45, 0]]) * unit
    usual = np.array([[0.0], [1]]).repeat(9, axis=1)
    crf = cs.GridCRF(np.concatenate([usual, unary], axis=1), cs.Potts(1), {"right": np.array([1.0] * 8 + [0, 1, 1])})
    result = cs.minimize(crf, "expansion")
    assert "rounded to multiples of 1.49e-08" in result.message
    assert result.energy == result.history[-1].energy == 0.6 * unit
    assert not result.labels.any()


def test_moves_that_pay_only_by_rounding_do_not_go_round_in_circles():
    unary = np.random.default_rng(0).integers(0, 4, (3, 4, 5))  # whole numbers: many labellings cost the same
    crf = cs.GridCRF(unary, cs.Potts(3.0), {"right": np.full((4, 4), 1 / 3), "down": np.full((3, 5), 1 / 3)})
    result = cs.minimize(crf, "expansion")
    assert result.converged
    assert all(row.change > 0 for row in result.history[:-1])


def test_where_rounding_would_be_coarse_moves_are_found_in_rounds():
    crf = cs.GridCRF(np.array([[0, 0, 0.6], [0.25, 0.25, 0]]) * 2.0**-26, cs.Potts(1))
    result = cs.minimize(crf, "expansion")
    assert result.energy == 0.5 * 2.0**-26
    assert result.labels.tolist() == [1, 1, 1]


def test_a_pair_that_no_cut_can_express_is_made_dearer_by_no_more_than_it_must():
    """A fusion is the best choice if the cost of first old, second new is raised until the pair is submodular."""
    choices = np.indices((2,) * 6).reshape(6, -1)
    for seed in range(50):
        rng = np.random.default_rng(seed)
        crf = random_grid(rng, (2, 3), 8, 3, cs.Matrix(rng.integers(0, 10, (3, 3))))
        old, new = rng.integers(0, 3, (2, 2, 3))
        result = cs.minimize(crf, "fusion", init=old, proposals=[new], max_iter=1)
        labels = np.where(choices, new.reshape(6, 1), old.reshape(6, 1))
        cuts = sum(crf.unary.reshape(3, 6)[labels[pixel], pixel] for pixel in range(6))
        for i, j, weight in edges_of(crf):
            (c00, c01), (c10, c11) = [
                [crf.cost[a, b] for b in (old.flat[j], new.flat[j])] for a in (old.flat[i], new.flat[i])
            ]
            table = np.array([[c00, max(c01, c00 + c11 - c10)], [c10, c11]])
            cuts = cuts + weight * table[choices[i], choices[j]]
        made = (labels == result.labels.reshape(6, 1)).all(axis=0)
        assert cuts[made].min() == cuts.min()


def test_two_labels_are_solved_exactly():
    crf = random_grid(np.random.default_rng(4), (30, 31), 8, largest=12)
    best = cs.minimize(crf, "graph_cut").energy
    assert cs.minimize(crf, "expansion").energy == best
    assert cs.minimize(crf, "swap").energy == best


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
@example(38678, 7)  # two labels have to go at once
def test_label_costs_are_heeded(seed, cost):
    crf = random_grid(np.random.default_rng(seed), (2, 3), 4, 3, label_costs=[cost, cost // 2, 2 * cost])
    result = cs.minimize(crf, "expansion")
    assert result.energy == crf.energy(result.labels)
    assert result.energy <= min(crf.energy(np.full((2, 3), label)) for label in range(3))
    assert result.energy >= minimum_of(crf)


def test_a_dear_label_is_given_up():
    unary = np.zeros((3, 4, 4), int)
    unary[1:] = 5
    unary[:, 2, 2] = 9, 0, 9
    assert 1 in cs.minimize(cs.GridCRF(unary, cs.Potts(1)), "expansion").labels
    assert 1 not in cs.minimize(cs.GridCRF(unary, cs.Potts(1), label_costs=[0, 50, 0]), "expansion").labels


def test_forbidden_labels_are_not_used():
    rng = np.random.default_rng(8)
    unary = rng.normal(size=(3, 10, 10))
    unary[rng.random((3, 10, 10)) < 0.3] = np.inf
    unary[1][np.isinf(unary).all(axis=0)] = 0
    for method in ("expansion", "swap"):
        assert np.isfinite(cs.minimize(cs.GridCRF(unary, cs.Potts(3)), method).energy)


def test_fusion_is_at_least_as_good_as_each_proposal():
    crf = random_grid(np.random.default_rng(9), (12, 13), 8, 4, cs.TruncatedQuadratic(1, truncation=4))
    rng = np.random.default_rng(1)
    proposals = [rng.integers(0, 4, (12, 13)) for _ in range(5)]
    fused = cs.minimize(crf, "fusion", proposals=proposals)
    assert fused.energy < min(map(crf.energy, proposals))
    started = cs.minimize(crf, "fusion", proposals=proposals, init=np.zeros((12, 13), int))
    assert started.energy <= crf.energy(np.zeros((12, 13), int))


@pytest.mark.parametrize("method", ["expansion", "swap"])
def test_results_do_not_depend_on_threads(method):
    crf = random_grid(np.random.default_rng(2), (60, 40), 4, 5)
    alone, together = (cs.minimize(crf, method, n_threads=n).labels for n in (1, 4))
    np.testing.assert_array_equal(alone, together)


def test_stopping():
    crf = random_grid(np.random.default_rng(2), (20, 20), 4, 6)
    assert cs.minimize(crf, "expansion", max_iter=0).n_iter == 0
    stopped = cs.minimize(crf, "expansion", callback=lambda state: True)
    assert (stopped.n_iter, stopped.converged) == (1, False)
    assert cs.minimize(crf, "expansion", tol=1e9).n_iter == 1


CRF = cs.GridCRF(np.zeros((3, 4, 5)), cs.Potts())


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: cs.minimize(CRF, "expansion", init=np.zeros((4, 4), int)), "init must have shape"),
        (lambda: cs.minimize(CRF, "swap", init=np.full((4, 5), 3)), "init must be 0 to 2"),
        (lambda: cs.minimize(CRF, "expansion", max_iter=-1), "max_iter"),
        (lambda: cs.minimize(CRF, "expansion", tol=-1), "tol"),
        (lambda: cs.minimize(CRF, "expansion", n_threads=0), "n_threads"),
        (lambda: cs.minimize(CRF, "fusion", proposals=[]), "proposals"),
        (lambda: cs.minimize(CRF, "fusion", proposals=[np.zeros(3, int)]), "proposals must have shape"),
    ],
)
def test_bad_arguments_are_named(call, word):
    with pytest.raises(ValueError, match=word):
        call()


def test_swaps_begin_with_the_labels_that_are_dearest_together():
    linear = _farthest_first(cs.TruncatedLinear(2, truncation=2).matrix(4))
    assert linear == [(0, 3), (0, 2), (1, 3), (0, 1), (1, 2), (2, 3)]
    assert _farthest_first(np.array([[0, 1, 9], [5, 0, 1], [0, 1, 0]])) == [(0, 2), (0, 1), (1, 2)]

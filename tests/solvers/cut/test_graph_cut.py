import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

import classicseg as cs
from classicseg.reference.max_flow import Graph
from classicseg.solvers.cut import network, waves
from tests.solvers.grids import CONNECTIVITIES, edges_of, minimum_of, random_grid


def as_flow(crf):
    """Excess of each pixel and capacities of each edge, for Potts(1), and the energy without any flow."""
    unary = crf.unary.reshape(2, -1).astype(np.int64)
    capacities = [(i, j, int(w), int(w)) for i, j, w in edges_of(crf)]
    return unary[1] - unary[0], capacities, int(unary.min(axis=0).sum())


def scipy_minimum(crf):
    excess, edges, base = as_flow(crf)
    n = excess.size
    pixels = np.arange(n)
    rows = [np.full(n, n), pixels]
    columns = [pixels, np.full(n, n + 1)]
    values = [np.maximum(excess, 0), np.maximum(-excess, 0)]
    if edges:
        i, j, w, _ = np.array(edges).T
        rows, columns, values = [*rows, i, j], [*columns, j, i], [*values, w, w]
    parts = (np.concatenate(values).astype(np.int32), (np.concatenate(rows), np.concatenate(columns)))
    return base + maximum_flow(csr_array(parts, shape=(n + 2, n + 2)), n, n + 1).flow_value


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(CONNECTIVITIES), st.integers(0, 2**32 - 1))
def test_tiny_grids_equal_enumeration(kind, seed):
    n_axes, connectivity = kind
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, {1: 9, 2: 4, 3: 3}[n_axes], n_axes))
    cost = rng.integers(-5, 6, (2, 2))
    cost[0, 1] = max(cost[0, 1], cost[0, 0] + cost[1, 1] - cost[1, 0])
    crf = random_grid(rng, shape, connectivity, compatibility=cost)
    result = cs.minimize(crf, "graph_cut")
    assert result.energy == crf.energy(result.labels) == minimum_of(crf)
    assert result.gap == 0


@pytest.mark.slow
@pytest.mark.parametrize(("n_axes", "connectivity"), CONNECTIVITIES)
@pytest.mark.parametrize("largest", [4, 30])
def test_larger_grids_equal_scipy_and_the_reference(n_axes, connectivity, largest):
    rng = np.random.default_rng([n_axes, connectivity, largest])
    crf = random_grid(rng, {1: (900,), 2: (37, 53), 3: (9, 11, 13)}[n_axes], connectivity, largest=largest)
    result = cs.minimize(crf, "graph_cut")
    assert result.energy == scipy_minimum(crf)
    excess, edges, base = as_flow(crf)
    graph = Graph(excess.tolist(), edges)
    assert base + graph.max_flow() == result.energy
    assert result.labels.reshape(-1).tolist() == list(map(int, graph.reaches_sink()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "connectivity"), [((97, 70), 4), ((97, 70), 8), ((260, 180), 8), ((24, 15, 17), 6), ((24, 15, 17), 26)]
)
def test_labels_do_not_depend_on_the_number_of_threads(monkeypatch, shape, connectivity):
    crf = random_grid(np.random.default_rng(3), shape, connectivity, largest=20, noise=40)
    alone = cs.minimize(crf, "graph_cut", n_threads=1)
    assert alone.energy == scipy_minimum(crf)
    monkeypatch.setattr(network, "_STRIP_PIXELS", 100)
    monkeypatch.setattr(waves, "_STRIP_PIXELS", 100)
    for n_threads in (2, 3, 8):
        together = cs.minimize(crf, "graph_cut", n_threads=n_threads)
        np.testing.assert_array_equal(alone.labels, together.labels)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    connectivity=st.sampled_from([4, 8]),
    seed=st.integers(0, 2**32 - 1),
    full=st.floats(0, 1),
    n_threads=st.integers(1, 3),
)
def test_images_of_any_size_equal_scipy(shape, connectivity, seed, full, n_threads):
    rng = np.random.default_rng(seed)
    crf = random_grid(rng, shape, connectivity, noise=rng.integers(1, 60))
    weights = {name: w * (rng.random(w.shape) < full) for name, w in crf.weights.items()}
    unary = crf.unary * (rng.random(shape) < full)
    crf = cs.GridCRF(unary, cs.Potts(1), weights, connectivity=connectivity)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waves, "_STRIP_PIXELS", 50)
        result = cs.minimize(crf, "graph_cut", n_threads=n_threads)
    assert result.energy == scipy_minimum(crf)
    excess, edges, _ = as_flow(crf)
    graph = Graph(excess.tolist(), edges)
    graph.max_flow()
    assert result.labels.reshape(-1).tolist() == list(map(int, graph.reaches_sink()))


def maze(n):
    """A path of 2n^2 pixels, there and back along every other row: deficit at one end, excess at the other."""
    free = np.zeros((2 * n - 1, n), bool)
    free[::2] = True
    free[1::4, -1] = free[3::4, 0] = True
    weights = {"right": free[:, 1:] & free[:, :-1], "down": free[1:] & free[:-1]}
    unary = np.zeros((2, *free.shape), np.int64)
    unary[1, 0, 0] = 7  # rather 0
    unary[0, -1, 0 if n % 2 == 0 else -1] = 5  # rather 1
    return cs.GridCRF(unary, cs.Potts(1), {name: 3 * w.astype(np.int64) for name, w in weights.items()})


@pytest.mark.parametrize("n_threads", [1, 3])
def test_flow_finds_its_way_through_a_maze(monkeypatch, n_threads):
    monkeypatch.setattr(waves, "_STRIP_PIXELS", 500)
    crf = maze(41)
    result = cs.minimize(crf, "graph_cut", n_threads=n_threads)
    assert result.energy == scipy_minimum(crf) == 3


@pytest.mark.parametrize("setting", ["_PATIENCE", "_SMALL"])
@pytest.mark.parametrize("connectivity", [4, 8])
def test_what_waves_leave_is_found_by_augmenting_paths(monkeypatch, setting, connectivity):
    crf = random_grid(np.random.default_rng(4), (50, 60), connectivity, largest=30)
    usual = cs.minimize(crf, "graph_cut")
    monkeypatch.setattr(waves, setting, 0)
    other = cs.minimize(crf, "graph_cut")
    assert usual.energy == other.energy
    np.testing.assert_array_equal(usual.labels, other.labels)


def test_of_equal_labellings_that_with_fewest_pixels_of_label_1_is_returned():
    assert not cs.minimize(cs.GridCRF(np.zeros((2, 5, 6)), cs.Potts()), "graph_cut").labels.any()
    tie = cs.GridCRF(np.array([[[0, 3, 4]], [[9, 3, 0]]]), cs.Potts(1))
    assert cs.minimize(tie, "graph_cut").labels.tolist() == [[0, 0, 1]]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.float16, np.float32, np.float64]))
def test_real_costs_are_minimised_within_the_stated_bound(seed, dtype):
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.integers(-3, 4)
    unary = (rng.normal(size=(2, 3, 4)) * size).astype(dtype)
    crf = cs.GridCRF(unary, cs.Potts(size * rng.random()), rng.random(), connectivity=8)
    result = cs.minimize(crf, "graph_cut")
    best = minimum_of(crf)
    assert result.lower_bound <= best + 1e-9 * size
    assert best <= result.energy + 1e-9 * size
    assert result.energy <= best + max(result.gap, 1e-9 * size)
    assert result.gap <= 1e-4 * size


def test_whole_numbers_beyond_32_bits_stay_exact():
    rng = np.random.default_rng(5)
    for noise, largest in ((2**40, 9), (2**30, 2**30), (9, 2**44)):
        crf = random_grid(rng, (3, 4), 4, noise=noise, largest=largest)
        result = cs.minimize(crf, "graph_cut")
        assert result.energy == result.lower_bound == minimum_of(crf)
        assert "exact" in result.message


def test_forbidden_labels_are_never_used():
    rng = np.random.default_rng(3)
    unary = rng.normal(size=(2, 20, 30))
    forbidden = rng.integers(0, 2, (20, 30))
    hard = rng.random((20, 30)) < 0.3
    unary[0][hard & (forbidden == 0)] = np.inf
    unary[1][hard & (forbidden == 1)] = np.inf
    result = cs.minimize(cs.GridCRF(unary, cs.Potts(50)), "graph_cut")
    assert np.isfinite(result.energy)
    np.testing.assert_array_equal(result.labels[hard], 1 - forbidden[hard])


@pytest.mark.parametrize(("shape", "connectivity"), [((300,), 2), ((40, 50), 8), ((8, 9, 10), 6)])
def test_solving_again_equals_solving_anew(shape, connectivity):
    rng = np.random.default_rng(11)
    crf = random_grid(rng, shape, connectivity, largest=15)
    cut = cs.GraphCut(crf)
    cut.solve()
    unary = np.array(crf.unary)
    for _ in range(5):
        spots = rng.random(shape) < 0.1
        unary[:, spots] = rng.integers(-20, 21, (2, int(spots.sum())))
        cut.set_unary(unary)
        again = cut.solve()
        anew = cs.minimize(cs.GridCRF(unary, cs.Potts(1), crf.weights), "graph_cut")
        np.testing.assert_array_equal(again.labels, anew.labels)
        assert again.energy == anew.energy


def test_changed_costs_may_need_another_scale_or_be_forbidden():
    cut = cs.GraphCut(cs.GridCRF(np.array([[0, 2, 0], [3, 0, 1]]), cs.Potts(1)))
    assert cut.solve().labels.tolist() == [0, 0, 0]
    for unary in (
        [[0, 2.5, 0], [3, 0, 1]],
        [[0, 1e12, 0], [3, 0, 1]],
        [[0, np.inf, 0], [3, 0, 1]],
        [[0, 2, 0], [np.inf, 0, 1]],
        [[np.inf, 2, 0], [3, 0, np.inf]],
    ):
        cut.set_unary(unary)
        assert cut.solve().energy == cs.minimize(cs.GridCRF(unary, cs.Potts(1)), "graph_cut").energy


def test_nothing_of_the_caller_is_changed():
    unary = np.random.default_rng(0).integers(0, 9, (2, 12, 13)).astype(np.int32)
    weights = {"right": np.full((12, 12), 3, np.int32), "down": np.full((11, 13), 3, np.int32)}
    kept = unary.copy()
    for array in (unary, *weights.values()):
        array.setflags(write=False)
    crf = cs.GridCRF(unary, cs.Potts(2), weights)
    assert cs.minimize(crf, "graph_cut").energy == cs.minimize(crf, "expansion").energy
    np.testing.assert_array_equal(unary, kept)
    assert (weights["right"] == 3).all()


def test_the_callback_sees_the_result():
    seen = []
    result = cs.minimize(cs.GridCRF(np.zeros((2, 3, 3)), cs.Potts()), callback=seen.append, method="graph_cut")
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0].labels, result.labels)
    assert seen[0].lower_bound == result.lower_bound
    assert result.converged


@pytest.mark.parametrize(
    ("crf", "word"),
    [
        (cs.GridCRF(np.zeros((3, 2, 2)), cs.Potts()), "2 labels, got 3"),
        (cs.GridCRF(np.zeros((2, 2, 3)), cs.Potts(-1)), r"'right' at \(0, 0\) is not submodular"),
        (cs.GridCRF(np.zeros((2, 2, 3)), cs.Potts(), label_costs=1), "label costs"),
        (cs.DenseCRF(np.zeros((2, 2, 3)), []), "GridCRF"),
    ],
)
def test_what_a_cut_cannot_minimise_is_said(crf, word):
    with pytest.raises(TypeError, match=word):
        cs.minimize(crf, "graph_cut")
    with pytest.raises((TypeError, ValueError), match=word):
        cs.GraphCut(crf)


def test_changed_costs_must_fit():
    cut = cs.GraphCut(cs.GridCRF(np.zeros((2, 3, 3)), cs.Potts()))
    with pytest.raises(ValueError, match="unary must have shape"):
        cut.set_unary(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="unary must be numbers"):
        cut.set_unary(np.full((2, 3, 3), np.nan))


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1, 5), (1, 4, 1), (3, 1, 4)])
def test_grids_of_one_row_or_column(shape):
    unary = np.random.default_rng(1).integers(0, 9, (2, *shape))
    crf = cs.GridCRF(unary, cs.Potts(1))
    assert cs.GraphCut(crf).solve().energy == scipy_minimum(crf)
    assert cs.minimize(crf, "graph_cut").energy == scipy_minimum(crf)


@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize(
    "twin_of", [cs.GraphCut.copy, copy.copy, copy.deepcopy, lambda cut: pickle.loads(pickle.dumps(cut))]
)
def test_copies_of_a_cut_go_their_own_ways(kind, twin_of):
    rng = np.random.default_rng(2)
    first, second = (rng.integers(0, 9, (2, 5, 9)).astype(kind) * kind(1.5) for _ in range(2))
    cut = cs.GraphCut(cs.GridCRF(first, cs.Potts(kind(1.7))))
    before = cut.solve()
    twin = twin_of(cut)
    twin.set_unary(second)
    after = twin.solve()
    assert after.energy == cs.minimize(cs.GridCRF(second, cs.Potts(kind(1.7))), "graph_cut").energy
    assert after.energy != before.energy
    np.testing.assert_array_equal(cut.solve().labels, before.labels)
    cut.set_unary(second)
    np.testing.assert_array_equal(cut.solve().labels, after.labels)

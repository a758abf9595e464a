"""The interface of gco-wrapper, next to gco-wrapper itself where it is installed."""

import numpy as np
import pytest

import classicseg as cs
from classicseg import gco


@pytest.fixture(scope="module")
def theirs():
    return pytest.importorskip("gco", reason="parity with gco-wrapper needs it")


POTTS = 3 * (1 - np.eye(4, dtype=np.int32))
LINEAR = np.minimum(np.abs(np.subtract.outer(range(4), range(4))), 2).astype(np.int32)


def near(energy, mine, other):
    """Local minima: each may be a little lower than the other one."""
    assert mine.shape == other.shape
    assert mine.dtype == other.dtype
    return energy.energy(mine.reshape(energy.shape)), energy.energy(other.reshape(energy.shape))


@pytest.mark.parametrize("algorithm", ["expansion", "swap"])
@pytest.mark.parametrize("table", [POTTS, LINEAR])
def test_graphs_end_as_low_as_with_gco(algorithm, table, theirs):
    total = np.zeros(2)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        pairs = rng.integers(0, 60, (150, 2))
        edges = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0).astype(np.int32)
        weights = rng.integers(1, 9, len(edges)).astype(np.int32)
        unary = rng.integers(0, 40, (60, 4)).astype(np.int32)
        found = [
            library.cut_general_graph(edges, weights, unary, table.astype(np.int32), algorithm=algorithm)
            for library in (gco, theirs)
        ]
        total += near(cs.GraphCRF(unary.T, edges, cs.Matrix(table), weights), *found)
    assert total[0] <= 1.01 * total[1]


@pytest.mark.parametrize("diagonals", [False, True])
def test_images_end_as_low_as_with_gco(diagonals, theirs):
    total = np.zeros(2)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        unary = rng.integers(0, 40, (8, 9, 4)).astype(np.int32)
        shapes = ((7, 9), (8, 8), (7, 8), (7, 8))[: 4 if diagonals else 2]
        weights = [rng.integers(1, 9, shape).astype(np.int32) for shape in shapes]
        found = [library.cut_grid_graph(unary, POTTS.astype(np.int32), *weights) for library in (gco, theirs)]
        names = ("down", "right", "down_right", "down_left")
        given = dict(zip(names, weights, strict=False))
        energy = cs.GridCRF(np.moveaxis(unary, -1, 0), cs.Matrix(POTTS), given, connectivity=2 * len(weights))
        total += near(energy, *found)
    assert total[0] <= 1.005 * total[1]


@pytest.mark.parametrize("connect", [4, 8])
def test_simple_images_are_images_of_weights_of_1(connect):
    unary = np.random.default_rng(0).random((6, 7, 4))
    weights = [np.ones(shape) for shape in ((5, 7), (6, 6), (5, 6), (5, 6))[: connect // 2]]
    simple = gco.cut_grid_graph_simple(unary, POTTS / 9, connect=connect)
    np.testing.assert_array_equal(simple, gco.cut_grid_graph(unary, POTTS / 9, *weights))


def test_a_third_column_of_edges_holds_weights_and_labels_may_be_given():
    unary = [[0, 3], [2, 0], [0, 3]]
    table = [[0, 1], [1, 0]]
    by_column = gco.cut_from_graph([[0, 1, 2], [1, 2, 2]], unary, table)
    assert by_column.tolist() == gco.cut_from_graph([[0, 1], [1, 2]], unary, table, weights=[2, 2]).tolist()
    kept = gco.cut_general_graph([[0, 1]], [5], [[0, 0], [0, 0]], table, n_iter=0, init_labels=[1, 0])
    assert kept.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: gco.cut_general_graph([[0, 9]], [1], np.zeros((3, 2))), "edges must join nodes 0 to 2"),
        (lambda: gco.cut_general_graph([[0, 1]], [1], np.zeros(3)), r"unary_cost must have shape \(N, L\)"),
        (lambda: gco.cut_general_graph([[0, 1]], [1], np.zeros((3, 2)), np.zeros((3, 3))), "pairwise_cost must have"),
        (lambda: gco.cut_general_graph([[0, 1]], [1], np.zeros((3, 2)), algorithm="bp"), "algorithm must be one of"),
        (lambda: gco.cut_from_graph([0, 1], np.zeros((3, 2)), np.eye(2)), r"edges must have shape \(E, 2\)"),
        (lambda: gco.cut_grid_graph_simple(np.zeros((3, 3, 2)), np.eye(2), connect=6), "connect must be 4 or 8"),
        (
            lambda: gco.cut_grid_graph(
                np.zeros((2, 2, 2)), np.eye(2), np.ones((1, 2)), np.ones((2, 1)), np.ones((1, 1))
            ),
            "both, or neither",
        ),
        (lambda: gco.cut_grid_graph(np.zeros((2, 2, 2)), np.eye(2), np.ones((2, 2)), 1), "cost_v must have shape"),
    ],
)
def test_wrong_calls_are_refused(call, says):
    with pytest.raises(cs.InputError, match=says):
        call()


def _put_together(library, seed, function=None):
    """The same energy in either library, with labels to start from."""
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, 30, (60, 2))
    first, second = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0).T
    graph = library.GCO()
    graph.create_general_graph(30, 4)
    graph.set_data_cost(rng.integers(0, 40, (30, 4)))
    graph.set_all_neighbors(first, second, rng.integers(1, 9, len(first)))
    if function is None:
        graph.set_smooth_cost(LINEAR)
    else:
        graph.set_smooth_cost_function(function)
    for site, label in enumerate(rng.integers(0, 4, 30).tolist()):
        graph.init_label_at_site(site, label)
    return graph


@pytest.mark.parametrize("function", [None, lambda i, j, a, b: abs(a - b) * (1 + (i + j) % 3)])
def test_graphs_that_are_put_together_have_the_energies_of_gco(function, theirs):
    mine, other = (_put_together(library, 1, function) for library in (gco, theirs))
    parts = ("compute_energy", "compute_data_energy", "compute_smooth_energy")
    for step in (lambda g: None, lambda g: g.expansion_on_alpha(2), lambda g: g.alpha_beta_swap(0, 1)):
        assert step(mine) == step(other)
        assert mine.get_labels().tolist() == other.get_labels().tolist()
        assert [getattr(mine, part)() for part in parts] == [getattr(other, part)() for part in parts]
    for moves in ("expansion", "swap"):  # to local minima
        assert getattr(mine, moves)() <= 1.02 * getattr(other, moves)()
    assert mine.get_label_at_site(4) == mine.get_labels()[4]


def test_graphs_that_are_put_together_say_what_is_wrong():
    graph = gco.GCO()
    with pytest.raises(gco.PyGcoError, match="there is no graph"):
        graph.expansion()
    graph.create_general_graph(3, 2)
    graph.set_site_data_cost(1, 0, 5)  # of a site that set_data_cost has set, gco-wrapper forgets the other costs
    assert graph.compute_energy() == 5
    for call, says in [
        (lambda: graph.set_data_cost(np.zeros((2, 3))), "unary must have shape \\(3, 2\\), got \\(2, 3\\)"),
        (lambda: graph.set_all_neighbors([0], [3], [1]), "s2 must be sites 0 to 2"),
        (lambda: graph.set_all_neighbors([0, 1], [2], [1]), "one length, got 2, 1 and 1"),
        (lambda: graph.set_neighbor_pair(1, 1, 2), "must differ"),
        (lambda: graph.set_smooth_cost([[0, 1], [2, 0]]), "symmetric"),
        (lambda: graph.set_smooth_cost_function(3), "fun must be a function"),
        (lambda: graph.init_label_at_site(0, 2), "label must be"),
    ]:
        with pytest.raises((ValueError, TypeError), match=says):
            call()


def test_pictures_as_pygco_takes_them():
    rng = np.random.default_rng(0)
    unary, ones = rng.integers(0, 20, (5, 6, 4)), np.ones((5, 6))
    simple = gco.cut_simple(unary, POTTS)
    np.testing.assert_array_equal(simple, gco.cut_simple_vh(unary, POTTS, ones, ones))
    down, right, below, beside = gco.get_images_edges_vh(5, 6)
    edges = np.concatenate([np.stack([down, below], 1), np.stack([right, beside], 1)])
    energy = cs.GraphCRF(unary.reshape(-1, 4).T, edges, cs.Matrix(POTTS))
    assert energy.energy(simple.ravel()) == pytest.approx(
        energy.energy(gco.cut_from_graph(edges, unary.reshape(-1, 4), POTTS)), rel=0.02
    )


def test_edges_of_images_are_those_of_gco(theirs):
    for name in ("get_images_edges_vh", "get_images_edges_diag"):
        for mine, other in zip(getattr(gco, name)(3, 4), getattr(theirs, name)(3, 4), strict=True):
            np.testing.assert_array_equal(mine, other)

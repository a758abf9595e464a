import pickle

import numpy as np
import pytest

import classicseg as cs
from classicseg.reference import graph as reference
from tests.solvers.graphs import KINDS, edges_of, every_labelling, random_graph

UNARY = np.array([[0, 5, 0, 2], [3, 0, 3, 0]])
EDGES = [[0, 1], [1, 2], [0, 2], [2, 3]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("label_costs", [None, [1, 2, 4]])
def test_the_energy_equals_the_sum_over_nodes_and_edges(kind, label_costs):
    rng = np.random.default_rng(3)
    crf = random_graph(rng, kind, n=4, label_costs=label_costs)
    costs = None if label_costs is None else np.array(label_costs)
    labels, energies = every_labelling(crf)
    for chosen in rng.choice(len(labels), 30, replace=False):
        expected = reference.energy(labels[chosen], crf.unary, edges_of(crf), costs)
        assert crf.energy(labels[chosen]) == expected == energies[chosen]
        assert sum(crf.terms(labels[chosen]).values()) == expected
    assert reference.minimum(crf.unary, edges_of(crf), costs)[0] == energies.min()


@pytest.mark.parametrize("kind", ["directed", "tables"])
def test_the_row_of_a_table_is_the_label_of_the_first_node_in_whatever_order_edges_come(kind):
    table = np.array([[0.0, 7], [1, 0]])
    for edge, expected in (([0, 1], 7), ([1, 0], 1)):
        if kind == "tables":
            crf = cs.GraphCRF(np.zeros((2, 2)), [edge], tables=table[None])
        else:
            crf = cs.GraphCRF(np.zeros((2, 2)), [edge], table)
        assert crf.energy([0, 1]) == expected
        assert crf.energy([1, 0]) == 8 - expected


def test_edges_that_are_given_several_times_are_summed():
    potts = cs.GraphCRF(UNARY, [[0, 1], [1, 0], [2, 1], [0, 1]], cs.Potts(2), [1, 2, 5, -4])
    assert potts.edges.tolist() == [[0, 1], [1, 2]]
    assert potts.weights.tolist() == [-1, 5]
    table = np.array([[0.0, 7], [1, 0]])
    tables = cs.GraphCRF(UNARY, [[1, 0], [0, 1]], tables=[table, 10 * table])
    assert tables.edges.tolist() == [[0, 1]]
    assert tables.edge_tables.tolist() == [[[0, 71], [17, 0]]]
    both_ways = cs.GraphCRF(np.zeros((2, 2)), [[0, 1], [1, 0], [1, 0]], table, [1, 3, 1])
    assert both_ways.edges.tolist() == [[0, 1], [1, 0]]
    assert both_ways.energy([0, 1]) == 7 + 4


def test_integers_stay_exact():
    big = 2**52 + 1
    crf = cs.GraphCRF([[0, big], [0, 0]], [[0, 1]], cs.Potts(1), [3])
    assert crf.energy([1, 0]) == big + 3


@pytest.mark.parametrize("kind", KINDS)
def test_tables_give_every_edge_and_stand_in_for_infinity(kind):
    crf = random_graph(np.random.default_rng(0), kind)
    whole = crf.tables()
    assert whole.shape == (len(crf.edges), crf.n_labels, crf.n_labels)
    assert np.isfinite(whole).all()
    assert np.array_equal(crf.tables(1, 3), whole[1:3])
    given = np.array([table for _, _, table in edges_of(crf)])
    assert np.array_equal(whole[np.isfinite(given)], given[np.isfinite(given)])


def test_what_stands_for_infinity_is_never_worth_it():
    for seed in range(20):
        crf = random_graph(np.random.default_rng(seed), "hard", n=4)
        finite = cs.GraphCRF(crf.unary, crf.edges, tables=crf.tables())
        _, energies = every_labelling(crf)
        _, stand_in = every_labelling(finite)
        assert stand_in.min() == energies.min()
        assert stand_in[np.isinf(energies)].min() > energies[np.isfinite(energies)].max()


def test_infinite_weights_tie_nodes():
    crf = cs.GraphCRF(UNARY, EDGES, cs.Potts(2), [np.inf, 1, 1, -1])
    assert crf.energy([0, 1, 0, 0]) == np.inf
    assert crf.energy([0, 0, 0, 0]) == 7
    assert np.isfinite(crf.finite_weights).all()
    with pytest.raises(cs.InputError, match="infinite weights need a compatibility"):
        cs.GraphCRF(UNARY, EDGES, cs.Potts(-2), [np.inf, 1, 1, 1])


def test_nodes_may_have_different_numbers_of_labels():
    crf = cs.GraphCRF([[1, 2, 3], [4], [0, 5]], [[0, 2], [1, 0]], tables=[np.ones((3, 2)), [[1, 2, 9]]])
    assert crf.label_counts.tolist() == [3, 1, 2]
    assert crf.unary.tolist() == [[1, 4, 0], [2, np.inf, 5], [3, np.inf, np.inf]]
    assert crf.energy([2, 0, 1]) == 3 + 4 + 5 + 1 + 9
    assert crf.energy([0, 1, 0]) == np.inf
    assert repr(crf) == "GraphCRF(up to 3 labels, 3 nodes, 2 edges, tables)"
    single = cs.GraphCRF(np.array([[1.5], [2.5], [1, 2]], dtype=object), [[0, 1]], cs.Potts())
    assert single.label_counts.tolist() == [1, 1, 2]


def test_nodes_outside_of_a_mask_cost_nothing_and_are_not_looked_at():
    unary = np.array([[0, np.nan, 0, 2], [3, np.inf, 3, 0]])
    crf = cs.GraphCRF(unary, EDGES, cs.Potts(2), [9, 9, 1, 1], mask=[1, 0, 1, 1])
    assert crf.n_points == 3
    assert crf.edges.tolist() == [[0, 2], [2, 3]]
    assert crf.energy([0, -1, 1, 0]) == 0 + 3 + 2 + 2 + 2
    assert repr(crf) == "GraphCRF(2 labels, 4 nodes, 3 inside, 2 edges, Potts)"


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("masked", [False, True])
def test_a_grid_and_its_graph_have_equal_energies(connectivity, masked):
    rng = np.random.default_rng(5)
    shape = (3, 4)
    mask = rng.random(shape) < 0.7 if masked else None
    image = rng.random((*shape, 3))
    weights = cs.contrast_weights(image, connectivity=connectivity)
    for compatibility in (cs.Potts(2), cs.TruncatedLinear(3, truncation=2), cs.Matrix(rng.random((3, 3)))):
        unary = rng.normal(size=(3, *shape))
        unary[1, 0, 0] = np.inf
        grid = cs.GridCRF(unary, compatibility, weights, label_costs=[1, 2, 3], mask=mask)
        graph = cs.GraphCRF.from_grid(grid)
        for _ in range(5):
            labels = rng.integers(0, 3, shape)
            assert graph.energy(labels.ravel()) == pytest.approx(grid.energy(labels), rel=1e-14)


def test_volumes_lines_and_single_pixels_are_graphs_too():
    for shape, n_edges in (((5,), 4), ((2, 3, 2), 20), ((1, 1), 0), ((1, 4), 3)):
        grid = cs.GridCRF(np.zeros((2, *shape)), cs.Potts())
        assert len(cs.GraphCRF.from_grid(grid).edges) == n_edges
    with pytest.raises(cs.InputTypeError, match="grid must be a GridCRF, got int"):
        cs.GraphCRF.from_grid(3)


def test_a_graph_never_changes_and_can_be_pickled():
    crf = random_graph(np.random.default_rng(0), "hard")
    again = pickle.loads(pickle.dumps(crf))
    assert repr(again) == repr(crf)
    assert np.array_equal(again.tables(), crf.tables())
    with pytest.raises(AttributeError, match="never changes"):
        crf.n_labels = 7
    for name in ("unary", "edges", "edge_tables", "finite_tables"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(crf, name)[0] = 0


def test_a_graph_need_not_have_edges():
    for empty in ([], np.empty((0, 2), int), np.empty((2, 0))):
        crf = cs.GraphCRF(UNARY, empty, cs.Potts())
        assert crf.edges.shape == (0, 2)
        assert crf.energy([1, 1, 1, 1]) == 6
        assert crf.tables().shape == (0, 2, 2)
        assert cs.GraphCRF(UNARY, empty, tables=np.empty((0, 2, 2))).energy([0, 0, 0, 0]) == 7


def test_the_reason_against_a_cut_names_the_edge():
    assert cs.GraphCRF(UNARY, EDGES, cs.Potts()).reason_against_cut() is None
    assert "serves 2 labels, got 3" in cs.GraphCRF(np.zeros((3, 4)), EDGES, cs.Potts()).reason_against_cut()
    assert "label costs" in cs.GraphCRF(UNARY, EDGES, cs.Potts(), label_costs=1).reason_against_cut()
    reason = cs.GraphCRF(UNARY, EDGES, cs.Potts(), [1, 1, -1, 1]).reason_against_cut()
    assert reason.startswith("the edge 1, of the nodes [0, 2], is not submodular")


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"unary": np.zeros((2, 2, 2))}, cs.InputError, r"unary must be \(L, N\)"),
        ({"unary": [[0, 1], [2]]}, cs.InputError, "edges must join nodes 0 to 1"),
        ({"unary": [[0, 1], [], [2]]}, cs.InputError, r"unary\[1\] must be the costs"),
        ({"unary": np.array([[0, np.nan, 0, 0]] * 2)}, cs.InputError, "unary must be numbers"),
        ({"unary": np.full((2, 4), np.inf)}, cs.InputError, "all of them are forbidden"),
        ({"edges": [[0, 4]]}, cs.InputError, r"edges must join nodes 0 to 3, got \[0, 4\] at edge 0"),
        ({"edges": [[0, 1], [-1, 2]]}, cs.InputError, r"got \[-1, 2\] at edge 1"),
        ({"edges": [[0, 1], [2, 2]]}, cs.InputError, r"different nodes, got \[2, 2\] at edge 1: a loop"),
        ({"edges": [0, 1]}, cs.InputError, r"edges must have shape \(E, 2\)"),
        ({"edges": [[0.5, 1]]}, cs.InputTypeError, "edges must hold integers"),
        ({"edges": [["a", "b"]]}, cs.InputTypeError, "edges must hold real numbers"),
        ({"weights": [1, 2]}, cs.InputError, r"weights must have shape \(4,\), got \(2,\)"),
        ({"weights": [1, 2, np.nan, 1]}, cs.InputError, r"weights must be numbers .* got nan at index \(2,\)"),
        ({"weights": -np.inf}, cs.InputError, "weights must be numbers"),
        ({"weights": 1e101}, cs.InputError, "weights must be numbers of at most 1e\\+100"),
        ({"weights": [2**60, 1, 1, 1]}, cs.InputError, r"weights must be integers of at most 2\*\*53"),
        ({"compatibility": None}, cs.InputTypeError, "a GraphCRF needs a compatibility or tables, got neither"),
        ({"tables": np.zeros((4, 2, 2))}, cs.InputTypeError, "needs a compatibility or tables, got both"),
        ({"compatibility": None, "tables": np.zeros((4, 2, 3))}, cs.InputError, r"tables must have shape \(4, 2, 2\)"),
        (
            {"compatibility": None, "tables": np.zeros((4, 2, 2)), "weights": 1},
            cs.InputTypeError,
            "weights go with a compatibility",
        ),
        ({"compatibility": None, "tables": np.full((4, 2, 2), np.inf)}, cs.InputError, "all of them forbidden"),
        ({"compatibility": np.zeros((3, 3))}, cs.InputError, "cannot serve 2 labels"),
        ({"label_costs": -1}, cs.InputError, "label_costs must be at least 0"),
        ({"mask": np.zeros(4, bool)}, cs.InputError, "mask is False everywhere"),
        ({"mask": np.ones(3, bool)}, cs.InputError, "mask must have shape"),
    ],
)
def test_rubbish_is_refused_by_name(change, error, text):
    given = {"unary": UNARY, "edges": EDGES, "compatibility": cs.Potts(2)} | change
    with pytest.raises(error, match=text):
        cs.GraphCRF(**given)


def test_tables_of_the_wrong_size_are_named():
    with pytest.raises(cs.InputError, match=r"tables\[0\] must have shape \(1, 2\), got \(2, 2\)"):
        cs.GraphCRF([[1], [1, 2]], [[0, 1]], tables=[np.zeros((2, 2))])
    with pytest.raises(cs.InputError, match="tables must be one for each of 1 edges, got 2"):
        cs.GraphCRF([[1], [1, 2]], [[0, 1]], tables=[np.zeros((1, 2))] * 2)

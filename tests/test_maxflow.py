"""The interface of PyMaxflow, and next to PyMaxflow itself where it is installed."""

import numpy as np
import pytest

import classicseg as cs
from classicseg import maxflow


@pytest.fixture(scope="module")
def theirs():
    return pytest.importorskip("maxflow", reason="parity with PyMaxflow needs it")


def random_structure(rng, n_axes):
    structure = rng.integers(0, 4, (3,) * n_axes) * (rng.random((3,) * n_axes) < 0.6)
    structure[(1,) * n_axes] = 0
    return structure


def build(library, kind, seed):
    """A grid and some more nodes, edges of all kinds; what is asked of it is returned."""
    rng = np.random.default_rng(seed)
    numbers = (lambda *n: rng.integers(0, 20, n)) if kind is int else (lambda *n: np.rint(400 * rng.random(n)) / 16)
    graph = library.Graph[kind](5, 5)
    n_axes = int(rng.integers(1, 4))
    shape = tuple(rng.integers(1, {1: 9, 2: 6, 3: 4}[n_axes], n_axes).tolist())
    grid = graph.add_grid_nodes(shape)
    more = graph.add_nodes(4)
    told = [grid, more]
    symmetric = bool(rng.random() < 0.5)
    choice = rng.integers(4)
    if choice == 0:
        graph.add_grid_edges(grid, numbers(*shape), symmetric=symmetric)
    else:
        structure = random_structure(rng, n_axes)
        graph.add_grid_edges(grid, numbers(*shape), structure=structure, symmetric=symmetric)
    if min(shape) > 2 and choice == 1:
        periodic = rng.random(n_axes) < 0.5
        graph.add_grid_edges(grid, 2, symmetric=True, periodic=periodic)
    graph.add_grid_tedges(grid, numbers(*shape), numbers(*shape))
    nodes = np.concatenate([grid.ravel(), more])
    for _ in range(6):
        i, j = rng.choice(nodes, 2)
        graph.add_edge(i, j, *numbers(2).tolist())
        graph.add_tedge(int(rng.choice(nodes)), *(numbers(2) - 4).tolist())
    first, second = rng.choice(nodes, (2, 5))
    apart = first != second
    graph.add_edges(first[apart], second[apart], numbers(5)[apart], numbers(5)[apart])
    told += [graph.get_node_count(), graph.get_edge_count(), graph.get_segment(0)]
    networks = graph.get_nx_graph()
    told.append(sorted((str(a), str(b), round(w, 9)) for a, b, w in networks.edges(data="weight")))
    told += [graph.maxflow(), graph.get_grid_segments(grid), [graph.get_segment(int(i)) for i in more]]
    for _ in range(3):
        graph.add_tedge(int(rng.choice(nodes)), *numbers(2).tolist())
        told += [graph.maxflow(), graph.get_grid_segments(nodes)]
    graph.add_edge(nodes[0], nodes[-1], 3, 5)
    told += [graph.maxflow(), graph.get_grid_segments(nodes)]
    return told


@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize("seed", range(25))
def test_graphs_answer_as_pymaxflow_does(kind, seed, theirs):
    for mine, other in zip(build(maxflow, kind, seed), build(theirs, kind, seed), strict=True):
        if isinstance(other, np.ndarray):
            assert mine.dtype == other.dtype
            np.testing.assert_array_equal(mine, other)
        elif isinstance(other, list):
            assert mine == other
        else:
            assert type(mine) is type(other)
            assert mine == pytest.approx(other, rel=1e-12)


def test_whole_graphs_cut_off_digits_as_pymaxflow_does(theirs):
    flows = []
    for library in (maxflow, theirs):
        graph = library.GraphInt()
        graph.add_nodes(2)
        graph.add_edge(0, 1, 2.9, 1.2)
        graph.add_tedge(0, 7.9, 0)
        graph.add_tedge(1, 0, 9)
        flows.append(graph.maxflow())
    assert flows == [2, 2]


@pytest.mark.parametrize("n_axes", [1, 2, 3])
def test_structures_are_those_of_pymaxflow(n_axes, theirs):
    for name in ("moore_structure", "vonNeumann_structure"):
        mine, other = (getattr(library, name)(n_axes) for library in (maxflow, theirs))
        assert mine.dtype == other.dtype
        other.flat[other.size // 2] = 0  # they may lead from a node to itself, which makes no edge
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("method", ["aexpansion_grid", "abswap_grid"])
@pytest.mark.parametrize("shape", [(12,), (6, 9), (3, 4, 5)])
def test_moves_reach_energies_as_low_as_those_of_pymaxflow(method, shape, theirs):
    total = np.zeros(2)
    for seed in range(5):
        rng = np.random.default_rng([seed, len(shape)])
        unary = rng.integers(0, 30, (*shape, 4)).astype(float)
        binary = 5.0 * np.minimum(np.abs(np.subtract.outer(range(4), range(4))), 2)
        found = [getattr(library, method)(unary, binary) for library in (maxflow, theirs)]
        assert found[0].dtype == found[1].dtype
        energies = [maxflow.fastmin.energy_of_grid_labeling(unary, binary, labels) for labels in found]
        assert energies[1] == pytest.approx(theirs.fastmin.energy_of_grid_labeling(unary, binary, found[1]))
        total += energies
    assert total[0] <= (1.001 if method == "aexpansion_grid" else 1.02) * total[1]


def test_labels_that_are_given_are_the_start_and_are_changed():
    unary, binary = np.array([[0.0, 3], [2, 0], [0, 3]]), np.array([[0, 2], [2, 0]])
    labels = np.ones(3, int)
    assert maxflow.aexpansion_grid(unary, binary, labels=labels) is labels
    assert labels.tolist() == [0, 0, 0]
    assert maxflow.aexpansion_grid(unary, binary, max_cycles=0).tolist() == [0, 1, 0]


def test_the_residual_network_carries_a_maximum_flow():
    networkx = pytest.importorskip("networkx")
    graph = maxflow.GraphFloat()
    grid = graph.add_grid_nodes((4, 5))
    graph.add_grid_edges(grid, np.arange(20).reshape(4, 5) / 4, symmetric=True)
    rng = np.random.default_rng(0)
    graph.add_grid_tedges(grid, rng.random((4, 5)) * 9, rng.random((4, 5)) * 9)
    full = graph.get_nx_graph()
    base = np.minimum(graph._source, graph._sink).sum()
    assert base + networkx.maximum_flow_value(full, "s", "t", capacity="weight") == pytest.approx(graph.maxflow())
    assert not networkx.has_path(graph.get_nx_graph(), "s", "t")


def test_an_empty_graph_and_one_that_was_reset():
    graph = maxflow.GraphInt()
    assert graph.maxflow() == 0
    graph.add_nodes(3)
    graph.add_tedge(1, 4, 2)
    assert graph.maxflow() == 2
    graph.reset()
    assert (graph.get_node_num(), graph.get_edge_num(), graph.maxflow()) == (0, 0, 0)


def test_copies_go_their_own_way():
    graph = maxflow.GraphInt()
    graph.add_nodes(1)
    graph.add_tedge(0, 4, 2)
    graph.maxflow()
    twin = graph.copy()
    twin.add_tedge(0, 0, 5)
    assert (graph.maxflow(), twin.maxflow()) == (2, 4)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda g: g.add_edge(0, 9, 1, 1), "j must be nodes that were added, 0 to 2, got 9"),
        (lambda g: g.add_edge(0, 1, -1, 1), "capacity must be at least 0"),
        (lambda g: g.add_edge(0.5, 1, 1, 1), "i must hold identifiers"),
        (lambda g: g.add_tedge(3, 1, 1), "i must be nodes"),
        (lambda g: g.add_tedge(0, np.nan, 1), "cap_source must be numbers"),
        (lambda g: g.add_edges([0], [1, 2], [1], [1]), "vectors of one length"),
        (lambda g: g.add_grid_tedges([0, 1], [1, 2, 3], 1), "sourcecaps must have shape"),
        (lambda g: g.add_grid_edges([0, 1], [1, 2, 3]), "weights must fit"),
        (lambda g: g.add_grid_edges([0, 1], structure=np.ones((3, 3))), "structure must have 1 axes"),
        (lambda g: g.add_grid_edges([0, 1], structure=np.ones(2)), "structure must have a middle"),
        (lambda g: g.get_segment(3), "i must be nodes"),
        (lambda g: g.add_nodes(-1), "num_nodes must be at least 0"),
        (lambda g: maxflow.aexpansion_grid(np.zeros(3), np.zeros((3, 3))), "unary must have 1 to 3 axes"),
    ],
)
def test_wrong_calls_are_refused(call, says):
    graph = maxflow.GraphFloat()
    graph.add_nodes(3)
    with pytest.raises(cs.InputError, match=says):
        call(graph)

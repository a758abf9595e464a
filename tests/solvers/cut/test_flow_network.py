import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

import classicseg as cs
from classicseg.reference.max_flow import Graph
from classicseg.solvers.cut import flow_network


def numbers(rng, n, kind):
    """Capacities of at least 0: small or large whole ones, or fractions of one size, of all sizes, or hardly any."""
    if kind == "small":
        values = rng.integers(0, 9, n).astype(float)
    elif kind == "large":
        values = rng.integers(0, 2**40, n).astype(float)
    else:
        exponents = {"even": (0, 1), "wide": (-12, 12), "tiny": (-320, -290)}[kind]
        values = rng.random(n) * 10.0 ** rng.integers(*exponents, n)
    if rng.random() < 0.5:
        values[rng.random(n) < 0.3] = 0
    if rng.random() < 0.3:
        values[rng.random(n) < 0.1] = np.inf
    return values


def terminals(rng, n, kind):
    source, sink = numbers(rng, n, kind), numbers(rng, n, kind)
    source[np.isinf(source) & np.isinf(sink)] = 1
    return source, sink


def problem(rng, n, n_edges, kind):
    edges = rng.integers(0, n, (n_edges, 2))
    edges = edges[edges[:, 0] != edges[:, 1]]
    return edges, numbers(rng, len(edges), kind), numbers(rng, len(edges), kind), *terminals(rng, n, kind)


def cost_of(labels, edges, forward, backward, source, sink):
    """What a cut costs, without any rounding."""
    terms = [s if label else t for label, s, t in zip(labels, source, sink, strict=True)]
    for (i, j), there, back in zip(edges, forward, backward, strict=True):
        if labels[i] != labels[j]:
            terms.append(back if labels[i] else there)
    return np.inf if np.inf in terms else sum(map(Fraction, terms), Fraction(0))


def best_cut(*network):
    """The cut of least cost, and of these the one with the fewest nodes on the side of the sink."""
    edges, forward, backward, source, sink = network
    cuts = np.array(list(itertools.product((0, 1), repeat=len(source))))
    first, second = cuts[:, edges[:, 0]], cuts[:, edges[:, 1]]
    terms = [np.where(cuts, source, sink), np.where(first < second, forward, 0), np.where(first > second, backward, 0)]
    about = np.concatenate(terms, axis=1).sum(axis=1)
    near = cuts[about <= about.min() * (1 + 1e-12) + 1e-300]
    return min(near.tolist(), key=lambda labels: (cost_of(labels, *network), sum(labels)))


def rounding(*network):
    return 1e-15 * sum(float(x[np.isfinite(x)].sum()) for x in network[1:])


def check(cut, kind, *network):
    """The cut is the best one, flow and cost are what they say, and the flow is one."""
    result, best = cut.solve(), best_cut(*network)
    least = cost_of(best, *network)
    if least == np.inf:
        assert result.flow == result.cost == np.inf
        return
    if kind in ("small", "large"):
        assert result.flow == result.cost == least
        assert result.labels.tolist() == best
    slack = rounding(*network)
    assert result.flow - slack <= least <= result.cost + slack
    assert cost_of(result.labels, *network) - least <= slack
    check_flow(cut, result.flow, slack, *network)


def check_flow(cut, value, slack, edges, forward, backward, source, sink):
    flow = cut.edge_flow
    slack += 1e-12 * np.abs(flow).max(initial=0)
    assert np.all(flow <= forward + slack)
    assert np.all(-flow <= backward + slack)
    leaves = np.bincount(edges[:, 0], flow, source.size) - np.bincount(edges[:, 1], flow, source.size)
    offered = np.maximum(source, sink) - np.minimum(source, sink)
    at_sink = sink > source
    assert np.all(leaves <= np.where(at_sink, 0, offered) + slack)
    assert np.all(-leaves <= np.where(at_sink, offered, 0) + slack)
    total = np.maximum(leaves, 0).sum() + np.minimum(source, sink).sum()
    assert abs(total - value) <= 1e-9 * abs(value) + len(source) * slack


@settings(deadline=None, max_examples=120)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["small", "large", "even", "wide", "tiny"]))
def test_cuts_of_tiny_graphs_equal_enumeration_also_after_changes_of_terminals(seed, kind):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    edges, forward, backward, source, sink = problem(rng, n, int(rng.integers(0, 12)), kind)
    cut = cs.FlowNetwork(edges, forward, backward, source=source, sink=sink)
    check(cut, kind, edges, forward, backward, source, sink)
    for _ in range(3):
        source, sink = terminals(rng, n, kind)
        cut.set_terminals(source, sink)
        check(cut, kind, edges, forward, backward, source, sink)


def scipy_flow(edges, forward, backward, source, sink):
    n = len(source)
    nodes = np.arange(n)
    rows = np.concatenate([edges[:, 0], edges[:, 1], np.full(n, n), nodes])
    columns = np.concatenate([edges[:, 1], edges[:, 0], nodes, np.full(n, n + 1)])
    values = np.concatenate([forward, backward, source, sink]).astype(np.int32)
    return maximum_flow(csr_array((values, (rows, columns)), shape=(n + 2, n + 2)), n, n + 1).flow_value


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize(("n", "degree", "largest"), [(40, 2, 4), (300, 3, 60), (300, 12, 7), (3000, 2, 200)])
def test_larger_graphs_equal_scipy_and_the_reference(n, degree, largest, dtype, monkeypatch):
    if dtype == np.int64:
        monkeypatch.setattr(flow_network, "_SMALL", 1)
    rng = np.random.default_rng([n, degree, largest])
    edges = rng.integers(0, n, (n * degree, 2))
    edges = edges[edges[:, 0] != edges[:, 1]]
    forward, backward = rng.integers(0, largest, (2, len(edges)))
    source, sink = np.maximum(rng.integers(-100, 101, n), 0), np.maximum(rng.integers(-100, 101, n), 0)
    cut = cs.FlowNetwork(edges, forward, backward, source=source, sink=sink)
    result = cut.solve()
    assert (
        result.flow
        == scipy_flow(edges, forward, backward, source, sink)
        == cost_of(result.labels.tolist(), edges, forward.tolist(), backward.tolist(), source.tolist(), sink.tolist())
    )
    check_flow(cut, result.flow, 0, edges, forward, backward, source, sink)
    if n < 1000:
        slow = Graph((source - sink).tolist(), [(*e, f, b) for e, f, b in zip(edges, forward, backward, strict=True)])
        assert slow.max_flow() + np.minimum(source, sink).sum() == result.flow
        assert slow.reaches_sink() == (result.labels == 1).tolist()


def test_a_flow_that_is_kept_equals_one_found_anew():
    rng = np.random.default_rng(5)
    n = 500
    edges = rng.integers(0, n, (3 * n, 2))
    edges = edges[edges[:, 0] != edges[:, 1]]
    capacity = rng.integers(0, 50, len(edges))
    source, sink = rng.integers(0, 100, (2, n))
    cut = cs.FlowNetwork(edges, capacity, source=source, sink=sink)
    cut.solve()
    for _ in range(5):
        some = rng.choice(n, 40, replace=False)
        source[some], sink[some] = rng.integers(0, 300, (2, 40))
        cut.set_terminals(source[some], sink[some], some)
        anew = cs.FlowNetwork(edges, capacity, source=source, sink=sink).solve()
        kept = cut.solve()
        assert kept.flow == anew.flow
        np.testing.assert_array_equal(kept.labels, anew.labels)
        check_flow(cut, kept.flow, 0, edges, capacity, capacity, source, sink)


def test_a_hub_of_many_edges_does_not_take_quadratic_time():
    n = 60_000
    leaves = np.arange(1, n)
    edges = np.stack([np.zeros(n - 1, int), leaves], axis=1)
    source, sink = np.zeros(n), np.zeros(n)
    source[1 : n // 2], sink[n // 2 :] = 1, 1
    cut = cs.FlowNetwork(edges, 1, source=source, sink=sink)
    assert cut.solve().flow == n // 2 - 1


def test_edges_that_are_given_twice_count_twice():
    cut = cs.FlowNetwork([[0, 1], [1, 0], [0, 1]], [1, 2, 3], [10, 20, 30], source=[99, 0], sink=[0, 99])
    assert cut.solve().flow == 1 + 20 + 3
    assert cut.edge_flow.tolist() == [1, -20, 3]
    assert cut.residual.tolist() == [[0, 11], [22, 0], [0, 33]]


def test_seeds_and_ties_are_infinite_capacities():
    network = cs.FlowNetwork([[0, 1], [1, 2]], [np.inf, 5], source=[np.inf, 0, 0], sink=[0, 3, np.inf])
    assert network.solve().flow == 8
    tied = cs.FlowNetwork([[0, 1]], np.inf, source=[np.inf, 0], sink=[0, np.inf])
    assert tied.solve()[:2] == (np.inf, np.inf)


def test_whole_numbers_beyond_float64_are_exact():
    big = 2**57 + 1
    cut = cs.FlowNetwork([[0, 1]], [big], 0, source=[big + 4, 0], sink=[0, big + 2])
    assert cut.solve().flow == big


def test_negative_terminals_count_by_their_difference():
    given = cs.FlowNetwork([[0, 1]], 2, source=[-5, -1], sink=[-9, 3]).solve()
    moved = cs.FlowNetwork([[0, 1]], 2, source=[4, 0], sink=[0, 4]).solve()
    assert given.flow == moved.flow - 10
    assert given.labels.tolist() == moved.labels.tolist()


def test_what_the_caller_changes_later_does_not_matter():
    capacity, source = np.array([3]), np.array([9, 0])
    cut = cs.FlowNetwork([[0, 1]], capacity, source=source, sink=[0, 9])
    capacity[:], source[:] = 0, 0
    assert cut.solve().flow == 3
    assert cut.residual.tolist() == [[0, 6]]


def test_a_graph_may_have_no_edges():
    result = cs.FlowNetwork(np.empty((0, 2), int), [], source=[1, 2.5], sink=[2, 0]).solve()
    assert (result.flow, result.labels.tolist()) == (1, [1, 0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"edges": [[0, 3]]}, r"edges must join nodes 0 to 2, got \[0, 3\] at edge 0"),
        ({"edges": [[1, 1]]}, "a loop"),
        ({"capacity": [1, 2]}, r"capacity must have shape \(1,\), got \(2,\)"),
        ({"capacity": [-1]}, "capacity must be numbers of at least 0"),
        ({"reverse_capacity": np.nan}, "reverse_capacity must be numbers of at least 0"),
        ({"source": [1, np.nan, 0]}, "source must be numbers of at most 1e.100 in size"),
        ({"sink": [1, 2]}, r"sink must have shape \(3,\)"),
        ({"source": []}, r"source must have shape \(N,\)"),
        ({"source": [np.inf, 0, 0], "sink": [np.inf, 0, 0]}, "both be infinite, as they are at node 0"),
    ],
)
def test_wrong_networks_are_refused_by_name(change, says):
    right = {"edges": [[0, 1]], "capacity": [1], "source": [1, 2, 3], "sink": [0, 0, 0]}
    with pytest.raises(cs.InputError, match=says):
        cs.FlowNetwork(**right | change)


def test_wrong_changes_are_refused_and_change_nothing():
    cut = cs.FlowNetwork([[0, 1]], [4], source=[3, 0], sink=[0, 9])
    with pytest.raises(cs.InputError, match="solve"):
        cut.edge_flow  # noqa: B018
    cut.solve()
    for wrong, says in (
        ({"source": [1]}, "source must have shape"),
        ({"source": [1], "nodes": [7]}, "nodes must be 0 to 1"),
        ({"source": [1, 2], "nodes": [1, 1]}, "several times"),
        ({"sink": [np.nan], "nodes": [0]}, "sink must be numbers"),
    ):
        with pytest.raises(cs.InputError, match=says):
            cut.set_terminals(**wrong)
    with pytest.raises(cs.InputTypeError, match="nodes must hold integers"):
        cut.set_terminals([1], nodes=[0.0])
    assert cut.solve().flow == 3

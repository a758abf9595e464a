"""Other libraries get the same problems: their labels are as good as those of exact solvers, their bounds hold."""

import numpy as np
import pytest

import classicseg as cs
from classicseg.bench import peers, scoring
from classicseg.bench.contender import Answer, Limits
from classicseg.bench.suites import generated

ALL = {one.name: one for one in peers.contenders()}
LIMITS = Limits(5.0, 1)


def solved(name, instance):
    peer = ALL[name]
    if not peer.is_installed:
        pytest.skip(f"{peer.install} is not installed")
    assert peer.refuses(instance) is None
    answer = peer.prepare(instance, LIMITS)()
    answer = answer if isinstance(answer, Answer) else Answer(answer)
    return scoring.judge(instance)(answer.labels), answer


def instance_of(name):
    return generated.MAKERS[name][0]()


@pytest.mark.parametrize("name", ["cut-4", "cut-8", "cut-volume", "directed"])
def test_pymaxflow_finds_the_minimum(name):
    crf = instance_of(name)
    score, _ = solved("pymaxflow", crf)
    assert score == cs.minimize(crf, "graph_cut").energy


def test_pymaxflow_takes_real_costs_and_tables():
    rng = np.random.default_rng(2)
    pairs = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
    tables = rng.random((4, 2, 2)) * [[0.2, 1], [1, 0.2]]
    crf = cs.GraphCRF(rng.random((2, 4)), pairs, tables=tables)
    score, _ = solved("pymaxflow", crf)
    assert score == pytest.approx(cs.minimize(crf, "graph_cut").energy)


@pytest.mark.parametrize("name", ["gco expansion", "gco swap", "pymaxflow expansion"])
def test_moves_of_others_are_near_the_bound(name):
    unary = np.random.default_rng(0).integers(0, 30, (4, 12, 14))
    crf = cs.GridCRF(unary, cs.Potts(5))
    score, _ = solved(name, crf)
    assert score <= 1.05 * cs.minimize(crf, "trws").lower_bound


def test_gco_takes_graphs_and_refuses_what_it_cannot_hold():
    score, _ = solved("gco expansion", instance_of("superpixels"))
    assert score <= 1.01 * cs.minimize(instance_of("superpixels"), "expansion").energy
    solved("gco swap", instance_of("cut-8"))
    gco = ALL["gco expansion"]
    assert "tables" in gco.refuses(instance_of("ragged"))
    assert "below 0" in gco.refuses(instance_of("torus"))
    assert "metric" in gco.refuses(cs.GridCRF(np.zeros((3, 2, 2), int), cs.TruncatedQuadratic(1, truncation=9)))
    assert "integer" in gco.refuses(cs.GridCRF(np.full((2, 2, 2), 0.5), cs.Potts(1)))


@pytest.mark.parametrize("name", ["torus", "mixed-signs", "cut-4"])
def test_thinqpbo_has_the_same_bound(name):
    crf = instance_of(name)
    score, answer = solved("thinqpbo", crf)
    assert answer.lower_bound == pytest.approx(cs.minimize(crf, "qpbo").lower_bound)
    assert score >= answer.lower_bound


def test_toulbar2_proves_the_minimum_of_ragged_graphs():
    rng = np.random.default_rng(5)
    counts = [2, 3, 4, 2, 3]
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0, 2)]
    unary = [rng.integers(0, 9, n) for n in counts]
    crf = cs.GraphCRF(unary, edges, tables=[rng.integers(0, 9, (counts[i], counts[j])) for i, j in edges])
    score, answer = solved("toulbar2", crf)
    every = np.array(np.meshgrid(*map(range, counts), indexing="ij")).reshape(5, -1).T
    assert score == min(map(crf.energy, every)) == answer.lower_bound
    assert answer.message == "proved"


def test_peers_refuse_what_they_cannot_be_given():
    grid = cs.GridCRF(np.zeros((2, 2, 2)), cs.Potts(1), label_costs=1)
    masked = cs.GridCRF(np.zeros((2, 2, 2)), cs.Potts(1), mask=[[True, False], [True, True]])
    for peer in ALL.values():
        assert peer.refuses(grid)
        assert peer.refuses(masked)
        assert peer.refuses(None)

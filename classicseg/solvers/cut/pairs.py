"""Choices between two labels at each node of a graph as flow networks, in the numbers of the energy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.solvers.cut.flow_network import FlowNetwork, MinimumCut
from classicseg.solvers.cut.integers import is_whole


class Choice(NamedTuple):
    """An energy of one bit for each node: ``constant``, unary costs, and capacities that a cut pays for.

    A pair that is not submodular may be `crossed`: its capacities lie between its first node and the opposite of its
    second one, which is submodular.
    """

    constant: tuple[float, float]  # what pairs cost if all bits are 0, and if all bits of a second copy are
    zero: np.ndarray  # (n,): what 0 costs at each node
    one: np.ndarray  # (n,): what 1 costs, with what pairs add
    excess: np.ndarray  # (n,): what pairs add
    edges: np.ndarray  # (E, 2)
    forward: np.ndarray  # (E,)
    backward: np.ndarray  # (E,)
    crossed: np.ndarray  # (E,) bool


def choice_between(crf: GraphCRF, zero: np.ndarray, one: np.ndarray, *, crossed: bool) -> Choice:
    """The choice between the labels `zero` and `one`, (n,), of each node.

    Pairs that are not submodular are `crossed`, or lose the little by which rounding may have made them so.
    """
    nodes, (first, second) = np.arange(len(zero)), crf.edges.T
    pairs = [_pair(crf, a[first], b[second]) for a in (zero, one) for b in (zero, one)]
    crosses = (pairs[1] - pairs[0]) + (pairs[2] - pairs[3]) < 0 if crossed else np.zeros(len(first), bool)
    if crosses.any():  # turn the second bit over
        pairs = [np.where(crosses, pairs[k ^ 1], pairs[k]) for k in range(4)]
    c00, c01, c10, c11 = pairs
    forward, backward = c01 - c00, c10 - c11
    flow = (forward - backward) / 2
    if is_whole(forward) and is_whole(backward):
        flow = np.floor(flow)
    excess = np.bincount(first, c11 - c00 - flow, len(zero))
    excess += np.bincount(second, np.where(crosses, -flow, flow), len(zero))
    own_zero, own_one = crf.unary[zero, nodes].astype(np.float64), crf.unary[one, nodes].astype(np.float64)
    hopeless = np.isinf(own_zero) & np.isinf(own_one)
    own_zero[hopeless] = own_one[hopeless] = 0
    return Choice(
        (float(c00.sum()), float(c11.sum())),
        own_zero,
        own_one + excess,
        excess,
        crf.edges,
        np.maximum(forward - flow, 0),
        np.maximum(backward + flow, 0),
        crosses,
    )


def cut_of(choice: Choice) -> tuple[MinimumCut, float]:
    """The best choice, where no pair is crossed, and what its energy is at least, but for roundings of sums."""
    network = FlowNetwork(choice.edges, choice.forward, choice.backward, source=choice.one, sink=choice.zero)
    cut = network.solve()
    return cut, choice.constant[0] + cut.flow


def roof_of(choice: Choice) -> tuple[float, np.ndarray, np.ndarray]:
    """Roof duality: a bound of the energy, and two bits of each node, which are equal where they are proven.

    Each node has a copy that stands for its opposite, and the energy is the mean of that of both.
    """
    n = len(choice.zero)
    first, second = choice.edges.T.astype(np.int64)
    there = np.where(choice.crossed, second + n, second)  # where capacities of the first copy lead to
    back = np.where(choice.crossed, second, second + n)
    edges = np.concatenate([np.stack([first, there], axis=1), np.stack([first + n, back], axis=1)])
    forward = np.concatenate([choice.forward, choice.backward])
    backward = np.concatenate([choice.backward, choice.forward])
    source = np.concatenate([choice.one, choice.zero - choice.excess])
    sink = np.concatenate([choice.zero, choice.one - choice.excess])
    cut = FlowNetwork(edges, forward, backward, source=source, sink=sink).solve()
    return (sum(choice.constant) + cut.flow) / 2, cut.labels[:n], 1 - cut.labels[n:]


def _pair(crf: GraphCRF, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What a pair of labels costs at each edge; finite."""
    costs: np.ndarray
    if crf.finite_tables is not None:
        costs = crf.finite_tables[np.arange(len(first)), first, second]
    else:
        assert crf.finite_weights is not None
        assert crf.cost is not None
        costs = crf.finite_weights * crf.cost[first, second]
    return costs

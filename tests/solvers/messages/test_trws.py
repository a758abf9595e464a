import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from benchmarks.shared.grid_problems import MIDDLEBURY
from classicseg.energies.grid import directions, edge_shape
from classicseg.reference import trws as reference
from classicseg.solvers.messages.state import MessagePassing
from tests.solvers.grids import edges_of, minimum_of

COSTS = {
    "potts": cs.Potts(3),
    "repelling": cs.Potts(-2),
    "linear": cs.TruncatedLinear(2, truncation=2),
    "linear without end": cs.TruncatedLinear(2),
    "quadratic": cs.TruncatedQuadratic(1, truncation=5),
    "quadratic without end": cs.TruncatedQuadratic(1),
    "diagonal": cs.Diagonal([1, 3, 0, 2, 1]),
    "matrix": cs.Matrix(np.random.default_rng(5).integers(-4, 9, (5, 5))),
}
GRIDS = [((7, 9), 4), ((35, 40), 4), ((20, 7), 8), ((37, 18), 8), ((30,), 2), ((3, 19, 5), 6), ((2, 4, 33), 6)]
GRIDS += [((3, 37, 7), 18), ((4, 18, 9), 26), ((5, 3, 3), 26)]


def integers(shape, connectivity, compatibility, n_labels=5, seed=0, high=12):
    rng = np.random.default_rng(seed)
    offsets = directions(len(shape), connectivity)
    weights = {name: rng.integers(0, 4, edge_shape(shape, offset)) for name, offset in offsets.items()}
    unary = rng.integers(-3, high, (n_labels, *shape))
    return cs.GridCRF(unary, compatibility, weights, connectivity=connectivity)


@pytest.mark.slow
@pytest.mark.parametrize(  # each cost on every second grid
    ("shape", "connectivity", "name"),
    [(*grid, name) for i, grid in enumerate(GRIDS) for j, name in enumerate(COSTS) if (i // 2 + j) % 2 == 0],
)
def test_equals_the_twin_iteration_by_iteration(shape, connectivity, name):
    crf = integers(shape, connectivity, COSTS[name])
    n_chains = len(directions(len(shape), connectivity))
    messages = MessagePassing(crf, 1)
    highest = -np.inf
    for bound, labels in reference.trws(crf.unary.reshape(5, -1), edges_of(crf), crf.cost, 2, n_chains):
        messages.iterate(check=True)
        highest = max(highest, bound)
        assert messages.bound == pytest.approx(np.ceil(highest - 1e-3), abs=1)
        exact = crf.energy(messages.labels), crf.energy(labels.reshape(shape))
        assert exact[0] == pytest.approx(exact[1], rel=0.02)
        if n_chains in (1, 2, 4):  # shares of a power of two leave nothing to round
            assert np.mean(messages.labels.reshape(-1) != labels) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize(
    ("shape", "connectivity"),
    [((3, 3), 4), ((3, 3), 8), ((2, 2, 2), 6), ((2, 2, 2), 18), ((2, 2, 2), 26), ((7,), 2), ((2, 4), 4)],
)
def test_never_above_the_minimum(shape, connectivity, name):
    for seed in range(2):
        n_labels = 5 if name in ("diagonal", "matrix") else 3
        if n_labels == 5 and np.prod(shape) > 8:
            shape = (2, 3)
        crf = integers(shape, connectivity, COSTS[name], n_labels, seed)
        least = minimum_of(crf)
        result = cs.minimize(crf, "trws", tol=0)
        assert result.lower_bound <= least <= result.energy
        assert cs.minimize(crf, "trws+expansion", tol=0).energy <= result.energy
        if len(shape) == 1:
            assert result.gap == 0


@pytest.mark.parametrize("shape", [(1, 60), (60, 1), (60,), (1, 1, 60), (1, 60, 1), (60, 1, 1), (1, 1), (1,)])
def test_chains_are_solved_by_one_iteration(shape):
    crf = integers(shape, None, cs.Matrix(np.random.default_rng(3).integers(0, 9, (4, 4))), 4)
    result = cs.minimize(crf, "trws")
    assert (result.gap, result.n_iter, result.converged) == (0, 1, True)
    assert "proves" in result.message


def test_two_labels_reach_the_minimum_cut():
    crf = integers((30, 40), 4, cs.Potts(2), 2)
    cut = cs.minimize(crf, "graph_cut")
    result = cs.minimize(crf, "trws", max_iter=300, tol=0)
    assert result.lower_bound <= cut.energy <= result.energy
    assert result.lower_bound >= cut.energy - 1


@pytest.mark.parametrize(("shape", "connectivity"), [((90, 70), 4), ((90, 70), 8), ((6, 40, 30), 6), ((6, 40, 30), 26)])
def test_equal_to_the_bit_for_every_number_of_threads(shape, connectivity, monkeypatch):
    monkeypatch.setattr("classicseg.solvers.messages.state._BRIEF", 0)
    crf = integers(shape, connectivity, cs.TruncatedLinear(2, truncation=3), 6)
    answers = []
    for n in (1, 2, 3, 5):
        messages = MessagePassing(crf, n)
        for check in (True, False, True):
            messages.iterate(check=check)
        answers.append((messages.bound, messages.labels, messages._m.planes))
    for bound, labels, planes in answers[1:]:
        assert bound == answers[0][0]
        np.testing.assert_array_equal(labels, answers[0][1])
        np.testing.assert_array_equal(planes, answers[0][2])


def test_history_never_gets_worse_and_the_best_is_returned():
    rng = np.random.default_rng(0)
    crf = cs.GridCRF(rng.random((6, 30, 30)), cs.Potts(0.3))
    result = cs.minimize(crf, "trws", max_iter=43, tol=0)
    energies, bounds = ([getattr(step, name) for step in result.history] for name in ("energy", "lower_bound"))
    assert np.all(np.diff(energies) <= 0)
    assert np.all(np.diff(bounds) >= 0)
    assert bounds[-1] <= energies[-1] == result.energy == crf.energy(result.labels)
    assert result.gap < 0.01 * result.energy
    assert result.n_iter == 43
    assert result.message == "ran 43 iterations"


def test_forbidden_labels_are_never_taken():
    rng = np.random.default_rng(0)
    unary = rng.random((4, 20, 20))
    unary[1, 3:9] = np.inf
    unary[[0, 1, 3], 10, 10] = np.inf
    for compatibility in (cs.Potts(0.5), cs.TruncatedQuadratic(0.2, truncation=4), cs.Matrix(rng.random((4, 4)))):
        result = cs.minimize(cs.GridCRF(unary, compatibility), "trws")
        assert np.isfinite(result.energy)
        assert result.lower_bound <= result.energy
        assert result.labels[10, 10] == 2


@pytest.mark.parametrize("method", ["trws", "trws+expansion"])
def test_a_callback_sees_everything_and_stops(method):
    crf = integers((12, 14), 4, cs.Potts(3))
    seen = []

    def callback(state):
        seen.append(state)
        assert not state.labels.flags.writeable
        return state.iteration == 3

    result = cs.minimize(crf, method, callback=callback, tol=0)
    assert len(seen) == result.n_iter == 3
    assert result.message == "the callback asked to stop"
    assert not result.converged
    assert seen[-1].lower_bound == result.lower_bound
    assert seen[-1].energy == result.energy


def test_moves_come_after_messages():
    crf = integers((40, 40), 4, cs.TruncatedLinear(2, truncation=2), 5)
    before, after = (cs.minimize(crf, method, max_iter=5) for method in ("trws", "trws+expansion"))
    assert after.energy <= before.energy
    assert after.lower_bound == before.lower_bound
    assert after.energy <= cs.minimize(crf, "expansion").energy
    assert after.converged


@pytest.mark.parametrize("seed", [0, 7, 28])
def test_labels_from_both_starts_of_moves_are_fused(seed):
    crf = cs.GridCRF(np.random.default_rng(seed).integers(0, 30, (5, 24, 24)), cs.Potts(7))
    messages = cs.minimize(crf, "trws", max_iter=3).labels
    both = [cs.minimize(crf, "expansion", init=init) for init in (messages, None)]
    fused = cs.minimize(crf, "fusion", proposals=[result.labels for result in both])
    assert fused.energy < min(result.energy for result in both)
    assert cs.minimize(crf, "trws+expansion", max_iter=3).energy <= fused.energy


def test_label_costs_are_left_to_the_moves():
    rng = np.random.default_rng(0)
    unary = rng.integers(0, 9, (3, 2, 4))
    crf = cs.GridCRF(unary, cs.Potts(1), label_costs=[0, 20, 5])
    with pytest.raises(cs.InputTypeError, match="label costs"):
        cs.minimize(crf, "trws")
    result = cs.minimize(crf, "trws+expansion")
    least = minimum_of(crf)
    assert result.lower_bound <= least <= result.energy


def test_it_is_the_default_for_more_than_two_labels():
    assert cs.methods(integers((4, 4), 4, cs.Potts(3), 3))[0] == "trws+expansion"


def test_a_start_is_kept_if_nothing_better_is_found():
    crf = integers((6, 6), 4, cs.Potts(3))
    best = cs.minimize(crf, "trws+expansion").labels
    np.testing.assert_array_equal(cs.minimize(crf, "trws", init=best, max_iter=0).labels, best)
    assert cs.minimize(crf, "trws", max_iter=0).lower_bound is None


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: cs.minimize(cs.DenseCRF(np.zeros((2, 4)), []), "trws"), cs.InputTypeError, "GridCRF"),
        (lambda: cs.minimize(integers((2, 2), 4, cs.Potts()), "trws", max_iter=-1), cs.InputError, "max_iter"),
        (lambda: cs.minimize(integers((2, 2), 4, cs.Potts()), "trws", tol=-1), cs.InputError, "tol"),
        (lambda: cs.minimize(integers((2, 2), 4, cs.Potts()), "trws", init=[[0, 9], [0, 0]]), cs.InputError, "init"),
        (lambda: cs.minimize(integers((2, 2), 4, cs.Potts()), "trws", speed=3), cs.InputTypeError, "speed"),
    ],
)
def test_bad_input_says_why(call, error, word):
    with pytest.raises(error, match=word):
        call()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
    st.integers(2, 4),
    st.sampled_from([np.int8, np.int64, np.float16, np.float32, np.float64, ">f4"]),
    st.sampled_from(sorted(set(COSTS) - {"diagonal", "matrix"})),
    st.sampled_from([1e-30, 1, 1000, 1e9, 1e60]),
    st.integers(0, 2**20),
)
def test_any_grid_has_a_bound_below_its_energy(shape, n_labels, dtype, name, factor, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(-9, 9, (n_labels, *shape))
    scaled = values * factor if np.dtype(dtype).itemsize == 8 and np.dtype(dtype).kind == "f" else values
    crf = cs.GridCRF(scaled.astype(dtype), COSTS[name], 0.7 if seed % 2 else 1)
    result = cs.minimize(crf, "trws", max_iter=6)
    assert result.lower_bound <= result.energy + 1e-9 * abs(result.energy)
    assert result.energy == crf.energy(result.labels)
    assert np.isfinite(result.lower_bound)
    if np.prod(shape) <= 6:
        least = minimum_of(crf)
        assert result.lower_bound <= least + 1e-12 * abs(least)


# --- the problems of the literature -------------------------------------------------------------------------------

ANCHORS = {
    "tsukuba": (430639, [332203.4, 345703.6, None, None, 357130.3, None, None, None, None, 362529.5]),
    "venus": (3222109, [2876040.4]),
    "teddy": (1478865, [1249507.2]),
}
"""Energy after the first iteration, and bounds after each, of the program of the paper's author."""


@pytest.mark.parametrize("name", ANCHORS)
def test_problems_of_the_middlebury_benchmark(name):
    try:
        crf = MIDDLEBURY[name]()
    except FileNotFoundError:
        pytest.skip("the images of the Middlebury benchmark, which may not be shipped, are not here")
    energy, bounds = ANCHORS[name]
    result = cs.minimize(crf, "trws", max_iter=len(bounds), tol=0)
    first = cs.minimize(crf, "trws", max_iter=1)
    assert first.energy == energy
    for step, bound in zip(result.history, bounds, strict=True):
        if bound is not None:
            assert step.lower_bound == np.ceil(bound)  # all energies are whole numbers


@pytest.mark.parametrize("hard", [1e6, 1e9, 1e12])
def test_huge_costs_bind_as_forbidden_ones_do_and_spoil_no_bound(hard):
    rng = np.random.default_rng(4)
    unary = rng.normal(size=(4, 24, 24))
    fixed = rng.random((24, 24)) < 0.05
    right = rng.integers(0, 4, (24, 24))
    wrong = fixed & (right != np.arange(4)[:, None, None])
    bounds = []
    for cost in (np.inf, hard):
        costs = unary.copy()
        costs[wrong] = cost
        result = cs.minimize(cs.GridCRF(costs, cs.Potts(0.7)), "trws", max_iter=40)
        assert (result.labels[fixed] == right[fixed]).all()
        bounds.append(result.lower_bound)
    assert bounds[1] == pytest.approx(bounds[0], rel=1e-6)


def test_costs_that_cancel_leave_the_bound_valid():
    rng = np.random.default_rng(0)
    unary = rng.normal(size=(2, 200, 200)) * 1e9
    crf = cs.GridCRF(unary, cs.Potts(0.1))
    result = cs.minimize(crf, "trws", max_iter=5)
    labels = unary.argmin(0)
    exact = math.fsum(np.take_along_axis(unary, labels[None], 0).ravel())
    edges = (labels[1:] != labels[:-1]).sum() + (labels[:, 1:] != labels[:, :-1]).sum()
    assert result.lower_bound <= exact + 0.1 * edges


def test_sums_that_round_up_do_not_lift_the_bound_above_the_minimum():
    for seed in range(10):  # thirteenths of costs are no binary fractions; the costs themselves are, without error
        rng = np.random.default_rng(seed)
        unary = rng.integers(0, 2**14, (2, 2, 2, 2)) / 1024
        crf = cs.GridCRF(unary - unary.min(axis=0), cs.Potts(1), rng.integers(0, 2**11) / 1024, connectivity=26)
        result = cs.minimize(crf, "trws", tol=0, max_iter=30)
        assert result.lower_bound <= minimum_of(crf)
        assert result.lower_bound == pytest.approx(minimum_of(crf), rel=1e-6)

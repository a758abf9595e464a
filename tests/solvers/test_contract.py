"""One contract for all solvers: every method, every argument."""

import numpy as np
import pytest

import classicseg as cs
from classicseg.solvers import registry
from classicseg.solvers.catalog import SOLVERS

UNARY = np.random.default_rng(0).integers(0, 9, (2, 4, 6))
ENERGIES = (cs.GridCRF(UNARY, cs.Potts(2)), cs.DenseCRF(UNARY.astype(np.float32), cs.GaussianKernel()))
CASES = [(solver, energy) for solver in SOLVERS for energy in ENERGIES if solver.accepts(energy) is None]
OWN = {"fusion": {"proposals": [np.zeros((4, 6), int), np.ones((4, 6), int)]}}
MARGINALS = np.full((2, 4, 6), 0.5)


def call(solver, energy, **arguments):
    return cs.minimize(energy, solver.name, **OWN.get(solver.name, {}), **arguments)


each = pytest.mark.parametrize(("solver", "energy"), CASES, ids=lambda x: getattr(x, "name", type(x).__name__))


def test_every_solver_has_a_case():
    assert {id(solver) for solver, _ in CASES} == {id(solver) for solver in SOLVERS}


@each
def test_what_a_method_uses_is_taken_and_the_rest_is_refused_by_name(solver, energy):
    init = MARGINALS if solver.init == "marginals" else np.ones((4, 6), int)
    for name, value in {"init": init, "max_iter": 2, "tol": 0, "rng": 5}.items():
        if name in solver.uses:
            assert call(solver, energy, **{name: value}).labels.shape == (4, 6)
        else:
            with pytest.raises(cs.InputTypeError, match=f"{solver.name.replace('+', '.')} does not use {name}; of"):
                call(solver, energy, **{name: value})


@each
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("init", ["nonsense", np.zeros((6, 4), int), np.full((4, 6), 7), np.full((2, 4, 6), np.nan), 3]),
        ("max_iter", [-1, -5, "many", 1.5, np.nan, True, [3]]),
        ("tol", [-1, np.nan, np.inf, "x", [1, 2], None.__class__]),
        ("rng", ["x", -1, 1.5, {}]),
        ("callback", [1, "x", []]),
        ("n_threads", [0, -1, 1.5, "x", np.nan]),
    ],
)
def test_rubbish_is_refused_by_name(solver, energy, name, values):
    for value in values:
        with pytest.raises((cs.InputError, cs.InputTypeError), match=name):
            call(solver, energy, **{name: value})


@pytest.mark.slow
@each
def test_without_limits_a_run_ends_only_when_nothing_is_left_to_change(solver, energy):
    """``tol=0`` never stops early: whatever it is set to, the same run with no tolerance is no longer."""
    if "tol" not in solver.uses:
        return
    result = call(solver, energy, tol=0, max_iter=100)
    again = call(solver, energy, tol=0, max_iter=101)
    assert result.n_iter == 100 or result.converged
    if result.converged and result.n_iter < 100:
        assert np.array_equal(result.labels, again.labels)
        assert result.energy == again.energy


@each
def test_callbacks_stop_every_method_and_progress_and_threads_are_for_all(solver, energy):
    states = []
    result = call(solver, energy, callback=lambda state: states.append(state) or True, n_threads=1, progress=True)
    assert len(states) == len(result.history) == 1
    assert result.message
    assert call(solver, energy, n_threads=2).labels.tolist() == call(solver, energy, n_threads=1).labels.tolist()


@each
def test_no_iterations_give_the_start(solver, energy):
    if "max_iter" in solver.uses and solver.name != "trws+expansion":  # its limit is that of TRW-S; moves follow
        result = call(solver, energy, max_iter=0)
        assert result.n_iter == 0
        assert result.message == "ran 0 iterations" or result.converged


@each
def test_runs_are_repeatable(solver, energy):
    first, second = call(solver, energy), call(solver, energy)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.energy == second.energy


@pytest.fixture
def one_label():
    @cs.register_solver("one label", accepts=cs.GridCRF, init="labels", max_iter=3, summary="A constant.", paper="Own.")
    def solver(energy, run, *, label=0):
        labels = run.labels()
        while not run.ended:
            labels[...] = label
            run.record(energy=energy.energy(labels), labels=lambda: labels)
        return run.result(labels, energy=energy.energy(labels))

    yield solver
    registry._registered.clear()


def test_a_solver_of_ones_own_is_one_of_them(one_label):
    grid, dense = ENERGIES
    assert "one label" in cs.methods()
    assert "one label" in cs.methods(grid)
    assert "one label" not in cs.methods(dense)
    result = cs.minimize(grid, "one label", label=1, max_iter=2)
    assert result.labels.tolist() == np.ones((4, 6), int).tolist()
    assert (result.n_iter, result.method, result.message) == (2, "one label", "ran 2 iterations")
    assert result.energy == grid.energy(np.ones((4, 6), int))
    with pytest.raises(cs.InputTypeError, match="one label does not use tol; of init, max_iter, tol, rng it uses init"):
        cs.minimize(grid, "one label", tol=1)
    with pytest.raises(cs.InputTypeError, match="its options are label"):
        cs.minimize(grid, "one label", labels=1)
    with pytest.raises(cs.InputTypeError, match="one label cannot minimise this energy: it needs a GridCRF"):
        cs.minimize(dense, "one label")


def test_what_cannot_be_registered_says_why():
    with pytest.raises(cs.InputError, match="'icm'"):
        cs.register_solver("icm", accepts=cs.GridCRF)
    with pytest.raises(cs.InputTypeError, match="accepts"):
        cs.register_solver("other", accepts="GridCRF")
    with pytest.raises(cs.InputTypeError, match="name"):
        cs.register_solver(3, accepts=cs.GridCRF)


def test_a_run_without_a_start_has_no_labels():
    with pytest.raises(cs.InputError, match="init or cheapest"):
        cs.Run("other").labels()

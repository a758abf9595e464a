"""Streamed expansion moves are those of the run in memory, whatever the bands are."""

import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.energies.grid import directions, edge_shape
from classicseg.solvers.cut import zones
from classicseg.streaming.cut import edges as cut_edges
from classicseg.streaming.cut import plan as cut_plan
from classicseg.streaming.cut import state as cut_state
from classicseg.streaming.moves import streamed as moves_streamed
from classicseg.streaming.moves.costs import MoveCosts
from classicseg.streaming.moves.state import MoveState
from tests.strategies.files import write_map, write_zarr

SAMPLE = cs.sample()
IMAGE = SAMPLE.image[100:190, 40:100]
COSTS = cs.unary_from_probabilities(SAMPLE.probabilities)[:, 100:190, 40:100] * 8
UNARY = np.rint(COSTS + np.random.default_rng(3).uniform(0, 60, COSTS.shape)).astype(np.int16)
"""Of five labels."""


def in_memory(unary, weights, *, init=None, **options):
    crf = cs.GridCRF(unary, cs.Potts(1), weights, **options)
    return cs.minimize(crf, "expansion", init=init)


@st.composite
def problems(draw):
    """An energy of some labels that streams, and the same in memory."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape, connectivity = draw(
        st.sampled_from((((9, 7), 4), ((13, 3), 4), ((1, 8), 4), ((8, 1), 4), ((11, 6), 8), ((6, 4, 3), 6)))
    )
    noise, n_labels = draw(st.sampled_from((1, 4, 40))), draw(st.integers(2, 5))
    unary = rng.integers(-noise, noise + 1, (n_labels, *shape)) * draw(st.sampled_from((1.0, 0.25)))
    weights = {
        name: rng.integers(0, draw(st.sampled_from((1, 4, 12))) + 1, edge_shape(shape, offset))
        for name, offset in directions(len(shape), connectivity).items()
    }
    if draw(st.booleans()):
        unary[:, rng.random(shape) < 0.7] = 0
    if draw(st.booleans()):
        forbidden = rng.random(unary.shape) < draw(st.sampled_from((0.02, 0.4)))
        forbidden[0] &= ~forbidden[1:].all(axis=0)
        unary[forbidden] = np.inf
    options = {}
    if draw(st.booleans()):
        options["init"] = rng.integers(0, n_labels, shape)
    if draw(st.booleans()):
        options["mask"] = rng.random(shape) < 0.8
        options["mask"].reshape(-1)[0] = True
    return unary, weights, options


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(1, 5), st.sampled_from((1, 7, 2**17)), st.booleans())
def test_labels_and_energies_are_those_of_the_run_in_memory(problem, window, at_once, stored):
    unary, weights, options = problem
    expected = in_memory(unary, weights, **options)
    costs = Stored(unary) if stored else unary
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut_edges, "_AT_ONCE", at_once)
        patch.setattr(zones, "_AT_ONCE", at_once)
        result = cs.expansion_streamed(costs, weights, **options, window=window, n_threads=2)
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.energy == expected.energy
    assert list(result.energies[1:]) == [step.energy for step in expected.history]
    assert result.converged


class Stored:
    """All labels of a pixel lie in one chunk."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.chunks = (len(array), 2, *array.shape[2:])

    def __getitem__(self, window):
        return self.array[window]


@pytest.mark.parametrize("kind", ["uint8", "no data"])
def test_weights_follow_the_contrast_of_the_whole_image(monkeypatch, kind):
    monkeypatch.setattr(cut_edges, "_AT_ONCE", 500)
    image = IMAGE.astype("u1" if kind == "uint8" else "f4")
    if kind == "no data":
        image[20:25, 7] = -9999
    weights = cs.contrast_weights(image, connectivity=4)
    result = cs.expansion_streamed(UNARY, 7.3, image=image, window=13)
    steps = {name: np.rint(w.astype(np.float64) * 7.3 / result.step).astype(np.int32) for name, w in weights.items()}
    expected = in_memory(np.rint(UNARY / np.float64(result.step)), steps, connectivity=4)
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.energy == expected.energy * result.step
    assert len(np.unique(result.labels)) > 2


@pytest.mark.parametrize("spacing", [None, (1, 2.5)])
def test_one_weight_for_all(spacing):
    result = cs.expansion_streamed(UNARY, 3, spacing=spacing, connectivity=8, window=20)
    lengths = {name: np.hypot(*np.multiply(offset, spacing or (1, 1))) for name, offset in directions(2, 8).items()}
    steps = {
        name: np.full(edge_shape((90, 60), offset), np.rint(3 / (lengths[name] if spacing else 1) / result.step))
        for name, offset in directions(2, 8).items()
    }
    expected = in_memory(UNARY / np.float64(result.step), steps, connectivity=8)
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.energy == expected.energy * result.step


@pytest.mark.parametrize("connectivity", [18, 26])
def test_volumes_with_slanted_neighbours(connectivity):
    rng, shape = np.random.default_rng(connectivity), (9, 6, 5)
    unary, mask = rng.integers(0, 60, (3, *shape)), rng.random(shape) < 0.9
    weights = {name: rng.integers(0, 9, edge_shape(shape, o)) for name, o in directions(3, connectivity).items()}
    result, expected = (
        run(unary, weights, mask=mask, **more)
        for run, more in ((cs.expansion_streamed, {"window": 2}), (in_memory, {}))
    )
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.energy == expected.energy
    assert len(np.unique(expected.labels[mask])) == 3


def test_without_edges_every_pixel_takes_its_cheapest_label():
    result = cs.expansion_streamed(UNARY, 0, window=31)
    assert result.energy == UNARY.min(axis=0).sum()


def test_two_labels_end_in_the_minimum():
    result = cs.expansion_streamed(UNARY[:2], 3, window=20)
    expected = cs.minimize(cs.GridCRF(UNARY[:2], cs.Potts(3)), "graph_cut")
    assert result.energy == expected.energy


@pytest.mark.parametrize("options", [{"max_iter": 0}, {"max_iter": 1}, {"tol": 1e9}])
def test_cycles_end_as_those_in_memory(options):
    crf = cs.GridCRF(UNARY, cs.Potts(3))
    result, expected = cs.expansion_streamed(UNARY, 3, **options), cs.minimize(crf, "expansion", **options)
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert (result.energy, result.converged) == (expected.energy, expected.converged)
    assert len(result.energies) == 1 + expected.n_iter
    assert "energy" in str(result)


def test_moves_that_nothing_has_changed_for_are_left_out():
    result = cs.expansion_streamed(UNARY, 3)
    assert result.n_moves < 5 * (len(result.energies) - 1)


def test_many_labels_and_what_is_given_as_out():
    unary = np.concatenate([np.full((296, 90, 60), 1000, np.int16), UNARY])
    mask = np.add.outer(np.arange(90), np.arange(60)) % 11 > 2
    out = np.zeros(mask.shape, np.int16)
    result = cs.expansion_streamed(unary, 3.0, mask=mask, out=out, fill=500, max_iter=1)
    assert result.labels is out
    expected = cs.minimize(cs.GridCRF(UNARY, cs.Potts(3), mask=mask), "expansion", max_iter=1)
    np.testing.assert_array_equal(out, np.where(mask, expected.labels + 296, 500))


def test_maps_in_and_a_map_out(tmp_path):
    image = np.moveaxis(IMAGE, -1, 0).copy()
    image[:, 30:40, 10:20] = 0
    write_map(tmp_path / "image.tif", image, nodata=0)
    write_zarr(tmp_path / "unary.zarr", UNARY, chunks=(5, 16, 60))
    given = {"weights": 3.0, "image": tmp_path / "image.tif", "fill": 255, "window": 20}
    cs.expansion_streamed(tmp_path / "unary.zarr", **given, out=tmp_path / "labels.tif")
    mask = (image != 0).any(axis=0)
    expected = cs.expansion_streamed(UNARY, 3.0, image=np.moveaxis(image, 0, -1), mask=mask, fill=255)
    written = cs.io.read_image(tmp_path / "labels.tif")
    np.testing.assert_array_equal(np.squeeze(np.asarray(written)), expected.labels)
    assert expected.labels[35, 15] == 255


def test_a_plan_tells_what_a_run_takes():
    plan = cs.plan_expansion(UNARY, 3.0, memory=200_000)
    result = cs.expansion_streamed(UNARY, 3.0, memory=200_000)
    assert (plan.shape, plan.n_labels, plan.step) == ((90, 60), 5, result.step)
    assert 0 < plan.certain <= 1
    assert plan.memory <= 200_000 < plan.worst
    assert plan.scratch == 2 * 90 * 60
    assert "5 labels" in str(plan)


def test_what_needs_more_memory_is_refused_beforehand(monkeypatch, tmp_path):
    unary = np.zeros((3, 300, 8), np.int16)
    unary[1:, -1] = -1
    monkeypatch.setattr(cut_plan, "_FEWEST", 4)
    with pytest.raises(cs.BudgetError, match=r"\d+ pixels depend.* all rows at once would take .* GiB"):
        cs.expansion_streamed(unary, 3, memory=20_000, out=tmp_path / "labels.npy")


def test_moves_from_good_labels_need_less_memory(monkeypatch):
    """Where a third label is right, nothing says which of two wrong ones is better."""
    monkeypatch.setattr(cut_plan, "_FEWEST", 4)
    right = np.repeat([[0], [2], [1]], (100, 100, 100), axis=0) + np.zeros((1, 8), int)
    unary = 20 * (np.arange(3)[:, np.newaxis, np.newaxis] != right)
    with pytest.raises(cs.BudgetError, match="give more memory, less weight to the edges, or an init"):
        cs.expansion_streamed(unary, 3, memory=20_000)
    result = cs.expansion_streamed(unary, 3, memory=20_000, init=right)
    np.testing.assert_array_equal(result.labels, right)


# --- interruptions ------------------------------------------------------------------------------------------------


class StoppedError(Exception):
    pass


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "unary.npy", UNARY)
    return tmp_path


def stream(folder, **options):
    given = {"unary": folder / "unary.npy", "weights": 3.0, "out": folder / "labels.npy", "window": 40, **options}
    return cs.expansion_streamed(**given)


def expected():
    return cs.minimize(cs.GridCRF(UNARY, cs.Potts(3)), "expansion")


@pytest.mark.parametrize("after", [1, 2, 4, 5, 9, 21, 23])
def test_a_run_goes_on_where_it_was_ended(files, monkeypatch, after):
    count, keep = [0], MoveState.keep

    def stop(self):
        keep(self)
        count[0] += 1
        if count[0] == after:
            raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(MoveState, "keep", stop)
        with pytest.raises(StoppedError):
            stream(files)
    assert {path.name for path in files.iterdir()} == {"unary.npy", "labels.npy.state"}
    result = stream(files, window=33)
    assert list(result.energies[1:]) == [step.energy for step in expected().history]
    np.testing.assert_array_equal(np.load(files / "labels.npy"), expected().labels)
    assert np.load(files / "labels.npy").dtype == np.uint8
    assert {path.name for path in files.iterdir()} == {"unary.npy", "labels.npy"}


def test_labels_that_were_taken_by_half_are_taken_again(files, monkeypatch):
    """The second move changes labels of several pieces, and the run ends after the first of them."""
    monkeypatch.setattr(cut_state, "_AT_ONCE", 60)
    settle, count = moves_streamed.settle, [0]

    def stop_at_the_second(problem, state, tick):
        settle(problem, state, tick)
        count[0] += 1
        if count[0] == 2:
            write = state.labels.write

            def write_and_stop(first, labels):
                write(first, labels)
                raise StoppedError

            state.labels.write = write_and_stop

    with monkeypatch.context() as patch:
        patch.setattr(moves_streamed, "settle", stop_at_the_second)
        with pytest.raises(StoppedError):
            stream(files)
    result = stream(files)
    assert list(result.energies[1:]) == [step.energy for step in expected().history]
    np.testing.assert_array_equal(np.load(files / "labels.npy"), expected().labels)


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(files):
    program = (
        "import sys, time, classicseg as cs\n"
        "from classicseg.streaming.moves.state import MoveState as S; write = S.keep\n"
        "def slow(self):\n"
        "    write(self)\n"
        "    if self.progress.move == 3: print(self.progress.move, flush=True); time.sleep(60)\n"
        "S.keep = slow\n"
        "cs.expansion_streamed(sys.argv[1], 3.0, out=sys.argv[2], window=20)"
    )
    command = [sys.executable, "-c", program, files / "unary.npy", files / "labels.npy"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "3\n"
        process.send_signal(signal.SIGKILL)
    assert not (files / "labels.npy").exists()
    stream(files)
    np.testing.assert_array_equal(np.load(files / "labels.npy"), expected().labels)
    assert {path.name for path in files.iterdir()} == {"unary.npy", "labels.npy"}


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"unary": UNARY + 1}, "image, scores"),
        ({"init": UNARY[0] * 0}, "image, scores"),
        ({"weights": 4.0}, "parameters"),
        ({"connectivity": 8}, "parameters"),
    ],
)
def test_a_run_does_not_go_on_with_something_else(files, monkeypatch, options, word):
    def stop(self):
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(MoveState, "keep", stop)
        with pytest.raises(StoppedError):
            stream(files)
    with pytest.raises(ValueError, match=f"state of a run with another .*{word}"):
        stream(files, **options)


def test_a_cut_does_not_go_on_with_moves(files, monkeypatch):
    def stop(self):
        raise StoppedError

    monkeypatch.setattr(MoveState, "keep", stop)
    with pytest.raises(StoppedError):
        cs.expansion_streamed(UNARY[:2], 3.0, state=files / "state")
    with pytest.raises(ValueError, match="state of a run with another parameters"):
        cs.minimum_cut_streamed(UNARY[:2], 3.0, state=files / "state")


def test_costs_that_change_while_they_are_read_are_noticed(monkeypatch):
    energies = iter([10.0, 20.0])
    monkeypatch.setattr(MoveCosts, "energy", lambda self: next(energies))
    with pytest.raises(ValueError, match=r"have changed while they were read: the energy rose from 10.0 to 20.0"):
        cs.expansion_streamed(UNARY, 3.0)


# --- what cannot work ---------------------------------------------------------------------------------------------

NAN = np.where(np.arange(UNARY.size).reshape(UNARY.shape) == 777, np.nan, UNARY)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"unary": UNARY[:1]}, ValueError, "at least 2 labels, got 1"),
        ({"unary": UNARY[:, 0]}, ValueError, "of an image"),
        ({"unary": NAN}, ValueError, "unary must be numbers.*window"),
        ({"weights": -1}, ValueError, "weights must be at least 0"),
        ({"init": UNARY[0]}, ValueError, "init"),
        ({"init": UNARY[0, :5] * 0}, ValueError, "init must have shape"),
        ({"init": np.zeros((90, 60))}, TypeError, "init must hold integers"),
        ({"max_iter": -1}, ValueError, "max_iter"),
        ({"max_iter": 1.5}, TypeError, "max_iter"),
        ({"tol": -1}, ValueError, "tol"),
        ({"memory": 1000}, ValueError, "a band of one row"),
        ({"out": np.zeros((90, 60), bool)}, ValueError, "cannot hold the label 4"),
        ({"windw": 3}, TypeError, "expansion_streamed has no parameter 'windw'.*max_iter"),
    ],
)
def test_what_cannot_work_is_named(change, error, word):
    with pytest.raises(error, match=word):
        cs.expansion_streamed(**{"unary": UNARY, **change})


def test_a_cut_of_more_labels_names_the_way():
    with pytest.raises(ValueError, match="expansion_streamed takes more"):
        cs.minimum_cut_streamed(UNARY)

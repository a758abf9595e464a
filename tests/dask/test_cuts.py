"""Workers that cut give the labels of the run in memory, to the last pixel, whoever dies meanwhile."""

import contextlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("distributed")
import dask.array as da

import classicseg as cs
import classicseg.dask as cd
from classicseg.dask import cuts
from classicseg.streaming.cut import apart as cut_apart
from classicseg.streaming.cut.state import CutState
from tests.dask.here import Here
from tests.dask.sources import Deadly, Elsewhere
from tests.strategies.cuts import cut_problems

SAMPLE = cs.sample("nuclei")
UNARY = np.rint(cs.unary_from_probabilities(SAMPLE.probabilities)[:, :90, :60] * 8).astype(np.int16)
IMAGE = SAMPLE.image[:90, :60]


def expected(weight=3):
    return cs.minimize(cs.GridCRF(UNARY, cs.Potts(weight)), "graph_cut").labels


@contextlib.contextmanager
def here(seed):
    """Tasks are done in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuts, "connected", lambda cluster: contextlib.nullcontext(Here(seed)))
        patch.setattr(cuts, "Workers", lambda client: client)
        yield


@settings(max_examples=60, deadline=None)
@given(cut_problems(), st.integers(1, 5), st.integers(0, 99))
def test_bands_that_are_cut_apart_come_to_the_labels_of_the_run_in_memory(problem, window, seed):
    unary, weights, options = problem
    expected = cs.minimize(cs.GridCRF(unary, cs.Potts(1), weights, **options), "graph_cut")
    with here(seed):
        result = cd.minimum_cut(unary, weights, **options, window=window)
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.energy == expected.energy
    assert result.flow == result.cut
    assert result.n_bands == -(-unary.shape[1] // window)


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("after", [1, 3, 5, 6, 7, 9, 12])
@pytest.mark.parametrize("first", ["apart", "one by one"])
def test_a_run_that_was_ended_goes_on_apart_or_one_by_one(tmp_path, monkeypatch, first, after):
    ways = {
        "apart": lambda **options: cd.minimum_cut(UNARY, 3.0, out=tmp_path / "labels.npy", **options),
        "one by one": lambda **options: cs.minimum_cut_streamed(UNARY, 3.0, out=tmp_path / "labels.npy", **options),
    }
    count, keep = [0], CutState.keep

    def stop(self):
        keep(self)
        count[0] += 1
        if count[0] == after:
            raise StoppedError

    with here(after):
        with monkeypatch.context() as patch:
            patch.setattr(CutState, "keep", stop)
            with contextlib.suppress(StoppedError):
                ways.pop(first)(window=20)
        (way,) = ways.values()
        result = way(window=17)
    assert result.flow == result.cut
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), expected())
    assert {path.name for path in tmp_path.iterdir()} == {"labels.npy"}


def test_what_needs_more_memory_is_told_and_goes_on_with_more(tmp_path, monkeypatch):
    unary = np.zeros((2, 90, 8), np.int16)
    unary[1] = np.where(np.arange(90) % 2, 9, -9)[:, np.newaxis]
    unary[:, 50:85] = 0
    unary[1, 50] = -1
    monkeypatch.setattr("classicseg.streaming.cut.streamed.refuse_beforehand", lambda problem: None)
    arguments = {"weights": 4, "out": tmp_path / "labels.npy", "window": 10}
    with here(0):
        with pytest.raises(cs.BudgetError, match=r"the rows 50 to 79 hold pixels .* give more memory"):
            cd.minimum_cut(unary, memory=15_000, **arguments)
        monkeypatch.setattr(cut_apart, "cut_alone", None)
        cd.minimum_cut(unary, memory=100_000, **arguments)
    expected = cs.minimize(cs.GridCRF(unary, cs.Potts(4)), "graph_cut")
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), expected.labels)


def test_labels_have_the_coordinates_of_the_image_or_of_the_costs():
    xr = pytest.importorskip("xarray")
    y, x = np.linspace(50, 49, 90), np.linspace(8, 9, 60)
    unary = xr.DataArray(UNARY, {"y": y, "x": x, "crs": 32632}, ("label", "y", "x")).transpose("y", "x", "label")
    image = xr.DataArray(IMAGE, {"y": y, "x": x}, ("y", "x", "band"))
    plain = cs.minimum_cut_streamed(UNARY, 7.0, image=IMAGE).labels
    labels = cd.minimum_cut(unary, 7.0, image=image.chunk({"y": 20}), label_axis="label", channel_axis="band").labels
    assert labels.dims == ("y", "x")
    assert set(labels.coords) == {"y", "x"}
    np.testing.assert_array_equal(labels, plain)
    labels = cd.minimum_cut(unary, 3.0, label_axis="label").labels
    assert set(labels.coords) == {"y", "x", "crs"}
    np.testing.assert_array_equal(labels, expected())
    with pytest.raises(ValueError, match=r"unary has other coordinates along 'y'"):
        cd.minimum_cut(unary.assign_coords(y=y[::-1]), 7.0, image=image, label_axis="label")


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"unary": UNARY[:1]}, ValueError, "2 labels"),
        ({"cluster": 3}, TypeError, "cluster must be the address of a scheduler"),
        ({"out": da.zeros((90, 60))}, TypeError, "can be written"),
        ({"windw": 3}, TypeError, "no parameter 'windw'"),
    ],
)
def test_what_cannot_work_is_named(change, error, word):
    with pytest.raises(error, match=word):
        cd.minimum_cut(**{"unary": UNARY, **change})


# --- with workers -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_give_the_labels_of_the_run_in_memory(cluster, tmp_path):
    zarr = pytest.importorskip("zarr")
    plain = expected()
    zarr.create_array(tmp_path / "unary.zarr", data=UNARY, chunks=(2, 16, 60))
    out = zarr.create_array(
        tmp_path / "out.zarr", shape=(90, 60), chunks=(8, 8), shards=(16, 32), dtype="u1", fill_value=9
    )
    result = cd.minimum_cut(tmp_path / "unary.zarr", 3.0, window=13, out=out, cluster=cluster)
    assert result.labels is out
    assert result.flow == result.cut
    np.testing.assert_array_equal(out[:], plain)
    streamed = cs.minimum_cut_streamed(UNARY, 7.0, image=IMAGE, window=13)
    contrast = cd.minimum_cut(da.from_array(UNARY), 7.0, image=da.from_array(IMAGE), window=13, cluster=cluster)
    np.testing.assert_array_equal(contrast.labels, streamed.labels)
    assert contrast.cut == streamed.cut
    with pytest.raises(ValueError, match="workers read something else"):
        cd.minimum_cut(Elsewhere(UNARY), 3.0, cluster=cluster)


@pytest.mark.slow
def test_a_worker_that_dies_changes_nothing(cluster, tmp_path):
    for n_peaceful in (1, 8):  # when bands are cut, and when they are proven
        folder = tmp_path / str(n_peaceful)
        folder.mkdir()
        unary = Deadly(UNARY, folder, n_peaceful, 1)
        np.testing.assert_array_equal(cd.minimum_cut(unary, 3.0, window=20, cluster=cluster).labels, expected())
        assert (folder / "death1").exists()


@pytest.mark.slow
def test_workers_that_die_again_and_again_end_the_run_and_what_is_done_is_kept(cluster, tmp_path, monkeypatch):
    unary, out = Deadly(UNARY, tmp_path, 12, 1000), tmp_path / "labels.npy"
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 1)  # by default 3
    with pytest.raises(
        cd.WorkerError, match=r"2 workers died .*; the bands that are done are kept in .*labels.npy.state"
    ):
        cd.minimum_cut(unary, 3.0, window=20, out=out, cluster=cluster)
    assert not out.exists()
    monkeypatch.setattr("classicseg.streaming.cut.passage.cut_band", None)  # what is known is not found again
    cs.minimum_cut_streamed(UNARY, 3.0, out=out)  # may go on without workers
    np.testing.assert_array_equal(np.load(out), expected())


@pytest.mark.slow
def test_a_run_whose_process_was_killed_goes_on_and_not_with_other_costs(cluster, tmp_path):
    program = (
        "import sys, time, classicseg.dask as cd\n"
        "from classicseg.streaming.cut.state import CutState as S; write = S.keep\n"
        "def slow(self): write(self); print(len(self.progress.bands), flush=True); time.sleep(60)\n"
        "S.keep = slow\n"
        "cd.minimum_cut(sys.argv[1], 3.0, out=sys.argv[2], window=20, cluster=sys.argv[3])"
    )
    unary, out = tmp_path / "unary.npy", tmp_path / "labels.npy"
    np.save(unary, UNARY)
    command = [sys.executable, "-c", program, unary, out, cluster.scheduler_address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "1\n"
        with pytest.raises(ValueError, match=r"labels.npy.state is the state of a run that is still going on"):
            cs.minimum_cut_streamed(unary, 3.0, out=out)
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    np.save(unary, UNARY + 1)
    with pytest.raises(ValueError, match="state of a run with another"):
        cd.minimum_cut(unary, 3.0, out=out, cluster=cluster)
    np.save(unary, UNARY)
    cd.minimum_cut(unary, 3.0, out=out, cluster=cluster)
    np.testing.assert_array_equal(np.load(out), expected())
    assert {path.name for path in tmp_path.iterdir()} == {"unary.npy", "labels.npy"}

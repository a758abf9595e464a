"""Workers that split and merge give the labels of the run in memory, to the byte, whoever dies meanwhile."""

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
from classicseg.dask import regions
from classicseg.streaming.split import passes as split_passes
from tests.dask.here import Here
from tests.dask.sources import Deadly, Elsewhere
from tests.strategies.ground import hills, split_problems

IMAGE = hills(np.random.default_rng(1), (1060, 700), 30)


def expected(threshold=9, **options):
    return cs.split_and_merge(IMAGE, threshold, **options)


@pytest.mark.filterwarnings("ignore:the values of image span")
@settings(max_examples=8, deadline=None)
@given(split_problems(), st.sampled_from((None, 1, 513)), st.integers(0, 99))
def test_windows_that_are_segmented_apart_come_to_the_labels_of_the_run_in_memory(
    tmp_path_factory, problem, window, seed
):
    image, threshold, options = problem
    folder = tmp_path_factory.mktemp("split")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regions, "connected", lambda cluster: contextlib.nullcontext(Here(seed)))
        patch.setattr(regions, "Workers", lambda client: client)
        labels = cd.split_and_merge(image, threshold, **options, window=window, table=folder / "apart.csv")
    np.testing.assert_array_equal(labels, cs.split_and_merge(image, threshold, **options))
    cs.split_and_merge_streamed(image, threshold, **options, table=folder / "streamed.csv")
    assert (folder / "apart.csv").read_bytes() == (folder / "streamed.csv").read_bytes()


def test_labels_have_the_coordinates_of_the_image():
    xr = pytest.importorskip("xarray")
    y, x = np.linspace(50, 49, 1060), np.linspace(8, 9, 700)
    image = xr.DataArray(np.stack([IMAGE, IMAGE[::-1]]), {"y": y, "x": x, "crs": 32632}, ("band", "y", "x"))
    mask = xr.DataArray(IMAGE > 70, {"y": y, "x": x}, ("y", "x"))
    plain = cs.split_and_merge(image.values, 9, mask=mask.values, channel_axis=0)
    for seen in (image, image.chunk({"y": 100})):
        labels = cd.split_and_merge(seen, 9, mask=mask, channel_axis="band")
        assert labels.dims == ("y", "x")
        assert set(labels.coords) == {"y", "x", "crs"}
        np.testing.assert_array_equal(labels, plain)
        np.testing.assert_array_equal(labels.y, y)
    with pytest.raises(ValueError, match=r"mask has other coordinates along 'x'"):
        cd.split_and_merge(image, 9, mask=mask.assign_coords(x=x + 1), channel_axis="band")
    with pytest.raises(ValueError, match="channel_axis must be one of the dimensions"):
        cd.split_and_merge(image, 9, channel_axis="colour")


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"homogeneity": cs.StdDev(3)}, ValueError, "homogeneity must be Range"),
        ({"cluster": 3}, TypeError, "cluster must be the address of a scheduler"),
        ({"out": da.zeros(IMAGE.shape)}, TypeError, "can be written"),
        ({"min_area": 3}, ValueError, "no parameter 'min_area'"),
    ],
)
def test_what_cannot_work_is_named(change, error, word):
    with pytest.raises(error, match=word):
        cd.split_and_merge(**{"image": IMAGE, **change})


# --- with workers -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_give_the_labels_of_the_run_in_memory(cluster, tmp_path):
    zarr = pytest.importorskip("zarr")
    plain = expected()
    zarr.create_array(tmp_path / "image.zarr", data=IMAGE, chunks=(100, 160))
    out = zarr.create_array(
        tmp_path / "out.zarr", shape=IMAGE.shape, chunks=(32, 32), shards=(96, 64), dtype="i4", fill_value=9
    )
    given = {"homogeneity": 9, "window": 512, "cluster": cluster}
    assert cd.split_and_merge(tmp_path / "image.zarr", **given, out=out) is out
    np.testing.assert_array_equal(out[:], plain)
    image = da.from_array(IMAGE, chunks=(300, 200))
    cd.split_and_merge(image, **given, out=tmp_path / "labels.npy", table=tmp_path / "regions.csv")
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), plain)
    cs.split_and_merge_streamed(IMAGE, 9, table=tmp_path / "plain.csv")
    assert (tmp_path / "regions.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()
    with pytest.raises(ValueError, match="workers read something else"):
        cd.split_and_merge(Elsewhere(IMAGE), **given)


@pytest.mark.slow
def test_a_worker_that_dies_changes_nothing(cluster, tmp_path):
    plain = expected()
    for i, n_peaceful in enumerate((2, 9)):  # in the first pass, and in the second one
        folder = tmp_path / str(i)
        folder.mkdir()
        image = Deadly(IMAGE, folder, n_peaceful, 1)
        np.testing.assert_array_equal(cd.split_and_merge(image, 9, window=512, cluster=cluster), plain)
        assert (folder / "death1").exists()


@pytest.mark.slow
def test_workers_that_die_again_and_again_end_the_run_and_what_is_known_is_kept(cluster, tmp_path, monkeypatch):
    image, out = Deadly(IMAGE, tmp_path, 3, 1000, first_only=True), tmp_path / "labels.npy"
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 1)  # by default 3
    with pytest.raises(cd.WorkerError, match=r"2 workers died .* is kept in .*labels.npy.state"):
        cd.split_and_merge(image, 9, window=512, out=out, cluster=cluster)
    assert not out.exists()
    monkeypatch.setattr(split_passes, "meet_window", None)  # what is known is not found again
    cs.split_and_merge_streamed(IMAGE, 9, out=out)  # may go on without workers
    np.testing.assert_array_equal(np.load(out), expected())


@pytest.mark.slow
def test_a_run_whose_process_was_killed_goes_on_and_not_with_another_image(cluster, tmp_path):
    program = (
        "import sys, time, classicseg.dask as cd\n"
        "from classicseg.streaming.split import streamed as split_streamed\n"
        "def slow(*args): print('met', flush=True); time.sleep(60)\n"
        "split_streamed.write_all = slow\n"
        "cd.split_and_merge(sys.argv[1], 9, out=sys.argv[2], cluster=sys.argv[3], window=512)"
    )
    image, out = tmp_path / "image.npy", tmp_path / "labels.npy"
    np.save(image, IMAGE)
    command = [sys.executable, "-c", program, image, out, cluster.scheduler_address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "met\n"
        with pytest.raises(ValueError, match=r"labels.npy.state is the state of a run that is still going on"):
            cd.split_and_merge(image, 9, out=out)
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    np.save(image, IMAGE[::-1])
    with pytest.raises(ValueError, match="state of a run with another image"):
        cd.split_and_merge(image, 9, out=out, cluster=cluster)
    np.save(image, IMAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split_passes, "meet_window", None)
        cd.split_and_merge(image, 9, out=out, cluster=cluster)
    np.testing.assert_array_equal(np.load(out), expected())
    assert {path.name for path in tmp_path.iterdir()} == {"image.npy", "labels.npy"}

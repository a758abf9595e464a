"""What workers make of an image is what the run in memory makes of it, to the bit, whoever dies meanwhile."""

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
import distributed

import classicseg as cs
import classicseg.dask as cd
from classicseg.dask import refinement, sent, tasks, workers
from classicseg.filters import building
from tests.dask.here import Here
from tests.dask.sources import Deadly, Elsewhere, Failing
from tests.strategies.streams import problems

SAMPLE = cs.sample("nuclei")
SMALL = np.log(SAMPLE.probabilities[:, ::3, ::3])
OPTIONS = {"preset": "default", "max_iter": 2}
MASK = np.add.outer(np.arange(256), np.arange(256)) % 71 > 9


def expected(**options):
    return cs.refine(SAMPLE.image, logits=SMALL, exact=True, **OPTIONS, **options)


# --- without workers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [(64, 256, 3), (50, 100, 1), 256])
def test_arrays_of_dask_are_read_in_windows(chunks):
    labels = cd.refine(da.from_array(SAMPLE.image, chunks=chunks), logits=da.from_array(SMALL), **OPTIONS)
    np.testing.assert_array_equal(labels, expected())


def test_labels_have_the_coordinates_of_the_image():
    xr = pytest.importorskip("xarray")
    y, x = np.linspace(50, 49, 256), np.linspace(8, 9, 256)
    coords = {"y": y, "x": x, "band": ["r", "g", "b"], "crs": 32632, "row": ("y", range(256))}
    image = xr.DataArray(SAMPLE.image, coords, ("y", "x", "band"), attrs={"scale_factor": 2})
    scores = xr.DataArray(np.log(SAMPLE.probabilities), {"y": y, "x": x}, ("label", "y", "x"))
    scores, mask = scores.transpose("y", "x", "label"), xr.DataArray(MASK, {"y": y, "x": x}, ("y", "x"))
    plain = cs.refine(SAMPLE.image, logits=np.log(SAMPLE.probabilities), mask=MASK, exact=True, **OPTIONS)
    for seen in (image, image.chunk({"y": 100})):
        given = {"logits": scores, "label_axis": "label", "channel_axis": "band", "mask": mask}
        labels = cd.refine(seen, **given, **OPTIONS)
        assert labels.dims == ("y", "x")
        assert set(labels.coords) == {"y", "x", "crs", "row"}
        assert not labels.attrs
        np.testing.assert_array_equal(labels, plain)
        np.testing.assert_array_equal(labels.y, y)
    out = np.zeros((256, 256), np.int8)
    assert cd.refine(image, logits=scores, label_axis=-1, mask=mask, out=out, **OPTIONS) is out
    with pytest.raises(ValueError, match=r"other coordinates along 'y'.*from 49.0 to 50.0"):
        cd.refine(image, logits=scores.assign_coords(y=y[::-1]), label_axis="label")
    with pytest.raises(ValueError, match=r"logits has the dimensions .* in another order"):
        cd.refine(image, logits=scores.transpose("label", "x", "y"))
    with pytest.raises(ValueError, match=r"label_axis must be one of the dimensions \('y', 'x', 'label'\)"):
        cd.refine(image, logits=scores, label_axis="class")


def test_stores_of_zarr_are_read_and_written_in_whole_shards(tmp_path):
    zarr = pytest.importorskip("zarr")
    zarr.create_array(tmp_path / "image.zarr", data=SAMPLE.image, chunks=(50, 60, 3))
    out = zarr.create_array(
        tmp_path / "out.zarr", shape=(256, 256), chunks=(32, 32), shards=(96, 64), dtype="u1", fill_value=9
    )
    assert cd.refine(tmp_path / "image.zarr", logits=SMALL, out=out, **OPTIONS) is out
    np.testing.assert_array_equal(out[:], expected())
    zarr.create_group(tmp_path / "group.zarr")
    with pytest.raises(ValueError, match=r"group.zarr"):
        cd.refine(tmp_path / "group.zarr", logits=SMALL)
    with pytest.raises(FileNotFoundError, match=r"none.zarr"):
        cd.refine(tmp_path / "none.zarr", logits=SMALL)


UNKNOWN = da.from_array(SAMPLE.image)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"exact": True}, TypeError, "no parameter 'exact'"),
        ({"cluster": 3}, TypeError, "cluster must be the address of a scheduler"),
        ({"cluster": "local:0"}, ValueError, "'local:N'"),
        ({"cluster": "nonsense"}, ValueError, "no scheduler answers at cluster='nonsense'"),
        ({"out": da.zeros((256, 256))}, TypeError, "can be written"),
        ({"preset": "autp"}, ValueError, "preset must be"),
        ({"image": UNKNOWN[UNKNOWN[:, 0, 0] > 3]}, ValueError, "image has an unknown shape"),
        ({"logits": SMALL[..., 0]}, ValueError, "does not fit"),
    ],
)
def test_what_cannot_work_is_named(change, error, word):
    arguments = {"image": SAMPLE.image, "logits": SMALL, **OPTIONS, **change}
    with pytest.raises(error, match=word):
        cd.refine(**arguments)


@settings(max_examples=10, deadline=None)
@given(problems(), st.sampled_from((None, 2, 5)), st.integers(0, 99))
def test_stripes_that_are_worked_on_apart_come_to_the_labels_of_the_run_in_memory(problem, window, seed):
    image, options = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refinement, "connected", lambda cluster: contextlib.nullcontext(Here(seed)))
        patch.setattr(refinement, "Workers", lambda client: client)
        patch.setattr(building, "_POINTS_PER_STRIPE", 200)
        labels = cd.refine(image, **options, window=window)
        expected = cs.refine(image, **options, exact=True)
    np.testing.assert_array_equal(labels, expected)


def test_labels_that_take_more_than_one_vector_are_put_together_again():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    logits = np.random.default_rng(1).standard_normal((21, 40, 50)).astype(np.float32) * 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refinement, "connected", lambda cluster: contextlib.nullcontext(Here(0)))
        patch.setattr(refinement, "Workers", lambda client: client)
        patch.setattr(building, "_POINTS_PER_STRIPE", 200)
        labels = cd.refine(image, logits=logits, **OPTIONS)
    np.testing.assert_array_equal(labels, cs.refine(image, logits=logits, exact=True, **OPTIONS))


# --- with workers -------------------------------------------------------------------------------------------------


def stripes():
    return building.stripes_of(256 * 256)


@pytest.mark.slow
def test_workers_give_the_labels_of_the_run_in_memory(cluster, tmp_path):
    cd.refine(SAMPLE.image, logits=SMALL, **OPTIONS)  # workers find their kernels compiled
    np.save(tmp_path / "image.npy", SAMPLE.image)
    np.testing.assert_array_equal(
        cd.refine(tmp_path / "image.npy", logits=SMALL, cluster=cluster, **OPTIONS), expected()
    )
    labels = cd.refine(
        da.from_array(SAMPLE.image, chunks=(50, 100, 3)), logits=SMALL, mask=MASK, fill=7, out=tmp_path / "labels.npy",
        cluster=cluster.scheduler_address, **OPTIONS,
    )  # fmt: skip
    np.testing.assert_array_equal(np.load(labels), expected(mask=MASK, fill=7))
    with distributed.Client(cluster) as client:  # now the default
        held = client.persist(da.from_array(SAMPLE.image))
        with pytest.raises(ValueError, match=r"image holds results .* memory of a cluster"):
            cd.refine(held, logits=SMALL)
        with pytest.raises(ValueError, match="workers read something else"):
            cd.refine(Elsewhere(SAMPLE.image), logits=SMALL)
    with (
        distributed.Client(cluster, set_as_default=False) as client,
        pytest.raises(ValueError, match="workers read something else"),
    ):
        cd.refine(Elsewhere(SAMPLE.image), logits=SMALL, cluster=client)


@pytest.mark.slow
@pytest.mark.parametrize("n_passes", [0, 1, 3])  # it meets vertices, updates, or labels
def test_a_worker_that_dies_changes_nothing(cluster, tmp_path, n_passes):
    image = Deadly(SAMPLE.image, tmp_path, n_passes, 1, first_only=True)
    np.testing.assert_array_equal(cd.refine(image, logits=SMALL, cluster=cluster, **OPTIONS), expected())
    assert (tmp_path / "death1").exists()


@pytest.mark.slow
def test_workers_that_die_again_and_again_end_the_run_and_what_is_done_is_kept(cluster, tmp_path, monkeypatch):
    image, out = Deadly(SAMPLE.image, tmp_path, 2 * stripes() + 2, 1000), tmp_path / "labels.npy"
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 1)  # by default 3
    with pytest.raises(cd.WorkerError, match=r"2 workers died .* are kept in .*labels.npy.state"):
        cd.refine(image, logits=SMALL, out=out, cluster=cluster, **OPTIONS)
    assert not out.exists()
    assert (tmp_path / "labels.npy.state" / "rows.npz").exists()
    cs.refine_streamed(SAMPLE.image, logits=SMALL, out=out, exact=True, **OPTIONS)  # may go on without workers
    np.testing.assert_array_equal(np.load(out), expected())


@pytest.mark.slow
def test_a_run_whose_process_was_killed_goes_on(cluster, tmp_path):
    program = (
        "import sys, time, classicseg.dask as cd\n"
        "from classicseg.streaming.refine.kept_state import KeptState as K; keep = K.keep\n"
        "def slow(self, progress): keep(self, progress); print(progress.done, flush=True); time.sleep(60)\n"
        "K.keep = slow\n"
        "how = {'preset': 'default', 'max_iter': 2, 'cluster': sys.argv[4]}\n"
        "cd.refine(sys.argv[1], logits=sys.argv[2], out=sys.argv[3], **how)"
    )
    image, logits, out = (tmp_path / name for name in ("image.npy", "logits.npy", "labels.npy"))
    np.save(image, SAMPLE.image)
    np.save(logits, SMALL)
    command = [sys.executable, "-c", program, image, logits, out, cluster.scheduler_address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "meet", None)  # what is known is not found again
        cd.refine(image, logits=logits, out=out, cluster=cluster, **OPTIONS)
    np.testing.assert_array_equal(np.load(out), expected())
    assert {path.name for path in tmp_path.iterdir()} == {"image.npy", "labels.npy", "logits.npy"}


@pytest.mark.slow
def test_what_workers_cannot_do_is_named(cluster, tmp_path, monkeypatch):
    options = {"logits": SMALL, "cluster": cluster, **OPTIONS}
    np.testing.assert_array_equal(cd.refine(Failing(SAMPLE.image, tmp_path, 3), **options), expected())
    with pytest.raises(OSError, match="the network is down"):
        cd.refine(Failing(SAMPLE.image, tmp_path, 1000), **options)
    with (tmp_path / "open").open("w") as file:
        source = Elsewhere(SAMPLE.image)
        source.file = file
        with pytest.raises(ValueError, match="workers cannot be sent what they are to read"):
            cd.refine(source, **options)
    with monkeypatch.context() as patch:
        patch.setattr(sent, "__version__", "0.0.1")
        with pytest.raises(ValueError, match=r"workers have classicseg .*begun by 0.0.1"):
            cd.refine(SAMPLE.image, **options)
    monkeypatch.setattr(sent, "_LARGEST", 2**10)
    with pytest.raises(ValueError, match="sent to every worker"):
        cd.refine(SAMPLE.image, **options)


@pytest.mark.slow
def test_a_cluster_without_workers_is_left_after_a_while(monkeypatch):
    monkeypatch.setattr(workers, "_PATIENCE", 0.1)
    monkeypatch.setattr(workers, "_LOOK", 0.05)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as empty,
        pytest.raises(cd.WorkerError, match="no worker for"),
    ):
        cd.refine(SAMPLE.image, logits=SMALL, cluster=empty, **OPTIONS)

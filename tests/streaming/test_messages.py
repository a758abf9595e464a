"""Streamed message passing is that of the run in memory, to the bit, whatever the bands are."""

import dataclasses
import shutil
import signal
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.energies.grid import directions, edge_shape
from classicseg.streaming.cut import edges as cut_edges
from classicseg.streaming.messages import slabs
from classicseg.streaming.messages.state import MessageState
from tests.strategies.files import write_map, write_zarr

SAMPLE = cs.sample()
IMAGE = SAMPLE.image[100:190, 40:100]
COSTS = cs.unary_from_probabilities(SAMPLE.probabilities)[:, 100:190, 40:100]
UNARY = COSTS + np.random.default_rng(3).uniform(0, 6, COSTS.shape).astype(np.float32)
"""Of five labels."""


def assert_same(result, expected):
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert (result.energy, result.lower_bound) == (expected.energy, expected.lower_bound)
    assert list(result.energies) == [step.energy for step in expected.history]
    assert list(result.bounds) == [step.lower_bound for step in expected.history]
    assert (result.converged, result.message) == (expected.converged, expected.message)
    assert result.gap == expected.gap


@st.composite
def problems(draw):
    """An energy that streams: unary costs, compatibility, weights, connectivity, and options of both runs."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    grids = (((40, 7), 4), ((33, 2), 4), ((49, 6), 8), ((1, 8), 4), ((8, 1), 4), ((5, 18, 3), 6), ((1, 20, 4), 6))
    (shape, connectivity), n_labels = draw(st.sampled_from(grids)), draw(st.integers(2, 5))
    unary = rng.random((n_labels, *shape)) * draw(st.sampled_from((1.0, 1e-30, 300.0)))
    if draw(st.booleans()):
        forbidden = rng.random(unary.shape) < draw(st.sampled_from((0.02, 0.4)))
        forbidden[0] &= ~forbidden[1:].all(axis=0)
        unary[forbidden] = np.inf
    if draw(st.booleans()):
        unary = np.where(np.isinf(unary), 1e6, np.floor(unary)).astype(draw(st.sampled_from(("u2", "u4", "f4"))))
    weights = draw(st.sampled_from((0.3, 2, 0.0, "float32", "int32")))
    if isinstance(weights, str):
        offsets, dtype = directions(len(shape), connectivity), weights
        weights = {name: (rng.random(edge_shape(shape, o)) * 9).astype(dtype) for name, o in offsets.items()}
    options = {}
    if draw(st.booleans()):
        options["mask"] = rng.random(shape) < 0.8
        options["mask"].reshape(-1)[0] = True
    compatibility = draw(st.sampled_from((cs.Potts(1), cs.Potts(0.7), cs.TruncatedLinear(0.5, truncation=2))))
    return unary, compatibility, weights, connectivity, options


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from((1, 16, 32)), st.sampled_from((1, 700, 2**17)), st.integers(0, 12))
def test_all_is_that_of_the_run_in_memory(problem, window, at_once, max_iter):
    unary, compatibility, weights, connectivity, options = problem
    crf = cs.GridCRF(unary, compatibility, weights, connectivity=connectivity, **options)
    expected = cs.minimize(crf, "trws", max_iter=max_iter)
    more = {"connectivity": connectivity, "window": window, "max_iter": max_iter, "n_threads": 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut_edges, "_AT_ONCE", at_once)
        patch.setattr(slabs, "_AT_ONCE", at_once)
        result = cs.trws_streamed(unary, weights, compatibility=compatibility, **options, **more)
    assert_same(result, expected)


@pytest.mark.parametrize("weight", [1.0, 7.3])
def test_weights_follow_the_contrast_of_the_whole_image(monkeypatch, weight):
    monkeypatch.setattr(cut_edges, "_AT_ONCE", 500)
    mask = np.add.outer(np.arange(90), np.arange(60)) % 11 > 2
    weights = cs.contrast_weights(IMAGE, connectivity=4, mask=mask)
    if weight != 1:
        weights = {name: w * np.float64(weight) for name, w in weights.items()}
    expected = cs.minimize(cs.GridCRF(UNARY, cs.Potts(1), weights, connectivity=4, mask=mask), "trws", max_iter=11)
    result = cs.trws_streamed(UNARY, weight, image=IMAGE, connectivity=4, mask=mask, window=32, max_iter=11)
    assert_same(result, expected)
    assert len(np.unique(result.labels)) > 3
    assert "above the least" in str(result)


def test_maps_in_and_a_map_out(tmp_path):
    image = np.moveaxis(IMAGE, -1, 0).copy()
    image[:, 30:40, 10:20] = 0
    write_map(tmp_path / "image.tif", image, nodata=0)
    write_zarr(tmp_path / "unary.zarr", UNARY, chunks=(5, 16, 60))
    given = {"weights": 2.0, "image": tmp_path / "image.tif", "fill": 255, "window": 20, "max_iter": 5}
    cs.trws_streamed(tmp_path / "unary.zarr", **given, out=tmp_path / "labels.tif")
    mask = (image != 0).any(axis=0)
    expected = cs.trws_streamed(UNARY, 2.0, image=np.moveaxis(image, 0, -1), mask=mask, fill=255, max_iter=5)
    written = cs.io.read_image(tmp_path / "labels.tif")
    np.testing.assert_array_equal(np.squeeze(np.asarray(written)), expected.labels)
    assert expected.labels[35, 15] == 255


def test_a_plan_tells_what_a_run_takes(monkeypatch, tmp_path):
    monkeypatch.setattr(slabs, "_AT_ONCE", 1000)
    options = {"memory": 8e5, "state": tmp_path / "state"}
    plan, sizes = cs.plan_trws(UNARY, 3.0, **options), []

    def count(self):
        sizes.append(sum(path.stat().st_size for path in self.folder.glob("*.bin")))

    monkeypatch.setattr(MessageState, "keep", count)
    cs.trws_streamed(UNARY, 3.0, max_iter=1, **options)
    assert plan.memory <= 8e5
    assert 16 <= plan.n_rows < 90
    assert plan.scratch == max(sizes)
    assert "5 labels" in str(plan)
    assert plan.seconds > 0


# --- interruptions ------------------------------------------------------------------------------------------------


class StoppedError(Exception):
    pass


def stream(folder, **options):
    given = {"weights": 0.8, "out": folder / "labels.npy", "window": 32, "max_iter": 6, **options}
    return cs.trws_streamed(UNARY, **given)


@pytest.mark.parametrize("after", [1, 3, 8, 10, 34, 55])
def test_a_run_goes_on_where_it_was_ended(tmp_path, monkeypatch, after):
    count, keep = [0], MessageState.keep

    def stop(self):
        keep(self)
        count[0] += 1
        if count[0] == after:
            raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(MessageState, "keep", stop)
        with pytest.raises(StoppedError):
            stream(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"labels.npy.state"}
    with pytest.raises(ValueError, match="state of a run with another parameters"):
        stream(tmp_path, weights=0.7)
    result = stream(tmp_path, window=16)
    expected = cs.minimize(cs.GridCRF(UNARY, cs.Potts(1), 0.8), "trws", max_iter=6)
    assert_same(dataclasses.replace(result, labels=np.load(tmp_path / "labels.npy")), expected)
    assert {path.name for path in tmp_path.iterdir()} == {"labels.npy"}


def test_a_slab_that_was_written_by_half_is_done_again(tmp_path, monkeypatch):
    write, count = MessageState.write, [0]

    def write_half(self, slab, forward, planes):
        count[0] += 1
        if count[0] == 8:  # of the passes of the first iteration
            write(self, slab, forward, planes[: planes.size // 2])
            raise StoppedError
        write(self, slab, forward, planes)

    with monkeypatch.context() as patch:
        patch.setattr(MessageState, "write", write_half)
        with pytest.raises(StoppedError):
            stream(tmp_path)
    result, expected = stream(tmp_path), cs.trws_streamed(UNARY, 0.8, max_iter=6)
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), expected.labels)
    assert (result.energies, result.bounds) == (expected.energies, expected.bounds)


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(tmp_path):
    program = (
        "import sys, time, numpy as np, classicseg as cs\n"
        "from classicseg.streaming.messages.state import MessageState as S; keep = S.keep\n"
        "def slow(self):\n"
        "    keep(self)\n"
        "    if self.progress.n_passes == 3 and self.progress.n_slabs == 1: print(3, flush=True); time.sleep(60)\n"
        "S.keep = slow\n"
        "cs.trws_streamed(np.load(sys.argv[1]), 0.8, out=sys.argv[2], window=32, max_iter=6)"
    )
    np.save(tmp_path / "unary.npy", UNARY)
    command = [sys.executable, "-c", program, tmp_path / "unary.npy", tmp_path / "labels.npy"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "3\n"
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "labels.npy").exists()
    result, expected = stream(tmp_path), cs.trws_streamed(UNARY, 0.8, max_iter=6)
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), expected.labels)
    assert (result.energies, result.bounds) == (expected.energies, expected.bounds)


# --- what cannot work ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"unary": UNARY[:1]}, ValueError, "at least 2 labels, got 1"),
        ({"unary": np.where(UNARY > 3, np.nan, UNARY)}, ValueError, "unary must be numbers.*window"),
        ({"weights": -1}, ValueError, "weights must be at least 0"),
        ({"compatibility": np.eye(4)}, ValueError, "compatibility"),
        ({"compatibility": "potts"}, TypeError, "compatibility"),
        ({"max_iter": -1}, ValueError, "max_iter"),
        ({"tol": -1}, ValueError, "tol"),
        ({"init": UNARY[0]}, TypeError, "trws_streamed has no parameter 'init'"),
        ({"memory": 1000}, cs.BudgetError, "messages of 16 rows would take .* GiB, more than memory=1000 bytes"),
        ({"unary": UNARY[:, None], "memory": 1000}, cs.BudgetError, "messages of all pixels would take"),
        ({"out": np.zeros((3, 3), int)}, ValueError, "out must have shape"),
    ],
)
def test_what_cannot_work_is_refused(change, error, word):
    with pytest.raises(error, match=word):
        cs.trws_streamed(**{"unary": UNARY, **change})


def test_a_disk_without_room_is_told_beforehand(monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6, 1000))
    with pytest.raises(OSError, match=r"messages need .* GiB of scratch space, but .* are free"):
        cs.trws_streamed(UNARY, out=tmp_path / "labels.npy")


def test_a_state_that_is_damaged_is_told(tmp_path, monkeypatch):
    def stop(self):
        keep(self)
        raise StoppedError

    keep = MessageState.keep
    with monkeypatch.context() as patch:
        patch.setattr(MessageState, "keep", stop)
        with pytest.raises(StoppedError):
            stream(tmp_path)
    (tmp_path / "labels.npy.state" / "progress.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"progress.npz cannot be read.*delete"):
        stream(tmp_path)

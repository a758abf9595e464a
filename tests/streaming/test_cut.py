"""Streamed minimum cuts are those of the run in memory, whatever the bands are, and prove it."""

import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.energies.grid import directions, edge_shape
from classicseg.io.windows import LabelFile
from classicseg.solvers.cut import bands, zones
from classicseg.streaming.cut import edges as cut_edges
from classicseg.streaming.cut import plan as cut_plan
from classicseg.streaming.cut.state import CutState
from tests.strategies.cuts import cut_problems
from tests.strategies.files import write_map, write_zarr

SAMPLE = cs.sample("nuclei")
UNARY = np.rint(cs.unary_from_probabilities(SAMPLE.probabilities)[:, :90, :60] * 8).astype(np.int16)
IMAGE = SAMPLE.image[:90, :60]


@settings(max_examples=60, deadline=None)
@given(cut_problems(), st.integers(1, 5), st.sampled_from((1, 7, 2**17)))
def test_labels_are_those_of_the_run_in_memory(problem, window, at_once):
    unary, weights, options = problem
    expected = cs.minimize(cs.GridCRF(unary, cs.Potts(1), weights, **options), "graph_cut")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut_edges, "_AT_ONCE", at_once)
        patch.setattr(zones, "_AT_ONCE", at_once)
        result = cs.minimum_cut_streamed(unary, weights, **options, window=window)
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.energy == expected.energy
    assert result.flow == result.cut


def in_steps(unary, weights, step):
    """The energy in memory with costs in whole steps."""
    weights = {name: np.rint(w.astype(np.float64) / step).astype(np.int32) for name, w in weights.items()}
    return cs.GridCRF(np.rint(unary / np.float64(step)), cs.Potts(1), weights, connectivity=4)


@pytest.mark.parametrize("kind", ["uint8", "float32", "far away", "no data"])
@pytest.mark.parametrize("beta", [None, 0.002])
def test_weights_follow_the_contrast_of_the_whole_image(monkeypatch, kind, beta):
    monkeypatch.setattr(cut_edges, "_AT_ONCE", 500)
    image = IMAGE.astype("f8" if kind == "far away" else "u1" if kind == "uint8" else "f4")
    image += {"far away": 1e7}.get(kind, 0)
    if kind == "no data":
        image[20:25, 7] = -9999
    weights = cs.contrast_weights(image, beta=beta, connectivity=4)
    result = cs.minimum_cut_streamed(UNARY, 7.3, image=image, beta=beta, window=13, n_threads=2)
    scaled = {name: w * np.float64(7.3) for name, w in weights.items()}
    expected = cs.minimize(in_steps(UNARY, scaled, result.step), "graph_cut")
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.energy == expected.energy * result.step
    assert result.n_bands == 7


def test_weights_follow_the_contrast_inside_of_a_mask():
    mask = np.add.outer(np.arange(90), np.arange(60)) % 11 > 2
    image, unary = np.where(mask, IMAGE[..., 0], np.nan), np.where(mask, UNARY, np.nan)
    weights = cs.contrast_weights(image, connectivity=4, channel_axis=None, mask=mask)
    out = np.zeros(mask.shape, np.int8)
    result = cs.minimum_cut_streamed(unary, 6.0, image=image, mask=mask, window=13, out=out, fill=5)
    assert result.labels is out
    crf = cs.GridCRF(unary, cs.Potts(6), weights, connectivity=4, mask=mask)
    np.testing.assert_array_equal(out, np.where(mask, cs.minimize(crf, "graph_cut").labels, 5))


@pytest.mark.parametrize("spacing", [None, (1, 2.5)])
def test_one_weight_for_all(spacing):
    result = cs.minimum_cut_streamed(UNARY, 3, spacing=spacing, connectivity=8, window=20)
    crf = cs.GridCRF(UNARY, cs.Potts(1), 3, spacing=spacing, connectivity=8)
    expected = cs.minimize(crf, "graph_cut")
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.energy == pytest.approx(expected.energy, abs=UNARY[0].size * 9 * result.step)


@pytest.mark.parametrize("connectivity", [18, 26])
@pytest.mark.parametrize("kind", ["one for all", "given", "contrast"])
def test_volumes_with_slanted_neighbours(connectivity, kind):
    rng, shape = np.random.default_rng(connectivity), (9, 6, 5)
    unary, image = rng.integers(0, 60, (2, *shape)), rng.integers(0, 9, shape).astype(np.uint8)
    mask, options = rng.random(shape) < 0.9, {"connectivity": connectivity}
    weights = {name: rng.integers(0, 9, edge_shape(shape, o)) for name, o in directions(3, connectivity).items()}
    if kind == "one for all":
        given = weights = 4
    elif kind == "given":
        given, options = weights, {}
    else:
        given, weights = 4.0, cs.contrast_weights(image, connectivity=connectivity, channel_axis=None, mask=mask)
        options |= {"image": image, "channel_axis": None}
    result = cs.minimum_cut_streamed(unary, given, mask=mask, window=2, n_threads=2, **options)
    step = result.step
    if kind == "contrast":
        unary, weights = unary / step, {name: np.rint(w * np.float64(4) / step) for name, w in weights.items()}
    crf = cs.GridCRF(unary, cs.Potts(1), weights, connectivity=connectivity, mask=mask)
    expected = cs.minimize(crf, "graph_cut")
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.energy == expected.energy * (step if kind == "contrast" else 1)
    assert result.flow == result.cut
    assert 0 < (expected.labels == 1).mean() < 1
    assert result.n_bands == 5


def test_a_plan_of_a_volume_with_slanted_neighbours():
    """A row is a slice, and each pixel takes room for 26 directions."""
    unary = np.random.default_rng(0).integers(0, 200, (2, 40, 6, 5))
    plan = cs.plan_minimum_cut(unary, 4, connectivity=26, memory=200_000)
    assert plan.n_rows < plan.shape[0] == 40
    assert plan.memory <= 200_000 < plan.worst == cs.plan_minimum_cut(unary, 4, connectivity=26).memory
    assert cs.minimum_cut_streamed(unary, 4, connectivity=26, memory=200_000).n_bands >= 40 / plan.n_rows


def test_without_edges_every_pixel_takes_its_cheaper_label():
    result = cs.minimum_cut_streamed(UNARY, 0, window=31)
    np.testing.assert_array_equal(result.labels, UNARY.argmin(axis=0))
    assert (result.flow, result.cut, result.energy) == (0, 0, UNARY.min(axis=0).sum())


def test_a_proof_fails_if_labels_are_no_minimum(monkeypatch):
    """Two pixels of the other label cost more, and are no answer of the bands."""
    keep = CutState.keep

    def spoil(self):
        if self.progress.bands[-1].stop == 90 and self.progress.n_proven == 0:
            codes = self.codes.read(40, 41).copy()
            codes[0, 5:7] ^= 1
            self.codes.write(40, codes)
        keep(self)

    monkeypatch.setattr(CutState, "keep", spoil)
    with pytest.raises(ValueError, match="have changed"):
        cs.minimum_cut_streamed(UNARY, 3, window=30)


# --- memory -------------------------------------------------------------------------------------------------------


def test_what_needs_more_memory_is_refused_beforehand(monkeypatch):
    """Nothing but the last row says what any pixel is."""
    unary = np.zeros((2, 300, 8), np.int16)
    unary[1, -1] = -1
    monkeypatch.setattr(cut_plan, "_FEWEST", 4)
    with pytest.raises(cs.BudgetError, match=r"\d+ pixels depend.* all rows at once would take .* GiB"):
        cs.minimum_cut_streamed(unary, 3, memory=20_000)
    result = cs.minimum_cut_streamed(unary, 3, window=100)
    assert result.labels.all()
    assert result.n_open == 1600


def test_what_needs_more_memory_only_somewhere_goes_on_with_more(tmp_path, monkeypatch):
    unary = np.zeros((2, 90, 8), np.int16)
    unary[1] = np.where(np.arange(90) % 2, 9, -9)[:, np.newaxis]
    unary[:, 50:85] = 0
    unary[1, 50] = -1  # not enough, unless label 1 comes behind it
    monkeypatch.setattr(cut_plan, "try_bands", lambda problem: None)
    arguments = {"weights": 4, "out": tmp_path / "labels.npy", "window": 10}
    with pytest.raises(cs.BudgetError, match=r"the rows 50 to .* give more memory"):
        cs.minimum_cut_streamed(unary, memory=15_000, **arguments)
    kept, band = [], bands.cut_band
    monkeypatch.setattr("classicseg.streaming.cut.passage.cut_band", lambda *a: kept.append(a[2][-1]) or band(*a))
    cs.minimum_cut_streamed(unary, memory=100_000, **arguments)
    assert kept[0].begin == 50
    expected = cs.minimize(cs.GridCRF(unary, cs.Potts(4)), "graph_cut")
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), expected.labels)


def test_a_plan_tells_what_a_run_takes():
    plan = cs.plan_minimum_cut(UNARY, 3.0, memory=200_000)
    result = cs.minimum_cut_streamed(UNARY, 3.0, memory=200_000)
    assert plan.shape == (90, 60)
    assert -(-90 // plan.n_rows) <= result.n_bands
    assert plan.step == result.step
    assert 0 < plan.certain <= 1
    assert plan.memory <= 200_000 < plan.worst
    assert "certain" in str(plan)
    assert "flow" in str(result)


# --- interruptions ------------------------------------------------------------------------------------------------


class StoppedError(Exception):
    pass


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "unary.npy", UNARY)
    return tmp_path


def stream(folder, **options):
    given = {"unary": folder / "unary.npy", "weights": 3.0, "out": folder / "labels.npy", "window": 20, **options}
    return cs.minimum_cut_streamed(**given)


def expected_labels():
    return cs.minimize(cs.GridCRF(UNARY, cs.Potts(3)), "graph_cut").labels


@pytest.mark.parametrize("after", [1, 4, 5, 7, 10])
def test_a_run_goes_on_where_it_was_ended(files, monkeypatch, after):
    count, keep = [0], CutState.keep

    def stop(self):
        keep(self)
        count[0] += 1
        if count[0] == after:
            raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(CutState, "keep", stop)
        with pytest.raises(StoppedError):
            stream(files)
    assert {path.name for path in files.iterdir()} == {"unary.npy", "labels.npy.state"}
    result = stream(files, window=33)
    assert result.flow == result.cut
    np.testing.assert_array_equal(np.load(files / "labels.npy"), expected_labels())
    assert np.load(files / "labels.npy").dtype == np.uint8
    assert {path.name for path in files.iterdir()} == {"unary.npy", "labels.npy"}


def test_maps_in_and_a_map_out(tmp_path):
    """Pixels without data take no part, and labels lie where the image does."""
    image = np.moveaxis(IMAGE, -1, 0).copy()
    image[:, 30:40, 10:20] = 0
    write_map(tmp_path / "image.tif", image, nodata=0)
    write_zarr(tmp_path / "unary.zarr", UNARY, chunks=(2, 16, 60))
    given = {"weights": 3.0, "image": tmp_path / "image.tif", "fill": 255, "window": 20}
    cs.minimum_cut_streamed(tmp_path / "unary.zarr", **given, out=tmp_path / "labels.tif")
    mask = (image != 0).all(axis=0)
    expected = cs.minimum_cut_streamed(UNARY, 3.0, image=np.moveaxis(image, 0, -1), mask=mask, fill=255)
    written = cs.io.read_image(tmp_path / "labels.tif")
    np.testing.assert_array_equal(np.squeeze(np.asarray(written)), expected.labels)


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(files):
    program = (
        "import sys, time, classicseg as cs\n"
        "from classicseg.streaming.cut.state import CutState as S; write = S.keep\n"
        "def slow(self): write(self); print(len(self.progress.bands), flush=True); time.sleep(60)\n"
        "S.keep = slow\n"
        "cs.minimum_cut_streamed(sys.argv[1], 3.0, out=sys.argv[2], window=20)"
    )
    command = [sys.executable, "-c", program, files / "unary.npy", files / "labels.npy"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGKILL)
    assert not (files / "labels.npy").exists()
    stream(files)
    np.testing.assert_array_equal(np.load(files / "labels.npy"), expected_labels())
    assert {path.name for path in files.iterdir()} == {"unary.npy", "labels.npy"}


@pytest.mark.parametrize(
    ("options", "word"),
    [({"unary": UNARY + 1}, "inputs|image, scores"), ({"weights": 4.0}, "parameters"), ({"connectivity": 8}, "param")],
)
def test_a_run_does_not_go_on_with_something_else(files, monkeypatch, options, word):
    def stop(self):
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(CutState, "keep", stop)
        with pytest.raises(StoppedError):
            stream(files)
    with pytest.raises(ValueError, match=f"state of a run with another .*({word})"):
        stream(files, **options)


def test_a_full_disk_loses_nothing(files, monkeypatch):
    def write(self, start, labels):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(LabelFile, "write", write)
        with pytest.raises(OSError, match=r"No space left.*kept in"):
            stream(files)
    monkeypatch.setattr("classicseg.streaming.cut.passage.cut_band", None)
    stream(files)
    np.testing.assert_array_equal(np.load(files / "labels.npy"), expected_labels())


# --- what cannot work ---------------------------------------------------------------------------------------------

NAN = np.where(np.arange(UNARY.size).reshape(UNARY.shape) == 777, np.nan, UNARY)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"unary": UNARY[:1]}, ValueError, "2 labels"),
        ({"unary": UNARY[:, 0]}, ValueError, "of an image"),
        ({"unary": NAN}, ValueError, "unary must be numbers.*window"),
        ({"unary": np.full((2, 3, 3), np.inf)}, ValueError, "window"),
        ({"unary": np.full((2, 3, 3), "a")}, TypeError, "unary"),
        ({"weights": -1}, ValueError, "weights must be at least 0"),
        ({"weights": np.inf}, ValueError, "weights must be finite"),
        ({"weights": {"right": np.ones((90, 59))}}, ValueError, "directions right, down"),
        ({"weights": {"right": np.ones((90, 59)), "down": np.ones((90, 60))}}, ValueError, "must have shape .89, 60"),
        ({"weights": {"right": np.ones((90, 59)), "down": -np.ones((89, 60))}}, ValueError, "down.*at least 0"),
        ({"weights": {"right": np.full((90, 59), np.inf), "down": np.ones((89, 60))}}, ValueError, "right.*finite"),
        ({"weights": {"right": np.ones((90, 59)), "down": np.ones((89, 60))}, "beta": 1}, ValueError, "beta"),
        ({"beta": 1}, ValueError, "goes with an image"),
        ({"image": IMAGE[:50]}, ValueError, "image"),
        ({"image": IMAGE, "beta": -1}, ValueError, "beta"),
        ({"connectivity": 6}, ValueError, "connectivity"),
        ({"mask": np.zeros((90, 60), bool)}, ValueError, "no pixel takes part"),
        ({"mask": np.ones((3, 3), bool)}, ValueError, "mask must have shape"),
        ({"memory": 0}, ValueError, "memory"),
        ({"memory": 1000}, ValueError, "a band of one row"),
        ({"window": 0}, ValueError, "window"),
        ({"out": "labels.png"}, ValueError, ".npy"),
        ({"windw": 3}, TypeError, "no parameter 'windw'"),
    ],
)
def test_what_cannot_work_is_named(change, error, word):
    with pytest.raises(error, match=word):
        cs.minimum_cut_streamed(**{"unary": UNARY, **change})

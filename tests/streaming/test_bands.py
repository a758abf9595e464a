"""Lattices whose vertices lie in files give the labels of those in memory, to the bit."""

import errno
import shutil
from functools import partialmethod

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.errors import BudgetError
from classicseg.filters import building
from classicseg.filters.bands import bank, linking, reach, wave
from classicseg.machine import threads as threading
from classicseg.streaming.refine import lattices as stream_lattices
from classicseg.streaming.refine import needs as stream_needs
from classicseg.streaming.refine.kept_state import KeptState
from tests.strategies.streams import problems

SAMPLE = cs.sample("nuclei")
SMALL = np.log(SAMPLE.probabilities[:, ::3, ::3])
SHORT = {"preset": "pydensecrf", "sigma": 1.0, "bilateral_sigma": 3.0}


@pytest.fixture
def banded(monkeypatch):
    """No lattice fits into memory; stripes and what is done at once are small. What was built is counted."""
    with bands(monkeypatch) as n_built:
        yield n_built


class bands:  # noqa: N801
    """The same as a context."""

    def __init__(self, patch, between=512, ahead=1000, fewest=500):
        for room, name, value in (
            (building, "_POINTS_PER_STRIPE", 400),
            (reach, "_BETWEEN", between),
            (bank, "AHEAD", ahead),
            (wave, "_FEWEST", fewest),
            (stream_lattices, "is_far_below_free", lambda nbytes: False),
            (stream_needs, "available_memory", lambda: 0),
            (stream_lattices, "build", self._counted),
        ):
            patch.setattr(room, name, value)
        self.n_built = 0

    def _counted(self, *arguments, build=stream_lattices.build):
        self.n_built += 1
        return build(*arguments)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        pass


@settings(max_examples=25, deadline=None)
@given(
    problems().filter(lambda problem: problem[0].ndim == 3 and problem[1]["channel_axis"] == -1),
    st.floats(0.5, 3) | st.floats(3, 40),  # some reach farther than a stripe, or the image
    st.floats(0.5, 3) | st.floats(3, 40),
    st.sampled_from((None, 1, 5)),
    st.sampled_from((16, 64, 2**16)),
    st.sampled_from((1, 100, 2**18)),
    st.sampled_from((1, 2)),
    st.booleans(),
)
def test_labels_are_those_of_the_run_in_memory(problem, sigma, bilateral, window, between, ahead, n_threads, exact):
    image, options = problem
    options |= {"preset": "pydensecrf", "sigma": sigma, "bilateral_sigma": bilateral, "exact": exact}
    with pytest.MonkeyPatch.context() as patch, bands(patch, between, ahead, fewest=ahead) as used:
        expected = cs.refine(image, **options)
        labels = cs.refine_streamed(image, **options, window=window, n_threads=n_threads)
    event(f"bands: {used.n_built}")
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("quality", ["fast", "high"])
@pytest.mark.parametrize("factor", [0.01, 1, 3])
def test_blocks_settle_as_they_do_in_memory(banded, quality, factor):
    options = {**SHORT, "logits": factor * SMALL, "quality": quality}
    labels = cs.refine_streamed(SAMPLE.image, **options, n_threads=2)
    np.testing.assert_array_equal(labels, cs.refine(SAMPLE.image, **options))
    assert banded.n_built == 1


@pytest.mark.slow  # kernels for other numbers of labels and axes are compiled
@pytest.mark.parametrize(("shape", "n_labels", "axis"), [((40, 12, 10), 2, None), ((60, 50, 3), 21, -1)])
def test_a_volume_and_more_labels_than_a_chunk_of_rows_has(banded, shape, n_labels, axis):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 99, shape).astype(np.uint8)
    logits = rng.standard_normal((n_labels, *shape[:axis])).astype(np.float32)
    options = {**SHORT, "sigma": 0.5, "bilateral_sigma": 0.5, "logits": logits, "exact": True, "channel_axis": axis}
    labels = cs.refine_streamed(image, **options)
    np.testing.assert_array_equal(labels, cs.refine(image, **options))
    assert banded.n_built == 1


@pytest.mark.parametrize("preset", ["strong", "pydensecrf"])
def test_vertices_that_reach_farther_than_a_stripe_lie_in_files_too(banded, preset):
    noisy = np.random.default_rng(0).integers(0, 256, SAMPLE.image.shape).astype(np.uint8)
    options = {"logits": SMALL, "preset": preset}
    labels = cs.refine_streamed(noisy, **options, n_threads=2)
    np.testing.assert_array_equal(labels, cs.refine(noisy, **options))
    assert banded.n_built == 1


def test_that_memory_ends_may_turn_out_while_vertices_are_met(banded, monkeypatch):
    def meet(*arguments):
        raise BudgetError("no memory")

    monkeypatch.setattr(stream_lattices, "meet_all", meet)
    options = {**SHORT, "logits": SMALL}
    monkeypatch.setattr(stream_needs, "available_memory", lambda: None)
    np.testing.assert_array_equal(cs.refine_streamed(SAMPLE.image, **options), cs.refine(SAMPLE.image, **options))
    assert banded.n_built == 1


def test_a_plan_says_so(banded, tmp_path):
    plan = cs.plan_streamed(SAMPLE.image, logits=SMALL, **SHORT)
    assert plan.in_bands
    assert "of scratch space in bands" in str(plan)
    most = []

    def keep(self, *arguments, keep=KeptState.keep, **named):
        keep(self, *arguments, **named)
        most.append(sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KeptState, "keep", keep)
        cs.refine_streamed(SAMPLE.image, logits=SMALL, out=tmp_path / "labels.npy", **SHORT)
    assert max(most) < plan.scratch < 3 * max(most)


def test_a_disk_that_is_too_full_is_known_beforehand(banded, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(2**30, 2**30, 2**10))
    with pytest.raises(OSError, match=r"need about .* of scratch space, but") as failure:
        cs.refine_streamed(SAMPLE.image, logits=SMALL, out=tmp_path / "labels.npy", **SHORT)
    assert failure.value.errno == errno.ENOSPC
    assert banded.n_built == 0


def test_vertices_that_are_near_must_fit(banded, monkeypatch):
    monkeypatch.setattr(stream_needs, "BYTES_OF_KEY", 2.0**50)  # to have less memory would keep kernels from loading
    with pytest.raises(BudgetError, match=r"near to each other .*would need .*; fewer threads, or a preset"):
        cs.refine_streamed(SAMPLE.image, logits=SMALL, **SHORT)
    assert banded.n_built == 0


def test_neighbours_are_looked_for_by_as_many_threads_as_there_is_memory_for(banded, monkeypatch):
    threads = []

    def map_tasks(task, n_tasks, n_threads):
        threads.append((n_threads, n_tasks > 1))
        return threading.map_tasks(task, n_tasks, n_threads)

    monkeypatch.setattr(linking, "map_tasks", map_tasks)
    options = {"logits": SMALL, **SHORT, "n_threads": 2}
    for free, wanted in ((2**40, 2), (1, 1)):
        monkeypatch.setattr(linking, "available_memory", lambda free=free: free)
        np.testing.assert_array_equal(cs.refine_streamed(SAMPLE.image, **options), cs.refine(SAMPLE.image, **options))
        assert (wanted, True) in threads
        threads.clear()


class StoppedError(Exception):
    pass


def end(monkeypatch, after, **given):
    """A run that is ended when it has kept what it knows for so many times after the first."""
    n_kept = [0]

    def keep(self, *arguments, keep, **named):
        keep(self, *arguments, **named)
        n_kept[0] += 1
        if n_kept[0] == after + 1:
            raise StoppedError

    with monkeypatch.context() as patch:
        for name in ("keep", "keep_built"):
            patch.setattr(KeptState, name, partialmethod(keep, keep=getattr(KeptState, name)))
        with pytest.raises(StoppedError):
            cs.refine_streamed(SAMPLE.image, **given)


@pytest.mark.parametrize(("factor", "exact", "after"), [(1, True, 0), (1, True, 2), (3, False, 1), (3, False, 8)])
def test_a_run_goes_on_where_it_was_ended(banded, monkeypatch, tmp_path, factor, exact, after):
    options = {**SHORT, "logits": factor * SMALL, "exact": exact}
    out = tmp_path / "labels.npy"
    end(monkeypatch, after, out=out, **options)
    assert banded.n_built == 1
    cs.refine_streamed(SAMPLE.image, out=out, **options)
    assert banded.n_built == 1  # what is known is not found again
    np.testing.assert_array_equal(np.load(out), cs.refine(SAMPLE.image, **options))
    assert [path.name for path in tmp_path.iterdir()] == ["labels.npy"]


@pytest.mark.parametrize("files", ["bands/[!r]*", "rows.npz-rows-*"])
def test_a_run_that_lost_a_file_is_refused(banded, monkeypatch, tmp_path, files):
    given = {**SHORT, "logits": SMALL, "exact": True, "out": tmp_path / "labels.npy"}
    end(monkeypatch, 2, **given)
    found = sorted((tmp_path / "labels.npy.state").glob(files))
    assert found
    for path in found:
        whole = path.read_bytes()
        path.write_bytes(whole[:-4] or b"more")
        with pytest.raises(ValueError, match=f"{path.name} is missing, or of another size than it was; delete"):
            cs.refine_streamed(SAMPLE.image, **given)
        path.write_bytes(whole)
    cs.refine_streamed(SAMPLE.image, **given)
    np.testing.assert_array_equal(np.load(given["out"]), cs.refine(SAMPLE.image, logits=SMALL, exact=True, **SHORT))

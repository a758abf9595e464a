"""Streamed refinement of files: what is read and written, runs that were ended, and what cannot work."""

import errno
import functools
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import classicseg as cs
from classicseg.io.point_file import PointFile
from classicseg.io.windows import FileArray, LabelFile, as_source
from classicseg.streaming.refine import lattices as stream_lattices
from classicseg.streaming.refine import run as stream_run
from classicseg.streaming.refine.kept_state import KeptState

SAMPLE = cs.sample("nuclei")
SMALL = np.log(SAMPLE.probabilities[:, ::3, ::3])
OPTIONS = {"preset": "default", "max_iter": 4, "exact": True}


# --- files --------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "image.npy", SAMPLE.image)
    np.save(tmp_path / "logits.npy", SMALL)
    return tmp_path


def expected():
    return cs.refine(SAMPLE.image, logits=SMALL, **OPTIONS)


def stream(folder, **options):
    names = {"image": folder / "image.npy", "logits": folder / "logits.npy", "out": folder / "labels.npy"}
    return cs.refine_streamed(**{**names, **OPTIONS, **options})


def test_files_in_and_a_file_out(files):
    assert stream(files) == files / "labels.npy"
    labels = np.load(files / "labels.npy")
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, expected())
    assert sorted(path.name for path in files.iterdir()) == ["image.npy", "labels.npy", "logits.npy"]


def test_any_part_of_a_file_is_read(tmp_path):
    array = np.arange(5 * 6 * 7, dtype=">i4").reshape(5, 6, 7)
    np.save(tmp_path / "a.npy", array)
    source = as_source(str(tmp_path / "a.npy"), "a")
    assert isinstance(source, FileArray)
    assert isinstance(as_source(np.load(tmp_path / "a.npy", mmap_mode="r"), "a"), FileArray)
    for window in (
        np.s_[0:5, 0:6, 0:7],
        np.s_[1:3, 0:6, 0:7],
        np.s_[4:5, 2:3, 0:7],
        np.s_[0:5, 1:6, 2:4],
        np.s_[3:3, :, :],
    ):
        np.testing.assert_array_equal(source[window], array[window])
    np.save(tmp_path / "f.npy", np.asfortranarray(array))
    np.testing.assert_array_equal(as_source(tmp_path / "f.npy", "f")[1:3, 0:6, 2:4], array[1:3, :, 2:4])


class Chunked:
    """An array in chunks of 40 rows, as Zarr and HDF5 have them, which counts what is read and written."""

    def __init__(self, array, rows=40):
        self.array, self.shape, self.dtype, self.windows = array, array.shape, array.dtype, []
        self.chunks = tuple(rows if n > 9 else n for n in array.shape)

    def __getitem__(self, window):
        self.windows.append(window)
        return self.array[window]

    def __setitem__(self, window, values):
        self.windows.append(window)
        self.array[window] = values


def test_whatever_is_read_in_windows_is_read_in_whole_chunks():
    image, out = Chunked(SAMPLE.image), Chunked(np.zeros(SAMPLE.image.shape[:2], np.int16))
    mask = np.ones(image.shape[:2], bool)
    mask[:50, 70:] = False
    out.shards = (80, 256)
    assert cs.refine_streamed(image, logits=SMALL, mask=mask, out=out, **OPTIONS) is out
    assert {(w[0].start % 40, min(w[0].start + 40, image.shape[0]) - w[0].stop) for w in image.windows} == {(0, 0)}
    assert [w.start for w in out.windows] == list(range(0, image.shape[0], 80))
    np.testing.assert_array_equal(out.array, cs.refine(SAMPLE.image, logits=SMALL, mask=mask, **OPTIONS))


def test_labels_go_into_an_array_of_any_layout():
    for out in (np.zeros(SAMPLE.image.shape[:2], np.int64), np.zeros(SAMPLE.image.shape[1::-1], np.uint8).T):
        assert cs.refine_streamed(SAMPLE.image, logits=SMALL, out=out, **OPTIONS) is out
        np.testing.assert_array_equal(out, expected())


# --- interruptions ------------------------------------------------------------------------------------------------


class StoppedError(Exception):
    pass


@pytest.mark.parametrize(
    ("factor", "exact", "after"),
    [(1, True, 0), (1, True, 1), (1, True, 4), *((3, False, after) for after in (0, 1, 2, 9, 10)),
     *((1, False, after) for after in (9, 10, 11, 12, 20))],
)  # fmt: skip
def test_a_run_goes_on_where_it_was_ended(files, monkeypatch, factor, exact, after):
    """With all of the work, with blocks that settle, and where too much would change if they did: that is kept, too."""
    kept = []

    def keep(self, what, keep):
        keep(self, what)
        if len(kept) == after:
            raise StoppedError
        kept.append(what)

    np.save(files / "logits.npy", factor * SMALL)
    options = {"exact": exact, "max_iter": 4 if exact else 10}
    with monkeypatch.context() as patch:
        for name in ("keep", "keep_vertices"):
            patch.setattr(KeptState, name, functools.partialmethod(keep, keep=getattr(KeptState, name)))
        with pytest.raises(StoppedError):
            stream(files, window=9, **options)
    assert not (files / "labels.npy").exists()
    monkeypatch.setattr(stream_lattices, "meet_all", None)  # what is known is not found again
    if len(kept) > 10 and not exact:
        monkeypatch.setattr(stream_run, "stakes_of", None)
    stream(files, window=31, **options)
    expected = cs.refine(SAMPLE.image, logits=factor * SMALL, **{**OPTIONS, **options})
    np.testing.assert_array_equal(np.load(files / "labels.npy"), expected)
    assert not (files / "labels.npy.state").exists()


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(files):
    program = (
        "import sys, time, classicseg as cs\n"
        "from classicseg.streaming.refine.kept_state import KeptState as K; keep = K.keep\n"
        "def slow(self, progress): keep(self, progress); print(progress.done, flush=True); time.sleep(60)\n"
        "K.keep = slow\n"
        "cs.refine_streamed(sys.argv[1], logits=sys.argv[2], out=sys.argv[3], preset='default', max_iter=4, exact=True)"
    )
    names = [files / name for name in ("image.npy", "logits.npy", "labels.npy")]
    with subprocess.Popen([sys.executable, "-c", program, *names], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGKILL)
    assert not names[2].exists()
    stream(files)
    np.testing.assert_array_equal(np.load(names[2]), expected())
    assert {path.name for path in files.iterdir()} == {"image.npy", "labels.npy", "logits.npy"}


def stop_after_an_update(files, monkeypatch):
    def keep(self, progress):
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(KeptState, "keep", keep)
        with pytest.raises(StoppedError):
            stream(files)


@pytest.mark.parametrize("what", ["image", "scores", "parameters"])
def test_a_run_does_not_go_on_with_something_else(files, monkeypatch, what):
    stop_after_an_update(files, monkeypatch)
    options = {}
    if what == "image":
        np.save(
            files / "image.npy",
            np.where(np.arange(SAMPLE.image.size).reshape(SAMPLE.image.shape) == 7, 1, SAMPLE.image),
        )
    elif what == "scores":
        np.save(files / "logits.npy", SMALL + np.float32(1e-3))
    else:
        options = {"temperature": 2.0}
    before = sorted(path.name for path in (files / "labels.npy.state").iterdir())
    with pytest.raises(ValueError, match=f"state of a run with another .*{what}"):
        stream(files, **options)
    assert sorted(path.name for path in (files / "labels.npy.state").iterdir()) == before
    assert not (files / "labels.npy").exists()


def test_a_full_disk_loses_nothing(files, monkeypatch):
    def write(self, start, labels):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(LabelFile, "write", write)
        with pytest.raises(OSError, match=r"No space left.*kept in") as failure:
            stream(files)
    assert failure.value.errno == errno.ENOSPC
    assert {path.name for path in files.iterdir()} == {"image.npy", "labels.npy.state", "logits.npy"}
    stream(files)
    np.testing.assert_array_equal(np.load(files / "labels.npy"), expected())


def test_no_room_for_labels_is_known_beforehand(files, monkeypatch):
    def reserve(self, n):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(LabelFile, "_reserve", reserve)
    monkeypatch.setattr(stream_lattices, "meet_all", None)
    with pytest.raises(OSError, match="No space left"):
        stream(files)


def test_no_room_for_what_is_known_of_points_loses_nothing(files, monkeypatch):
    def write(self, start, values):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    np.save(files / "logits.npy", 3 * SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(PointFile, "write", write)
        with pytest.raises(OSError, match=r"No space left.*kept in"):
            stream(files, exact=False)
    assert {path.name for path in files.iterdir()} == {"image.npy", "labels.npy.state", "logits.npy"}
    stream(files, exact=False)
    expected = cs.refine(SAMPLE.image, logits=3 * SMALL, preset="default", max_iter=4)
    np.testing.assert_array_equal(np.load(files / "labels.npy"), expected)


# --- what cannot work ---------------------------------------------------------------------------------------------


def test_a_truncated_file_is_refused(files):
    content = (files / "logits.npy").read_bytes()
    (files / "logits.npy").write_bytes(content[:-8])
    with pytest.raises(ValueError, match="truncated"):
        stream(files)
    (files / "logits.npy").write_bytes(content[:20])
    with pytest.raises(ValueError, match="no array file"):
        stream(files)


def test_a_file_that_shrinks_on_the_way_is_noticed(files):
    source = as_source(files / "logits.npy", "logits")
    (files / "logits.npy").write_bytes((files / "logits.npy").read_bytes()[:400])
    with pytest.raises(ValueError, match="ended before all"):
        source[tuple(slice(0, n) for n in source.shape)]


def test_a_read_only_target_is_refused_at_once(files, monkeypatch):
    np.save(files / "labels.npy", np.zeros(3))
    (files / "labels.npy").chmod(0o444)
    monkeypatch.setattr("classicseg.streaming.refine.streamed.prepared", None)
    with pytest.raises(PermissionError, match="read-only"):
        stream(files)
    frozen = np.zeros(SAMPLE.image.shape[:2], np.int32)
    frozen.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        stream(files, out=frozen)


def test_an_image_that_changes_on_the_way_is_noticed(monkeypatch):
    class Changing(Chunked):
        def __getitem__(self, window):
            return super().__getitem__(window) + np.uint8(90 if len(self.windows) > 40 else 0)

    with pytest.raises(ValueError, match="it was changed"):
        cs.refine_streamed(Changing(SAMPLE.image), logits=SMALL, **OPTIONS)


SMALL_ENOUGH = np.arange(SMALL.size).reshape(SMALL.shape) != 7


def test_more_vertices_than_there_is_memory_for_are_refused(monkeypatch):
    few = {"logits": SMALL[:, :20, :20], "preset": "pydensecrf", "sigma": 0.5}
    cs.refine_streamed(SAMPLE.image[:60, :60], **few)  # kernels are loaded while there is memory for it
    monkeypatch.setattr("classicseg.filters.streamed._MANY", 2**12)
    monkeypatch.setattr("classicseg.machine.memory.available_memory", lambda: 10_000)
    with pytest.raises(cs.BudgetError, match=r"lattice vertices of one stripe.*larger sigmas"):
        cs.refine_streamed(SAMPLE.image, logits=SMALL, preset="pydensecrf", sigma=0.5)


NAN = np.full(SAMPLE.image.shape, np.nan, np.float32)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"preset": "autp"}, ValueError, "preset must be"),
        ({"preset": "auto", "sigma": -1}, ValueError, "sigma"),
        ({"exact": 3}, TypeError, "exact"),
        ({"marginals": True}, TypeError, "never stored"),
        ({"sgima": 1}, TypeError, "did you mean 'sigma'"),
        ({"quality": "exact"}, ValueError, "quality must be 'fast' or 'high'"),
        ({"quality": np.array(["fast", "high"])}, ValueError, "quality must be one of"),
        ({"window": 0}, ValueError, "window"),
        ({"logits": None}, TypeError, "exactly one"),
        ({"unary": SMALL}, TypeError, "exactly one"),
        ({"logits": SMALL[:1]}, ValueError, "at least 2 labels"),
        ({"logits": SMALL[..., 0]}, ValueError, "does not fit"),
        ({"logits": np.where(SMALL_ENOUGH, SMALL, np.nan)}, ValueError, "finite.*window"),
        ({"logits": None, "probabilities": SMALL + 9}, ValueError, r"must be in \[0, 1\]"),
        ({"nodata": "0"}, TypeError, "nodata must be a number"),
        ({"image": NAN}, ValueError, "image must be finite"),
        ({"image": "photo.jpg"}, ValueError, ".npy"),
        ({"mask": np.zeros(SAMPLE.image.shape[:2], bool)}, ValueError, "no pixel takes part"),
        ({"mask": np.ones((3, 3), bool)}, ValueError, "mask must have shape"),
        ({"mask": np.full(SAMPLE.image.shape[:2], 7)}, ValueError, "mask must hold booleans"),
        ({"weight": 0, "bilateral_weight": 0}, ValueError, "no kernel is left"),
        ({"bilateral_weight": 1e300}, ValueError, r"weight must be at most 1e\+30"),
        ({"out": "labels.png"}, ValueError, ".npy"),
        ({"out": 3}, TypeError, "out must be"),
        ({"out": np.zeros((3, 3))}, ValueError, "out must have shape"),
        ({"out": np.zeros((256, 256), np.uint8), "mask": np.eye(256)}, ValueError, "cannot hold the label -1"),
    ],
)
def test_what_cannot_work_is_named(change, error, word):
    arguments = {"image": SAMPLE.image, "logits": SMALL, **OPTIONS, **change}
    with pytest.raises(error, match=word):
        cs.refine_streamed(**arguments)

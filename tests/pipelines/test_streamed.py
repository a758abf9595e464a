"""Streamed refinement gives the labels of the run in memory, to the bit, whatever the windows are."""

import errno
import functools
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import classicseg as cs
from classicseg.io.point_file import PointFile
from classicseg.io.windows import FileArray, LabelFile, as_source
from classicseg.pipelines import raster, stream_run, stream_strength, strength
from classicseg.pipelines.kept_state import KeptState
from classicseg.solvers.dense import sampled
from classicseg.solvers.dense.active import MOST_DIFFER
from classicseg.solvers.dense.prospects import contest

SAMPLE = cs.sample("nuclei")
SMALL = np.log(SAMPLE.probabilities[:, ::3, ::3])
OPTIONS = {"preset": "default", "max_iter": 4, "exact": True}


@st.composite
def problems(draw):
    """An image with scores of its pixels or of fewer points, and what goes with them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(
        st.one_of(
            st.tuples(st.integers(1, 40), st.integers(1, 40)),
            st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 9)),
            st.tuples(st.integers(2, 300)),
        )
    )
    dtype, n_channels = (
        draw(st.sampled_from([("u1", 3), ("u2", 3), ("f4", 3), ("f8", 3)])) if len(shape) == 2 else ("f4", 0)
    )
    values = rng.integers(0, 256, (*shape, n_channels) if n_channels else shape)
    image = (values * (100 if dtype == "u2" else 1)).astype(dtype)
    if dtype == "f8":  # far from 0, and a value that is out of all proportion
        image += 1e7
        image.reshape(-1)[rng.integers(image.size)] = draw(st.sampled_from((-9999.0, 1e7 + 1e9, 1e7)))
    n_labels = draw(st.sampled_from((2, 3)))
    grid = shape
    if draw(st.booleans()):
        grid = tuple(int(rng.integers(1, n + 1)) for n in shape)
    kind = draw(st.sampled_from(("probabilities", "logits", "unary")))
    scores = rng.standard_normal((n_labels, *grid)).astype(np.float32) * 3
    if kind == "probabilities":
        scores = np.exp(scores) / np.exp(scores).sum(axis=0)
    options = {kind: scores, "channel_axis": -1 if n_channels else None}
    if draw(st.booleans()):
        mask = rng.random(shape) < draw(st.sampled_from((0.05, 0.5, 0.95)))
        mask.reshape(-1)[rng.integers(mask.size)] = True
        options["mask"] = mask
        if dtype.startswith("f"):
            image[~mask] = np.nan
    options["preset"] = draw(st.sampled_from(("default", "pydensecrf", "strong")))
    options["max_iter"] = draw(st.integers(0, 4))
    if draw(st.booleans()):
        options |= {"temperature": 1.7, "spacing": [1.5] * len(shape), "align_corners": True}
    return image, options


@settings(max_examples=25, deadline=None)
@given(
    problems(),
    st.sampled_from((None, 1, 2, 5)),
    st.sampled_from((1, 17, 2**16)),
    st.sampled_from((5, 2**22)),
    st.sampled_from((1, 2)),
)
def test_labels_are_those_of_the_run_in_memory(problem, window, at_once, large_step, n_threads):
    image, options = problem
    expected = cs.refine(image, **options, exact=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster, "_AT_ONCE", at_once)
        patch.setattr(raster, "_LARGE_STEP", large_step)
        labels = cs.refine_streamed(image, **options, exact=True, window=window, n_threads=n_threads)
    np.testing.assert_array_equal(labels, expected)


@st.composite
def parts_of_the_sample(draw):
    """A part of the sample, its scores more or less sure, with labels that can win nowhere, and what goes with them."""
    top, left, height, width = (draw(st.integers(*ends)) for ends in ((0, 90), (0, 90), (30, 160), (30, 160)))
    part = np.s_[..., top : top + height, left : left + width]
    logits = np.log(SAMPLE.probabilities)[part] * np.float32(draw(st.sampled_from((0.5, 1, 3, 12))))
    n_lost = draw(st.sampled_from((0, 1, 2)))
    few = n_lost == 0 and draw(st.booleans())
    if n_lost:
        lost = np.full((n_lost, *logits.shape[1:]), draw(st.sampled_from((-7.0, -30.0))), np.float32)
        logits = np.concatenate([np.maximum(logits, -1 if lost[0, 0, 0] > -9 else -12), lost])
    options = {"logits": logits[:, ::2, ::3] if few else logits}
    image = np.moveaxis(np.moveaxis(SAMPLE.image, -1, 0)[part], 0, -1)
    if draw(st.booleans()):
        mask = np.add.outer(np.arange(image.shape[0]), np.arange(image.shape[1])) % 31 > draw(st.integers(0, 20))
        options["mask"] = mask
    options["preset"] = draw(st.sampled_from(("auto", "default", "strong", "conservative")))
    options["max_iter"] = draw(st.sampled_from((2, 3, 5, 10)))
    return image, options


@settings(max_examples=40, deadline=None)
@given(problems(), st.floats(0.1, 30), st.sampled_from((5, 2**16)))
def test_the_strength_is_that_which_is_chosen_in_memory(problem, factor, at_once):
    """By the same numbers: evidence, and the colours and the mask of the small picture."""
    image, options = problem
    kind = next(name for name in ("probabilities", "logits", "unary") if name in options)
    if kind != "probabilities":
        options[kind] = gaussian_filter(options[kind], (0, *[2] * (options[kind].ndim - 1))) * np.float32(factor)
    options = {name: value for name, value in options.items() if name not in ("preset", "max_iter")}
    seen = []

    def choose_by(evidence, thinned, changes, n_threads):
        seen.append((evidence, thinned(), changes))
        return "gentle"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strength, "choose_by", choose_by)
        patch.setattr(stream_strength, "choose_by", choose_by)
        patch.setattr(raster, "_AT_ONCE", at_once)
        cs.refinement_crf(image, **options)
        cs.refine_streamed(image, **options, n_threads=2, max_iter=0)
    (one, small, changes), (other, streamed, named) = seen
    for part in ("means", "inside", "width", "crossings", "noise"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part), err_msg=part)
    for part in ("channels", "unit", "spacing", "side", "mask"):
        np.testing.assert_array_equal(getattr(small, part), getattr(streamed, part), err_msg=part)
    assert small.channels.dtype == streamed.channels.dtype
    assert {**named, "max_iter": 0} == {**changes, "max_iter": 0}


@settings(max_examples=30, deadline=None)
@given(parts_of_the_sample(), st.sampled_from((None, 1, 6)), st.sampled_from((100, 2**16)), st.sampled_from((1, 2)))
def test_labels_are_those_of_the_run_that_works_only_where_it_matters(problem, window, at_once, n_threads):
    image, options = problem
    expected = cs.refine(image, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster, "_AT_ONCE", at_once)
        labels = cs.refine_streamed(image, **options, window=window, n_threads=n_threads)
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize(
    ("factor", "more", "what"), [(3, 0, "settled"), (1, 0, "refused"), (3, 1, "left out"), (0.01, 0, "all active")]
)
def test_what_pruning_does_is_done_while_streaming(monkeypatch, factor, more, what):
    """Blocks settle, and labels are then those of the settled run, which are others than those of all work."""
    found = []

    def spied(*arguments, update=stream_run.update_active, **named):
        found.append(update(*arguments, **named))
        return found[-1]

    monkeypatch.setattr(stream_run, "update_active", spied)
    logits = np.concatenate([SMALL * np.float32(factor), np.full((more, *SMALL.shape[1:]), -60, np.float32)])
    options = {"logits": logits, "preset": "default"}
    result = cs.refinement(SAMPLE.image, **options, marginals=False)
    labels = cs.refine_streamed(SAMPLE.image, **options, window=16)
    np.testing.assert_array_equal(labels, result.labels)
    (doubt,) = found
    assert doubt.settled == (what != "all active")
    if what in ("settled", "left out"):
        assert result.may_differ == doubt.doubtful > 0
    else:
        assert result.may_differ is None
    assert (doubt.doubtful > MOST_DIFFER) == (what == "refused")


def test_a_single_pixel_in_a_stripe_has_the_costs_of_many():
    """NumPy sums the labels of one pixel in another order than those of several."""
    logits = np.random.default_rng(0).standard_normal((21, 17, 1)) * 4
    costs = raster.Costs(raster.Planes(logits, 0, "logits"), "logits", raster.Factors())
    each = [costs.of(logits[:, i : i + 1], None) for i in range(17)]
    np.testing.assert_array_equal(np.concatenate(each, axis=1), cs.unary_from_logits(logits))


@pytest.fixture
def few_are_many(monkeypatch):
    """Images of any size are sampled, however small the sample is, and whatever comes out."""
    for name, value in {"_FEWEST": 0, "_CROWDED": 0, "MOST_DIFFER": np.inf, "_SAMPLES": (700,)}.items():
        monkeypatch.setattr(sampled, name, value)
    monkeypatch.setattr("classicseg.solvers.dense.streamed_sample.MOST_DIFFER", np.inf)
    monkeypatch.setattr("classicseg.solvers.dense.mean_field.MOST_DIFFER", np.inf)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("more", [0, 1])
def test_a_sample_gives_the_labels_of_the_same_sample_in_memory(few_are_many, masked, small, more):
    """With a label that cannot win, but has a share of each pixel, as well."""
    logits = SMALL if small else np.log(SAMPLE.probabilities)
    logits = np.maximum(logits, -1)
    logits = np.concatenate([logits, np.full((more, *logits.shape[1:]), -6)]).astype(np.float32)
    options = {**OPTIONS, "logits": logits, "exact": False}
    if masked:
        options["mask"] = np.add.outer(np.arange(256), np.arange(256)) % 71 > 9
    left = contest(cs.refinement_crf(SAMPLE.image, logits=logits, preset="default").inside, 4, 1)
    assert left.alive.size == 2
    assert (left.rest is not None) == (more > 0)
    result = cs.refinement(SAMPLE.image, **options, marginals=False)
    assert result.may_differ > 0
    labels = cs.refine_streamed(SAMPLE.image, **options, window=7, n_threads=2)
    np.testing.assert_array_equal(labels, result.labels)
    assert (labels != cs.refine(SAMPLE.image, **{**options, "exact": True})).any()


def test_a_second_sample_is_drawn_of_all_labels(few_are_many, monkeypatch):
    """After a first one that was not enough, where a label can win nowhere."""
    n_solved = [0]

    def updated(*arguments, update=sampled._updated):
        n_solved[0] += 1
        return update(*arguments)._replace(differ=n_solved[0] % 2)

    for name, value in {"_updated": updated, "_SAMPLES": (500, 700), "MOST_DIFFER": 1e-3, "_NEARLY": np.inf}.items():
        monkeypatch.setattr(sampled, name, value)
    logits = np.concatenate([np.full((1, *SMALL.shape[1:]), -60, np.float32), SMALL])
    options = {"logits": logits, "preset": "default"}
    labels = cs.refine_streamed(SAMPLE.image, **options)
    np.testing.assert_array_equal(labels, cs.refine(SAMPLE.image, **options))
    assert n_solved == [4]
    assert labels.max() == 2


def test_one_label_that_can_win_does(few_are_many):
    logits = np.stack([np.zeros((256, 256)), np.full((256, 256), -40)])
    mask = np.eye(256, dtype=bool)
    labels = cs.refine_streamed(SAMPLE.image, logits=logits, mask=mask, preset="default")
    np.testing.assert_array_equal(labels, cs.refine(SAMPLE.image, logits=logits, mask=mask, preset="default"))


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
    monkeypatch.setattr(stream_run, "meet_all", None)  # what is known is not found again
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
        "from classicseg.pipelines.kept_state import KeptState as K; keep = K.keep\n"
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
    monkeypatch.setattr(stream_run, "meet_all", None)
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
    monkeypatch.setattr("classicseg.pipelines.streamed.prepared", None)
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
        ({"quality": "high"}, ValueError, "quality must be 'fast'"),
        ({"window": 0}, ValueError, "window"),
        ({"logits": None}, TypeError, "exactly one"),
        ({"unary": SMALL}, TypeError, "exactly one"),
        ({"logits": SMALL[:1]}, ValueError, "at least 2 labels"),
        ({"logits": SMALL[..., 0]}, ValueError, "does not fit"),
        ({"logits": np.where(SMALL_ENOUGH, SMALL, np.nan)}, ValueError, "finite.*window"),
        ({"logits": None, "probabilities": SMALL + 9}, ValueError, "must sum to 1"),
        ({"image": NAN}, ValueError, "image must be finite"),
        ({"image": "photo.jpg"}, ValueError, ".npy"),
        ({"mask": np.zeros(SAMPLE.image.shape[:2], bool)}, ValueError, "no pixel takes part"),
        ({"mask": np.ones((3, 3), bool)}, ValueError, "mask must have shape"),
        ({"mask": np.full(SAMPLE.image.shape[:2], 7)}, ValueError, "mask must hold booleans"),
        ({"weight": 0, "bilateral_weight": 0}, ValueError, "no kernel is left"),
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

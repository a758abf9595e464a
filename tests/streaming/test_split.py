"""Streamed split-and-merge gives the labels and the table of the run in memory, whatever the windows are."""

import csv
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
from classicseg.io.tables import TableFile
from classicseg.io.windows import FileArray, LabelFile
from classicseg.streaming.split import passes as split_passes
from classicseg.streaming.split import plan as split_plan
from tests.strategies.ground import hills, split_problems


def names(folder):
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.filterwarnings("ignore:the values of image span")
@settings(max_examples=10, deadline=None)
@given(split_problems(), st.sampled_from((None, 1, 513, 10**6)), st.sampled_from((1, 2)))
def test_labels_and_table_are_those_of_the_run_in_memory(tmp_path_factory, problem, window, n_threads):
    image, threshold, options = problem
    table = tmp_path_factory.mktemp("split") / "regions.csv"
    labels = cs.split_and_merge_streamed(image, threshold, **options, window=window, n_threads=n_threads, table=table)
    np.testing.assert_array_equal(labels, cs.split_and_merge(image, threshold, **options))
    filled = image if "mask" not in options or image.dtype == np.uint8 else np.nan_to_num(image)
    check_table(table, labels, filled, options["channel_axis"])


def check_table(path, labels, image, channel_axis):
    """The table in a file is that of all regions; to the letter where values are whole."""
    columns = cs.describe_regions(labels, image, channel_axis=channel_axis)
    columns = {name: column for name, column in columns.items() if "neighbours" not in name}
    with path.open(newline="") as file:
        header, *rows = list(csv.reader(file))
    assert header == list(columns)
    for name, texts in zip(header, zip(*rows, strict=True), strict=True):
        if image.dtype == np.uint8:
            assert list(texts) == [str(value) for value in columns[name].tolist()], name
        else:
            np.testing.assert_allclose(np.array(texts, float), columns[name], rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("shape", [(1500, 1100), (600, 520)])
def test_blocks_larger_than_a_group_and_single_pixels_within_them(shape):
    image = np.zeros(shape, np.uint8)
    for options in ({}, {"min_size": 600}, {"max_depth": 0}):
        image[0, 0], image[-1, -1] = 0, 0
        assert cs.split_and_merge_streamed(image, 3, **options).max() == 1
        image[0, 0], image[-1, -1] = 200, 100
        labels = cs.split_and_merge_streamed(image, 3, **options)
        np.testing.assert_array_equal(labels, cs.split_and_merge(image, 3, **options))


def test_the_same_from_files_and_from_arrays_of_other_libraries(tmp_path):
    class Chunked:
        """What an array of Zarr or HDF5 shows."""

        shape, dtype, chunks = (530, 600), np.dtype(np.int16), (100, 100)

        def __init__(self, values):
            self.values = values

        def __getitem__(self, window):
            return self.values[window].copy()

        def __setitem__(self, window, labels):
            self.values[window] = labels

    image = hills(np.random.default_rng(0), Chunked.shape, 30).astype(np.int16) * 9 - 700
    mask = image > -600
    expected = cs.split_and_merge(image, 90, mask=mask)
    for name, array in (("image", np.asfortranarray(image)), ("mask", mask.astype(np.uint8) * 255)):
        np.save(tmp_path / f"{name}.npy", array)
    out = tmp_path / "labels.npy"
    assert cs.split_and_merge_streamed(tmp_path / "image.npy", 90, mask=tmp_path / "mask.npy", out=out) == out
    labels = np.load(out)
    np.testing.assert_array_equal(labels, expected)
    assert labels.dtype == np.int32
    store = Chunked(np.full(Chunked.shape, -1, np.int32))
    cs.split_and_merge_streamed(Chunked(image), 90, mask=mask, out=store)
    np.testing.assert_array_equal(store.values, expected)
    assert names(tmp_path) == ["image.npy", "labels.npy", "mask.npy"]


def test_a_map_stays_where_it_lies_and_its_own_mask_is_used(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    image = hills(np.random.default_rng(2), (30, 560), 30)
    image[:9, 500:520] = 0
    where = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 4e5, 0, -10, 5e6)}
    given = {"driver": "GTiff", "height": 30, "width": 560, "count": 1, "dtype": "uint8", "nodata": 0, **where}
    with rasterio.open(tmp_path / "map.tif", "w", **given) as file:
        file.write(image, 1)
    cs.split_and_merge_streamed(tmp_path / "map.tif", 9, out=tmp_path / "labels.tif")
    with rasterio.open(tmp_path / "labels.tif") as file:
        assert (file.crs, file.transform, file.nodata) == (where["crs"], where["transform"], 0)
        np.testing.assert_array_equal(file.read(1), cs.split_and_merge(image, 9, mask=image > 0))


IMAGE = hills(np.random.default_rng(1), (20, 1100), 30)


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"merge": "best_first"}, ValueError, "one queue"),
        ({"homogeneity": cs.StdDev(3)}, ValueError, "homogeneity must be Range"),
        ({"merge_homogeneity": cs.Range(3) | cs.StdDev(3)}, ValueError, "merge_homogeneity must be Range"),
        ({"homogeneity": lambda region: True}, ValueError, "homogeneity must be Range"),
        ({"min_area": 3}, ValueError, "no parameter 'min_area'"),
        ({"sigma": 3}, TypeError, "no parameter 'sigma'"),
        ({"window": 0}, ValueError, "window must be"),
        ({"connectivity": 3}, ValueError, "connectivity must be"),
        ({"mask": np.zeros(IMAGE.shape)}, ValueError, "no pixel takes part"),
        ({"mask": np.ones(3)}, ValueError, "mask must have shape"),
        ({"out": "labels.png"}, ValueError, "out must be"),
        ({"out": np.empty((3, 3))}, ValueError, "out must have shape"),
        ({"out": np.empty(IMAGE.shape, np.uint8), "homogeneity": 0}, ValueError, "cannot hold the label"),
        ({"table": "regions.txt"}, ValueError, "table must be"),
        ({"state": __file__}, ValueError, "state must be a folder"),
        ({"image": np.full((9, 9), np.nan)}, ValueError, "image must be finite"),
        ({"image": np.zeros((0, 9))}, ValueError, "must not be empty"),
        ({"image": np.zeros(9)}, ValueError, "2 or 3 spatial axes"),
        ({"image": np.zeros((9, 9), complex)}, TypeError, "real"),
        ({"image": np.zeros((9, 9), object)}, TypeError, "real"),
        ({"image": np.ma.ones((9, 9))}, TypeError, "masked array"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path, monkeypatch, options, error, word):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=word):
        cs.split_and_merge_streamed(**{"image": IMAGE, **options})
    assert not list(tmp_path.iterdir())


def test_a_threshold_beyond_the_range_is_told():
    with pytest.warns(UserWarning, match="span only"):
        cs.split_and_merge_streamed(IMAGE, 300)


SCRIPT = """
import os, signal, sys
import classicseg as cs
from classicseg.streaming.split import streamed as split_streamed
def killed(*args):
    os.kill(os.getpid(), signal.SIGKILL)
split_streamed.write_all = killed
cs.split_and_merge_streamed("image.npy", 9, out="labels.npy", table="regions.csv")
"""


def test_a_killed_run_goes_on_after_its_first_pass(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("image.npy", IMAGE)
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "labels.npy").exists()

    def unwanted(*args):
        raise AssertionError("the first pass was done")

    with monkeypatch.context() as patch:
        patch.setattr("classicseg.streaming.split.streamed.meet_borders", unwanted)
        given = {"image": "image.npy", "out": "labels.npy", "table": "regions.csv"}
        with pytest.raises(ValueError, match="another parameters"):
            cs.split_and_merge_streamed(**given, homogeneity=8)
        np.save("image.npy", IMAGE[::-1])
        with pytest.raises(ValueError, match="another image"):
            cs.split_and_merge_streamed(**given, homogeneity=9)
        np.save("image.npy", IMAGE)
        cs.split_and_merge_streamed(**given, homogeneity=9)
    labels = np.load("labels.npy")
    np.testing.assert_array_equal(labels, cs.split_and_merge(IMAGE, 9))
    check_table(tmp_path / "regions.csv", labels, IMAGE, None)
    assert names(tmp_path) == ["image.npy", "labels.npy", "regions.csv"]


def test_a_full_disk_leaves_no_half_of_anything_and_the_state(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(LabelFile, "write", full)
    with pytest.raises(OSError, match="kept in"):
        cs.split_and_merge_streamed(IMAGE, 9, out=tmp_path / "labels.npy", table=tmp_path / "regions.csv")
    assert names(tmp_path) == ["labels.npy.state"]
    monkeypatch.undo()
    cs.split_and_merge_streamed(IMAGE, 9, out=tmp_path / "labels.npy", table=tmp_path / "regions.csv")
    assert names(tmp_path) == ["labels.npy", "regions.csv"]


def test_an_image_that_changes_meanwhile_is_told(monkeypatch):
    image = IMAGE.copy()
    first = split_passes.meet_borders

    def meet(*args):
        found = first(*args)
        image[:] = np.arange(1100) % 2 * 100
        return found

    monkeypatch.setattr("classicseg.streaming.split.streamed.meet_borders", meet)
    with pytest.raises(ValueError, match="has changed"):
        cs.split_and_merge_streamed(image, 9)


def test_a_table_without_room_is_refused_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr(split_plan, "_TRIED", 1)
    noise = np.random.default_rng(0).integers(0, 256, (20, 1100), np.uint8)
    usage = split_plan.shutil.disk_usage(tmp_path)._replace(free=10**6)
    monkeypatch.setattr(split_plan.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(cs.BudgetError, match="the table of about"):
        cs.split_and_merge_streamed(noise, 3, table=tmp_path / "regions.csv")
    assert not list(tmp_path.iterdir())


def test_the_plan_tells_what_it_takes(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (600, 1100), np.uint8)
    plan = cs.plan_split_and_merge(noise, 3)
    n_regions = cs.split_and_merge(noise, 3).max()
    assert plan.shape == noise.shape
    assert plan.n_points == noise.size
    assert plan.n_regions == pytest.approx(n_regions, rel=0.1)
    cs.split_and_merge_streamed(noise, 3, out=tmp_path / "labels.npy")
    assert plan.labels == (tmp_path / "labels.npy").stat().st_size
    assert "600 x 1100 pixels" in str(plan)


def test_files_are_read_in_windows_of_a_bounded_size(tmp_path, monkeypatch):
    np.save(tmp_path / "image.npy", np.zeros((600, 2100), np.uint8))
    sizes, read = [], FileArray.__getitem__

    def noted(self, window):
        sizes.append([side.indices(n)[1] - side.indices(n)[0] for side, n in zip(window, self.shape, strict=True)])
        return read(self, window)

    monkeypatch.setattr(FileArray, "__getitem__", noted)
    cs.split_and_merge_streamed(tmp_path / "image.npy", 3, window=600)
    assert max(height * width for height, width in sizes) == 512 * 1024


def test_a_table_is_there_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "t.csv"
    table = TableFile(path)
    table.write({"label": np.array([1]), "mean": np.array([0.5]), "near": ["2 3"]})
    assert not path.exists()
    table.write({"label": np.array([2]), "mean": np.array([1.5]), "near": [""]})
    table.finish()
    assert path.read_text().splitlines() == ["label,mean,near", "1,0.5,2 3", "2,1.5,"]
    TableFile(path).discard()
    assert names(tmp_path) == ["t.csv"]


def test_a_table_in_parquet_has_the_same_numbers(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "regions.parquet"
    labels = cs.split_and_merge_streamed(IMAGE, 9, table=path)
    columns = cs.describe_regions(labels, IMAGE)
    found = parquet.read_table(path)
    assert found.column_names == [name for name in columns if "neighbours" not in name]
    for name in found.column_names:
        np.testing.assert_array_equal(found[name].to_numpy(), columns[name])
    table = TableFile(path)
    table.write({"label": np.array([1])})
    table.discard()
    assert names(tmp_path) == ["regions.parquet"]

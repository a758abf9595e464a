"""The command splits and merges images that pass by in windows."""

import contextlib
import json

import numpy as np
import pytest

import classicseg as cs
from classicseg.cli import main
from tests.dask.here import Here

IMAGE = np.add.outer(np.arange(20) * 5, np.arange(600) % 97).astype(np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    np.save(tmp_path / "image.npy", IMAGE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def split(*more):
    return main(["split", "image.npy", "-o", "labels.npy", "--stream", *more])


def test_labels_and_table_are_those_of_the_library(folder, capsys):
    mask = np.ones(IMAGE.shape, np.uint8)
    mask[:3] = 0
    np.save("mask.npy", mask)
    options = ["--mask", "mask.npy", "--table", "regions.csv", "--connectivity", "2", "--window", "9", "-t", "20"]
    assert split("--json", *options) == 0
    labels = np.load("labels.npy")
    np.testing.assert_array_equal(labels, cs.split_and_merge(IMAGE, 20, mask=mask, connectivity=2))
    done = json.loads(capsys.readouterr().out)
    assert (done["output"], done["predicate"]) == ("labels.npy", "Range(threshold=20.0)")
    assert len((folder / "regions.csv").read_text().splitlines()) == labels.max() + 1


def test_workers_give_the_same_labels(folder, monkeypatch):
    pytest.importorskip("distributed")
    from classicseg.dask import regions

    addresses = []
    monkeypatch.setattr(
        regions, "connected", lambda cluster: contextlib.nullcontext(addresses.append(cluster) or Here(0))
    )
    monkeypatch.setattr(regions, "Workers", lambda client: client)
    assert split("--cluster", "tcp://one:8786", "--window", "512", "-t", "20") == 0
    assert addresses == ["tcp://one:8786"]
    np.testing.assert_array_equal(np.load("labels.npy"), cs.split_and_merge(IMAGE, 20))


def test_the_plan_only_tells(folder, capsys):
    assert split("--plan") == 0
    assert "20 x 600 pixels" in capsys.readouterr().out
    assert split("--plan", "--json") == 0
    assert json.loads(capsys.readouterr().out)["n_points"] == IMAGE.size
    assert not (folder / "labels.npy").exists()


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--overlay", "o.png"], "--stream does not go with --overlay"),
        (["--min-area", "3"], "--stream does not go with --min-area"),
        (["--merge", "best_first"], "--merge must be"),
        (["--predicate", "std"], "must be Range"),
        (["--window", "0"], "--window must be"),
    ],
)
def test_what_does_not_go_with_it_is_named(folder, capsys, more, word):
    assert split(*more) == 2
    assert word in capsys.readouterr().err
    assert not (folder / "labels.npy").exists()


@pytest.mark.parametrize("option", [("--window", "512"), ("--cluster", "local:2")])
def test_windows_and_clusters_go_with_a_stream(folder, capsys, option):
    assert main(["split", "image.npy", "-o", "labels.npy", *option]) == 2
    assert "--stream" in capsys.readouterr().err

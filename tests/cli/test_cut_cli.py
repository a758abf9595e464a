"""The command `classicseg cut`."""

import contextlib
import json

import numpy as np
import pytest

import classicseg as cs
from classicseg.cli import main
from tests.dask.here import Here

SAMPLE = cs.sample("nuclei")
UNARY = np.rint(cs.unary_from_probabilities(SAMPLE.probabilities)[:, :40, :50] * 8)
IMAGE = SAMPLE.image[:40, :50]
CUT = ["cut", "unary.npy", "-o", "labels.npy"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("unary.npy", UNARY)
    np.save("image.npy", IMAGE)
    np.save("mask.npy", np.tri(40, 50, dtype=bool))


def test_labels_are_those_of_python(capsys):
    command = "cut unary.npy -w 3 --image image.npy --mask mask.npy --beta 0.01 --window 9 -o labels.npy --json"
    assert main(command.split()) == 0
    done = json.loads(capsys.readouterr().out)
    mask = np.load("mask.npy")
    expected = cs.minimum_cut_streamed(UNARY, 3.0, image=IMAGE, beta=0.01, mask=mask, fill=255)
    np.testing.assert_array_equal(np.load("labels.npy"), expected.labels)
    assert done["flow"] == done["cut"] == expected.cut
    assert done["n_bands"] == 5


def test_workers_give_the_same_labels(monkeypatch):
    pytest.importorskip("distributed")
    from classicseg.dask import cuts

    addresses = []
    monkeypatch.setattr(cuts, "connected", lambda cluster: contextlib.nullcontext(addresses.append(cluster) or Here(0)))
    monkeypatch.setattr(cuts, "Workers", lambda client: client)
    assert main([*CUT, "-w", "3", "--window", "9", "--cluster", "tcp://one:8786"]) == 0
    assert addresses == ["tcp://one:8786"]
    np.testing.assert_array_equal(np.load("labels.npy"), cs.minimum_cut_streamed(UNARY, 3.0).labels)


def test_a_plan_writes_nothing(capsys, tmp_path):
    assert main([*CUT, "--plan"]) == 0
    assert "bands of 40 rows" in capsys.readouterr().out
    assert not (tmp_path / "labels.npy").exists()


def test_more_labels_are_expanded(capsys):
    unary = np.concatenate([UNARY, UNARY[:1] + 3])
    np.save("unary.npy", unary)
    command = "cut unary.npy -w 3 --mask mask.npy --max-iter 2 -o labels.npy --json"
    assert main(command.split()) == 0
    done = json.loads(capsys.readouterr().out)
    expected = cs.expansion_streamed(unary, 3.0, mask=np.load("mask.npy"), fill=255)
    np.testing.assert_array_equal(np.load("labels.npy"), expected.labels)
    assert done["energy"] == expected.energy
    assert len(done["energies"]) == 3
    assert main(["cut", "unary.npy", "--plan", "-o", "other.npy"]) == 0
    assert "3 labels" in capsys.readouterr().out
    assert main([*CUT, "--cluster", "tcp://one:8786"]) == 2
    assert "--cluster goes with two labels" in capsys.readouterr().err


def test_messages_are_passed_where_they_are_asked_for(capsys):
    command = "cut unary.npy --method trws -w 3 --max-iter 5 -o labels.npy --json"
    assert main(command.split()) == 0
    done = json.loads(capsys.readouterr().out)
    expected = cs.minimize(cs.GridCRF(UNARY, cs.Potts(1), 3.0), "trws", max_iter=5)
    np.testing.assert_array_equal(np.load("labels.npy"), expected.labels)
    assert (done["energy"], done["lower_bound"]) == (expected.energy, expected.lower_bound)
    assert main(["cut", "unary.npy", "--method", "trws", "--plan", "-o", "other.npy"]) == 0
    assert "an iteration takes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("unary.npy --beta 1 -o l.npy", "--beta goes with an image"),
        ("unary.npy --weights -1 -o l.npy", "--weights must be at least 0"),
        ("unary.npy --memory 10 -o l.npy", "more than --memory 10 bytes allows"),
        ("mask.npy -o l.npy", "must be of an image"),
        ("unary.npy --init mask.npy -o l.npy", "--init goes with more than two labels"),
        ("unary.npy --max-iter 3 -o l.npy", "--max-iter goes with more than two labels"),
        ("unary.npy --method trws --init mask.npy -o l.npy", "--init goes with method expansion"),
        ("unary.npy --method trws --cluster tcp://one:1 -o l.npy", "--cluster goes with two labels and graph_cut"),
        ("unary.npy -o l.png", "l.png"),
        ("unary.npy -o unary.npy", "would be written over the file that is read"),
    ],
)
def test_what_cannot_work_is_named(capsys, arguments, text):
    assert main(["cut", *arguments.split()]) == 2
    assert text in capsys.readouterr().err

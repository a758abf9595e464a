"""The notebooks of ``classicseg learn``, run without a browser: what they find for the sample and for a photo."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from classicseg import io
from classicseg.learn import topics
from tests.oracles import photo

pytest.importorskip("marimo", reason="marimo is not installed, so notebooks are not run")
pytest.importorskip("matplotlib")
FOLDER = Path(topics.__file__).parent / "notebooks"


@pytest.fixture
def run(monkeypatch):
    import matplotlib as mpl

    mpl.use("agg")

    def run(topic, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{topic}.py", *map(str, arguments)])
        spec = importlib.util.spec_from_file_location(f"notebook_{topic}", FOLDER / f"{topic}.py")
        notebook = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(notebook)
        return notebook.app.run()[1]

    yield run
    import matplotlib.pyplot as plt

    plt.close("all")


def test_there_is_a_notebook_for_each_topic():
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == sorted(topics.TOPICS)


def regions(found):
    assert len(found["blocks"]) == 36122
    assert found["labels"].max() == 8423
    assert found["found"]["difference of means"].max() == 99


def energies(found):
    assert found["best"].energy == pytest.approx(12.1)
    assert found["crf"].energy(found["labels"]) == pytest.approx(14.1)  # of thresholds; there is something to do
    assert found["trapped"] == 18


def cut(found):
    assert found["cut"].energy == pytest.approx(60.8096, abs=1e-3)
    assert found["cut"].gap == pytest.approx(0, abs=1e-6)
    assert found["result"].energy == pytest.approx(10614.93, abs=0.1)


def grid(found):
    energies = {name: result.energy for name, result in found["results"].items()}
    assert max(energies, key=energies.get) == "icm"
    assert energies["expansion"] == pytest.approx(9750.3, abs=2)
    assert found["results"]["trws"].lower_bound == pytest.approx(9742.7, abs=2)


def dense(found):
    assert found["before"] == pytest.approx(68.05, abs=0.01)
    assert found["after"] == pytest.approx(93.2, abs=0.3)


def messages(found):
    assert found["changed"] == 1
    assert found["energy"] == pytest.approx(11.001, abs=1e-3)
    assert found["exact"].lower_bound == pytest.approx(11.001, abs=1e-3)
    assert found["exact"].labels.tolist() == found["beliefs"].argmin(0).tolist()


def lattice(found):
    assert found["lattice"].n_vertices == pytest.approx(15626, rel=0.01)
    assert found["error"] == pytest.approx(0.164, abs=0.02)


def losses(found):
    assert found["entropy"].round(1).tolist() == [2164.5, 361.2]
    assert found["focal"].round(1).tolist() == [86.6, 177.0]
    assert found["dice"] == pytest.approx(0.9227, abs=1e-4)


def fields(found):
    assert found["side"] == 13
    assert found["holes"] == pytest.approx(1 - 49 / 169)
    assert np.unique(found["counts"]).tolist() == [1, 2, 4]


@pytest.mark.parametrize(
    "expected", [regions, energies, cut, grid, dense, messages, lattice, losses, fields], ids=lambda f: f.__name__
)
def test_what_a_notebook_finds_for_the_sample(run, expected):
    expected(run(expected.__name__))


@pytest.mark.parametrize("topic", topics.TOPICS)
def test_any_photo_will_do(run, tmp_path, topic):
    io.write_image(tmp_path / "photo.png", photo(40, 60)[..., 0])
    found = run(topic, "--image", tmp_path / "photo.png")
    if "seen" in found and hasattr(found["seen"], "image"):
        assert found["seen"].image.shape == (40, 60, 3)

import json

import numpy as np
import pytest
from PIL import Image

import classicseg as cs
from classicseg import io
from classicseg.cli import main
from tests.oracles import photo


@pytest.fixture
def files(tmp_path, monkeypatch):
    io.write_image(tmp_path / "photo.png", photo(40, 60))
    np.save(tmp_path / "volume.npy", photo(30, 40)[:, :, 0].reshape(5, 6, 40))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_labels_pictures_animation_and_table(files, capsys):
    arguments = "split photo.png --threshold 24 -o labels.png --overlay overlay.png --gif steps.gif --regions means.png"
    assert main([*arguments.split(), "--quadtree", "tree.png", "--table", "table.csv", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    labels = io.read_labels("labels.png")
    np.testing.assert_array_equal(labels, cs.split_and_merge(photo(40, 60), 24))
    assert report["n_regions"] == labels.max()
    assert report["shape"] == [40, 60]
    assert io.read_image("overlay.png").shape == io.read_image("tree.png").shape == (40 * 17, 60 * 17, 3)
    assert io.read_image("means.png").shape == (40, 60, 3)
    with Image.open("steps.gif") as film:
        assert film.n_frames > 20
    lines = (files / "table.csv").read_text().splitlines()
    assert len(lines) == labels.max() + 1
    assert lines[0].startswith("label,area,mean_0")


def test_other_predicates_and_orders_and_volumes(files, capsys):
    for more in (
        "--predicate std --merge best_first",
        "--predicate mean --merge none --max-depth 3",
        "--gray --min-area 9 --connectivity 2 --min-size 2",
    ):
        assert main(["split", "photo.png", "-o", "labels.npy", *more.split()]) == 0
        assert "regions under" in capsys.readouterr().out
    assert main(["split", "volume.npy", "-o", "labels.npy"]) == 0
    assert np.load("labels.npy").shape == (5, 6, 40)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ("none.png -o l.png", "no such file"),
        ("photo.png -t -3 -o l.png", "threshold must be at least 0"),
        ("photo.png -o l.jpg", "can be written"),
        ("photo.png --min-size 0 -o l.png", "--min-size must"),
        ("volume.npy -o l.npy --gif l.gif", "2 axes"),
        ("volume.npy -o l.npy --overlay l.png", "2 axes"),
    ],
)
def test_errors_take_one_line_and_leave_no_picture(files, capsys, arguments, word):
    assert main(["split", *arguments.split()]) == 2
    captured = capsys.readouterr()
    assert word in captured.err
    assert captured.err.count("\n") == 1
    assert not (files / "l.png").exists()
    assert not (files / "l.gif").exists()

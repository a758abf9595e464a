"""classicseg check: all that is wrong with a folder, and what it holds."""

import json
import re

import numpy as np
import pytest

from classicseg import io
from classicseg.cli import main
from tests.strategies.folders import SIZE, WRONG, folder, truths, turn

pytestmark = pytest.mark.filterwarnings("default")  # which the command prints


def check(capsys, *words):
    code = main(["check", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_right_folder_is_counted(tmp_path, capsys):
    root = folder(tmp_path / "data", classes="ground\nblock\nroof\n")
    code, out, err = check(capsys, root)
    assert code == 0
    assert re.search(r"block +18\.23 % of the pixels, in 4 images", out)
    assert "height x width: 24 x 32 (4)" in out
    assert "pixels: uint8, 3 channels (4)" in out
    assert err == f"classicseg check: no pixel of roof in {root}\n"
    report = json.loads(check(capsys, root, "--json")[1])
    assert report["classes"]["block"] == {"pixels": int(np.sum(truths())), "images": 4}
    assert report["faults"] == []


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_and_the_rest_is_counted(tmp_path, capsys, wrong):
    spoil, said = WRONG[wrong]
    root = folder(tmp_path / "data")
    spoil(root)
    code, out, err = check(capsys, root, "--json")
    assert code == 2
    assert re.search(said, err)
    assert err.count("\n") == 1
    assert re.search(said, json.loads(out)["faults"][0])
    assert json.loads(out)["n_images"] >= 3


def test_everything_is_said_at_once(tmp_path, capsys):
    root = folder(tmp_path / "data")
    for wrong in ("no labels", "two of one name"):
        WRONG[wrong][0](root)
    io.write_labels(root / "labels" / "p2.png", np.full(SIZE, 255))
    io.write_labels(root / "labels" / "p3.png", np.full(SIZE, 9))
    turn(root, "p0")
    code, out, err = check(capsys, root)
    assert code == 2
    assert "must be put right: 3" in out
    assert "labels of nothing but void: 1" in out
    assert "p0.png (orientation 6): its labels were turned along" in out
    assert err.endswith("(2 more)\n")


def test_labels_in_colours(tmp_path, capsys):
    root = folder(tmp_path / "data", classes="ground 0 0 0\nblock 200 10 10\n")
    for i, truth in enumerate(truths()):
        colours = np.array([[0, 0, 0], [200, 10, 10]], np.uint8)
        io.write_image(root / "labels" / f"p{i}.png", colours[truth])
    report = json.loads(check(capsys, root, "--json")[1])
    assert report["classes"]["block"] == {"pixels": int(np.sum(truths())), "images": 4}


def test_folders_within_folders_and_longer_names_of_labels(tmp_path, capsys):
    root = folder(tmp_path / "data")
    for name, end in (("images", ""), ("labels", "_mask")):
        (root / name / "north").mkdir()
        for i in range(4):
            place = root / name / "north" if i < 2 else root / name
            (root / name / f"p{i}.png").rename(place / f"p{i}{end}.png")
    io.write_labels(root / "labels" / "p3_instances.png", np.zeros(SIZE, int))
    (root / "images" / "._p3.png").write_bytes(b"left by a system")
    report = json.loads(check(capsys, root, "--label-suffix", "_mask", "--json")[1])
    assert report["n_images"] == 4
    assert report["faults"] == []
    assert "north/p0.png has no partner" in check(capsys, root)[1]


def test_what_is_missing_takes_one_line(tmp_path, capsys):
    assert check(capsys, tmp_path / "nowhere")[0] == 2
    (tmp_path / "classes.txt").write_text("a\nb\n")
    code, _, err = check(capsys, tmp_path)
    assert code == 2
    assert "no such folders" in err

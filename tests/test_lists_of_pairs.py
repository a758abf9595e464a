"""Lists of pairs in place of folders: read as they are meant, and refused where a line is wrong."""

import json
import re

import numpy as np
import pytest

from classicseg import io
from classicseg.cli import main
from classicseg.errors import InputError
from classicseg.io.folders import pairs_in
from tests.strategies.folders import folder, truths


def listed(root, *lines, name="train.txt", encoding="utf-8"):
    (root / name).write_text("\n".join(lines) + "\n", encoding=encoding)
    return root


def line(i):
    return f"images/p{i}.png\tlabels/p{i}.png"


def test_a_list_names_pairs_in_its_order_from_its_own_folder(tmp_path):
    root = folder(tmp_path / "data")
    (root / "lists").mkdir()
    listed(root, "# two of four", "", line(3), line(1), encoding="utf-8-sig")
    listed(root, f"../images/p0.png\t{root / 'labels' / 'p0.png'}", name="lists/test.txt")
    assert list(pairs_in(root, "train.txt")) == ["images/p3", "images/p1"]
    (pair,) = pairs_in(root, "lists/test.txt").values()
    assert [path.resolve() for path in pair] == [root / "images" / "p0.png", root / "labels" / "p0.png"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["images/p0.png labels/p0.png"],
            r"line 1 of .*train\.txt must be an image, a tab and its labels, got 'i",
        ),
        (["#", line(0) + "\tx"], "line 2 of .* must be an image, a tab"),
        (["images/p0.png\t"], "line 1 of .* must be an image, a tab"),
        ([line(0), "images/p9.png\tlabels/p0.png"], r"line 2 of .*: no such file: .*images/p9\.png$"),
        (["images/p8.png\tlabels/p9.png"], r"line 1 of .*: no such file: .*p8\.png \(and 1 more faults\)"),
        ([line(0), line(0)], "line 2 of .* has images/p0.png, a name that another line has but for the suffix"),
        (["images/p0.png\timages/p0.jpg"], r"p0\.jpg"),
        (["# nothing"], r"train\.txt names no pair"),
    ],
)
def test_lines_that_are_wrong_are_named(tmp_path, lines, said):
    root = listed(folder(tmp_path / "data"), *lines)
    with pytest.raises(InputError, match=said):
        pairs_in(root, "train.txt")


def test_what_is_no_list_is_named(tmp_path):
    root = folder(tmp_path / "data")
    with pytest.raises(FileNotFoundError, match=r"no such folders: .*, nor a list of pairs, .*data/none\.txt"):
        pairs_in(root, "none.txt")
    with pytest.raises(InputError, match=r"train\.txt must be a list of pairs as text in UTF-8"):
        pairs_in(listed(root, "\u00e4\tb", encoding="latin-1"), "train.txt")
    with pytest.raises(InputError, match="label_suffix='_mask' is for folders"):
        pairs_in(root, "train.txt", label_suffix="_mask")


@pytest.mark.filterwarnings("default")
def test_commands_take_lists(tmp_path, capsys):
    root = listed(folder(tmp_path / "data"), line(0), line(2))
    listed(root, line(1), name="val.txt")
    io.write_labels(root / "labels" / "p3.png", np.full_like(truths()[3], 9))  # not in a list
    assert main(["check", str(root), "--split", "train.txt", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_images"] == 2
    assert main(["check", str(root)]) == 2
    assert main(["check", str(listed(root, "images/p9.png\tlabels/p9.png")), "--split", "train.txt"]) == 2
    assert "must be put right: 2" in capsys.readouterr().out

    pytest.importorskip("torch")
    listed(root, line(0), line(2))
    model = tmp_path / "m.pt"
    words = ["--data", str(root), "--split", "train.txt", "--val-split", "val.txt", "--width", "0.03", "--epochs", "1"]
    assert main(["train", *words, "-o", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_images"] == [2, 1]
    assert main(["evaluate", "--model", str(model), "--data", str(root), "--split", "val.txt", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_images"] == 1
    assert main(["evaluate", "--model", str(model), "--data", str(root), "--split", "none.txt"]) == 2
    assert re.search(r"no such folders: .*, nor a list of pairs", capsys.readouterr().err)

"""The commands on gray images, and on files that are no models."""

import numpy as np
import pytest

from classicseg import io
from classicseg.cli import main

pytest.importorskip("torch")


@pytest.fixture
def folder(tmp_path):
    """Bright blocks on dark ground, as gray pictures."""
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    (tmp_path / "classes.txt").write_text("ground\nblock\n", encoding="utf-8")
    for i in range(4):
        truth = np.zeros((32, 48), np.uint8)
        truth[4 + 3 * i : 18 + 3 * i, 10:34] = 1
        gray = np.clip(60 + 120 * truth + rng.normal(0, 10, truth.shape), 0, 255).astype(np.uint8)
        io.write_image(tmp_path / "images" / f"{i}.png", gray)
        io.write_labels(tmp_path / "labels" / f"{i}.png", truth)
    return tmp_path


def test_gray_images_are_trained_predicted_and_evaluated(folder, capsys):
    model = str(folder / "model.pt")
    settings = ["--width", "0.05", "--epochs", "2", "--batch", "2", "-o", model]
    assert main(["train", "--data", str(folder), *settings]) == 0
    assert main(["predict", model, str(folder / "images" / "0.png"), "-o", str(folder / "out")]) == 0
    assert io.read_labels(folder / "out" / "0.png").shape == (32, 48)
    capsys.readouterr()
    assert main(["evaluate", "--model", model, "--data", str(folder)]) == 0
    assert "mean IoU" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"no model at all\n" * 20, b"PK\x03\x04 broken"])
def test_a_file_that_is_no_model_takes_one_line(folder, capsys, content):
    (folder / "other.pt").write_bytes(content)
    assert main(["predict", str(folder / "other.pt"), str(folder / "images" / "0.png"), "-o", str(folder / "out")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "other.pt cannot be read" in error
    assert "weights_only" not in error

import json
import subprocess
import sys

import numpy as np
import pytest

import classicseg
from classicseg import io
from classicseg.cli import main
from tests.oracles import costs, photo, softmax


@pytest.fixture
def files(tmp_path):
    io.write_image(tmp_path / "photo.png", photo(30, 40))
    p = softmax(-costs(3, (30, 40)))
    np.save(tmp_path / "p.npy", p)
    np.savez(tmp_path / "p.npz", first=p, second=np.log(p))
    return tmp_path


def test_refine_writes_labels_overlay_and_marginals(files, capsys):
    arguments = ["refine", files / "photo.png", files / "p.npy", "-o", files / "labels.png"]
    arguments += ["--overlay", files / "overlay.png", "--marginals", files / "q.npy", "--preset", "irnet", "--json"]
    assert main([str(a) for a in arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    labels = io.read_labels(files / "labels.png")
    p = np.load(files / "p.npy")
    np.testing.assert_array_equal(labels, classicseg.refine(photo(30, 40), p, preset="irnet"))
    assert report["n_labels"] == 3
    assert report["shape"] == [30, 40]
    assert io.read_image(files / "overlay.png").shape == (30, 40, 3)
    np.testing.assert_array_equal(np.load(files / "q.npy").argmax(0), labels)


def test_refine_reads_logits_and_keys_and_says_what_it_did(files, capsys):
    arguments = ["refine", files / "photo.png", files / "p.npz", "--key", "second", "--logits", "-o", files / "l.npy"]
    assert main([str(a) for a in arguments]) == 0
    assert "3 labels" in capsys.readouterr().out
    assert np.load(files / "l.npy").shape == (30, 40)


def test_refine_applies_a_temperature(files):
    arguments = ["refine", files / "photo.png", files / "p.npy", "-o", files / "l.png", "--temperature", 2.5]
    assert main([str(a) for a in arguments]) == 0
    wanted = classicseg.refine(io.read_image(files / "photo.png"), np.load(files / "p.npy"), temperature=2.5)
    np.testing.assert_array_equal(io.read_labels(files / "l.png"), wanted)


def test_axes_of_volumes_are_reversed_on_demand(tmp_path):
    """NIfTI files are (X, Y, Z), what nnU-Net saves beside them is (L, Z, Y, X)."""
    volume = photo(6, 30, channels=5).transpose(2, 0, 1).copy()  # (Z, Y, X)
    p = softmax(-costs(2, volume.shape))
    np.save(tmp_path / "p.npy", p)
    for image, options in ((volume, []), (volume.T, ["--reverse-axes"])):
        np.save(tmp_path / "image.npy", image)
        arguments = ["refine", tmp_path / "image.npy", tmp_path / "p.npy", "-o", tmp_path / "labels.npy", *options]
        assert main([str(a) for a in arguments]) == 0
        np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), classicseg.refine(volume, p))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["none.png", "p.npy", "-o", "l.png"], "no such file"),
        (["photo.png", "p.npz", "-o", "l.png"], "first, second"),
        (["photo.png", "p.npy", "-o", "l.gif"], "can be written"),
        (["photo.png", "p.npy", "-o", "none/l.png"], "no such folder"),
        (["p.npy", "p.npy", "-o", "l.png", "--sigma", "0"], "sigma"),
        (["photo.png", "p.npy", "-o", "l.png", "--label-axis", "2"], "fit"),
        (["photo.png", "photo.png", "-o", "l.png"], "probabilities must be"),
    ],
)
def test_errors_take_one_line_and_leave_no_file(files, capsys, monkeypatch, arguments, word):
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    assert main(["refine", *arguments]) == 2
    captured = capsys.readouterr()
    assert word in captured.err
    assert captured.err.count("\n") == 1
    assert sorted(files.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize(("sample", "shape"), [("nuclei", (564, 520, 3)), ("coffee", (852, 1208, 3))])
def test_demo_prints_figures_and_writes_a_picture(tmp_path, capsys, sample, shape):
    arguments = ["--sample", sample] if sample != "nuclei" else []
    assert main(["demo", "-o", str(tmp_path / "demo.png"), *arguments]) == 0
    out = capsys.readouterr().out
    for word in ("CC0", "energy", "mean IoU", "updates"):
        assert word in out
    assert io.read_image(tmp_path / "demo.png").shape == shape


def test_version_and_help():
    for flag, word in (("--version", classicseg.__version__), ("--help", "refine")):
        command = [sys.executable, "-m", "classicseg", flag]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert word in done.stdout


def test_without_arguments_help_is_printed_and_misspelt_commands_are_guessed(capsys):
    assert main([]) == 0
    assert "refine" in capsys.readouterr().out
    assert main(["refin", "x"]) == 2
    assert capsys.readouterr().err == "classicseg: no command 'refin'; did you mean refine?\n"
    assert main(["xyzzy"]) == 2
    assert "refine, cutout, split" in capsys.readouterr().err


@pytest.mark.parametrize("outputs", [["-o", "no/l.png"], ["-o", "l.png", "--overlay", "o.xyz"], ["-o", "l.jpg"]])
def test_outputs_are_checked_before_anything_is_computed(outputs, files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    monkeypatch.setattr("classicseg.io.read_masked_image", lambda path: pytest.fail("that is too late"))
    assert main(["refine", "photo.png", "p.npy", *outputs]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_ctrl_c_is_quiet(monkeypatch, capsys, files):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("classicseg.io.reading.read_turned_image", interrupted)
    assert main(["refine", str(files / "photo.png"), str(files / "p.npy"), "-o", str(files / "l.png")]) == 130
    assert capsys.readouterr().err == "stopped\n"

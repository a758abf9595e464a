"""train, predict and evaluate: the whole way of a folder, and what is said when something is missing."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

from classicseg import io, metrics
from classicseg.cli import main
from tests.oracles import softmax

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
pytestmark = pytest.mark.filterwarnings("default")  # which the command prints


def call(capsys, *arguments):
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (tmp_path / "data" / name).mkdir(parents=True)
    (tmp_path / "data" / "classes.txt").write_text("ground\nblock\n")
    for i in range(4):
        truth = np.zeros((24, 32), np.uint8)
        truth[4 + i : 14 + i, 6:20] = 1
        image = np.clip(60 + 120 * truth[:, :, None] + rng.normal(0, 10, (24, 32, 3)), 0, 255).astype(np.uint8)
        io.write_image(tmp_path / "data" / "images" / f"p{i}.png", image)
        io.write_labels(tmp_path / "data" / "labels" / f"p{i}.png", truth)
    return tmp_path / "data"


@needs_torch
def test_a_folder_is_learned_predicted_and_evaluated(data, tmp_path, capsys):
    model, out = tmp_path / "unet.pt", tmp_path / "out"
    arguments = ["train", "--data", data, "-o", model, "--width", 0.03, "--epochs", 2, "--batch", 2, "--json"]
    code, printed, _ = call(capsys, *arguments)
    report = json.loads(printed)
    assert code == 0
    assert report["n_images"] == [3, 1]
    assert len(report["history"]) == 2
    code, again, said = call(capsys, *arguments)
    assert again == printed  # goes on from the checkpoint, which is at the end
    assert "this training has ended, after 2 epochs, and nothing was done" in said
    assert "go on with --epochs above 2" in said

    images = sorted((data / "images").iterdir())
    more = ["--overlay", tmp_path / "shown", "--logits", tmp_path / "logits"]
    assert call(capsys, "predict", model, *images, "-o", out, *more)[0] == 0
    logits = [np.load(tmp_path / "logits" / f"p{i}.npy") for i in range(4)]
    p = [softmax(scores) for scores in logits]
    np.testing.assert_array_equal(io.read_labels(out / "p2.png"), logits[2].argmax(0))
    of_files = json.loads(call(capsys, "evaluate", "--labels", out, "--truth", data / "labels", "--json")[1])
    of_model = json.loads(call(capsys, "evaluate", "--model", model, "--data", data, "--json")[1])
    assert list(of_files["iou"].values()) == list(of_model["iou"].values())
    assert of_files["trimap_iou"] == of_model["trimap_iou"]
    truths = [io.read_labels(data / "labels" / f"p{i}.png") for i in range(4)]
    tables = [metrics.reliability(*pair, ignore_label=255) for pair in zip(p, truths, strict=True)]
    assert of_model["calibration_error"] == pytest.approx(metrics.calibration_error(sum(tables)), abs=1e-6)
    assert of_files["calibration_error"] is None
    assert call(capsys, "evaluate", "--model", model, "--data", data, "--crf", "default")[0] == 0
    assert call(capsys, "predict", model, images[0], "-o", out, "--crf", "irnet")[0] == 0


@needs_torch
def test_the_size_of_training_is_remembered(data, tmp_path, capsys):
    model, out = tmp_path / "unet.pt", tmp_path / "out"
    arguments = ["--width", 0.03, "--epochs", 1, "--batch", 2, "--size", 16, 20]
    assert call(capsys, "train", "--data", data, "-o", model, *arguments)[0] == 0
    code, _, err = call(capsys, "train", "--data", data, "-o", model, *arguments[:-1], 24)
    assert code == 2
    assert "size is [16, 20] there and [16, 24] here" in err

    images = sorted((data / "images").iterdir())
    assert call(capsys, "predict", model, *images, "-o", out)[0] == 0
    assert all(io.read_labels(file).shape == (24, 32) for file in out.iterdir())
    of_files = json.loads(call(capsys, "evaluate", "--labels", out, "--truth", data / "labels", "--json")[1])
    of_model = json.loads(call(capsys, "evaluate", "--model", model, "--data", data, "--json")[1])
    assert of_files["trimap_iou"] == of_model["trimap_iou"]


@needs_torch
def test_a_gray_picture_among_those_in_colour(data, tmp_path, capsys):
    first = data / "images" / "p0.png"
    io.write_image(first, io.read_image(first)[:, :, 0])
    model, out = tmp_path / "unet.pt", tmp_path / "out"
    settings = ["--width", 0.03, "--epochs", 1, "--batch", 2]
    assert call(capsys, "train", "--data", data, "-o", model, *settings)[0] == 0
    assert call(capsys, "predict", model, *sorted((data / "images").iterdir()), "-o", out)[0] == 0
    assert call(capsys, "evaluate", "--model", model, "--data", data)[0] == 0


@needs_torch
def test_what_a_training_can_be_told(data, tmp_path, capsys):
    first, second = tmp_path / "a.pt", tmp_path / "b.pt"
    short = ["--data", data, "--width", 0.03, "--epochs", 2, "--batch", 2]
    more = ["--optimizer", "sgd", "--class-weights", "auto", "--loss", "dice+focal", "--loss-option", "gamma=1"]
    log = tmp_path / "log.jsonl"
    assert call(capsys, "train", *short, "-o", first, *more, "--workers", 2, "--amp", "--log", log)[0] == 0
    assert [json.loads(line)["number"] for line in log.read_text().splitlines()] == [1, 2]
    code, _, err = call(capsys, "train", *short, "-o", second, "--init", first, "--log", tmp_path / "log.csv")
    assert code == 0
    assert "0 begin anew" in err
    assert (tmp_path / "log.csv").read_text().count("\n") == 3
    for words, said in (
        (["--class-weights", "1", "2", "3"], "--class-weights must be 2 numbers, one for each class, got 3"),
        (["--class-weights", "much"], "--class-weights must be auto, effective, or a number for each class, got much"),
        (["--class-weights", "effective", "1"], "beta must be at least 0 and below 1, got 1.0"),
        (["--class-weights", "auto", "1"], "--class-weights must be 2 numbers, one for each class, got 1"),
        (["--accumulate", "3"], "--accumulate must be at most --batch 2, got 3"),
        (["--loss-option", "gamma"], "--loss-option must be a name and a number"),
        (["--loss-option", "delta=1"], "delta: no loss of 'dice+ce' takes it"),
        (["--optimizer", "lbfgs"], "--optimizer must be"),
        (["--max-norm", "0"], "--max-norm must be positive"),
        (["--lr", "1e20"], "a smaller lr or --max-norm 1 may help"),
        (["--net", "unett"], "--net must be one of 'fcn32s'"),
        (["--init", data / "classes.txt"], "cannot be read"),
        (["--log", tmp_path / "log.txt"], "logs can be written as .csv, .jsonl"),
        (["-o", tmp_path / "c.ckpt"], "models can be written as .pt, .pth"),
        (["--device", "cuda:99"], "--device must be one that PyTorch can use"),
    ):
        code, _, err = call(capsys, "train", *short, "-o", tmp_path / "c.pt", *words)
        assert code == 2
        assert said in err
        assert err.count("\n") == 1


@needs_torch
def test_losses_with_weights_smoothing_distances_and_one_channel(data, tmp_path, capsys):
    model = tmp_path / "m.pt"
    losses = ["--loss", "dice+0.1*boundary+ohem+ce", "--loss-option", "label_smoothing=0.1"]
    weights = ["--class-weights", "effective", "--sigmoid", "--accumulate", 2]
    code, _, err = call(capsys, "train", "--data", data, "-o", model, "--width", 0.03, "--epochs", 1, *losses, *weights)
    assert (code, err) == (0, "")
    photos = sorted((data / "images").iterdir())
    code, _, err = call(capsys, "predict", model, *photos, "-o", tmp_path / "out", "--logits", tmp_path / "logits")
    assert (code, err) == (0, "")
    assert np.load(tmp_path / "logits" / "p0.npy").shape == (2, 24, 32)
    assert call(capsys, "evaluate", "--model", model, "--data", data)[0] == 0


@needs_torch
def test_windows_are_scored_as_they_are_predicted(data, tmp_path, capsys):
    from classicseg.torch import train

    train.Model("unet", ["ground", "block"], width=0.03).save(tmp_path / "m.pt")
    window, photos = ["--window", 16, 16], sorted((data / "images").iterdir())
    assert call(capsys, "predict", tmp_path / "m.pt", *photos, "-o", tmp_path / "out", *window)[0] == 0
    of_files = call(capsys, "evaluate", "--labels", tmp_path / "out", "--truth", data / "labels", "--json")[1]
    words = ["evaluate", "--model", tmp_path / "m.pt", "--data", data, "--json"]
    of_windows, of_wholes = (json.loads(call(capsys, *words, *more)[1]) for more in (window, []))
    assert list(json.loads(of_files)["iou"].values()) == list(of_windows["iou"].values())
    assert of_windows["iou"] != of_wholes["iou"]
    code, _, err = call(capsys, *words, "--device", "cuda:99")
    assert (code, err.count("\n")) == (2, 1)


@needs_torch
def test_a_backbone_is_a_start(data, tmp_path, capsys):
    import torch

    from classicseg.torch import networks

    trunk = networks.build("pspnet50", 2, width=1 / 16).trunk.state_dict()
    fc = {"fc.weight": torch.zeros(1000, 128), "fc.bias": torch.zeros(1000)}
    torch.save({**trunk, **fc}, tmp_path / "resnet50.pth")
    torch.save(trunk | {"layer4.3.conv1.weight": torch.zeros(1)}, tmp_path / "deeper.pth")
    trunk.pop("layer2.0.bn1.weight")
    torch.save({"state_dict": trunk}, tmp_path / "short.pth")
    words = ["train", "--data", data, "-o", tmp_path / "m.pt", "--width", 1 / 16, "--epochs", 1, "--net", "pspnet50"]
    code, _, err = call(capsys, *words, "--backbone", tmp_path / "resnet50.pth")
    assert code == 0
    (tmp_path / "own.pt").write_bytes((tmp_path / "m.pt").read_bytes())
    assert "resnet50.pth: 318 weights loaded\nunexpected: fc.weight, fc.bias\n" in err
    for more, said in (
        (["--backbone", tmp_path / "resnet50.pth"], None),  # the same start: the training has ended
        (["--backbone", tmp_path / "short.pth"], "short.pth: state_dict must hold all weights of the trunk and of no "
         "other: layer2.0.bn1.weight is missing\n"),
        (["--backbone", tmp_path / "deeper.pth"], "layer4.3.conv1.weight has no place\n"),
        (["--backbone", tmp_path / "resnet50.pth", "--width", "1", "--device", "cpu"],
         "conv1.weight has shape (4, 3, 7, 7), needed is (64, 3, 7, 7) (264 more); --width 1 has the published shapes"),
        (["--backbone", tmp_path / "resnet50.pth", "--net", "unet"], "must have a trunk of ResNet or VGG16, got UNet"),
        (["--backbone", data / "classes.txt"], "cannot be read as a file of PyTorch"),
        (["--backbone", tmp_path / "own.pt"], "own.pt: state_dict must be a mapping of names to tensors, got one "
         "with 'format': int"),
        (["--backbone", tmp_path / "none.pth"], "no such file"),
        (["--backbone", tmp_path / "resnet50.pth", "--init", tmp_path / "own.pt"], "either --init or --backbone"),
        ([], "the initial weights are others"),
    ):  # fmt: skip
        code, _, err = call(capsys, *words, *more)
        assert code == (2 if said else 0)
        if said:
            assert said in err
            assert err.count("\n") == 1


@needs_torch
def test_errors_take_one_line(data, tmp_path, capsys):
    (data / "labels" / "p1.png").unlink()
    for arguments, word in (
        (["train", "--data", data, "-o", tmp_path / "m.pt"], "p1.png has no partner"),
        (["train", "--data", tmp_path, "-o", tmp_path / "m.pt"], "classes.txt"),
        (["train", "--data", data, "-o", tmp_path / "none" / "m.pt"], "no such folder"),
        (["predict", tmp_path / "m.pt", data / "images" / "p0.png", "-o", tmp_path / "out"], "no such file"),
    ):
        code, _, err = call(capsys, *arguments)
        assert code == 2
        assert word in err
        assert err.count("\n") == 1


def test_scores_are_those_of_the_library(data, tmp_path, capsys):
    given = tmp_path / "given"
    given.mkdir()
    total = np.zeros((2, 2), int)
    for file in sorted((data / "labels").iterdir()):
        truth = io.read_labels(file)
        labels = np.roll(truth, 2, 1)
        io.write_labels(given / file.name, labels)
        total += metrics.confusion_matrix(labels, truth, 2)
    arguments = ["evaluate", "--labels", given, "--truth", data / "labels", "--classes", data / "classes.txt"]
    report = json.loads(call(capsys, *arguments, "--json", "--tolerance", 2)[1])
    assert report["mean_iou"] == metrics.scores_of(total).mean_iou
    assert report["boundary_f"] == 1
    assert list(report["iou"]) == ["ground", "block"]
    assert list(report["trimap_iou"]) == ["1", "2", "3", "5", "10", "20"]
    assert "IoU of block" in call(capsys, *arguments)[1]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--labels", "a"], "either"),
        (["--labels", "none", "--truth", "none"], "no such folder"),
        (["--labels", "labels", "--truth", "images"], "colours"),
    ],
)
def test_what_cannot_be_compared(data, capsys, monkeypatch, arguments, word):
    monkeypatch.chdir(data)
    code, _, err = call(capsys, "evaluate", *arguments)
    assert code == 2
    assert word in err


def test_without_pytorch_one_line_says_what_to_install(data, tmp_path):
    code = f"""
import sys
sys.modules['torch'] = None
from classicseg.cli import main
sys.exit(main(['train', '--data', {str(data)!r}, '-o', {str(tmp_path / "m.pt")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "classicseg train: classicseg.torch needs PyTorch: pip install torch\n"


def test_help_imports_neither_pytorch_nor_numba():
    code = """
import sys
from classicseg.cli import main
try:
    main(['--help'])
except SystemExit:
    print([name for name in ('torch', 'numba', 'scipy') if sys.modules.get(name)])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

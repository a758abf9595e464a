"""classicseg predict: one image or many, of all kinds, and what it refuses before the first."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

pytest.importorskip("torch")

import torch

import classicseg as cs
from classicseg import io
from classicseg.cli import main
from classicseg.torch import train
from tests.strategies.files import write_map
from tests.strategies.folders import SIZE, images, turn

pytestmark = pytest.mark.filterwarnings("default")  # which the command prints


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A model that has learned nothing, and a folder of photos."""
    monkeypatch.chdir(tmp_path)
    train.Model("unet", ["ground", "block"], width=0.03).save("m.pt")
    (tmp_path / "images").mkdir()
    for i, image in enumerate(images(2)):
        io.write_image(tmp_path / "images" / f"p{i}.png", image)
    return tmp_path


def predict(capsys, *words):
    code = main(["predict", "m.pt", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def everything(place):
    return {path: path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["images/p0.png", "-o", "images"], "images is where files are read from; -o must name a folder of its own"),
        (["images", "-o", "images/../images"], "is where files are read from"),
        (["images/p0.png", "-o", "images/p0.png"], "would be written over the file that is read"),
        (["images/p0.png", "images/p0.jpg", "-o", "out"], "would have the same name, p0"),
        (["images/p0.png", "images/p1.png", "-o", "out", "--overlay", "out"], "out/p0.png would be written twice"),
        (["images/p0.png", "images/none.png", "-o", "out"], "no such file: images/none.png"),
        (["images/p0.png", "-o", "m.pt"], "labels can be written as .png, "),
        (["images/p0.png", "images/p1.png", "-o", "m.pt"], "m.pt is no folder"),
        (["images/p0.png", "-o", "out", "--device", "cuda:99"], "device must be one that PyTorch can use"),
    ],
)
def test_nothing_is_written_over(place, capsys, words, said):
    Image.fromarray(images()[0]).save(place / "images" / "p0.jpg")
    before = everything(place)
    if "images" in words[:1]:
        (place / "images" / "p0.jpg").unlink()
        before = everything(place)
    code, _, err = predict(capsys, *words)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1
    assert everything(place) == before


def test_a_folder_is_predicted_as_its_images_are_one_by_one(place, capsys):
    code, out, err = predict(capsys, "images", "-o", "out", "--logits", "logits", "--crf", "firm", "--workers", 2)
    assert (code, err) == (0, "")
    assert out.startswith("out: 2 of 2 done; ")
    code, out, _ = predict(capsys, "images/p1.png", "-o", "p1.npy", "--crf", "firm", "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["output"], told["shape"], told["n_labels"], told["preset"]) == ("p1.npy", list(SIZE), 2, "firm")
    assert told["shares"]["block"] == (np.load("p1.npy") == 1).mean()
    logits = train.Model.load("m.pt").predict(io.read_image("images/p1.png"))
    np.testing.assert_array_equal(np.load("logits/p1.npy"), logits)
    expected = cs.refine(io.read_image("images/p1.png"), logits=logits, preset="firm")
    for path in ("p1.npy", "out/p1.png"):
        np.testing.assert_array_equal(io.read_labels(path), expected)
    words = ["--probabilities", "logits", "--logits", "--preset", "firm", "-o", "refined"]
    assert main(["refine", "images", *words]) == 0  # what is written goes on from here
    np.testing.assert_array_equal(io.read_labels("refined/p1.png"), expected)


def test_errors_are_those_of_an_image_and_what_is_there_is_left_out(place, capsys):
    Path("images/q.png").write_bytes(b"no picture")
    code, out, err = predict(capsys, "images", "-o", "out", "--json")
    assert code == 1
    status = {line["image"]: line["status"] for line in map(json.loads, out.splitlines())}
    assert status == {"images/p0.png": "done", "images/p1.png": "done", "images/q.png": "failed"}
    assert "classicseg predict: images/q.png cannot be read as an image" in err
    assert "out: 2 of 3 done, 1 failed: q.png" in err
    Path("out/p0.png").unlink()
    code, out, _ = predict(capsys, "images/p?.png", "-o", "out", "--skip-existing")
    assert code == 0
    assert "2 of 2 done (1 were there before)" in out


def test_the_network_sees_one_image_at_a_time_on_the_threads_that_are_asked_for(place, capsys, monkeypatch):
    real, inside, seen = train.Model.predict, threading.Semaphore(1), []

    def alone(model, image, **how):
        assert inside.acquire(blocking=False)
        try:
            seen.append(torch.get_num_threads())
            return real(model, image, **how)
        finally:
            inside.release()

    monkeypatch.setattr(train.Model, "predict", alone)
    before = torch.get_num_threads()
    assert predict(capsys, "images", "-o", "out", "--workers", 2, "--threads", 1)[0] == 0
    assert seen == [1, 1]
    assert torch.get_num_threads() == before


def test_a_plan_is_told_and_nothing_done(place, capsys):
    code, out, _ = predict(capsys, "images", "-o", "out", "--crf", "auto", "--plan")
    assert code == 0
    for words in ("2 images: 2 to do", "MiB of memory", "preset auto is chosen for each image", "BilateralKernel("):
        assert words in out
    code, out, _ = predict(capsys, "images", "-o", "out", "--plan", "--json")
    plan = json.loads(out)
    assert (plan["to_do"], len(plan["tried"])) == (2, 2)
    assert plan["memory"] > 0 < plan["seconds"]
    assert not Path("out").exists()


def test_labels_lie_where_their_map_does_and_pixels_without_data_take_no_part(place, capsys):
    bands = np.moveaxis(images()[0], -1, 0).astype(np.float32)
    bands[:, :5] = -9999
    write_map("map.tif", bands, nodata=-9999)
    more = ["--logits", "logits.tif", "--overlay", "shown.png"]
    assert predict(capsys, "map.tif", "-o", "labels.tif", "--crf", "firm", *more)[0] == 0
    image, labels = io.read_image("map.tif"), io.read_labels("labels.tif")
    assert (labels.nodata, labels.crs, labels.transform) == (255, image.crs, image.transform)
    np.testing.assert_array_equal(np.flatnonzero((labels == 255).all(1)), np.arange(5))
    assert set(np.unique(labels[5:])) <= {0, 1}
    assert io.read_probabilities("logits.tif").transform == image.transform
    assert predict(capsys, "map.tif", "images/p0.png", "-o", "out", "--suffix", ".tif")[0] == 0
    assert io.read_labels("out/map.tif").transform == image.transform
    np.save("mask.npy", np.arange(SIZE[1]) > np.zeros(SIZE) + 7)
    assert predict(capsys, "images/p0.png", "-o", "labels.npy", "--mask", "mask.npy")[0] == 0
    np.testing.assert_array_equal(np.load("labels.npy") == 255, ~np.load("mask.npy"))


def test_results_are_upright(place, capsys):
    turn(place, "p1")
    more = ["--overlay", "shown", "--probabilities", "p"]
    assert predict(capsys, "images/p1.png", "-o", "out", *more)[0] == 0
    assert io.read_labels("out/p1.png").shape == io.read_image("shown/p1.png").shape[:2] == (32, 24)
    np.testing.assert_allclose(np.load("p/p1.npy").sum(0), 1, rtol=1e-5)
    assert predict(capsys, "images/p1.png", "-o", "out", "--no-exif")[0] == 0
    assert io.read_labels("out/p1.png").shape == (24, 32)


def test_an_alpha_channel_is_no_colour(place, capsys):
    image = images()[0]
    alpha = np.full((*image.shape[:2], 1), 200, np.uint8)
    tifffile.imwrite("images/a.tif", np.concatenate([image, alpha], 2), photometric="rgb", extrasamples=["unassalpha"])
    assert predict(capsys, "images/a.tif", "images/p0.png", "-o", "out")[0] == 0
    np.testing.assert_array_equal(io.read_labels("out/a.png"), io.read_labels("out/p0.png"))


def test_images_of_all_dtypes_are_taken_or_refused_in_one_line(place, capsys):
    image = images()[0]
    holes = image.astype(np.float64)
    holes[3, 4, 1] = np.nan
    arrays = {"uint16": image.astype(np.uint16) * 257, "float": image / np.float32(255), "gray": image[..., 0]}
    for name, array in (arrays | {"holes": holes}).items():
        np.save(f"images/{name}.npy", array)
        assert predict(capsys, f"images/{name}.npy", "-o", f"{name}.png", "--overlay", "shown.png")[0] == 0
        assert np.argwhere(io.read_labels(f"{name}.png") == 255).tolist() == ([[3, 4]] if name == "holes" else [])
    np.save("images/nan.npy", np.full(image.shape, np.nan))
    np.save("images/four.npy", np.concatenate([image, image[..., :1]], 2))
    np.save("images/volume.npy", np.stack([image] * 2))
    for name, said in (
        ("nan", "images/nan.npy has no pixel that takes part"),
        ("four", "images/four.npy: image must have 3 channels, or one, for this network, got 4 channels"),
        ("volume", "images/volume.npy: image must have shape (H, W) or (H, W, C)"),
    ):
        code, _, err = predict(capsys, f"images/{name}.npy", "-o", "none.png")
        assert code == 2
        assert err.startswith(f"classicseg predict: {said}")
        assert err.count("\n") == 1
    assert not Path("none.png").exists()

"""classicseg predict: what it refuses before the first image, and images of all kinds."""

import numpy as np
import pytest
import tifffile
from PIL import Image

pytest.importorskip("torch")

from classicseg import io
from classicseg.cli import main
from classicseg.torch import train
from tests.strategies.folders import images, turn

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
        (["images/p0.png", "-o", "images"], "images is the folder of the photos"),
        (["images/p0.png", "-o", "images/../images"], "is the folder of the photos"),
        (["images/p0.png", "images/p0.jpg", "-o", "out"], "out/p0.png would be written twice"),
        (["images/p0.png", "images/p0_overlay.png", "-o", "out", "--overlay"], "p0_overlay.png would be written twice"),
        (["images/p0.png", "images/none.png", "-o", "out"], "no such file: images/none.png"),
        (["images/p0.png", "-o", "m.pt"], "m.pt is no folder"),
        (["images", "-o", "out"], "images is a folder; name the files in it, as in images/*"),
        (["images/p0.png", "-o", "out", "--device", "cuda:99"], "device must be one that PyTorch can use"),
    ],
)
def test_nothing_is_written_over(place, capsys, words, said):
    for name in ("p0.jpg", "p0_overlay.png"):
        Image.fromarray(images()[0]).save(place / "images" / name)
    before = everything(place)
    code, _, err = predict(capsys, *words)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1
    assert everything(place) == before


def test_results_are_upright(place, capsys):
    turn(place, "p1")
    assert predict(capsys, "images/p1.png", "-o", "out", "--overlay", "--probabilities")[0] == 0
    assert io.read_labels("out/p1.png").shape == io.read_image("out/p1_overlay.png").shape[:2] == (32, 24)
    np.testing.assert_allclose(np.load("out/p1_probabilities.npy").sum(0), 1, rtol=1e-5)
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
    arrays = {"uint16": image.astype(np.uint16) * 257, "float": image / np.float32(255), "gray": image[..., 0]}
    for name, array in arrays.items():
        np.save(f"images/{name}.npy", array)
        assert predict(capsys, f"images/{name}.npy", "-o", "out", "--overlay")[0] == 0
    np.save("images/nan.npy", np.full(image.shape, np.nan))
    np.save("images/four.npy", np.concatenate([image, image[..., :1]], 2))
    np.save("images/volume.npy", np.stack([image] * 2))
    for name, said in (
        ("nan", "images/nan.npy: image must be finite"),
        ("four", "images/four.npy: image must have 3 channels, or one, for this network, got 4 channels"),
        ("volume", "images/volume.npy: image must have shape (H, W) or (H, W, C)"),
    ):
        code, _, err = predict(capsys, f"images/{name}.npy", "-o", "out")
        assert code == 2
        assert err.startswith(f"classicseg predict: {said}")
        assert err.count("\n") == 1

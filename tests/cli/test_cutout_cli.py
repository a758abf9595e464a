import json
from argparse import Namespace

import numpy as np
import pytest
from PIL import Image

import classicseg as cs
from classicseg import io
from classicseg.cli import main
from classicseg.cli.cutout import read_scribbles
from tests.pipelines.test_cutout import IMAGE, SCRIBBLES


@pytest.fixture
def files(tmp_path):
    io.write_image(tmp_path / "photo.png", IMAGE)
    drawn = np.select([SCRIBBLES == 1, SCRIBBLES == 0], [1, 2])
    io.write_labels(tmp_path / "strokes.png", drawn)
    np.save(tmp_path / "strokes.npy", np.select([SCRIBBLES == 1, SCRIBBLES == 0], [255, 0], 128))
    colors = np.array([(200, 200, 200), (250, 30, 20), (10, 60, 240)], np.uint8)[drawn]
    Image.fromarray(colors).save(tmp_path / "colors.png")
    return tmp_path


def run(files, *arguments):
    return main(["cutout", str(files / "photo.png"), *map(str, arguments), "-o", str(files / "mask.png")])


@pytest.mark.parametrize(
    "arguments",
    [("strokes.png",), ("colors.png",), ("strokes.npy", "--object", "255", "--background", "0")],
)
def test_strokes_of_any_kind(files, capsys, arguments):
    assert run(files, "--scribbles", files / arguments[0], *arguments[1:]) == 0
    np.testing.assert_array_equal(io.read_labels(files / "mask.png"), cs.cutout(IMAGE, SCRIBBLES).labels)
    assert "% object" in capsys.readouterr().out


def test_the_object_is_written_with_a_soft_mask(files):
    assert run(files, "--scribbles", files / "strokes.png", "--alpha", files / "object.png") == 0
    with Image.open(files / "object.png") as picture:
        assert picture.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(picture), cs.cutout(IMAGE, SCRIBBLES, alpha=True).matte.rgba)
    assert run(files, "--scribbles", files / "strokes.png", "--alpha", files / "object.jpg") == 2


def read(scribbles, photo):
    options = {"scribbles": scribbles, "image": scribbles.parent / "photo.png", "object": 1, "background": 2}
    return read_scribbles(Namespace(**options, exif=True), photo)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_strokes_on_a_copy_of_the_photo_are_told_from_its_own_reds(files, suffix):
    photo = IMAGE.copy()
    photo[40:46, 2:30] = (240, 40, 30)  # red ground far from any stroke
    io.write_image(files / "photo.png", photo)
    copy = photo.copy()
    copy[SCRIBBLES == 1], copy[SCRIBBLES == 0] = (255, 0, 120), (0, 0, 255)
    Image.fromarray(copy).save(files / f"copy.{suffix}", quality=95, subsampling=0)
    drawn = read(files / f"copy.{suffix}", photo)
    assert (drawn[SCRIBBLES < 0] == -1).mean() > 0.97
    assert (drawn[SCRIBBLES >= 0] == SCRIBBLES[SCRIBBLES >= 0]).mean() > 0.97
    assert (drawn[40:46, 2:30] == -1).all()


def test_strokes_that_were_erased_to_transparent_do_not_count(files):
    drawn = np.select([SCRIBBLES == 1, SCRIBBLES == 0], [1, 2])
    colors = np.array([(200, 200, 200), (250, 30, 20), (10, 60, 240)], np.uint8)[drawn]
    erased = np.arange(60) < 30
    alpha = np.broadcast_to(np.where(erased, 0, 255), drawn.shape).astype(np.uint8)
    Image.fromarray(np.dstack([colors, alpha])).save(files / "erased.png")
    expected = np.where(erased, -1, SCRIBBLES)
    np.testing.assert_array_equal(read(files / "erased.png", IMAGE), expected)
    palette = Image.open(files / "strokes.png")
    palette.save(files / "no_object.png", transparency=1)
    expected = np.where(SCRIBBLES == 1, -1, SCRIBBLES)
    np.testing.assert_array_equal(read(files / "no_object.png", IMAGE), expected)


def test_boxes_are_x_before_y_and_json_tells_all(files, capsys):
    more = ("--overlay", files / "overlay.png", "--probabilities", files / "p.npy", "--json", "--max-iter", 3)
    assert run(files, "--box", 8, 4, 52, 44, *more) == 0
    report = json.loads(capsys.readouterr().out)
    cut = cs.cutout(IMAGE, box=(4, 8, 44, 52), max_iter=3)
    np.testing.assert_array_equal(io.read_labels(files / "mask.png"), cut.labels)
    assert report["energy"] == cut.energy
    assert report["history"] == [step.energy for step in cut.history]
    assert io.read_image(files / "overlay.png").shape == IMAGE.shape
    assert np.load(files / "p.npy").shape == (2, 48, 60)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "scribbles, box or previous"),
        (("--box", "1", "2", "3"), "box must be"),
        (("--scribbles", "none.png"), "no such file"),
    ],
)
def test_errors_take_one_line(files, capsys, arguments, words):
    assert run(files, *arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1

"""Photos that are stored on their side, and what belongs to them, in every command without a network."""

import numpy as np
import pytest
from PIL import Image

import classicseg as cs
from classicseg import io
from classicseg.cli import main
from tests.oracles import costs, photo, softmax

pytestmark = pytest.mark.filterwarnings("default")  # which the command prints
SHAPE = (30, 40)
UPRIGHT = photo(*SHAPE)
P = softmax(-costs(3, SHAPE)).astype(np.float32)
STORED = np.rot90(UPRIGHT)  # a quarter to the right makes it upright


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(STORED).save("photo.png", exif=exif)
    np.save("upright.npy", P)
    np.save("stored.npy", np.rot90(P, axes=(1, 2)))
    np.save("batch.npy", np.rot90(P, axes=(1, 2))[np.newaxis])
    np.save("last.npy", np.moveaxis(np.rot90(P, axes=(1, 2)), 0, -1))
    np.save("small.npy", np.rot90(P[:, ::2, ::2], axes=(1, 2)))
    return tmp_path


def run(capsys, *words):
    code = main([str(word) for word in words])
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("scores", "more"),
    [("upright", []), ("stored", []), ("batch", []), ("last", ["--label-axis", -1]), ("small", [])],
)
def test_scores_are_turned_along_where_they_fit_only_so(place, capsys, scores, more):
    code, said = run(capsys, "refine", "photo.png", f"{scores}.npy", "-o", "l.png", "--overlay", "o.png", *more)
    assert code == 0
    assert ("it was turned along" in said) == (scores != "upright")
    if scores != "small":
        np.testing.assert_array_equal(io.read_labels("l.png"), cs.refine(UPRIGHT, P))
    assert io.read_image("o.png").shape[:2] == SHAPE


def test_as_stored_all_stay(place, capsys):
    assert run(capsys, "refine", "photo.png", "stored.npy", "-o", "l.png", "--no-exif") == (0, "")
    assert io.read_labels("l.png").shape == SHAPE[::-1]


def test_squares_are_taken_to_be_upright_with_a_word_about_it(place, capsys):
    np.save("square.npy", P[:, :20, :20])
    code, said = run(capsys, "refine", "photo.png", "square.npy", "-o", "l.png")
    assert code == 0
    assert "it is taken to be upright; with --no-exif nothing is turned" in said


def test_masks_strokes_and_seeds_are_turned_along(place, capsys):
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, 5:] = 255
    Image.fromarray(np.ascontiguousarray(np.rot90(mask))).save("mask.png")
    assert run(capsys, "split", "photo.png", "-o", "r.png", "--mask", "mask.png", "--threshold", 30)[0] == 0
    np.testing.assert_array_equal(io.read_labels("r.png") == 0, mask == 0)
    strokes = np.zeros(SHAPE, np.uint8)
    strokes[4:8, 4:8], strokes[-6:, -6:] = 1, 2
    Image.fromarray(strokes).save("upright.png")
    Image.fromarray(np.ascontiguousarray(np.rot90(strokes))).save("stored.png")
    copy = UPRIGHT.copy()
    copy[strokes == 1], copy[strokes == 2] = (255, 0, 0), (0, 0, 255)
    Image.fromarray(np.ascontiguousarray(np.rot90(copy))).save("drawn.png")
    found = []
    for name in ("upright", "stored", "drawn"):
        assert run(capsys, "cutout", "photo.png", "--scribbles", f"{name}.png", "-o", "c.png")[0] == 0
        found.append(io.read_labels("c.png"))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    seeds = np.where(strokes == 0, 255, strokes - 1).astype(np.uint8)
    np.save("seeds.npy", np.rot90(seeds))
    assert run(capsys, "refine", "photo.png", "seeds.npy", "--labels", "-o", "l.png")[0] == 0
    assert io.read_labels("l.png").shape == SHAPE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["refine", "photo.png", "stored.npy", "-o", "photo.png"], "photo.png would be written over the file"),
        (["refine", "photo.png", "stored.npy", "-o", "l.png", "--overlay", "./l.png"], "l.png would be written twice"),
        (["cutout", "photo.png", "--box", 1, 1, 9, 9, "-o", "photo.png"], "photo.png would be written over the file"),
        (["split", "photo.png", "-o", "photo.png"], "photo.png would be written over the file"),
        (
            ["refine", "--film", "photo.png", "photo.jpg", "--probabilities", "scores", "-o", "out"],
            "photo.png would be written twice",
        ),
        (["refine", "--film", "photo.png", "--probabilities", "scores", "-o", "."], "photo.png would be written over"),
    ],
)
def test_no_input_and_no_result_is_written_over(place, capsys, words, said):
    Image.fromarray(STORED).save("photo.jpg")
    (place / "scores").mkdir()
    np.save(place / "scores" / "photo.npy", P)
    before = (place / "photo.png").read_bytes()
    code, err = run(capsys, *words)
    assert code == 2
    assert said in err
    assert (place / "photo.png").read_bytes() == before

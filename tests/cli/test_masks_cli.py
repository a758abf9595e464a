"""The command leaves out what a mask, the image itself or a number for no data says."""

import functools
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

import classicseg as cs
from classicseg import io, plot
from classicseg.cli import main
from tests.oracles import costs, photo, softmax

SHAPE = (30, 40)
IMAGE = photo(*SHAPE)
P = softmax(-costs(3, SHAPE)).astype(np.float32)
MASK = np.ones(SHAPE, bool)
MASK[:7], MASK[10:14, 5:9] = False, False
NOISY = np.where(MASK[..., None], IMAGE, np.random.default_rng(0).integers(0, 256, IMAGE.shape)).astype(np.uint8)


@functools.cache
def labels():
    """What the command is to find."""
    return np.where(MASK, cs.refine(IMAGE, P, mask=MASK), 255)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    io.write_image(tmp_path / "photo.png", NOISY)
    Image.fromarray(MASK.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    np.save(tmp_path / "p.npy", P)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refine(image, *more):
    assert main(["refine", image, "p.npy", "-o", "labels.png", *more]) == 0
    return io.read_labels("labels.png")


@pytest.mark.parametrize("suffix", ["png", "npy", "tif"])
def test_a_mask_from_a_file(folder, suffix):
    np.save("mask.npy", MASK)
    tifffile.imwrite("mask.tif", MASK.astype(np.uint8))
    np.testing.assert_array_equal(refine("photo.png", "--mask", f"mask.{suffix}"), labels())


def test_marginals_overlay_and_report_of_a_masked_image(folder, capsys):
    refine("photo.png", "--mask", "mask.png", "--overlay", "overlay.png", "--marginals", "q.npy", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["pixels_inside"] == MASK.sum()
    crf = cs.refinement_crf(IMAGE, P, mask=MASK)
    before = crf.unary.argmin(0)
    assert report["changed_pixels"] == pytest.approx((before != labels())[MASK].mean())
    assert report["energy"] == crf.energy(labels())
    overlay, q = io.read_image("overlay.png"), np.load("q.npy")
    np.testing.assert_array_equal(overlay[~MASK], NOISY[~MASK])
    assert (overlay[MASK] != NOISY[MASK]).any()
    assert (q[:, ~MASK] == 0).all()
    np.testing.assert_array_equal(q.argmax(0)[MASK], labels()[MASK])


def test_what_is_wholly_transparent_takes_no_part(folder):
    alpha = np.where(MASK, 255, 0).astype(np.uint8)
    alpha[20:22] = 1  # hardly to be seen, but there
    Image.fromarray(np.dstack([NOISY, alpha])).save("sticker.png")
    np.testing.assert_array_equal(refine("sticker.png"), labels())
    solid = np.dstack([IMAGE, np.full(SHAPE, 255, np.uint8)])
    Image.fromarray(solid).save("solid.png")
    np.testing.assert_array_equal(refine("solid.png"), cs.refine(IMAGE, P))


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_fourth_band_is_alpha_only_if_the_file_says_so(folder, planar):
    bands = np.dstack([NOISY, np.where(MASK, 255, 0).astype(np.uint8)])
    stored = bands if planar == "contig" else np.moveaxis(bands, -1, 0)
    form = {"photometric": "rgb", "planarconfig": planar}
    tifffile.imwrite("alpha.tif", stored, extrasamples=["unassalpha"], **form)
    tifffile.imwrite("infrared.tif", stored, extrasamples=["unspecified"], **form)
    np.testing.assert_array_equal(refine("alpha.tif"), labels())
    np.testing.assert_array_equal(refine("infrared.tif"), cs.refine(bands, P))
    gray = bands[..., [0, 3]] if planar == "contig" else stored[[0, 3]]
    form = {"photometric": "minisblack", "planarconfig": planar}
    tifffile.imwrite("gray.tif", gray, extrasamples=["assocalpha"], **form)
    image, mask = io.read_masked_image("gray.tif")
    np.testing.assert_array_equal(image, NOISY[..., 0])
    np.testing.assert_array_equal(mask, MASK)


def test_nan_and_numbers_for_no_data_take_no_part(folder):
    image = IMAGE.astype(np.float32)
    np.save("nan.npy", np.where(MASK[..., None], image, [np.nan, 3, np.nan]).astype(np.float32))
    np.testing.assert_array_equal(refine("nan.npy"), labels())
    tifffile.imwrite("none.tif", np.where(MASK[..., None], image, np.float32(-3.4028235e38)), photometric="rgb")
    np.testing.assert_array_equal(refine("none.tif", "--nodata=-3.4028235e38"), labels())
    np.save("none.npy", np.where(MASK[..., None], IMAGE.astype(np.int16), -9999).transpose(2, 0, 1))
    np.testing.assert_array_equal(refine("none.npy", "--nodata", "-9999"), labels())
    black = np.where(MASK[..., None], np.maximum(IMAGE, [0, 0, 1]), 0).astype(np.uint8)
    black[20, 20] = 0, 0, 9  # two of its three channels are 0
    io.write_image("black.png", black)
    assert (refine("black.png", "--nodata", "0") == 255).sum() == (~MASK).sum()


def test_all_that_leaves_out_adds_up(folder):
    image = IMAGE.astype(np.float32)
    image[:7] = -1
    image[10:12, 5:9] = np.nan
    np.save("image.npy", image)
    mask = np.ones(SHAPE, np.uint8)
    mask[12:14, 5:9] = 0
    np.save("mask.npy", mask)
    np.testing.assert_array_equal(refine("image.npy", "--nodata", "-1", "--mask", "mask.npy"), labels())
    refine("image.npy", "--nodata", "-1", "--mask", "mask.npy", "--overlay", "overlay.png")
    assert io.read_image("overlay.png").shape == (*SHAPE, 3)


def test_masks_of_volumes_are_reversed_with_them(folder):
    volume = photo(6, 30, channels=5).transpose(2, 0, 1).copy()  # (Z, Y, X)
    p, mask = softmax(-costs(2, volume.shape)), np.ones(volume.shape, np.uint8)
    mask[2] = 0
    np.save("p.npy", p)
    for image, inside, options in ((volume, mask, []), (volume.T, mask.T, ["--reverse-axes"])):
        np.save("image.npy", image)
        np.save("mask.npy", inside)
        assert main(["refine", "image.npy", "p.npy", "-o", "l.npy", "--mask", "mask.npy", *options]) == 0
        expected = np.where(mask, cs.refine(volume, p, mask=mask), 255)
        np.testing.assert_array_equal(np.load("l.npy"), expected)


def test_a_cutout_of_a_masked_image(folder):
    strokes = np.zeros(SHAPE, np.uint8)
    strokes[15:20, 15:25], strokes[28:] = 1, 2
    io.write_labels("strokes.png", strokes)
    command = "cutout photo.png --scribbles strokes.png --mask mask.png -o labels.png --overlay overlay.png"
    assert main([*command.split(), "--probabilities", "p.npy"]) == 0
    cut = cs.cutout(IMAGE, np.select([strokes == 1, strokes == 2], [1, 0], -1), mask=MASK, fill=255)
    np.testing.assert_array_equal(io.read_labels("labels.png"), cut.labels)
    np.testing.assert_array_equal(io.read_image("overlay.png")[~MASK], NOISY[~MASK])


def test_split_and_merge_of_a_masked_image(folder):
    command = "split photo.png --mask mask.png -o labels.png --overlay overlay.png --regions means.png"
    assert main([*command.split(), "--quadtree", "tree.png", "--table", "table.csv", "-t", "40"]) == 0
    np.testing.assert_array_equal(io.read_labels("labels.png"), cs.split_and_merge(IMAGE, 40, mask=MASK))
    zoom = 1024 // 40 + 1
    overlay = io.read_image("overlay.png")[zoom // 2 :: zoom, zoom // 2 :: zoom]
    np.testing.assert_array_equal(overlay[~MASK], NOISY[~MASK])
    np.save("nan.npy", np.where(MASK[..., None], IMAGE.astype(np.float32), np.nan))
    assert main([*command.replace("photo.png --mask mask.png", "nan.npy").split(), "-t", "40"]) == 0
    np.testing.assert_array_equal(io.read_labels("labels.png"), cs.split_and_merge(IMAGE, 40, mask=MASK))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("refine photo.png p.npy --mask none.png", "no such file: none.png"),
        ("refine photo.png p.npy --mask small.npy", "--mask must have shape (30, 40), got (3, 4)"),
        ("refine photo.png p.npy --mask labels.npy", "--mask must hold booleans, or 0 and 1, or 0 and 255, got 2"),
        ("refine photo.png p.npy --mask black.npy", "--mask is False everywhere"),
        ("refine white.npy p.npy --nodata 9", "white.npy has no pixel that takes part"),
        ("refine photo.png many.npy --mask mask.png", "written as 255, which is one of the 300 labels"),
        ("refine photo.png p.npy --mask photo.png", "photo.png holds colours"),
        ("split photo.png --mask small.npy", "--mask must have shape"),
        ("cutout photo.png --box 9 9 30 28 --mask small.npy", "--mask must have shape"),
    ],
)
def test_errors_take_one_line_and_leave_no_file(folder, capsys, arguments, words):
    np.save("small.npy", np.ones((3, 4)))
    np.save("labels.npy", np.arange(1200).reshape(SHAPE) % 3)
    np.save("black.npy", np.zeros(SHAPE))
    np.save("white.npy", np.full(SHAPE, 9))
    np.save("many.npy", np.full((300, *SHAPE), 1 / 300))
    assert main([*arguments.split(), "-o", "l.npy"]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert not (folder / "l.npy").exists()


def test_pictures_without_a_mask_are_what_they_were(folder):
    refine("photo.png", "--overlay", "overlay.png")
    np.testing.assert_array_equal(io.read_image("overlay.png"), plot.overlay(NOISY, io.read_labels("labels.png")))

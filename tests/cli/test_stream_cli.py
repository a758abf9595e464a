"""The command refines images that pass by in windows."""

import json

import numpy as np
import pytest

import classicseg as cs
from classicseg.cli import main

SAMPLE = cs.sample("nuclei")
LOGITS = np.log(SAMPLE.probabilities[:, ::4, ::4])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    np.save(tmp_path / "image.npy", SAMPLE.image)
    np.save(tmp_path / "logits.npy", LOGITS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refine(*more):
    return main(["refine", "image.npy", "logits.npy", "--logits", "-o", "labels.npy", "--stream", *more])


def test_labels_are_those_of_the_library(folder, capsys):
    mask = np.ones(SAMPLE.image.shape[:2], np.uint8)
    mask[:9] = 0
    np.save("mask.npy", mask)
    assert refine("--json", "--mask", "mask.npy", "--window", "7", "--preset", "firm", "--max-iter", "3") == 0
    labels = np.load("labels.npy")
    assert labels.dtype == np.uint8
    expected = cs.refine(SAMPLE.image, logits=LOGITS, mask=mask, preset="firm", max_iter=3, fill=255)
    np.testing.assert_array_equal(labels, expected)
    assert json.loads(capsys.readouterr().out)["preset"] == "firm"


def test_the_preset_is_chosen_if_none_is_named(folder, capsys):
    assert refine("--json") == 0
    expected = cs.refinement(SAMPLE.image, logits=LOGITS)
    np.testing.assert_array_equal(np.load("labels.npy"), expected.labels)
    assert json.loads(capsys.readouterr().out)["preset"] == expected.strength


@pytest.mark.parametrize("is_mask", [False, True])
@pytest.mark.filterwarnings("ignore:drawn.npy holds 0 and 255 only")
def test_drawn_labels_are_costs_as_in_memory(folder, is_mask):
    drawn = SAMPLE.probabilities.argmax(0).astype(np.uint8) * 255 if is_mask else LOGITS.argmax(0)
    if not is_mask:
        drawn[9:20, 3:30] = 255
    np.save("drawn.npy", drawn)
    words = ["refine", "image.npy", "drawn.npy", "--labels", "--preset", "firm", "--max-iter", "3", "-o"]
    more = [] if is_mask else ["--confidence", "0.8"]
    assert main([*words, "whole.npy", *more]) == 0
    assert main([*words, "labels.npy", *more, "--stream", "--window", "7"]) == 0
    np.testing.assert_array_equal(np.load("labels.npy"), np.load("whole.npy"))


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--labels"], "--logits goes with"),
        (["--confidence", "0.9"], "go with --labels"),
        (["--overlay", "o.png"], "--stream does not go with --overlay"),
        (["--sigmoid"], "--stream does not go with --sigmoid"),
        (["--quality", "exact"], "--quality must be"),
        (["--window", "0"], "--window must be"),
    ],
)
def test_what_does_not_go_with_it_is_named(folder, capsys, more, word):
    assert refine(*more) == 2
    assert word in capsys.readouterr().err
    assert not (folder / "labels.npy").exists()


def test_pixels_of_no_data_take_no_part(folder):
    image = SAMPLE.image.astype(np.float32)
    image[:40, :50], image[200:, 9:90] = -9999, np.nan
    np.save("image.npy", image)
    assert refine("--nodata", "-9999", "--preset", "strong") == 0
    mask = np.ones(image.shape[:2], bool)
    mask[:40, :50] = mask[200:, 9:90] = False
    expected = cs.refine(image, logits=LOGITS, preset="strong", mask=mask, fill=255)
    np.testing.assert_array_equal(np.load("labels.npy"), expected)
    assert main(["refine", "image.npy", "logits.npy", "--logits", "-o", "whole.npy", "--nodata", "-9999",
                 "--preset", "strong"]) == 0  # fmt: skip
    np.testing.assert_array_equal(np.load("whole.npy"), expected)


def test_windows_go_with_nothing_else(folder, capsys):
    assert main(["refine", "image.npy", "logits.npy", "--logits", "-o", "labels.npy", "--window", "9"]) == 2
    assert "--window, --state and --cluster go with --stream" in capsys.readouterr().err


def test_a_plan_is_told_and_nothing_done(folder, capsys):
    assert refine("--plan", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["n_points"] == 256 * 256
    assert plan["memory"] > 2**20 > plan["seconds"] > 0
    assert plan["preset"]["sigma"] == cs.refinement(SAMPLE.image, logits=LOGITS, max_iter=0).preset.sigma
    assert refine("--plan") == 0
    assert "256 x 256 pixels, 65536 inside, 2 labels" in capsys.readouterr().out
    assert not (folder / "labels.npy").exists()

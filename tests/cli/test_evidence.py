"""What `classicseg refine` starts from, and what it says where that does not fit."""

import re

import numpy as np
import pytest

import classicseg as cs
from classicseg import io
from classicseg.cli import main
from tests.oracles import costs, photo, softmax

IMAGE = photo(30, 40)
P = softmax(-costs(3, (30, 40)))


@pytest.fixture
def refined(tmp_path, monkeypatch, capsys):
    """Run the command on a file; return the labels, or what it says if it fails."""
    monkeypatch.chdir(tmp_path)
    io.write_image("photo.png", IMAGE)

    def run(array, *options, image="photo.png", name="p.npy"):
        np.save("p.npy", array)
        code = main(["refine", str(image), name, "-o", "l.npy", "--max-iter", "2", *map(str, options)])
        said = capsys.readouterr().err
        assert said.count("\n") == (code == 2)
        return np.load("l.npy") if code == 0 else said.removeprefix("classicseg refine: ").strip()

    return run


def of_library(*args, **kwargs):
    return cs.refine(IMAGE, *args, max_iter=2, **kwargs)


def test_costs_are_taken(refined):
    unary = cs.unary_from_probabilities(P)
    np.testing.assert_array_equal(refined(unary, "--unary"), of_library(unary=unary))
    np.testing.assert_array_equal(
        refined(np.moveaxis(unary, 0, -1), "--unary", "--label-axis", -1), of_library(unary=unary)
    )


@pytest.mark.parametrize("shape", [(30, 40), (1, 30, 40), (1, 1, 30, 40), (1, 30, 40, 1)])
def test_one_foreground_channel_is_taken_with_or_without_axes_of_length_1(refined, shape):
    expected = of_library(unary=cs.unary_from_sigmoid(P[0]))
    np.testing.assert_array_equal(refined(P[0].reshape(shape), "--sigmoid"), expected)
    logits = 3 * np.log(P[0] / (1 - P[0]))
    expected = of_library(unary=cs.unary_from_sigmoid(logits, from_logits=True))
    np.testing.assert_array_equal(refined(logits.reshape(shape), "--sigmoid", "--logits"), expected)


@pytest.mark.parametrize("suffix", [".png", ".npy", ".npz"])
def test_label_maps_and_seeds_are_taken(refined, suffix):
    """Seeds of class activation maps are labels where those are sure, and 255 elsewhere."""
    seeds = np.where(P.max(0) > 0.6, P.argmax(0), 255).astype(np.uint8)
    assert (seeds == 255).any()
    if suffix == ".npz":
        np.savez("seeds.npz", photo=IMAGE, seeds=seeds)
    else:
        io.write_labels(f"seeds{suffix}", seeds)
    options = ["--labels", "--confidence", 0.9, *(["--key", "seeds"] if suffix == ".npz" else [])]
    expected = of_library(unary=cs.unary_from_labels(seeds, 3, confidence=0.9, ignore_label=255))
    np.testing.assert_array_equal(refined(P, *options, name=f"seeds{suffix}"), expected)


def test_unknown_pixels_have_the_label_that_is_said_and_all_may_be_unknown(refined):
    seeds = np.where(P.max(0) > 0.6, P.argmax(0), -1)
    expected = of_library(unary=cs.unary_from_labels(seeds, 3, ignore_label=-1))
    np.testing.assert_array_equal(refined(seeds, "--labels", "--ignore-label", -1), expected)
    assert set(np.unique(refined(np.full((30, 40), 255), "--labels"))) <= {0, 1}


@pytest.mark.filterwarnings("default")
def test_0_and_255_alone_are_a_mask_of_an_object_unless_255_is_said_to_be_unknown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    io.write_image("photo.png", IMAGE)
    mask = P.argmax(0) == 1
    io.write_labels("mask.png", np.where(mask, 255, 0))
    words = ["refine", "photo.png", "mask.png", "--labels", "-o", "l.npy", "--max-iter", "2"]
    assert main(words) == 0
    assert "mask.png holds 0 and 255 only: it is taken for a mask of the object" in capsys.readouterr().err
    np.testing.assert_array_equal(np.load("l.npy"), of_library(unary=cs.unary_from_labels(mask.astype(int), 2)))
    assert main([*words, "--ignore-label", "255"]) == 0
    assert capsys.readouterr().err == ""
    seeds = cs.unary_from_labels(np.where(mask, 255, 0), 2, ignore_label=255)
    np.testing.assert_array_equal(np.load("l.npy"), of_library(unary=seeds))


def test_a_picture_without_labels_is_told_what_takes_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    io.write_image("photo.png", IMAGE)
    assert main(["refine", "photo.png", "photo.png", "-o", "l.npy"]) == 2
    assert "got photo.png; --labels takes masks and other label maps" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        (P[np.newaxis], []),
        (P[np.newaxis], ["--label-axis", 1]),
        (np.moveaxis(P, 0, -1)[np.newaxis], ["--label-axis", -1]),
        (np.moveaxis(P, 0, -1)[np.newaxis], ["--label-axis", 3]),
        (P[:, np.newaxis], []),
    ],
)
def test_a_batch_of_one_image_is_one_image(refined, stored, options):
    np.testing.assert_array_equal(refined(stored, *options), of_library(P))


def test_spacing_reaches_the_kernels(refined):
    np.testing.assert_array_equal(refined(P, "--spacing", 2, 0.5), of_library(P, spacing=(2, 0.5)))
    np.testing.assert_array_equal(refined(P, "--spacing", 3), of_library(P, spacing=3))
    assert "--spacing must" in refined(P, "--spacing", 1, 2, 3)


@pytest.mark.parametrize(
    ("array", "options", "said"),
    [
        (np.log(P), [], "neither negative nor larger, got values from .*; --logits takes logits$"),
        (np.log(P[0]), ["--sigmoid"], "neither negative nor larger, got values from .*; --logits takes logits$"),
        (np.moveaxis(P, 0, -1), [], r"fits an image of 30 x 40 pixels only .* on another axis; give --label-axis -1$"),
        (np.moveaxis(P, 0, -1)[np.newaxis], ["--logits"], "give --label-axis -1$"),
        (P, ["--label-axis", 2], "give --label-axis -3$"),
        (P, ["--label-axis", 5], "^--label-axis must be -3 to 2 for probabilities with 3 axes, got 5$"),
        (P[:1], [], r"at least 2 labels along --label-axis 0, .*; for one foreground channel see --sigmoid$"),
        (P, ["--sigma", 0], "^--sigma must be"),
        (P, ["--color-sigma", -1], "^--color-sigma must be"),
        (P, ["--threads", 0], "^--threads must be"),
        (P, ["--logits", "--unary"], "^--logits goes with"),
        (P, ["--confidence", 0.9], "go with --labels$"),
        (np.stack([P, P]), [], "one image at a time"),
        (P.argmax(0), ["--labels", "--confidence", 2], "^--confidence must be at least"),
        (P.argmax(0) - 1, ["--labels"], "must be 0 to .*--ignore-label"),
        (np.full((30, 40), np.nan), ["--labels"], "holds fractions"),
        (P, ["--bilateral-weight", "nan"], "^--bilateral-weight must"),
        (P, ["--bilateral-sigma", 0], "^--bilateral-sigma must"),
    ],
)
def test_errors_say_what_a_user_of_the_command_line_can_do(refined, array, options, said):
    sentence = refined(array, *options)
    assert re.search(said, sentence), sentence
    assert not re.search(r"\w=", sentence), sentence


def test_the_key_is_an_option_and_names_of_files_stay(refined):
    np.savez("key=1.npz", first=P, second=P)
    assert refined(P, name="key=1.npz").endswith(
        "key=1.npz holds the arrays first, second; name one of them, as by --key first"
    )
    assert refined(P, name="label_axis=0").endswith("no such file: label_axis=0")


@pytest.mark.filterwarnings("default")
def test_warnings_take_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    io.write_image("photo.png", IMAGE)
    np.save("cam.npy", P / 2)
    assert main(["refine", "photo.png", "cam.npy", "-o", "l.npy", "--max-iter", "2"]) == 0
    said = capsys.readouterr().err
    assert said.startswith("classicseg refine: probabilities sum to 0.5 to 0.5")
    assert said.count("\n") == 1


def test_a_volume_is_named_by_its_channels_or_its_axes_are_reversed(refined):
    volume = photo(6, 30, channels=5).transpose(2, 0, 1).copy()
    np.save("v.npy", volume)
    p = softmax(-costs(5, volume.shape))
    assert refined(np.log(p), "--logits", image="v.npy").endswith("for a volume pass --channel-axis None")
    expected = cs.refine(volume, logits=np.log(p), channel_axis=None, max_iter=2)
    labels = refined(np.log(p), "--logits", "--channel-axis", "None", image="v.npy")
    np.testing.assert_array_equal(labels, expected)
    assert refined(p.transpose(0, 3, 2, 1), image="v.npy").endswith("see --reverse-axes")


@pytest.mark.parametrize("output", [["-o", "l.png"], ["--overlay", "o.png"]])
def test_what_cannot_show_a_volume_is_refused_before_anything_is_computed(refined, monkeypatch, output):
    volume = photo(6, 30, channels=5).transpose(2, 0, 1).copy()
    np.save("v.npy", volume)
    monkeypatch.setattr("classicseg.solvers.minimize.minimize", lambda *a, **k: pytest.fail("that is too late"))
    assert "2 axes" in refined(softmax(-costs(2, volume.shape)), *output, image="v.npy")


def test_an_overlay_is_drawn_of_an_image_with_its_channels_first(refined):
    np.save("first.npy", np.moveaxis(IMAGE, -1, 0))
    np.testing.assert_array_equal(refined(P, "--overlay", "o.png", image="first.npy"), of_library(P))
    assert io.read_image("o.png").shape == (30, 40, 3)


def test_bands_are_written_for_each_label(refined):
    import tifffile

    labels = refined(P, "--marginals", "q.tif")
    with tifffile.TiffFile("q.tif") as file:
        assert [page.samplesperpixel for page in file.pages] == [3]
    np.testing.assert_array_equal(io.read_probabilities("q.tif").argmax(0), labels)


@pytest.mark.parametrize("lead", [(), (1,)])
def test_scores_smaller_than_the_image_are_taken(refined, lead):
    small = -costs(3, (10, 13))
    expected = of_library(logits=small)
    np.testing.assert_array_equal(refined(small.reshape(*lead, *small.shape), "--logits"), expected)
    expected = of_library(logits=small, align_corners=True)
    np.testing.assert_array_equal(refined(small, "--logits", "--align-corners"), expected)
    expected = of_library(unary=cs.unary_from_sigmoid(small[0], from_logits=True))
    np.testing.assert_array_equal(refined(small[0].reshape(*lead, 10, 13), "--sigmoid", "--logits"), expected)
    assert "labels last" in refined(np.moveaxis(small, 0, -1), "--logits")

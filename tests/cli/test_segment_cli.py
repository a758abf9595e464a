"""All methods of `segment` by one command: options by name, seeds from files, outputs, many images, errors."""

import json
from pathlib import Path

import numpy as np
import pytest

import classicseg as cs
from classicseg import io
from classicseg.cli import main
from classicseg.pipelines.segmenters import SEGMENTERS
from tests.oracles import photo

SHAPE = (40, 60)
IMAGE = photo(*SHAPE)
SEEDS = np.zeros(SHAPE, np.uint8)
SEEDS[3:9, 3:9], SEEDS[-9:-3, -9:-3] = 1, 2
GROWN = {"seeded_region_growing": "seeds", "random_walker": "seeds", "watershed": "markers"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    io.write_image("photo.png", IMAGE)
    io.write_labels("seeds.png", SEEDS)
    return tmp_path


def run(words, *more):
    return main(["segment", *words.split(), *more])


@pytest.mark.parametrize("method", SEGMENTERS)
def test_every_method_is_that_of_python(method):
    own = {GROWN[method]: SEEDS} if method in GROWN else {}
    assert run(f"photo.png -m {method} -o labels.npy", *(["--seeds", "seeds.png"] if own else [])) == 0
    np.testing.assert_array_equal(np.load("labels.npy"), cs.segment(IMAGE, method, **own))


def test_options_have_the_types_of_python(capsys):
    more = "--option n_segments=40 --option compactness=2.5 --overlay o.png --regions r.png --table t.csv --json"
    assert run(f"photo.png --method slic -o labels.png {more}") == 0
    done = json.loads(capsys.readouterr().out)
    wanted = cs.segment(IMAGE, "slic", n_segments=40, compactness=2.5)
    np.testing.assert_array_equal(io.read_labels("labels.png"), wanted)
    assert (done["method"], done["n_labels"], done["shape"]) == ("slic", wanted.max(), list(SHAPE))
    assert io.read_image("o.png").shape == (40 * 17, 60 * 17, 3)
    assert io.read_image("r.png").shape == (*SHAPE, 3)
    assert len(Path("t.csv").read_text().splitlines()) == wanted.max() + 1
    assert run("photo.png -o labels.npy --option merge=best_first --option max_depth=None") == 0
    np.testing.assert_array_equal(np.load("labels.npy"), cs.split_and_merge(IMAGE, merge="best_first"))


def test_what_is_masked_or_nan_has_label_0():
    values = IMAGE.astype(np.float32)
    values[:5, :7] = np.nan
    mask = np.ones(SHAPE, bool)
    mask[30:] = False
    np.save("values.npy", values)
    io.write_labels("mask.png", mask.astype(np.uint8))
    assert run("values.npy -m otsu --mask mask.png -o labels.npy") == 0
    labels, inside = np.load("labels.npy"), mask & ~np.isnan(values).any(-1)
    assert (labels[~inside] == 0).all()
    np.testing.assert_array_equal(labels, cs.segment(IMAGE, "otsu", mask=inside))


def test_volumes():
    volume = IMAGE[:, :, 0].reshape(8, 5, 60)
    np.save("volume.npy", volume)
    assert run("volume.npy -m multi_otsu --option classes=4 -o labels.npy") == 0
    np.testing.assert_array_equal(np.load("labels.npy"), cs.segment(volume, "multi_otsu", classes=4))


def test_many_with_seeds_of_their_own(capsys):
    for name, shift in (("a", 0), ("b", 9), ("c", 0)):
        for place, array in (("images", IMAGE), ("seeds", SEEDS)):
            Path(place).mkdir(exist_ok=True)
            io.write_image(f"{place}/{name}.png", np.roll(array, shift, axis=1))
    Path("seeds/c.png").unlink()
    more = "--seeds seeds -o out --overlay shown"
    assert run(f"images -m watershed {more} --plan") == 0
    assert "40 x 60 pixels, 2 labels" in capsys.readouterr().out
    assert run(f"images -m watershed {more}") == 1
    assert "2 of 3 done, 1 failed: c.png" in capsys.readouterr().out
    for name, shift in (("a", 0), ("b", 9)):
        image, seeds = (np.roll(array, shift, axis=1) for array in (IMAGE, SEEDS))
        np.testing.assert_array_equal(
            io.read_labels(f"out/{name}.png"), cs.segment(image, "watershed", markers=seeds)
        )  # fmt: skip
        assert Path(f"shown/{name}.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("photo.png -m slicc", "no method 'slicc'; did you mean slic?"),
        ("photo.png -m xyz", "no method 'xyz'; did you mean split_and_merge, statistical_region_merging, "),
        ("photo.png -m slic --option segments=3", "slic has no option 'segments'; its options are n_segments"),
        ("photo.png -m slic --option n_segments=many", "n_segments must be a whole number, got 'many'"),
        ("photo.png -m slic --option n_segments", "--option must be NAME=VALUE, got 'n_segments'"),
        ("photo.png --option n_threads=1", "how many threads it uses is --threads"),
        ("photo.png -m otsu --seeds seeds.png", "--seeds are for methods that grow from some, not for otsu"),
        ("photo.png -m random_walker", "random_walker needs --seeds: a label map"),
        ("photo.png -m watershed --seeds photo.png", "photo.png"),
        ("photo.png -m watershed --seeds small.npy", "must have shape (40, 60), got (3, 3)"),
        ("volume.npy -m felzenszwalb", "2 spatial axes for felzenszwalb"),
        ("none.png", "no such file"),
    ],
)
def test_errors_take_one_line_and_leave_no_file(capsys, words, said):
    np.save("small.npy", np.ones((3, 3), int))
    np.save("volume.npy", IMAGE[:, :, 0].reshape(8, 5, 60))
    assert run(f"{words} -o labels.npy") == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert not Path("labels.npy").exists()


def test_help_names_every_method_and_its_options(capsys):
    with pytest.raises(SystemExit):
        main(["segment", "--help"])
    told = capsys.readouterr().out
    for method in SEGMENTERS.values():
        assert f"  {method.name}: {method.summary}\n" in told
        assert all(option in told for option in method.options() if option != "n_threads")

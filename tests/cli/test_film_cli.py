import json

import numpy as np
import pytest

import classicseg as cs
from classicseg import io
from classicseg.cli import main
from tests.oracles import costs, photo


@pytest.fixture
def film(tmp_path):
    """Three frames, each with logits of its own name in another folder."""
    (tmp_path / "scores").mkdir()
    frames = []
    for k in range(3):
        image, logits = photo(30, 40 + 2)[:, k : k + 40], -costs(3, (30, 40), seed=k)
        io.write_image(tmp_path / f"f.{k}.png", image)
        np.save(tmp_path / "scores" / f"f.{k}.npy", np.moveaxis(logits, 0, -1))
        frames.append((image, logits))
    return tmp_path, frames


def call(folder, *more, frames=(0, 1, 2)):
    words = ["--film", *(folder / f"f.{k}.png" for k in frames), "--logits", "--label-axis", "-1", *more]
    return main(["refine", *map(str, words)])


def test_frames_are_paired_by_name_and_refined_as_a_film(film, capsys):
    folder, frames = film
    assert call(folder, "--probabilities", folder / "scores", "-o", folder / "out", "--json", "--threads", 1) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["frames"], report["shape"]) == (3, [30, 40])
    refiner = cs.Refiner()
    for k, (image, logits) in enumerate(frames):
        np.testing.assert_array_equal(io.read_labels(folder / "out" / f"f.{k}.png"), refiner(image, logits=logits))


def test_parameters_reach_the_refiner(film, capsys):
    folder, frames = film
    options = ("--preset", "pydensecrf", "--max-iter", 2, "--sigma", 1.5)
    assert call(folder, "--probabilities", folder / "scores", "-o", folder / "out", *options) == 0
    assert "3 frames of 30 x 40 pixels" in capsys.readouterr().out
    refiner = cs.Refiner(preset="pydensecrf", max_iter=2, sigma=1.5)
    labels = [refiner(image, logits=logits) for image, logits in frames]
    np.testing.assert_array_equal(io.read_labels(folder / "out" / "f.2.png"), labels[2])


def test_what_cannot_work_is_named(film, capsys):
    folder, _ = film
    scores = ("--probabilities", folder / "scores")

    def says(word, *arguments, **options):
        assert call(folder, *arguments, **options) == 2
        assert word in capsys.readouterr().err

    says("--film goes with --probabilities FOLDER", "-o", folder / "out")
    says("--film goes not with overlay", *scores, "-o", folder / "out", "--overlay", folder / "o.png")
    says("is no folder", *scores, "-o", folder / "f.0.png")
    np.save(folder / "scores" / "f.1.npz.npy", np.zeros(3))
    says("must hold one file called f.1 for", *scores, "-o", folder / "out")
    (folder / "scores" / "f.1.npz.npy").unlink()
    io.write_image(folder / "f.1.png", photo(29, 40))
    np.save(folder / "scores" / "f.1.npy", np.zeros((29, 40, 3)))
    says("f.1.png: frame 1 has 29 x 40 pixels", *scores, "-o", folder / "out")
    (folder / "scores" / "f.2.npy").unlink()
    says("must hold one file called f.2 for", *scores, "-o", folder / "out", frames=(2,))
    assert main(["refine", "-o", "labels.png"]) == 2
    assert "give an image and the file of its probabilities" in capsys.readouterr().err

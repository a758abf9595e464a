"""Images that are large for the rounds: here the limit is lowered, so that small ones are."""

import numpy as np
import pytest

import classicseg as cs
from classicseg.pipelines import rounds
from tests.pipelines.test_cutout import scene

IMAGE, DISK, SCRIBBLES = scene(101, 83)


@pytest.fixture(autouse=True)
def from_few_pixels(monkeypatch):
    monkeypatch.setattr(rounds, "_LARGE", 2000)
    monkeypatch.setattr(rounds, "_LEARNED_FROM", 1000)  # every third pixel


def test_colours_are_learned_from_some_pixels_and_all_are_cut():
    cut = cs.cutout(IMAGE, SCRIBBLES)
    assert (cut.mask == DISK).mean() > 0.995
    assert cut.n_iter == 1 == len(cut.history)
    assert cut.converged
    assert "at every 3 pixels" in cut.message
    assert cut.energy == cut.crf.energy(cut.labels)
    best = cs.minimize(cut.crf, "graph_cut")
    np.testing.assert_array_equal(best.labels, cut.labels)
    assert best.gap == 0
    assert "exact" in best.message


@pytest.mark.parametrize("marks", [{"box": (18, 8, 84, 76)}, {"probable": np.where(DISK, 1, 0)}])
def test_boxes_and_probable_labels(marks):
    cut = cs.cutout(IMAGE, **marks)
    assert (cut.mask == DISK).mean() > 0.99
    assert cut.n_iter == 1


def test_one_round_learns_from_the_strokes_alone():
    one = cs.cutout(IMAGE, SCRIBBLES, max_iter=1)
    assert one.message != cs.cutout(IMAGE, SCRIBBLES, max_iter=2).message
    again = cs.cutout(IMAGE, SCRIBBLES, max_iter=1, colors="mixture", n_threads=1)
    np.testing.assert_array_equal(one.labels, again.labels)


def test_strokes_of_one_pixel_are_not_lost():
    thin = np.full(DISK.shape, -1)
    thin[49, 30:52] = 1
    thin[4, ::5] = 0
    cut = cs.cutout(IMAGE, thin)
    assert (cut.labels[thin >= 0] == thin[thin >= 0]).all()
    assert (cut.mask == DISK).mean() > 0.99


@pytest.mark.parametrize("box", [(50, 40, 51, 41), (49, 39, 51, 41), (0, 0, 1, 1)])
def test_boxes_between_the_pixels_that_are_looked_at(box):
    cut = cs.cutout(IMAGE, box=box)
    inside = np.zeros(DISK.shape, bool)
    inside[box[0] : box[2], box[1] : box[3]] = True
    assert not cut.mask[~inside].any()
    assert all(np.isfinite(model.means).all() for model in cut.models)


def test_strokes_of_one_pixel_among_others_are_not_lost():
    drawn = np.zeros(DISK.shape, int)
    drawn[20:80, 20:64] = -1
    drawn[48, 39], drawn[49, 40] = 1, 2  # in one block, which shows only one of them
    cut = cs.cutout(IMAGE, drawn)
    assert (cut.labels[drawn >= 0] == drawn[drawn >= 0]).all()
    assert len(cut.models) == 3


def test_what_follows_a_cut_works_as_with_small_images():
    cut = cs.cutout(IMAGE, SCRIBBLES)
    stroke = np.zeros((6, 6), int)
    cut.update(stroke, np.s_[50:56, 40:46])
    assert not cut.mask[50:56, 40:46].any()
    better = cut.refit(max_iter=3)
    assert better.energy == better.crf.energy(better.labels)
    assert not better.mask[50:56, 40:46].any()
    more = np.full(DISK.shape, -1)
    more[50:56, 40:46] = 1
    assert (cs.cutout(IMAGE, more, previous=better).mask == DISK).mean() > 0.99


def test_pixels_outside_of_a_mask_tell_nothing():
    mask = np.ones(DISK.shape, bool)
    mask[:, :20] = mask[5:25, 30:50] = False
    noise = IMAGE.astype(float)
    noise[~mask] = np.nan
    cut = cs.cutout(noise, np.where(mask, SCRIBBLES, -1), mask=mask)
    assert (cut.mask == DISK)[mask].mean() > 0.99
    assert (cut.labels[~mask] == -1).all()


def test_volumes_and_several_objects():
    volume = np.full((14, 15, 16), 40.0)
    volume[3:11, 3:11, 2:7] = 200
    volume[3:11, 3:11, 10:14] = 120
    marks = np.full(volume.shape, -1)
    marks[5:9, 6, 4], marks[5:9, 6, 12], marks[0] = 1, 2, 0
    cut = cs.cutout(volume, marks)
    np.testing.assert_array_equal(cut.labels, (volume == 200) + 2 * (volume == 120))


@pytest.mark.parametrize("shape", [(7, 300), (300, 7), (2001, 1), (45, 45)])
def test_odd_sizes(shape):
    image = np.zeros(shape)
    image[: shape[0] // 2] = 200
    marks = np.full(shape, -1)
    marks[0, 0], marks[-1, -1] = 1, 0
    np.testing.assert_array_equal(cs.cutout(image, marks).mask, image == 200)


def test_results_do_not_depend_on_threads():
    one, two = (cs.cutout(IMAGE, SCRIBBLES, n_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.energy == two.energy

"""Drawing on a result of `cutout`, stroke after stroke."""

import copy
import pickle

import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError, InputTypeError
from classicseg.solvers.cut import near
from tests.pipelines.test_cutout import scene

IMAGE, DISK, SCRIBBLES = scene(noise=40.0)


def check(cut):
    """What a result says of itself is true, and its labels are of least energy."""
    least = cs.minimize(cut.crf, "graph_cut")
    assert cut.energy == pytest.approx(least.energy, rel=1e-9)
    assert cut.crf.energy(cut.labels) == pytest.approx(cut.energy, rel=1e-9)
    drawn = cut.scribbles >= 0
    np.testing.assert_array_equal(cut.labels[drawn], cut.scribbles[drawn])
    np.testing.assert_allclose(cut.probabilities.sum(axis=0), 1, rtol=1e-5)
    assert (np.take_along_axis(cut.probabilities, cut.scribbles.clip(0)[None], 0)[0][drawn] == 1).all()


@pytest.mark.parametrize(("colors", "steps"), [("mixture", 10**6), ("histogram", 300)])
def test_strokes_that_contradict_each_other_one_after_the_other(monkeypatch, colors, steps):
    monkeypatch.setattr(near, "_FEW", steps)  # with few, searches give up now and then, and all is cut
    monkeypatch.setattr(near, "_PATIENCE", 0.0)
    rng, cut = np.random.default_rng(4), cs.cutout(IMAGE, SCRIBBLES, colors=colors, max_iter=2)
    for _ in range(12):
        y, x = rng.integers(44), rng.integers(50)
        region = np.s_[y : y + 4, x : x + 10]
        strokes, erase = rng.integers(-1, 2, (4, 10)), rng.random((4, 10)) < 0.3
        before, old = cut.labels.copy(), cut.scribbles[region].copy()
        changed = cut.update(strokes, region, erase=erase)
        wanted = np.where(strokes >= 0, strokes, np.where(erase, -1, old))
        np.testing.assert_array_equal(cut.scribbles[region], wanted)
        different = cut.labels != before
        if changed is not None:
            different[changed] = False
        assert not different.any()
        check(cut)


def test_a_stroke_may_be_given_with_a_region_or_as_an_image():
    one, other = (cs.cutout(IMAGE, SCRIBBLES, max_iter=2) for _ in range(2))
    drawn = np.full(DISK.shape, -1)
    drawn[30:33, 2:9] = 1
    assert one.update(drawn) == other.update(np.full((3, 7), 1), np.s_[30:33, 2:9])
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.probabilities, other.probabilities)
    assert one.update(drawn) is None
    check(one)


def test_what_was_drawn_can_be_erased():
    cut = cs.cutout(IMAGE, SCRIBBLES)
    labels, energy, everything = cut.labels.copy(), cut.energy, np.ones(DISK.shape, bool)
    assert cut.update(np.where(DISK, 0, 1)) is not None  # the whole image, and all of it wrong
    np.testing.assert_array_equal(cut.mask, ~DISK)
    cut.update(SCRIBBLES, erase=everything)
    np.testing.assert_array_equal(cut.labels, labels)
    np.testing.assert_array_equal(cut.scribbles, SCRIBBLES)
    assert cut.energy == pytest.approx(energy, rel=1e-9)


def test_results_of_one_image_take_turns():
    first = cs.cutout(IMAGE, SCRIBBLES, max_iter=1)
    labels = first.labels.copy()
    second = cs.cutout(IMAGE, previous=first, max_iter=1, weight=20)
    for cut, label in ((first, 1), (second, 1), (first, 0), (second, 0)):
        cut.update([[label] * 5], np.s_[40:41, 3:8])
        check(cut)
    assert first.crf.compatibility.weight != second.crf.compatibility.weight
    first.update([[-1] * 5], np.s_[40:41, 3:8], erase=np.ones((1, 5), bool))
    np.testing.assert_array_equal(first.labels, labels)


def test_what_is_drawn_outside_of_a_mask_does_not_count():
    mask = np.ones(DISK.shape, bool)
    mask[:, 40:] = False
    cut = cs.cutout(np.where(mask[..., None], IMAGE, 7), SCRIBBLES, mask=mask, fill=9, max_iter=2)
    assert cut.update(np.ones((4, 4), int), np.s_[30:34, 50:54]) is None
    assert cut.update(np.ones((4, 12), int), np.s_[40:44, 35:47])[1].stop == 40
    assert (cut.labels[~mask] == 9).all()
    assert (cut.labels[40:44, 35:40] == 1).all()
    assert (cut.probabilities[:, ~mask] == 0).all()
    least = cs.minimize(cut.crf, "graph_cut")
    assert cut.energy == pytest.approx(least.energy, rel=1e-9)
    np.testing.assert_array_equal(cut.labels[mask], least.labels[mask])
    again = cut.refit(max_iter=2)
    assert (again.labels[~mask] == 9).all()


def test_copies_are_drawn_on_alone():
    cut = cs.cutout(IMAGE, SCRIBBLES, max_iter=1)
    labels = cut.labels.copy()
    for twin in (copy.deepcopy(cut), pickle.loads(pickle.dumps(cut))):
        twin.update([[1, 1, 1]], np.s_[44:45, 3:6])
        check(twin)
        np.testing.assert_array_equal(cut.labels, labels)


def test_refit_learns_the_colours_of_new_strokes():
    image = IMAGE.copy()
    image[34:44, 40:55] = (40, 60, 200)  # blue: no stroke has said of what
    cut = cs.cutout(image, SCRIBBLES, n_components=3, max_iter=1)
    cut.update(np.ones((3, 4), int), np.s_[38:41, 46:50])
    labels = cut.labels.copy()
    again = cut.refit()
    assert again.mask[34:44, 40:55].all()
    np.testing.assert_array_equal(cut.labels, labels)
    np.testing.assert_array_equal(again.scribbles, cut.scribbles)
    assert again.history[-1].energy <= again.history[0].energy
    assert len(cut.refit(max_iter=1).history) == 1


def test_pieces_of_an_object_without_a_stroke_are_left_out_until_they_get_one():
    image = np.repeat(np.where(DISK, 200, 60)[..., None], 3, axis=2)
    image[5:12, 4:12] = 200  # as bright as the disk
    scribbles = np.where(np.arange(60) > 56, 0, SCRIBBLES)
    scribbles[:3] = -1
    cut = cs.cutout(image, scribbles)
    np.testing.assert_array_equal(cut.mask, DISK)
    check(cut)
    assert cut.update([[1]], np.s_[8:9, 8:9]) == np.s_[5:12, 4:12]
    assert cut.mask[5:12, 4:12].all()
    check(cut)


def test_pieces_that_probable_labels_know_need_no_stroke():
    image = np.repeat(np.where(DISK, 200, 60)[..., None], 3, axis=2)
    image[5:12, 4:12] = 200
    probable = (image[..., 0] == 200).astype(int)
    cut = cs.cutout(image, SCRIBBLES, probable=probable)
    for result in (cut, cut.refit(), cs.cutout(image, SCRIBBLES, previous=cut)):
        np.testing.assert_array_equal(result.mask, probable)


def test_several_objects_are_cut_anew():
    image, _, scribbles = scene()
    image[5:15, 48:58] = (30, 40, 200)
    scribbles[9:12, 51:55] = 2
    cut = cs.cutout(image, scribbles)
    assert cut.update([[1, 1]], np.s_[10:11, 56:58]) is not None
    assert (cut.labels[10, 56:58] == 1).all()
    assert cut.energy == cut.crf.energy(cut.labels)
    with pytest.raises(InputError, match="strokes must be 0 to 2"):
        cut.update([[3]], np.s_[:1, :1])


def test_volumes_and_lines():
    volume = np.repeat(IMAGE[None, :, :, 0], 5, axis=0)
    cut = cs.cutout(volume, box=(0, 4, 8, 5, 44, 52))
    cut.update(np.ones((1, 2, 3), int), np.s_[2:3, 1:3, 1:4])
    check(cut)
    line = cs.cutout(np.arange(30.0), np.where(np.arange(30) < 3, 0, np.where(np.arange(30) > 26, 1, -1)))
    line.update([1], slice(10, 11))
    check(line)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[1]], np.s_[0:2, 0:1]), r"strokes .* \(2, 1\)"),
        (([[2]], np.s_[0:1, 0:1]), "strokes must be 0 to 1"),
        (([[1.0]], np.s_[0:1, 0:1]), "strokes must hold integers"),
        (([[True]], np.s_[0:1, 0:1]), "strokes must be whole numbers"),
        (([[1]], np.s_[0:1, 60:61]), "region must be a part of"),
        (([[1]],), "strokes"),
        (([[1]], np.s_[0:1, 0:1], [[1]]), "erase must be booleans"),
        (([[1]], np.s_[0:1, 0:1], [[True, True]]), r"erase must have shape \(1, 1\), got \(1, 2\)"),
    ],
)
def test_errors_name_the_argument_and_change_nothing(arguments, words):
    cut = cs.cutout(IMAGE, SCRIBBLES, max_iter=1)
    labels, (strokes, *rest) = cut.labels.copy(), arguments
    with pytest.raises((InputError, InputTypeError), match=words):
        cut.update(strokes, *rest[:1], **({"erase": np.array(rest[1])} if len(rest) > 1 else {}))
    np.testing.assert_array_equal(cut.labels, labels)
    np.testing.assert_array_equal(cut.scribbles, SCRIBBLES)

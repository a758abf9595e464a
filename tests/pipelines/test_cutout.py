import copy
import itertools
import pickle

import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError, InputTypeError
from tests.strategies.images import equal_values


def scene(height=48, width=60, noise=12.0, seed=9):
    """A reddish disk on green ground, the truth, and strokes on both."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    disk = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (height / 3.5) ** 2
    image = np.where(disk[..., None], (170, 80, 60), (70, 140, 80)) + noise * rng.standard_normal((height, width, 3))
    scribbles = np.full((height, width), -1)
    scribbles[height // 2 - 2 : height // 2 + 2, width // 2 - 5 : width // 2 + 5] = 1
    scribbles[:3] = 0
    return image.clip(0, 255).astype(np.uint8), disk, scribbles


IMAGE, DISK, SCRIBBLES = scene()


def test_strokes_and_boxes_find_the_disk():
    for cut in (cs.cutout(IMAGE, SCRIBBLES), cs.cutout(IMAGE, box=(4, 8, 44, 52))):
        assert (cut.mask == DISK).mean() > 0.995
        assert cut.labels.dtype == np.int32
        np.testing.assert_array_equal(cut.mask, cut.labels == 1)
        assert cut.converged


def test_strokes_are_never_overruled_and_outside_of_the_box_is_background():
    wrong = SCRIBBLES.copy()
    wrong[40:44, 4:8] = 1  # on the ground
    cut = cs.cutout(IMAGE, wrong)
    assert (cut.labels[wrong >= 0] == wrong[wrong >= 0]).all()
    assert (cut.probabilities[1][wrong == 1] == 1).all()
    inside = np.zeros(DISK.shape, bool)
    inside[10:30, 20:40] = True
    assert not cs.cutout(IMAGE, box=(10, 20, 30, 40)).mask[~inside].any()


def test_what_is_reported_is_true():
    cut = cs.cutout(IMAGE, SCRIBBLES)
    assert cut.energy == cut.crf.energy(cut.labels) == cut.history[-1].energy
    assert cut.n_iter == len(cut.history)
    assert cut.probabilities.shape == (2, 48, 60)
    np.testing.assert_allclose(cut.probabilities.sum(axis=0), 1, rtol=1e-5)
    assert repr(cut).startswith("Cutout(labels=48x60, energy=")
    again = cs.minimize(cut.crf, "graph_cut")
    np.testing.assert_array_equal(again.labels, cut.labels)


def test_the_energy_never_rises():
    energies = [step.energy for step in cs.cutout(cs.sample().image, box=(90, 140, 330, 460), max_iter=6).history]
    assert len(energies) > 2
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in itertools.pairwise(energies))


@pytest.mark.parametrize("colors", ["mixture", "histogram"])
def test_more_strokes_go_on_from_the_previous_result(colors):
    image, disk, scribbles = scene(noise=60.0)
    first = cs.cutout(image, scribbles, colors=colors)
    more = np.full(scribbles.shape, -1)
    more[disk & ~first.mask] = 1
    more[~disk & first.mask] = 0
    more[0, 0] = 0
    second = cs.cutout(image, more, previous=first, max_iter=1)
    assert (second.mask != disk).sum() < (first.mask != disk).sum()
    assert (second.scribbles[more >= 0] == more[more >= 0]).all()
    assert (second.scribbles[more < 0] == scribbles[more < 0]).all()
    repeated = cs.cutout(image, more, previous=first, max_iter=1)  # the flow in between has moved on
    np.testing.assert_array_equal(repeated.labels, second.labels)
    heavier = cs.cutout(image, previous=second, weight=500)
    assert heavier.crf.compatibility.weight == 500


def test_probable_labels_are_a_start_that_the_cut_may_overrule():
    guess = np.zeros(DISK.shape, np.uint8)
    guess[14:30, 18:36] = 1  # overlaps the disk
    cut = cs.cutout(IMAGE, probable=guess)
    assert (cut.mask == DISK).mean() > 0.99
    assert (cut.scribbles == -1).all()
    np.testing.assert_array_equal(cs.cutout(IMAGE, probable=guess.astype(bool)).mask, cut.mask)
    both = cs.cutout(IMAGE, SCRIBBLES, probable=guess)
    np.testing.assert_array_equal(both.scribbles, SCRIBBLES)
    assert (both.mask == DISK).mean() > 0.99
    inverted = cs.cutout(IMAGE, previous=both, probable=np.where(SCRIBBLES < 0, 1 - guess.astype(int), -1), max_iter=1)
    assert (inverted.labels[SCRIBBLES >= 0] == SCRIBBLES[SCRIBBLES >= 0]).all()


def test_masks_of_opencv_are_refused_with_what_they_are_here():
    mask = np.where(DISK, 3, 2).astype(np.uint8)
    mask[SCRIBBLES >= 0] = SCRIBBLES[SCRIBBLES >= 0]
    for codes in (mask, np.where(mask == 3, 1, mask), np.where(mask == 1, 3, mask)):
        with pytest.raises(InputError, match=r"a mask of OpenCV's grabCut .* is scribbles=np\.where\(mask < 2"):
            cs.cutout(IMAGE, codes)
    scribbles, probable = np.where(mask < 2, mask.astype(int), -1), np.where(mask > 1, mask.astype(int) - 2, -1)
    cut = cs.cutout(IMAGE, scribbles, probable=probable)
    np.testing.assert_array_equal(cut.scribbles, SCRIBBLES)
    assert (cut.mask == DISK).mean() > 0.99


def test_strokes_of_dtypes_that_cannot_say_nothing_are_refused():
    with pytest.raises(InputTypeError, match=r"got booleans; np.where\(mask, 1, -1\)"):
        cs.cutout(IMAGE, SCRIBBLES == 1)
    for dtype, largest in ((np.uint8, 255), (np.uint16, 65535)):
        with pytest.raises(InputError, match=f"scribbles must be -1 .* becomes {largest}; give signed numbers"):
            cs.cutout(IMAGE, SCRIBBLES.astype(dtype))
        with pytest.raises(InputError, match="probable must be -1"):
            cs.cutout(IMAGE, SCRIBBLES, probable=SCRIBBLES.astype(dtype))


def test_results_for_another_image_of_the_same_size_are_refused():
    first = cs.cutout(IMAGE, SCRIBBLES, max_iter=1)
    for other in (IMAGE[::-1], IMAGE + np.uint8(1), IMAGE / 255):
        with pytest.raises(InputError, match=r"other values; .* scribbles=previous\.scribbles"):
            cs.cutout(other, previous=first)
    again = cs.cutout(IMAGE, previous=first, max_iter=1)
    for same, _ in equal_values(IMAGE):
        np.testing.assert_array_equal(cs.cutout(same, previous=first, max_iter=1).labels, again.labels)
    floats = np.moveaxis(IMAGE, -1, 0).astype(np.float32)
    first = cs.cutout(floats, SCRIBBLES, max_iter=1)
    floats[0] += 1
    with pytest.raises(InputError, match="other values"):
        cs.cutout(floats, previous=first)


def test_equal_values_have_equal_cutouts_whatever_their_dtype():
    expected = cs.cutout(IMAGE, SCRIBBLES, max_iter=2).labels
    for dtype in ("u2", "i8", "f4", "f8"):
        np.testing.assert_array_equal(cs.cutout(IMAGE.astype(dtype), SCRIBBLES, max_iter=2).labels, expected)
    holes = IMAGE.astype(np.float32)
    holes[-4:, -4:] = -3.4e38
    found = cs.cutout(holes, SCRIBBLES, max_iter=2).labels
    assert (found == expected)[:-5, :-5].mean() > 0.99


def test_any_dtype_channels_and_volumes():
    expected = cs.cutout(IMAGE, SCRIBBLES).mask
    for image in (IMAGE / 255, IMAGE.astype(">u2") * 200, IMAGE.transpose(2, 0, 1), np.asfortranarray(IMAGE)):
        kept = image.copy()
        image.setflags(write=False)
        assert (cs.cutout(image, SCRIBBLES).mask == expected).mean() > 0.99
        np.testing.assert_array_equal(image, kept)
    gray = IMAGE[..., 0]
    assert (cs.cutout(gray, SCRIBBLES).mask == DISK).mean() > 0.98
    assert (cs.cutout(gray, box=(4, 8, 44, 52)).mask == DISK).mean() > 0.98
    volume = np.repeat(IMAGE[None, :, :, 0], 5, axis=0)
    cut = cs.cutout(volume, box=(0, 4, 8, 5, 44, 52), spacing=(3, 1, 1))
    assert cut.crf.connectivity == 6
    assert (cut.mask == DISK).mean() > 0.98


def test_several_objects():
    image, disk, scribbles = scene()
    image[5:15, 48:58] = (30, 40, 200)
    scribbles[9:12, 51:55] = 2
    labels = cs.cutout(image, scribbles).labels
    assert (labels[5:15, 48:58] == 2).all()
    assert ((labels == 1) == disk).mean() > 0.99


def test_the_result_does_not_depend_on_threads():
    image, _, scribbles = scene(300, 260, noise=40.0)
    one, two = (cs.cutout(image, scribbles, n_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.energy == two.energy


def test_flat_and_tiny_images():
    flat = np.full((6, 7), 3.0)
    scribbles = np.full((6, 7), -1)
    scribbles[0, 0], scribbles[5, 6] = 0, 1
    assert cs.cutout(flat, scribbles).mask[5, 6]
    assert cs.cutout(np.array([1.0, 9.0]), [0, 1]).labels.tolist() == [0, 1]


def test_callbacks_see_each_round_and_can_stop():
    seen = []

    def stop(state):
        seen.append((state.iteration, state.energy, state.labels.shape))
        return True

    cut = cs.cutout(scene(noise=60.0)[0], box=(4, 8, 44, 52), callback=stop)
    assert seen == [(1, cut.energy, (48, 60))]
    assert "callback" in cut.message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "scribbles, box or previous"),
        ({"scribbles": SCRIBBLES[1:]}, "does not fit scribbles"),
        ({"scribbles": SCRIBBLES.astype(float)}, "must hold integers"),
        ({"scribbles": np.where(SCRIBBLES == 0, -1, SCRIBBLES)}, "got no pixel of label 0"),
        ({"scribbles": np.where(SCRIBBLES == 1, 2, SCRIBBLES)}, "got no pixel of label 1"),
        ({"scribbles": SCRIBBLES - 5}, "scribbles must be 0"),
        ({"box": (0, 0, 48, 60)}, "leaves background"),
        ({"box": (5, 5, 5, 9)}, "must have an inside"),
        ({"box": (5, 5, 9)}, "box must be 4 numbers"),
        ({"box": (-1, 5, 9, 9)}, "box must be at least 0"),
        ({"scribbles": SCRIBBLES, "weight": -1}, "weight must be at least 0"),
        ({"scribbles": SCRIBBLES, "n_components": 0}, "n_components must be at least 1"),
        ({"scribbles": SCRIBBLES, "colors": "rgb"}, "colors must be one of"),
        ({"scribbles": SCRIBBLES, "max_iter": 0}, "max_iter must be at least 1"),
        ({"scribbles": SCRIBBLES, "previous": 3}, "previous must be a result of cutout"),
        ({"scribbles": SCRIBBLES, "connectivity": 6}, "connectivity must be 4 or 8"),
    ],
)
def test_errors_name_the_argument(arguments, words):
    with pytest.raises((InputError, InputTypeError), match=words):
        cs.cutout(IMAGE, **arguments)


def test_values_that_are_not_finite_and_other_images_are_refused():
    bad = IMAGE.astype(float)
    bad[3, 4, 1] = np.nan
    with pytest.raises(InputError, match=r"image must be finite .* index \(1, 3, 4\)"):
        cs.cutout(bad, SCRIBBLES)
    with pytest.raises(InputError, match="a result for this image"):
        cs.cutout(IMAGE[:20], previous=cs.cutout(IMAGE, SCRIBBLES, max_iter=1))


def test_a_box_that_strokes_fill_leaves_no_object():
    full = np.where(np.arange(6) < 3, 0, 2)
    with pytest.raises(InputError, match="got no pixel of label 1"):
        cs.cutout(np.arange(6.0), full, box=(0, 6))


def test_new_objects_need_strokes_also_when_going_on():
    cut = cs.cutout(IMAGE, SCRIBBLES, max_iter=1)
    more = np.full(SCRIBBLES.shape, -1)
    more[40, :5] = 3
    with pytest.raises(InputError, match="got no pixel of label 2"):
        cs.cutout(IMAGE, more, previous=cut)


def test_results_that_were_pickled_or_copied_can_be_gone_on_from():
    more = np.full(DISK.shape, -1)
    more[-3:] = 0
    cut = cs.cutout(IMAGE, SCRIBBLES)
    expected = cs.cutout(IMAGE, more, previous=cut)
    for twin in (pickle.loads(pickle.dumps(cut)), copy.deepcopy(cut)):
        np.testing.assert_array_equal(twin.labels, cut.labels)
        np.testing.assert_array_equal(cs.cutout(IMAGE, more, previous=twin).labels, expected.labels)


def test_there_may_be_255_components():
    assert cs.cutout(IMAGE, SCRIBBLES, n_components=255, max_iter=1).mask.any()
    with pytest.raises(InputError, match="n_components must be at most 255, got 300"):
        cs.cutout(IMAGE, SCRIBBLES, n_components=300)

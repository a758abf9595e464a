"""Volumes, areas and distances of surfaces against definitions that are spelled out voxel by voxel."""

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from classicseg import metrics
from classicseg.errors import BudgetError, InputError, InputTypeError
from classicseg.metrics import sizes

VOID = 255


def slow_surface(inside):
    """Voxels of an object with one of 6 neighbours that does not belong to it, or is beyond the array."""
    voxels = {tuple(map(int, v)) for v in np.argwhere(inside)}
    steps = [(d, 0, 0) for d in (-1, 1)] + [(0, d, 0) for d in (-1, 1)] + [(0, 0, d) for d in (-1, 1)]
    return [v for v in sorted(voxels) if any(tuple(np.add(v, step)) not in voxels for step in steps)]


def slow_distances(one, other, spacing):
    """From each voxel of one surface to all of the other: the smallest."""
    middles = [np.array(slow_surface(inside)) * spacing for inside in (one, other)]
    between = np.sqrt(((middles[0][:, None] - middles[1][None]) ** 2).sum(-1))
    return between.min(1), between.min(0)


def slow_scores(labels, truth, n_labels, spacing):
    """Dice, HD95 and mean surface distance of each label."""
    rows = []
    for label in range(n_labels):
        one, other = ((x == label) & (truth != VOID) for x in (labels, truth))
        total = one.sum() + other.sum()
        dice = 2 * (one & other).sum() / total if total else np.nan
        if one.any() and other.any():
            ways = slow_distances(one, other, spacing)
            far, mean = max(np.percentile(way, 95) for way in ways), np.concatenate(ways).mean()
        else:
            far = mean = np.inf if total else np.nan
        rows.append((dice, far, mean))
    return np.array(rows).T


CASES = st.tuples(
    st.integers(0, 2**32 - 1),
    st.tuples(*[st.integers(1, 6)] * 3),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.2]),
    st.sampled_from([(1.0, 1.0, 1.0), (5.0, 0.7, 0.7), (0.3, 2.0, 1.1)]),
)


def a_case(seed, shape, n_labels, void):
    rng = np.random.default_rng(seed)
    truth = np.kron(rng.integers(0, n_labels, shape), np.ones((2, 2, 2), int))[tuple(slice(n) for n in shape)]
    labels = np.where(rng.random(shape) < 0.3, rng.integers(0, n_labels, shape), truth)
    return labels, np.where(rng.random(shape) < void, VOID, truth)


@settings(max_examples=40, deadline=None)
@given(CASES)
@example((0, (1, 1, 1), 2, 0.0, (5.0, 0.7, 0.7)))
@example((3, (6, 6, 6), 2, 0.2, (5.0, 0.7, 0.7)))
def test_scores_of_volumes_are_what_their_definitions_say(case):
    seed, shape, n_labels, void, spacing = case
    labels, truth = a_case(seed, shape, n_labels, void)
    if (truth == VOID).all():
        return
    found = metrics.volumes(labels, spacing, truth, n_labels, ignore_label=VOID)
    expected = [(labels == label).sum() * np.prod(spacing) / 1000 for label in range(n_labels)]
    np.testing.assert_allclose(found.millilitres, expected, rtol=1e-12)
    scores = found.dice, found.hd95, found.mean_surface_distance
    np.testing.assert_allclose(scores, slow_scores(labels, truth, n_labels, spacing), rtol=1e-12, atol=1e-12)
    back = metrics.volumes(np.where(truth == VOID, VOID, labels), spacing, truth, n_labels, ignore_label=VOID)
    np.testing.assert_array_equal([back.dice, back.hd95, back.mean_surface_distance], scores)
    if not void:
        back = metrics.volumes(truth, spacing, labels, n_labels)
        np.testing.assert_allclose([back.dice, back.hd95, back.mean_surface_distance], scores, rtol=1e-12)


def ball(middle, radius, spacing, shape=(16, 40, 40)):
    places = ((np.arange(n) - m) * s for n, m, s in zip(shape, middle, spacing, strict=True))
    return sum(p**2 for p in np.ix_(*places)) <= radius**2


@pytest.mark.parametrize(("axis", "steps"), [(0, 1), (1, 3), (2, 4)])
def test_an_object_that_is_moved_is_as_far_as_it_was_moved_in_millimetres(axis, steps):
    spacing = (3.0, 1.5, 1.0)
    cube = np.zeros((16, 40, 40), bool)
    cube[4:8, 10:20, 10:20] = True
    found = metrics.volumes(np.roll(cube, steps, axis), spacing, cube)
    assert found.hd95[1] == pytest.approx(steps * spacing[axis])
    assert found.millilitres[1] == pytest.approx(4 * 10 * 10 * 4.5 / 1000)
    assert 0 < found.mean_surface_distance[1] < found.hd95[1]


def test_the_volume_of_a_ball_is_that_of_its_formula():
    spacing = (1.0, 0.5, 0.5)
    found = metrics.volumes(ball((8, 20, 20), 7.0, spacing), spacing)
    assert found.millilitres[1] == pytest.approx(4 / 3 * np.pi * 7**3 / 1000, rel=0.01)
    assert found == metrics.Volumes(found.millilitres)


def test_one_far_voxel_hardly_moves_the_percentile_and_neither_does_the_way():
    spacing = (1.0, 1.0, 1.0)
    truth = ball((8, 20, 12), 6.0, spacing).astype(int)
    speck = truth.copy()
    speck[8, 20, 39] = 1
    one, back = metrics.volumes(speck, 1, truth), metrics.volumes(truth, 1, speck)
    assert one.hd95[1] == 0 < one.mean_surface_distance[1]
    assert (one.hd95, one.mean_surface_distance) == (back.hd95, back.mean_surface_distance)


def test_a_label_in_neither_is_nan_and_one_in_one_of_them_infinitely_far():
    labels, truth = np.zeros((2, 2, 2), int), np.zeros((2, 2, 2), int)
    labels[0, 0, 0] = truth[1, 1, 1] = 1
    truth[0, 1, 1] = 3
    found = metrics.volumes(labels, (3, 4, 12), truth, n_labels=5)
    assert found.millilitres == pytest.approx((7 * 0.144, 0.144, 0, 0, 0))
    np.testing.assert_array_equal(found.hd95[1:], [13, np.nan, np.inf, np.nan])
    np.testing.assert_array_equal(found.mean_surface_distance[1:], [13, np.nan, np.inf, np.nan])
    np.testing.assert_array_equal(found.dice[1:], [0, np.nan, 0, np.nan])
    assert [len(part) for part in dataclasses.astuple(metrics.volumes(labels, 1, truth))] == [4] * 4
    assert [len(part) for part in dataclasses.astuple(metrics.volumes(truth, 1, labels))] == [4] * 4


def test_a_ring_of_void_hides_what_happens_in_it():
    truth = np.zeros((5, 9, 9), int)
    truth[1:4, 2:7, 2:7] = VOID
    truth[2, 3:6, 3:6] = 1
    labels = np.zeros((5, 9, 9), int)
    labels[1:4, 2:7, 3:6] = 1
    found = metrics.volumes(labels, 2, truth, ignore_label=VOID)
    assert found == metrics.Volumes(found.millilitres, (1, 1), (0, 0), (0, 0))
    assert found.millilitres[1] == pytest.approx(3 * 5 * 3 * 8 / 1000)


@pytest.mark.parametrize("ignore_label", [VOID, -1])
def test_void_has_neither_volume_nor_area(ignore_label):
    labels = np.array([[0, 1, 1, ignore_label], [2, 2, ignore_label, 2]], int)
    np.testing.assert_allclose(metrics.areas(labels, (20, 50), ignore_label=ignore_label), [0.1, 0.2, 0.3])
    found = metrics.volumes(labels[None], (1, 20, 50), ignore_label=ignore_label)
    np.testing.assert_allclose(found.millilitres, [1, 2, 3])
    only_void = np.full((2, 3), ignore_label)
    assert metrics.areas(only_void, 1, ignore_label=ignore_label).tolist() == [0]
    assert metrics.areas(only_void, 1, 2, ignore_label=ignore_label).tolist() == [0, 0]


def test_areas_of_a_map_on_disk_are_counted_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "_PIECE", 100)
    cover = np.random.default_rng(2).integers(0, 5, (37, 23)).astype(np.uint8)
    cover[30:] = 6
    cover.tofile(tmp_path / "map")
    on_disk = np.memmap(tmp_path / "map", np.uint8, "r", shape=cover.shape)
    expected = [(cover == label).sum() * 0.09 / 10_000 for label in range(7)]
    np.testing.assert_allclose(metrics.areas(on_disk, 0.3), expected)
    np.testing.assert_allclose(metrics.areas(on_disk, 0.3, ignore_label=6), expected[:5])
    with pytest.raises(
        InputError, match=r"labels must be 0 to 4, got 6 at pixel \(30, 0\) \(161 pixels out of range\)"
    ):
        metrics.areas(on_disk, 0.3, n_labels=5)


def test_labels_of_any_kind_and_layout_are_the_same():
    labels, truth = a_case(4, (4, 6, 5), 3, 0.0)
    expected = metrics.volumes(labels, (2, 1, 1), truth)
    for kind in (np.uint8, ">i4", np.int64):
        given, true = (np.asfortranarray(x.astype(kind)) for x in (labels, truth))
        given.flags.writeable = true.flags.writeable = False
        assert metrics.volumes(given, [2, 1, 1], true) == expected
    assert metrics.volumes(labels.tolist(), np.array([2, 1, 1]), truth.tolist()) == expected


IMAGE, VOLUME = np.zeros((2, 3), int), np.zeros((2, 2, 2), int)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((IMAGE, 1), r"labels must be a volume, \(D, H, W\), got shape \(2, 3\)"),
        ((VOLUME[None], 1), "labels must be a volume"),
        ((5, 1), "labels must be a volume"),
        ((np.zeros((0, 2, 2), int), 1), "labels must not be empty"),
        ((np.zeros((2, 2, 0), int), 1), "labels must not be empty"),
        ((VOLUME, (1, 1)), "spacing must be 1 or 3 numbers, got 2"),
        ((VOLUME, (1, 1, 1, 1)), "spacing must be 1 or 3 numbers"),
        ((VOLUME, (1, 0, 1)), "spacing must be positive"),
        ((VOLUME, -2), "spacing must be positive"),
        ((VOLUME, (1, np.nan, 1)), "spacing must be positive and finite"),
        ((VOLUME, np.inf), "spacing must be positive and finite"),
        ((VOLUME, 1, VOLUME[:1]), r"truth must have shape \(2, 2, 2\), that of labels, got \(1, 2, 2\)"),
        ((VOLUME, 1, VOLUME + VOID), "truth has no scored voxel"),
        ((VOLUME + VOID, 1, VOLUME), "labels must be 0 to 0, got 255"),
        ((VOLUME + 3, 1, VOLUME, 3), "labels must be 0 to 2 or ignore_label=255, got 3"),
        ((VOLUME, 1, VOLUME + 3, 3), "truth must be 0 to 2 or ignore_label=255, got 3"),
        ((VOLUME - 1, 1), "labels must be 0 to .* got -1"),
        ((VOLUME, 1, None, 0), "n_labels must be at least 1"),
    ],
)
def test_volumes_say_what_is_wrong(arguments, word):
    with pytest.raises(InputError, match=word):
        metrics.volumes(*arguments, ignore_label=VOID)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((VOLUME, 1), r"labels must be an image, \(H, W\), got shape \(2, 2, 2\)"),
        ((np.zeros((3, 0), int), 1), "labels must not be empty"),
        ((IMAGE, (1, 1, 1)), "pixel_size must be 1 or 2 numbers, got 3"),
        ((IMAGE, 0), "pixel_size must be positive"),
        ((IMAGE, (-10, 10)), "pixel_size must be positive"),
        ((IMAGE + 4, 1, 3), "labels must be 0 to 2, got 4"),
        ((IMAGE - 1, 1), "got -1"),
    ],
)
def test_areas_say_what_is_wrong(arguments, word):
    with pytest.raises(InputError, match=word):
        metrics.areas(*arguments)


def test_wrong_kinds_and_too_many_labels_are_refused():
    for wrong in (VOLUME.astype(float), VOLUME.astype(complex), np.array([[["organ"]]])):
        with pytest.raises(InputTypeError, match="labels"):
            metrics.volumes(wrong, 1)
    with pytest.raises(InputTypeError, match="truth"):
        metrics.volumes(VOLUME, 1, VOLUME.astype(float))
    with pytest.raises(InputTypeError, match="spacing"):
        metrics.volumes(VOLUME, "1 mm")
    with pytest.raises(InputTypeError, match="ignore_label"):
        metrics.areas(IMAGE, 1, ignore_label=0.5)
    with pytest.raises(BudgetError, match="labels"):
        metrics.areas(IMAGE, 1, n_labels=10**13)


def test_spacings_of_any_size_keep_their_distances():
    labels, truth = np.zeros((4, 4, 4), bool), np.zeros((4, 4, 4), bool)
    labels[0, 0, 0] = truth[3, 3, 3] = True
    for scale in (1e-30, 1e30):
        found = metrics.volumes(labels, scale, truth)
        assert found.hd95[1] == pytest.approx(np.sqrt(27) * scale)

"""Leaves against the textbook recursion, and laws of the merge."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import classicseg as cs
from classicseg.reference import split_merge as textbook
from tests.oracles import photo, same_partition

DTYPES = ["?", "u1", "i1", "u2", ">u2", "i2", "u4", "i4", "i8", "f2", "f4", ">f4", "f8"]
PREDICATES = {
    "range": cs.Range(24),
    "std": cs.StdDev(8),
    "mean": cs.MeanDifference(12),
    "ratio": cs.VarianceRatio(6.0, noise=4.0),
    "histogram": cs.HistogramDistance(14, bins=16),
    "otsu": cs.OtsuSeparability(0.8, contrast=20, bins=16),
    "own": cs.Custom(lambda region: (region.max - region.min).max() <= 20),
    "both": cs.Range(60) & cs.StdDev(9),
    "either": cs.Range(10) | cs.MeanDifference(5) & cs.StdDev(20),
}
pytestmark = pytest.mark.filterwarnings("ignore:the values of image span only")

UNION_ONLY = ["range", "std", "otsu", "own", "both"]
shapes = st.tuples(st.integers(1, 20), st.integers(1, 20)) | st.tuples(*[st.integers(1, 7)] * 3)


def picture(shape, channels, seed, dtype="u1"):
    """Whole numbers 0 to 100: sums and means are exact, so that no answer hangs on rounding."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(
        rng.standard_normal((*shape, channels)), (*[rng.choice([0.0, 1.5])] * len(shape), 0)
    )
    values = (50 + 25 * smooth / (smooth.std() + 1e-9)).clip(0, 100).round()
    return values > 50 if dtype == "?" else values.astype(dtype)


def leaf_labels(shape, leaves):
    labels = np.zeros(shape, int)
    for number, (corner, side) in enumerate(leaves, 1):
        labels[tuple(slice(c, c + side) for c in corner)] = number
    return labels


def check_leaves(image, predicate, mask, **options):
    """Equal to the recursion: the partition, and the list of blocks."""
    inside = np.ones(image.shape[:-1], bool) if mask is None else mask
    values = image.astype(float)
    pixels = values[inside]
    expected = textbook.split(values, inside, lambda parts: predicate.holds(parts, pixels), **options)
    labels = cs.split_and_merge(image, predicate, merge=None, mask=mask, channel_axis=-1, **options)
    assert same_partition(labels, np.where(inside, leaf_labels(inside.shape, expected), 0))
    blocks = cs.quadtree(image, predicate, mask=mask, channel_axis=-1, **options)
    assert sorted(map(tuple, blocks.tolist())) == sorted((*corner, side) for corner, side in expected)


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(shapes, st.sampled_from(DTYPES), st.integers(0, 2**32 - 1), st.data())
def test_leaves_equal_those_of_the_recursion(shape, dtype, seed, data):
    channels = data.draw(st.sampled_from([1, 1, 3]))
    predicate = PREDICATES[data.draw(st.sampled_from(sorted(PREDICATES)))]
    image = picture(shape, channels, seed, dtype)
    mask = np.random.default_rng(seed).random(shape) < 0.8 if data.draw(st.booleans()) else None
    if mask is not None and not mask.any():
        mask = None
    options = {"min_size": data.draw(st.integers(1, 5))}
    if data.draw(st.booleans()):
        options["max_depth"] = data.draw(st.integers(0, 5))
    check_leaves(image, predicate, mask, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape", [(1, 1), (700, 1), (3, 300), (64, 64), (65, 129), (128, 128), (40, 1, 3), (17, 33, 20)]
)
@pytest.mark.parametrize("name", ["range", "std"])
def test_leaves_larger_than_tiles_equal_those_of_the_recursion(shape, name):
    image = picture(shape, 1, 7)
    image[: shape[0] // 2] = 70
    check_leaves(image, PREDICATES[name], None)


def check_merged(labels, image, predicate, mask, connectivity, *, violates=None):
    """Numbered without gaps, connected, homogeneous where that is claimed, and no two neighbours could still merge."""
    inside = np.ones(image.shape[:-1], bool) if mask is None else mask
    assert ((labels > 0) == inside).all()
    n = int(labels.max())
    assert set(np.unique(labels[inside])) == set(range(1, n + 1))
    values = image.astype(float)
    pixels = values[inside]
    regions = [values[labels == k] for k in range(1, n + 1)]
    structure = ndimage.generate_binary_structure(labels.ndim, connectivity)
    for k, region in enumerate(regions, 1):
        assert ndimage.label(labels == k, structure)[1] == 1
        if violates is False:
            assert predicate.holds([region], pixels)
    for a, b in neighbours(labels, connectivity):
        assert not predicate.holds([regions[a - 1], regions[b - 1]], pixels)


def neighbours(labels, connectivity):
    pairs = set()
    padded = np.pad(labels, 1)
    center = tuple(slice(1, -1) for _ in labels.shape)
    for step in np.argwhere(ndimage.generate_binary_structure(labels.ndim, connectivity)) - 1:
        moved = np.roll(padded, tuple(step), tuple(range(labels.ndim)))[center]
        pairs |= set(zip(labels.ravel().tolist(), moved.ravel().tolist(), strict=True))
    return {(a, b) for a, b in pairs if a < b and a > 0}


@pytest.mark.slow
@settings(deadline=None, max_examples=120)
@given(shapes, st.integers(0, 2**32 - 1), st.data())
def test_laws_of_the_merge(shape, seed, data):
    name = data.draw(st.sampled_from(sorted(PREDICATES)))
    image = picture(shape, data.draw(st.sampled_from([1, 1, 2])), seed)
    mask = np.random.default_rng(seed).random(shape) < 0.8 if data.draw(st.booleans()) else None
    if mask is not None and not mask.any():
        mask = None
    connectivity = data.draw(st.integers(1, len(shape)))
    options = {"merge": data.draw(st.sampled_from(["fast", "best_first"])), "connectivity": connectivity, "mask": mask}
    labels = cs.split_and_merge(image, PREDICATES[name], channel_axis=-1, **options)
    check_merged(labels, image, PREDICATES[name], mask, connectivity, violates=False if name in UNION_ONLY else None)


def test_merging_goes_on_until_nothing_changes():
    image = np.array([[86, 80, 10, 50], [24, 58, 46, 66], [93, 64, 81, 51], [82, 10, 41, 61]])[..., np.newaxis]
    labels = cs.split_and_merge(image, PREDICATES["mean"], channel_axis=-1)  # the third pass merges two regions more
    check_merged(labels, image, PREDICATES["mean"], None, 1)


@pytest.mark.slow
@pytest.mark.parametrize("merge", ["fast", "best_first"])
def test_laws_of_the_merge_across_tiles_and_groups(merge):
    image = photo(70, 600, 3, channels=1)
    check_merged(
        cs.split_and_merge(image, 24, channel_axis=-1, merge=merge), image, cs.Range(24), None, 1, violates=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["range", "std", "histogram"])
@pytest.mark.parametrize("channels", [1, 3])
def test_results_do_not_depend_on_the_number_of_threads(name, channels):
    image = photo(300, 700, 4, channels=channels)
    one, *others = (cs.split_and_merge(image, PREDICATES[name], channel_axis=-1, n_threads=n) for n in (1, 2, 5))
    for other in others:
        np.testing.assert_array_equal(one, other)


def test_the_textbook_merge_finds_as_few_regions():
    image = photo(16, 20, 1, channels=1)
    mask = np.ones((16, 20), bool)
    leaves = leaf_labels((16, 20), textbook.split(image, mask, cs.Range(40).holds))
    merged = textbook.merge(image, leaves, cs.Range(40).holds)
    ours = cs.split_and_merge(image, 40, channel_axis=-1, merge="best_first").max()
    assert abs(len(np.unique(merged)) - int(ours)) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PREDICATES))
@pytest.mark.parametrize("shape", [(1, 1), (37, 70), (5, 18, 3), (300, 130)])
@pytest.mark.parametrize("merge", ["fast", "best_first"])
def test_a_constant_image_is_one_region(name, shape, merge):
    labels = cs.split_and_merge(np.full(shape, 7, np.uint8), PREDICATES[name], channel_axis=None, merge=merge)
    np.testing.assert_array_equal(labels, 1)


@pytest.mark.parametrize("flip", [(slice(None, None, -1), slice(None)), (slice(None), slice(None, None, -1))])
def test_flips_change_nothing_where_sides_are_powers_of_two_and_no_two_differences_are_equal(flip):
    image = np.random.default_rng(2).standard_normal((64, 64)).cumsum(axis=0).cumsum(axis=1)
    for options in ({"merge": None}, {"merge": "best_first"}):
        straight = cs.split_and_merge(image, cs.Range(4.0), **options)
        flipped = cs.split_and_merge(image[flip], cs.Range(4.0), **options)
        assert same_partition(straight, flipped[flip])


def test_inputs_of_any_layout_are_accepted_and_not_changed():
    image = photo(50, 70)
    expected = cs.split_and_merge(image, 30)
    frozen = image.copy()
    frozen.setflags(write=False)
    wide = np.zeros((100, 140, 3), np.uint8)
    wide[::2, ::2] = image
    for other, axis in (
        (frozen, -1),
        (wide[::2, ::2], -1),
        (np.ascontiguousarray(np.moveaxis(image, -1, 0)), 0),
        (np.asfortranarray(image), 2),
        (image.astype(">u2"), -1),
        (image.astype(np.int64), -1),
        (image.tolist(), "auto"),
    ):
        before = np.array(other)
        np.testing.assert_array_equal(cs.split_and_merge(other, 30, channel_axis=axis), expected)
        np.testing.assert_array_equal(other, before)
    volume = np.asarray(image)[..., 0][None].repeat(3, axis=0)
    assert cs.split_and_merge(volume, 30).shape == (3, 50, 70)
    assert cs.split_and_merge(photo(50, 4)[..., 0], 30).shape == (50, 4)


def test_nan_is_refused_unless_masked_out():
    image = photo(30, 40, channels=1)[..., 0].astype(float)
    hole = np.zeros((30, 40), bool)
    hole[5:9, 11:30] = True
    expected = cs.split_and_merge(image, 24, mask=~hole)
    image[hole] = np.nan
    image[5, 11] = np.inf
    with pytest.raises(cs.InputError, match=r"pixel \(5, 11\).*76 such.*mask=np.isfinite"):
        cs.split_and_merge(image, 24)
    np.testing.assert_array_equal(cs.split_and_merge(image, 24, mask=np.isfinite(image)), expected)
    np.testing.assert_array_equal(expected == 0, hole)


@pytest.mark.parametrize("merge", ["fast", "best_first"])
def test_a_predicate_of_its_own_for_the_merge(merge):
    image = picture((24, 30), 1, 3)[..., 0]
    loose = cs.HistogramDistance(30, bins=8)
    labels = cs.split_and_merge(image, 5, merge_homogeneity=loose, merge=merge)
    pixels = image.reshape(-1, 1)
    regions = {k: image[labels == k][:, None] for k in range(1, labels.max() + 1)}
    for a, b in neighbours(labels, 1):
        assert not loose.holds([regions[a], regions[b]], pixels)
    leaves = cs.split_and_merge(image, 5, merge=None)
    assert all(len(np.unique(labels[leaves == k])) == 1 for k in np.unique(leaves))
    np.testing.assert_array_equal(
        cs.split_and_merge(image, 5, merge_homogeneity=cs.Range(5)), cs.split_and_merge(image, 5)
    )


@pytest.mark.parametrize("merge", ["fast", "best_first"])
@pytest.mark.parametrize("size", [1e-100, 1e38, 1e99])
def test_values_of_any_size_are_told_apart(merge, size):
    image = np.zeros((70, 90))
    image[10:40, 20:60] = size
    image[50:, 70:] = -size
    for predicate in (cs.Range(size / 2), cs.Range(1e-300), cs.Range(size / 2) & cs.HistogramDistance(size / 2)):
        assert same_partition(cs.split_and_merge(image, predicate, merge=merge), image)
    whole = cs.StdDev(2 * size) & cs.MeanDifference(3 * size) & cs.HistogramDistance(3 * size)
    assert cs.split_and_merge(image, whole, merge=merge).max() == 1


def test_small_regions_join_their_nearest_neighbour():
    image = np.zeros((20, 20), np.uint8)
    image[:, 10:] = 100
    image[4, 4], image[15, 15:17] = 90, 20
    before = cs.split_and_merge(image, 10)
    assert before.max() == 4
    after = cs.split_and_merge(image, 10, min_area=3)
    np.testing.assert_array_equal(after, np.where(image[0] == 100, 2, 1)[None].repeat(20, axis=0))
    np.testing.assert_array_equal(cs.split_and_merge(np.arange(4).reshape(2, 2) * 50, 10, min_area=9), 1)


def test_min_area_leaves_no_smaller_region():
    labels = cs.split_and_merge(photo(90, 150, channels=1)[..., 0], 8, min_area=25)
    assert np.bincount(labels.ravel())[1:].min() >= 25


@pytest.mark.slow
@pytest.mark.parametrize("merge", ["fast", "best_first", None])
def test_an_error_that_only_some_regions_raise_is_told(merge, capfd):
    def looks_too_far(region):
        return region.max[int(region.max[0]) // 200] < 300

    image = np.zeros((90, 80), np.uint8)
    image[70, 60:64] = 250
    with pytest.raises(cs.InputError, match="raised an error for some region"):
        cs.split_and_merge(image, cs.Custom(looks_too_far), merge=merge)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_function_sees_means_and_deviations():
    image = 1e8 + np.random.default_rng(0).standard_normal((40, 50))
    image[:, 25:] += 30
    own = cs.Custom(lambda region: region.std[0] <= 5 and abs(region.mean[0] - 1e8) < 100)
    np.testing.assert_array_equal(cs.split_and_merge(image, own), cs.split_and_merge(image, cs.StdDev(5)))
    region = cs.RegionStatistics.of(image.reshape(-1, 1))
    np.testing.assert_allclose(region.std, image.std(), rtol=1e-6)


def test_a_threshold_above_the_range_is_told():
    image = np.random.default_rng(0).random((12, 14))
    with pytest.warns(UserWarning, match="span only 0.9.*Range"):
        cs.split_and_merge(image)
    with pytest.warns(UserWarning, match="span only"):
        cs.record_split_and_merge(image, cs.Range(24) | cs.StdDev(0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cs.split_and_merge(image, cs.Range(24) & cs.StdDev(0.1))
        cs.split_and_merge(image, 0.1, merge_homogeneity=24)
        cs.split_and_merge(np.ones((5, 6)), 24)


GRAY = np.zeros((6, 7), np.uint8)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: cs.Range(-3), ValueError, "threshold must be at least 0"),
        (lambda: cs.Range(float("nan")), ValueError, "threshold must be finite"),
        (lambda: cs.Range("24"), TypeError, "threshold"),
        (lambda: cs.StdDev(-1), ValueError, "threshold"),
        (lambda: cs.VarianceRatio(0), ValueError, "threshold must be positive"),
        (lambda: cs.VarianceRatio(2, noise=0), ValueError, "noise must be positive"),
        (lambda: cs.HistogramDistance(2, bins=1), ValueError, "bins must be at least 2"),
        (lambda: cs.OtsuSeparability(1.5), ValueError, "at most 1"),
        (lambda: cs.Custom(3), TypeError, "function must be callable"),
        (lambda: cs.Range(3) & "x", TypeError, "homogeneity must be"),
        (lambda: cs.split_and_merge(GRAY, -1), ValueError, "homogeneity must be at least 0"),
        (lambda: cs.split_and_merge(GRAY, cs.Range), TypeError, "got the class Range"),
        (lambda: cs.split_and_merge(GRAY, "range"), TypeError, "homogeneity must be"),
        (lambda: cs.split_and_merge(np.zeros((0, 4)), 3), ValueError, "must not be empty"),
        (lambda: cs.split_and_merge(np.zeros(4), 3), ValueError, "2 or 3 spatial axes"),
        (lambda: cs.split_and_merge(np.zeros((2,) * 5), 3), ValueError, "2 or 3 spatial axes"),
        (lambda: cs.split_and_merge(np.full((3, 4), np.nan), 3), ValueError, "no finite value at all"),
        (
            lambda: cs.split_and_merge(np.broadcast_to(np.uint8(0), (2**16, 2**15)), 3),
            ValueError,
            "less than 2.31 pixels",
        ),
        (lambda: cs.split_and_merge(np.full((3, 4), 1e200), 3), ValueError, "at most 1e\\+100"),
        (lambda: cs.split_and_merge(GRAY.astype(complex), 3), TypeError, "real numbers"),
        (lambda: cs.split_and_merge(np.ma.masked_equal(GRAY, 1), 3), TypeError, "masked array"),
        (lambda: cs.split_and_merge(GRAY, 3, mask=np.ones((7, 6), bool)), ValueError, r"\(6, 7\), got \(7, 6\)"),
        (lambda: cs.split_and_merge(GRAY, 3, mask=np.zeros((6, 7), bool)), ValueError, "no pixel takes part"),
        (lambda: cs.split_and_merge(GRAY, 3, mask=2 * np.ones((6, 7))), ValueError, "mask must hold booleans"),
        (lambda: cs.split_and_merge(GRAY, 3, min_size=0), ValueError, "min_size must be at least 1"),
        (lambda: cs.split_and_merge(GRAY, 3, max_depth=-1), ValueError, "max_depth must be at least 0"),
        (lambda: cs.split_and_merge(GRAY, 3, min_area=2.5), TypeError, "min_area must be a whole number"),
        (lambda: cs.split_and_merge(GRAY, 3, connectivity=3), ValueError, "connectivity must be at most 2"),
        (lambda: cs.split_and_merge(GRAY, 3, merge="slow"), ValueError, "'fast', 'best_first'"),
        (lambda: cs.split_and_merge(GRAY, 3, channel_axis=5), ValueError, "channel_axis must be -2 to 1"),
        (lambda: cs.split_and_merge(GRAY, 3, channel_axis="last"), ValueError, "channel_axis"),
        (
            lambda: cs.split_and_merge(GRAY, cs.Custom(lambda r: hash(frozenset([r.count])) != 1)),
            TypeError,
            "cannot be compiled",
        ),
        (lambda: cs.split_and_merge(GRAY, cs.Custom(lambda r: r.median)), ValueError, "AttributeError.*1 channel"),
        (lambda: cs.split_and_merge(GRAY, cs.Custom(lambda r: r.max[2] < 9)), ValueError, "IndexError.*1 channel"),
        (lambda: cs.split_and_merge(GRAY, cs.Custom(lambda r: r.count / 0 > 1)), ValueError, "ZeroDivisionError"),
        (lambda: cs.split_and_merge(GRAY, cs.Custom(lambda r: r.histogram[0][0] > 1)), ValueError, "of 0 bins"),
    ],
)
def test_bad_input_is_told(call, error, words):
    with pytest.raises(error, match=words):
        call()

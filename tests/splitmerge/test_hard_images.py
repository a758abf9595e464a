"""The same answers for values of every dtype, layout, scale and offset, and beside outliers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.reference import region_growing
from classicseg.splitmerge.statistics import histogram_edges
from tests.splitmerge.test_split_merge import check_leaves, check_merged
from tests.strategies.images import equal_values, hard_images

pytestmark = pytest.mark.filterwarnings("ignore:the values of image span only")

AT_SCALE = {
    "range": lambda s: cs.Range(24 * s),
    "std": lambda s: cs.StdDev(8 * s),
    "mean": lambda s: cs.MeanDifference(12 * s),
    "ratio": lambda s: cs.VarianceRatio(6.0, noise=4.0 * s),
    "histogram": lambda s: cs.HistogramDistance(14 * s, bins=16),
    "otsu": lambda s: cs.OtsuSeparability(0.8, contrast=20 * s, bins=16),
}
shapes = st.sampled_from([(9, 12, 1), (5, 7, 3), (4, 5, 3, 1)])


def scale_of(hard, plain):
    """The factor between the two images of `hard_images`."""
    return float(np.ptp(hard.astype(np.float64))) / (float(np.ptp(plain)) or 1.0) or 1.0


@settings(deadline=None, max_examples=60)
@given(shapes.flatmap(hard_images), st.sampled_from(sorted(AT_SCALE)))
def test_each_predicate_splits_as_the_recursion_does(images, name):
    hard, plain = images
    check_leaves(hard, AT_SCALE[name](scale_of(hard, plain)), None)


@settings(deadline=None, max_examples=60)
@given(shapes.flatmap(hard_images), st.sampled_from(["range", "std", "mean", "ratio"]))
def test_a_scale_and_an_offset_change_no_leaf(images, name):
    hard, plain = images
    expected = cs.split_and_merge(plain, AT_SCALE[name](1.0), merge=None, channel_axis=-1)
    found = cs.split_and_merge(hard, AT_SCALE[name](scale_of(hard, plain)), merge=None, channel_axis=-1)
    np.testing.assert_array_equal(found, expected)


@settings(deadline=None, max_examples=40)
@given(shapes.flatmap(hard_images), st.sampled_from(sorted(AT_SCALE)), st.sampled_from(["fast", "best_first"]))
def test_laws_of_the_merge_hold_for_hard_images(images, name, merge):
    hard, plain = images
    predicate = AT_SCALE[name](scale_of(hard, plain))
    check_merged(cs.split_and_merge(hard, predicate, channel_axis=-1, merge=merge), hard, predicate, None, 1)


@settings(deadline=None, max_examples=60)
@given(hard_images((6, 8)), st.integers(0, 2**32 - 1))
def test_region_tables_measure_hard_images(images, seed):
    hard, plain = images
    labels = np.random.default_rng(seed).integers(1, 4, hard.shape)
    table, expected = cs.describe_regions(labels, hard), cs.describe_regions(labels, plain)
    scale = scale_of(hard, plain)
    for k, label in enumerate(expected["label"]):
        np.testing.assert_allclose(expected["std"][k], plain[labels == label].std(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(table["std"], expected["std"] * scale, rtol=1e-12)
    offset = float(hard.astype(np.float64).min()) - plain.min() * scale
    np.testing.assert_allclose(table["mean"] - offset, expected["mean"] * scale, rtol=1e-9, atol=2e-3 * scale)


def test_a_small_spread_far_from_zero():
    board = np.indices((4, 4)).sum(axis=0) % 2
    image = (50001 + 2 * board).astype(np.uint16)
    assert cs.describe_regions(np.ones((4, 4), int), image)["std"].tolist() == [1.0]
    np.testing.assert_array_equal(cs.split_and_merge(image, cs.StdDev(1.5)), 1)
    noise = np.random.default_rng(0).standard_normal((64, 64))
    table = cs.describe_regions(np.ones((64, 64), int), 1e8 + noise)
    np.testing.assert_allclose(table["std"], noise.std(), rtol=1e-6)
    near_and_far = np.where(np.arange(64) < 32, 0.0, 1e8) + noise  # no single shift is right for both halves
    halves = cs.describe_regions(1 + (np.arange(64) >= 32) * np.ones((64, 1), int), near_and_far)["std"]
    np.testing.assert_allclose(halves, [noise[:, :32].std(), noise[:, 32:].std()], rtol=1e-6)
    assert cs.split_and_merge(near_and_far, cs.StdDev(5)).max() == 2


def test_merges_keep_their_order_far_from_zero():
    image = np.random.default_rng(5).normal(0, 20, (80, 90)).round()
    expected = cs.split_and_merge(image, 40)
    for offset in (30_000.0, 2.0**30):
        assert abs(int(cs.split_and_merge(image + offset, 40).max()) - int(expected.max())) <= expected.max() // 50
    far = image + 2.0**30
    np.testing.assert_array_equal(cs.split_and_merge(far, 40), cs.split_and_merge(far, cs.Range(40) & cs.Range(40)))


@pytest.mark.parametrize("predicate", [cs.HistogramDistance(14, bins=16), cs.OtsuSeparability(contrast=20, bins=16)])
def test_a_hot_pixel_does_not_blur_histograms(predicate):
    image = np.random.default_rng(0).integers(0, 20, (40, 60)).astype(np.uint16)
    image[10:30, 20:40] += 60
    expected = cs.split_and_merge(image, predicate)
    assert expected.max() > 1
    hot = image.copy()
    hot[2, 3] = 65535
    labels = cs.split_and_merge(hot, predicate)
    apart = image > 40
    inside = np.unique(labels[apart])
    outside = np.unique(labels[~apart])
    assert not set(inside) & set(outside)


def test_bins_are_equal_unless_there_are_outliers():
    pixels = np.arange(256.0)[:, None].repeat(30, axis=0)
    np.testing.assert_allclose(histogram_edges(pixels, 32), np.linspace(0, 255, 33))
    pixels[0], pixels[-1] = -1e4, 65535
    edges = histogram_edges(pixels, 32)
    assert (edges[0], edges[-1], len(edges)) == (-1e4, 65535, 33)
    assert (np.diff(edges) > 0).all()
    assert np.diff(edges[4:-4]).max() < 25
    np.testing.assert_array_equal(histogram_edges(np.full((9, 1), 3.0), 4), 3.0)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from([(9, 12, 1), (7, 5, 2)]).flatmap(hard_images), st.integers(1, 6), st.booleans())
def test_growing_equals_the_heap_of_the_paper(images, n_seeds, bounded):
    hard, plain = images
    rng = np.random.default_rng(n_seeds)
    seeds = np.zeros(hard.shape[:2], int)
    seeds.flat[rng.choice(seeds.size, n_seeds, replace=False)] = np.arange(1, n_seeds + 1)
    values = hard.astype(np.float64)
    tolerance = 30 * scale_of(hard, plain) if bounded else None
    expected = region_growing.grow(values, seeds, np.inf if tolerance is None else tolerance)
    found = cs.seeded_region_growing(hard, seeds, tolerance=tolerance, channel_axis=-1)
    np.testing.assert_array_equal(found, expected)


def test_a_hot_pixel_does_not_change_what_grows():
    rng = np.random.default_rng(0)
    image = (1000 + 20 * rng.standard_normal((60, 80)) + np.where(np.arange(80) < 37, 0, 120)).astype(np.uint16)
    seeds = np.zeros((60, 80), int)
    seeds[30, 5], seeds[10, 70] = 1, 2
    hot = image.copy()
    hot[50, 20] = 65535
    differ = cs.seeded_region_growing(hot, seeds) != cs.seeded_region_growing(image, seeds)
    assert differ.mean() < 0.01


def test_srm_means_the_same_in_every_dtype_and_layout():
    image = np.random.default_rng(0).integers(0, 40, (16, 20, 3)).astype(np.uint8)
    image[4:12, 5:15] += 130
    expected = cs.statistical_region_merging(image, 256)
    assert 1 < expected.max() < 100
    for other, axis in equal_values(image):
        np.testing.assert_array_equal(cs.statistical_region_merging(other, 256, channel_axis=axis), expected)
    hot = image.astype(np.uint16)
    hot[0, 0] = 65535
    changed = cs.statistical_region_merging(hot, 256)
    assert changed[8, 10] != changed[15, 19]


@pytest.mark.parametrize("largest", [1e20, 1e99, -3.4e38])
def test_srm_of_values_far_beyond_the_range_writes_nowhere_else(largest):
    """A number of a step made of a float beyond 2^63 is negative, and counts were written before their array."""
    labels = cs.statistical_region_merging(np.array([[0.0, largest, 3.0]]), value_range=1.0)
    assert labels.tolist() == [[1, 2, 3]]
    assert cs.statistical_region_merging(np.array([[0.0, largest, 3.0]], ">f8"), value_range=255.0).max() >= 2
    with pytest.raises(cs.InputError, match="value_range must be between"):
        cs.statistical_region_merging(np.array([[0.0, 1.0]]), value_range=5e-324)


def test_whole_numbers_that_float64_would_round_are_refused():
    with pytest.raises(cs.InputError, match=r"at most 2\*\*53"):
        cs.split_and_merge(np.array([[2**60 + 1, 2**60 + 3]]), 1)


@pytest.mark.parametrize("predicate", [cs.Range(0), cs.StdDev(0), cs.MeanDifference(0)])
def test_a_threshold_of_zero_keeps_equal_values_together(predicate):
    image = np.repeat([3, 3, 7, 250], 5)[None].repeat(6, axis=0)
    for dtype in ("u1", "f4"):
        np.testing.assert_array_equal(cs.split_and_merge(image.astype(dtype), predicate), 1 + (image > 3) + (image > 7))

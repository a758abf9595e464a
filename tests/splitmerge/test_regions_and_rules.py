import functools

import numpy as np
import pytest
from scipy import ndimage

import classicseg as cs
from classicseg.reference.split_merge import _neighbours
from tests.oracles import photo


@pytest.mark.parametrize("shape", [(30, 40), (7, 9, 11)])
def test_the_table_against_scikit_image(shape):
    measure = pytest.importorskip("skimage.measure")
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.standard_normal(shape), 2) * 500
    labels = cs.split_and_merge(image, 60.0, channel_axis=None)
    table = cs.describe_regions(labels, image, channel_axis=None)
    for k, region in enumerate(measure.regionprops(labels, intensity_image=image)):
        assert table["label"][k] == region.label
        assert table["area"][k] == region.area
        np.testing.assert_allclose(table["mean"][k], region.intensity_mean)
        np.testing.assert_allclose(table["std"][k], region.image_intensity[region.image].std(), atol=1e-6)
        np.testing.assert_allclose(table["min"][k], region.intensity_min)
        np.testing.assert_allclose([table[f"center_{a}"][k] for a in range(len(shape))], region.centroid)
        assert [table[f"bbox_{a}"][k] for a in range(2 * len(shape))] == list(region.bbox)
        np.testing.assert_allclose(table["extent"][k], region.extent)
    near = zip(table["label"], table["neighbours"], strict=True)
    touching = {(int(a), int(b)) for a, others in near for b in others if a < b}
    assert touching == _neighbours(labels)
    assert table["n_neighbours"].sum() == 2 * len(touching)


def test_perimeter_and_compactness():
    labels = np.ones((6, 10), int)
    labels[:4, :4] = 5
    table = cs.describe_regions(labels, labels)
    assert table["label"].tolist() == [1, 5]
    assert table["perimeter"].tolist() == [32, 16]
    np.testing.assert_allclose(table["compactness"][1], 1)
    cube = cs.describe_regions(np.ones((3, 3, 3), int), np.ones((3, 3, 3)), channel_axis=None)
    assert cube["perimeter"].tolist() == [54]
    np.testing.assert_allclose(cube["compactness"], 1)


def test_gaps_in_labels_channels_and_connectivity():
    labels = np.array([[0, 7], [3, 0]])
    table = cs.describe_regions(labels, np.arange(12).reshape(2, 2, 3), channel_axis=-1)
    assert table["label"].tolist() == [3, 7]
    assert table["mean_2"].tolist() == [8, 5]
    assert [len(n) for n in table["neighbours"]] == [0, 0]
    corner = cs.describe_regions(labels, labels, connectivity=2)["neighbours"]
    assert [n.tolist() for n in corner] == [[7], [3]]


def test_the_table_is_ready_for_a_data_frame():
    table = cs.describe_regions([[1, 2]], [[1, 2]])
    assert {len(column) for column in table.values()} == {2}
    assert all(column.ndim == 1 for column in table.values())


def test_labels_of_any_size_are_told_apart():
    labels = np.array([[7, 7, 2], [0, 900_000_000, 2]])
    table = cs.describe_regions(labels, labels % 10)
    assert table["label"].tolist() == [2, 7, 900_000_000]
    assert table["area"].tolist() == [2, 2, 1]
    small = cs.describe_regions(np.where(labels > 9, 5, labels), labels % 10)
    assert small["label"].tolist() == [2, 5, 7]
    assert small["area"].tolist() == [2, 1, 2]


def test_painted_regions_have_their_values():
    image = photo(40, 50)
    mask = np.ones((40, 50), bool)
    mask[:5, :5] = False
    labels = cs.split_and_merge(image, 40, mask=mask)
    table = cs.describe_regions(labels, image)
    painted = cs.paint_regions(labels, np.stack([table[f"mean_{c}"] for c in range(3)], axis=1), background=-1)
    assert painted.shape == image.shape
    assert (painted[~mask] == -1).all()
    np.testing.assert_allclose(painted[labels == 2], image[labels == 2].mean(axis=0)[None].repeat(table["area"][1], 0))


def test_rules_the_first_that_holds_gives_the_label():
    image = photo(60, 80, channels=1)[..., 0]
    regions = cs.describe_regions(cs.split_and_merge(image, 40), image)
    rules = [cs.Rule(3, area=(None, 4)), cs.Rule(1, mean=(None, 100)), cs.Rule(2, mean=(100, None), extent=(0.0, 1.0))]
    labels = cs.label_by_rule(regions, rules, default=9)
    expected = np.where(regions["area"] <= 4, 3, np.where(regions["mean"] <= 100, 1, 2))
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(cs.label_by_rule(regions, cs.Rule(1, area=(10**9, None)), default=9), 9)


def test_multi_otsu_weights_regions_by_their_area():
    image = np.repeat([10, 12, 100, 104, 240], [50, 10, 30, 5, 3])[None].repeat(20, axis=0)
    regions = cs.split_and_merge(image, 1)
    painted = cs.paint_regions(regions, cs.label_by_rule(cs.describe_regions(regions, image), cs.MultiOtsu(3)))
    np.testing.assert_array_equal(painted, np.digitize(image, [50, 200]) + 1)
    near = {"mean": np.array([0.0, 1e-13, 5.0]), "area": np.array([1, 1, 1])}
    assert cs.label_by_rule(near, cs.MultiOtsu(3)).tolist() == [1, 2, 3]


@functools.cache
def small_table():
    """Two regions of a pixel each."""
    return cs.describe_regions([[1, 2]], [[1, 2]])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: cs.label_by_rule(small_table(), cs.Rule(1, roundness=(0, 1))),
            ValueError,
            "no column 'roundness'.*compactness",
        ),
        (lambda: cs.label_by_rule(small_table(), cs.Rule(1, neighbours=(0, 1))), ValueError, "no column 'neighbours'"),
        (lambda: cs.label_by_rule(small_table(), "otsu"), TypeError, "rules must be"),
        (lambda: cs.label_by_rule(small_table(), []), TypeError, "rules must be"),
        (lambda: cs.label_by_rule([1], cs.Rule(1, mean=(0, 1))), TypeError, "region table"),
        (
            lambda: cs.label_by_rule(small_table(), cs.MultiOtsu(3)),
            ValueError,
            "classes must be at most .* values, 2, got 3",
        ),
        (lambda: cs.MultiOtsu(1), ValueError, "classes must be at least 2"),
        (lambda: cs.Rule(1), ValueError, "at least one interval"),
        (lambda: cs.Rule(-1, mean=(0, 1)), ValueError, "label must be at least 0"),
        (lambda: cs.Rule(1, mean=3), TypeError, r"mean must be a pair"),
        (lambda: cs.Rule(1, mean=(3, 1)), ValueError, "low end is above"),
        (lambda: cs.paint_regions([[1, 2]], [1]), ValueError, "values must have 2 entries"),
        (lambda: cs.paint_regions([[1.0, 2.0]], [1, 2]), TypeError, "labels must hold integers"),
        (lambda: cs.describe_regions([[0, 0]], [[1, 2]]), ValueError, "no region"),
        (lambda: cs.describe_regions([[1]], [[1, 2]]), ValueError, "labels must have shape"),
        (lambda: cs.describe_regions([[1, 2]], [[1, 2]], connectivity=3), ValueError, "connectivity"),
    ],
)
def test_bad_input_is_told(call, error, words):
    with pytest.raises(error, match=words):
        call()

import math

import numpy as np
import pytest
from scipy import ndimage

import classicseg as cs
from tests.oracles import photo, same_partition


def slow_srm(image, q):
    """Nock and Nielsen's merging in plain Python; (H, W, C) uint8."""
    height, width, _ = image.shape
    values = image.astype(float)
    edges = []
    for y in range(height):
        for x in range(width):
            for v, u in ((y, x + 1), (y + 1, x)):
                if v < height and u < width:
                    edges.append((np.abs(values[y, x] - values[v, u]).max(), len(edges), (y, x), (v, u)))
    region = {(y, x): [(y, x)] for y in range(height) for x in range(width)}

    def allowed(pixels):
        n = len(pixels)
        return 256**2 / (2 * q * n) * (min(256, n) * math.log(n + 1) + 2 * math.log(6 * height * width))

    def mean(pixels):
        return values[tuple(np.transpose(pixels))].mean(axis=0)

    for _, _, a, b in sorted(edges):
        first, second = region[a], region[b]
        if first is not second and ((mean(first) - mean(second)) ** 2 <= allowed(first) + allowed(second)).all():
            first.extend(second)
            for pixel in second:
                region[pixel] = first
    names = {id(pixels): n for n, pixels in enumerate({id(p): p for p in region.values()}.values())}
    return np.array([[names[id(region[y, x])] for x in range(width)] for y in range(height)])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("q", [4, 64, 1024])
def test_srm_equals_the_plain_version(channels, q):
    image = photo(24, 31, 2, channels)
    labels = cs.statistical_region_merging(image, q, value_range=255, channel_axis=-1)
    assert same_partition(labels, slow_srm(image, q))


def test_srm_regions_are_connected_and_numbered_in_reading_order():
    labels = cs.statistical_region_merging(photo(60, 80), 200)
    n = labels.max()
    first = [int(np.flatnonzero(labels == k)[0]) for k in range(1, n + 1)]
    assert first == sorted(first)
    assert all(ndimage.label(labels == k)[1] == 1 for k in range(1, n + 1))


def test_srm_means_the_same_for_every_dtype_with_masks_and_volumes():
    image = photo(40, 50, channels=1)[..., 0]
    expected = cs.statistical_region_merging(image, 32, value_range=255)
    scaled = image.astype(np.float64) * 4
    assert same_partition(cs.statistical_region_merging(scaled, 32, value_range=4 * 255.0), expected)
    mask = np.ones((40, 50), bool)
    mask[:, 25] = False
    cut = cs.statistical_region_merging(image, 32, mask=mask)
    assert ((cut > 0) == mask).all()
    assert not set(np.unique(cut[:, :25])) & set(np.unique(cut[:, 26:]))
    volume = cs.statistical_region_merging(np.stack([image] * 3), 32, channel_axis=None)
    assert volume.shape == (3, 40, 50)
    assert (
        cs.statistical_region_merging(image, 500, min_area=40).max() < cs.statistical_region_merging(image, 500).max()
    )
    np.testing.assert_array_equal(cs.statistical_region_merging(np.full((5, 6), 3.5)), 1)


def test_growing_finds_the_two_halves_through_noise():
    rng = np.random.default_rng(0)
    image = 20 * rng.standard_normal((60, 80)) + np.where(np.arange(80) < 37, 0, 120)
    seeds = np.zeros((60, 80), int)
    seeds[30, 5], seeds[10, 70] = 4, 9
    labels = cs.seeded_region_growing(image, seeds)
    assert set(np.unique(labels)) == {4, 9}
    assert (labels == np.where(np.arange(80) < 37, 4, 9)).mean() > 0.98


def test_growing_stops_at_the_tolerance_and_the_mask():
    image = np.zeros((9, 9))
    image[:, 4] = 50
    seeds = np.zeros((9, 9), int)
    seeds[0, 0] = 1
    labels = cs.seeded_region_growing(image, seeds, tolerance=10)
    np.testing.assert_array_equal(labels, (np.arange(9) < 4)[None].repeat(9, axis=0))
    mask = np.ones((9, 9), bool)
    mask[5] = False
    assert (cs.seeded_region_growing(image, seeds, mask=mask)[5:] == 0).all()


def test_every_grown_region_holds_its_seed_and_is_connected():
    image = photo(50, 60)
    seeds = np.zeros((50, 60), int)
    seeds[5, 5], seeds[40, 50], seeds[25, 30] = 1, 2, 3
    for connectivity in (1, 2):
        labels = cs.seeded_region_growing(image, seeds, connectivity=connectivity)
        assert (labels > 0).all()
        structure = ndimage.generate_binary_structure(2, connectivity)
        for k in (1, 2, 3):
            assert labels[seeds == k].tolist() == [k]
            assert ndimage.label(labels == k, structure)[1] == 1
    volume = cs.seeded_region_growing(np.stack([image[..., 0]] * 2), np.stack([seeds] * 2), channel_axis=None)
    assert (volume > 0).all()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: cs.statistical_region_merging(np.zeros((3, 4)), 0), ValueError, "complexity must be positive"),
        (lambda: cs.statistical_region_merging(np.zeros((3, 4)), value_range=-1), ValueError, "value_range"),
        (lambda: cs.statistical_region_merging(np.zeros((0, 4))), ValueError, "empty"),
        (lambda: cs.seeded_region_growing(np.zeros((3, 4)), np.zeros((3, 4), int)), ValueError, "seeds must hold"),
        (
            lambda: cs.seeded_region_growing(np.zeros((3, 4)), np.zeros((3, 3), int)),
            ValueError,
            "seeds must have shape",
        ),
        (
            lambda: cs.seeded_region_growing(np.zeros((3, 4)), -np.eye(3, 4, dtype=int)),
            ValueError,
            "seeds must be 0 to",
        ),
        (lambda: cs.seeded_region_growing(np.zeros((3, 4)), np.eye(3, 4)), TypeError, "integers"),
        (
            lambda: cs.seeded_region_growing(np.zeros((3, 4)), np.eye(3, 4, dtype=int), tolerance=0),
            ValueError,
            "tolerance",
        ),
    ],
)
def test_bad_input_is_told(call, error, words):
    with pytest.raises(error, match=words):
        call()

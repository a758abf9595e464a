import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_multiotsu

import classicseg as cs
from classicseg.errors import InputError
from classicseg.pipelines.segment import SEGMENTERS
from tests.oracles import photo
from tests.strategies.images import equal_values

SEEDED = ("seeded_region_growing", "random_walker")


def options(name, shape):
    seeds = np.zeros(shape, int)
    seeds[5, 5], seeds[-5, -5] = 1, 2
    return {"seeds": seeds} if name in SEEDED else {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the values of image span only")
@pytest.mark.parametrize("name", cs.segmenters())
@pytest.mark.parametrize("kind", ["gray", "colour", "channels first", "float"])
def test_every_method_labels_every_pixel_of_any_image(name, kind):
    image = photo(48, 60)
    axis = "auto"
    if kind == "gray":
        image = image[..., 0]
    elif kind == "channels first":
        image, axis = np.moveaxis(image, -1, 0), 0
    elif kind == "float":
        image = image / 255.0
    before = image.copy()
    labels = cs.segment(image, name, channel_axis=axis, **options(name, (48, 60)))
    assert labels.shape == (48, 60)
    assert labels.dtype == np.int32
    assert labels.min() >= 1
    np.testing.assert_array_equal(image, before)


def test_options_reach_the_methods():
    image = photo(48, 60)
    np.testing.assert_array_equal(cs.segment(image, homogeneity=cs.Range(40)), cs.split_and_merge(image, 40))
    assert cs.segment(image, "multi_otsu", classes=4).max() == 4
    np.testing.assert_array_equal(
        cs.segment(image, merge_homogeneity=cs.StdDev(9)), cs.split_and_merge(image, merge_homogeneity=cs.StdDev(9))
    )
    assert cs.segment(image, "slic", n_segments=10).max() < cs.segment(image, "slic", n_segments=80).max()


def test_thresholds_of_constant_images_and_few_values():
    np.testing.assert_array_equal(cs.segment(np.full((5, 6), 3), "otsu"), 1)
    two = np.repeat([3, 9], 10)[None].repeat(4, axis=0)
    np.testing.assert_array_equal(cs.segment(two, "otsu"), 1 + (two > 3))
    near = np.array([[0.0, 1e-13, 5.0]])
    assert cs.segment(near, "multi_otsu").tolist() == [[1, 2, 3]]


@pytest.mark.slow
@pytest.mark.parametrize("name", cs.segmenters())
def test_equal_values_of_another_dtype_or_layout_get_the_same_labels(name):
    image = photo(24, 31)
    given = options(name, (24, 31))
    expected = cs.segment(image, name, **given)
    assert expected.max() > 1
    for other, axis in equal_values(image):
        np.testing.assert_array_equal(cs.segment(other, name, channel_axis=axis, **given), expected)
    gray = cs.segment(image[..., 0], name, **given)
    np.testing.assert_array_equal(cs.segment(image[..., 0].astype(">f4"), name, **given), gray)
    np.testing.assert_array_equal(cs.segment(image[..., :1], name, **given), gray)


@pytest.mark.parametrize("name", [name for name in cs.segmenters() if name != "split_and_merge"])
def test_a_hot_pixel_changes_little(name):
    image = photo(40, 50, channels=1)[..., 0].astype(np.uint16)
    hot = image.copy()
    hot[20, 20] = 65535
    given = options(name, (40, 50))
    before, after = cs.segment(image, name, **given), cs.segment(hot, name, **given)
    pairs = np.unique(np.stack([before.ravel(), after.ravel()]), axis=1, return_counts=True)
    best = sum(pairs[1][pairs[0][0] == label].max() for label in np.unique(before))
    assert best > 0.8 * image.size
    assert 0.5 * before.max() <= after.max() <= 2 * before.max() + 1


@pytest.mark.parametrize("name", [s.name for s in SEGMENTERS.values() if s.connected])
def test_labels_are_connected_where_that_is_said(name):
    labels = cs.segment(np.random.default_rng(0).integers(0, 255, (30, 40)).astype(np.uint8), name)
    assert all(ndimage.label(labels == k)[1] == 1 for k in np.unique(labels))


def test_classes_of_otsu_do_not_make_it_slow():
    image = np.random.default_rng(0).integers(0, 2**16, (200, 200)).astype(np.uint16)
    labels = cs.segment(image, "multi_otsu", classes=12)
    assert np.array_equal(np.unique(labels), np.arange(1, 13))
    assert all(image[labels == k].max() < image[labels == k + 1].min() for k in range(1, 12))
    small = photo(24, 31)[..., 0]
    for classes in (2, 3, 4):  # theirs, in float32, is now and then a level off
        theirs = 1 + np.digitize(small, threshold_multiotsu(small, classes), right=True)
        assert between(small, cs.segment(small, "multi_otsu", classes=classes)) >= between(small, theirs)
        assert (cs.segment(small, "multi_otsu", classes=classes) == theirs).mean() > 0.95


def between(image, labels):
    """Variance of the means of the classes, each pixel counting."""
    return np.mean([(image[labels == k].mean() - image.mean()) ** 2 for k in labels.ravel()])


def test_a_walker_keeps_the_names_of_seeds():
    image = np.where(np.arange(30) < 12, 10, 200)[None].repeat(20, axis=0).astype(np.uint8)
    seeds = np.zeros((20, 30), np.int64)
    seeds[3, 3], seeds[15, 25] = 7, 3
    expected = np.where(image < 100, 7, 3)
    np.testing.assert_array_equal(cs.segment(image, "random_walker", seeds=seeds), expected)
    seeds[seeds == 3] = 0
    np.testing.assert_array_equal(cs.segment(image, "random_walker", seeds=seeds), 7)
    flat = cs.segment(np.full((5, 9), 4.0), "random_walker", seeds=[[7] + [0] * 7 + [2]] * 5)
    np.testing.assert_array_equal(flat[:, :4], 7)
    np.testing.assert_array_equal(flat[:, 5:], 2)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: cs.segment(photo(), "unet"), ValueError, "method must be one of 'split_and_merge'.*got 'unet'"),
        (lambda: cs.segment(photo(), "slic", segments=3), TypeError, "slic has no option 'segments'.*n_segments"),
        (lambda: cs.segment(photo(), "felzenszwalb", size=3), TypeError, "its options are scale, sigma, min_size"),
        (lambda: cs.segment(photo(), "otsu", classes=3), TypeError, "otsu has no option 'classes'"),
        (lambda: cs.segment(photo(), "random_walker"), TypeError, "needs the option 'seeds'"),
        (lambda: cs.segment(np.zeros((0, 3)), "otsu"), ValueError, "empty"),
        (lambda: cs.segment(np.full((4, 4), np.nan), "otsu"), ValueError, "finite"),
        (lambda: cs.segment([["a"]], "otsu"), TypeError, "real numbers"),
        (lambda: cs.segment(photo(), channel_axis=9), ValueError, "channel_axis"),
        (lambda: cs.segment(photo(), "multi_otsu", classes=1), ValueError, "classes must be at least 2"),
        (lambda: cs.segment(photo(), "multi_otsu", classes=10**9), ValueError, "classes must be at most 256"),
        (lambda: cs.segment(np.eye(5), "multi_otsu"), ValueError, "classes must be at most .* values, 2, got 3"),
        (lambda: cs.segment(photo(), "slic", n_segments=0), ValueError, "n_segments must be at least 1"),
        (
            lambda: cs.segment(photo(), "slic", mask=np.ones((3, 4), bool)),
            ValueError,
            r"mask must have shape \(60, 80\), got \(3, 4\)",
        ),
        (lambda: cs.segment(photo(), "felzenszwalb", scale=-1), ValueError, "scale must be positive"),
        (lambda: cs.segment(photo(), "felzenszwalb", min_size=2.5), TypeError, "min_size must be a whole number"),
        (lambda: cs.segment(photo(), "quickshift", ratio=2), ValueError, "ratio must be between 0 and 1"),
        (lambda: cs.segment(photo(), "local_threshold", block_size=4), ValueError, "block_size must be odd"),
        (lambda: cs.segment(photo(), "watershed", markers=-3), ValueError, "markers must be at least 1"),
        (lambda: cs.segment(photo(), "random_walker", seeds=np.eye(3)), TypeError, "seeds must hold integers"),
        (lambda: cs.segment(photo(), "random_walker", seeds=np.zeros((60, 80), int)), ValueError, "seeds must hold a"),
        (lambda: cs.segment(np.zeros((4, 5, 6)), "quickshift"), ValueError, "2 spatial axes for quickshift"),
        (lambda: cs.segment(np.ma.masked_equal(photo(), 1), "otsu"), TypeError, "image is a masked array"),
    ],
)
def test_bad_input_is_told(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("quickshift", {"kernel_size": 1e-9}, "kernel_size must be at least 1, got 1e-09"),
        ("felzenszwalb", {"min_size": 2**70}, "min_size must be at most 2147483647"),
        ("watershed", {"sigma": 1e9}, "sigma must be at least 0 and below 16384"),
        ("local_threshold", {"block_size": 10**7 + 1}, "block_size must be odd and below 16384"),
    ],
)
def test_options_that_are_handed_on_are_checked_first(method, options, words):
    with pytest.raises(InputError, match=words):
        cs.segment(np.arange(600, dtype=np.uint8).reshape(20, 30), method, **options)


@pytest.mark.parametrize("number", [np.array(2.0), np.float32(2)])
def test_options_that_are_handed_on_are_plain_numbers(number):
    for method, option in (("slic", "sigma"), ("slic", "compactness"), ("felzenszwalb", "scale")):
        np.testing.assert_array_equal(
            cs.segment(photo(), method, **{option: number}), cs.segment(photo(), method, **{option: 2.0})
        )


def test_errors_of_others_become_ours(monkeypatch):
    def fail(*args, **options):
        raise KeyError("no reason")

    monkeypatch.setattr("skimage.segmentation.slic", fail)
    with pytest.raises(InputError, match=r"slic of scikit-image fails .* n_segments=7: KeyError: 'no reason'"):
        cs.segment(photo(), "slic", n_segments=7)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", ["otsu", "multi_otsu", "watershed", "slic", "slic_merge", "felzenszwalb"])
def test_extreme_values_cause_no_warning(method):
    flat = np.arange(600).reshape(20, 30) % 7
    for least in (5e-324, 1e-310):
        assert cs.segment(flat * least, method).shape == flat.shape
    with pytest.raises(InputError, match="image must hold numbers of at most 1e\\+150"):
        cs.segment(np.where(flat > 3, 1e308, -1e308), method)


def test_one_superpixel_is_one_region():
    assert cs.segment([[3]], "slic_merge").tolist() == [[1]]


@pytest.mark.filterwarnings("error")
def test_many_bands_are_channels_and_cause_no_warning():
    bands = np.arange(6 * 7 * 8).reshape(6, 7, 8) % 11
    assert cs.segment(bands, "felzenszwalb", channel_axis=-1).shape == (6, 7)

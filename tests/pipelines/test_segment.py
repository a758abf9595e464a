import numpy as np
import pytest

import classicseg as cs
from tests.oracles import photo

SEEDED = ("seeded_region_growing", "random_walker")


def options(name, shape):
    seeds = np.zeros(shape, int)
    seeds[5, 5], seeds[-5, -5] = 1, 2
    return {"seeds": seeds} if name in SEEDED else {}


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


def test_thresholds_of_constant_images():
    np.testing.assert_array_equal(cs.segment(np.full((5, 6), 3), "otsu"), 1)


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
    ],
)
def test_bad_input_is_told(call, error, words):
    with pytest.raises(error, match=words):
        call()

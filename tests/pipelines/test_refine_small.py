"""`refine` with scores that are smaller than the image: what fits, what is ambiguous, and that answers are those of
scores that were enlarged before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.errors import InputError
from classicseg.pipelines.fit import fit_scores
from tests.oracles import costs, photo, softmax, stretched

IMAGE = photo(40, 50)
LOGITS = -costs(3, (10, 13))
LARGE = stretched(LOGITS, (40, 50))


def sizes(*grid):
    """Scores that only have a shape."""
    return np.broadcast_to(np.float32(0), grid)


def test_labels_are_those_of_logits_that_were_enlarged_before():
    expected = cs.refine(IMAGE, logits=LARGE, preset="irnet")
    assert expected.shape == (40, 50)
    np.testing.assert_array_equal(cs.refine(IMAGE, logits=LOGITS, preset="irnet"), expected)
    np.testing.assert_array_equal(cs.refine(IMAGE, unary=-LOGITS, preset="irnet"), expected)
    np.testing.assert_array_equal(cs.refine(IMAGE, softmax(LOGITS), preset="irnet"), expected)
    last = np.moveaxis(LOGITS, 0, -1)
    np.testing.assert_array_equal(cs.refine(IMAGE, logits=last, label_axis=-1, preset="irnet"), expected)


@pytest.mark.parametrize("preset", ["auto", "default"])
def test_presets_refer_to_the_image(preset):
    small, large = (cs.refinement_crf(IMAGE, logits=z, preset=preset) for z in (LOGITS, LARGE))
    assert repr(small.kernels) == repr(large.kernels)
    assert small.unary.shape == (3, 10, 13)
    assert small.shape == (40, 50)


def test_smaller_scores_count_less_by_a_power_of_the_ratio():
    ratio = np.sqrt(40 / 10 * 50 / 13)
    small = cs.refinement_crf(IMAGE, logits=LOGITS, preset="irnet", dilution=0.5)
    plain = cs.refinement_crf(IMAGE, logits=LOGITS, preset="irnet")
    np.testing.assert_allclose(small.unary, plain.unary * ratio**-0.5, rtol=1e-6)
    for preset in ("default", "conservative"):
        assert cs.PRESETS[preset].dilution > 0
        assert cs.refinement_crf(IMAGE, logits=LOGITS, preset=preset).unary.max() < plain.unary.max()
        np.testing.assert_array_equal(cs.refinement_crf(IMAGE, unary=-LARGE, preset=preset).unary, -LARGE.astype("f4"))
    with pytest.raises(InputError, match="dilution must be finite"):
        cs.refine(IMAGE, logits=LOGITS, dilution=np.inf)


def test_corners_may_be_aligned():
    expected = cs.refine(IMAGE, logits=stretched(LOGITS, (40, 50), align_corners=True), preset="default")
    plain = {"preset": "default", "dilution": 0}
    np.testing.assert_array_equal(cs.refine(IMAGE, logits=LOGITS, align_corners=True, **plain), expected)
    assert not cs.refinement_crf(IMAGE, logits=LOGITS, align_corners=None).align_corners


def test_energies_are_those_of_the_image_but_for_what_all_labellings_share():
    small, large = (cs.refinement_crf(IMAGE, logits=z, preset="default", dilution=0) for z in (LOGITS, LARGE))
    labels, other = cs.minimize(small).labels, np.zeros(IMAGE.shape[:2], int)
    assert small.energy(labels) - small.energy(other) == pytest.approx(large.energy(labels) - large.energy(other), 1e-4)


def test_volumes_with_a_ratio_for_each_axis():
    volume = np.random.default_rng(0).random((6, 20, 30))
    logits = -costs(2, (6, 5, 10))
    expected = cs.refine(volume, logits=stretched(logits, volume.shape), preset="default")
    np.testing.assert_array_equal(cs.refine(volume, logits=logits, preset="default", dilution=0), expected)
    np.testing.assert_array_equal(cs.refine(np.stack([volume] * 2, axis=-1), logits=logits).shape, volume.shape)


@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_networks_of_any_stride_fit_photos_however_the_channels_lie(h, w, f, g):
    h, w = 5 * h, 5 * w
    grid = (2, max(5, -(-h // f)), max(5, -(-w // g)))
    assert fit_scores(sizes(h, w, 3), sizes(*grid), "logits", "infer")[1] == (h, w)
    assert fit_scores(sizes(3, h, w), sizes(*grid), "logits", "infer")[1] == (h, w)
    assert fit_scores(sizes(h, w), sizes(*grid), "logits", "infer") == (None, (h, w))


@pytest.mark.parametrize(
    ("image", "grid", "axis"),
    [
        ((480, 640, 3), (30, 40), -1),
        ((480, 640, 3), (3, 3), -1),  # 640 x 3 pixels of 480 channels would hold them as well
        ((3, 480, 640), (3, 4), 0),
        ((480, 640, 3), (128, 128), -1),  # a network that squeezes photos into a square
        ((480, 640), (30, 40), None),
        ((100, 120, 200), (25, 30), -1),  # 200 bands; 120 x 200 pixels would hold them less evenly
        ((20, 64, 64), (10, 16, 16), None),
        ((20, 64, 64, 2), (10, 16, 16), -1),
        ((2, 20, 64, 64), (10, 16, 16), 0),
        ((480, 640, 3), (480, 640), -1),
        ((7, 640), (7, 80), None),
        ((900,), (30,), None),
    ],
)
def test_the_channel_axis_is_found(image, grid, axis):
    spatial = image if axis is None else tuple(np.delete(image, axis))
    assert fit_scores(sizes(*image), sizes(2, *grid), "logits", "infer") == (axis, spatial)
    assert fit_scores(sizes(*image), sizes(2, *grid), "logits", axis) == (axis, spatial)


@pytest.mark.parametrize(
    ("image", "grid", "message"),
    [
        ((480, 640, 3), (481, 640), r"does not fit logits of 481 x 640 points; expected .* or a larger image"),
        ((480, 640), (240, 641), r"does not fit logits of 240 x 641 points; expected .* or a larger image"),
        ((480, 640, 3), (2, 3, 3), "several axes of channels, or none; pass channel_axis"),
        ((100, 100, 100), (10, 10), "several axes of channels, or none; pass channel_axis"),
        ((480, 640, 3, 2), (30, 40), "does not fit logits"),
        ((200, 480, 3), (300, 2), "several axes of channels, or none; pass channel_axis"),
        ((640, 480, 3), (60, 80), r"axes in reverse orders, see np\.transpose; if it is meant as it is, pass channel"),
        ((100, 120, 80), (40, 60, 50), r"axes in reverse orders, see np\.transpose"),
    ],
)
def test_what_does_not_fit_or_may_be_meant_otherwise_is_refused(image, grid, message):
    with pytest.raises(InputError, match=message):
        fit_scores(sizes(*image), sizes(2, *grid), "logits", "infer")


@pytest.mark.parametrize(("axis", "message"), [(0, "channel_axis=0"), (None, "channel_axis=None"), (7, "channel_axis")])
def test_a_channel_axis_that_does_not_fit_is_named(axis, message):
    with pytest.raises(InputError, match=message):
        cs.refine(IMAGE, logits=LOGITS, channel_axis=axis)


def test_labels_that_come_last_are_noticed_where_their_shape_would_fit():
    last = np.moveaxis(-costs(21, (32, 32)), 0, -1)  # 32 labels at 32 x 21 points would fit
    with pytest.raises(InputError, match=r"labels last, .* pass label_axis=-1"):
        cs.refine(photo(64, 72), logits=last)
    tall = np.moveaxis(-costs(5, (60, 50)), 0, -1)  # 60 labels at 50 x 5 points would fit
    with pytest.raises(InputError, match="labels last"):
        cs.refine(photo(60, 50), logits=tall)
    many = -costs(40, (32, 32))  # squeezed into a square; 32 labels at 40 x 32 points would fit better
    assert cs.refinement_crf(photo(80, 64), logits=many).shape == (80, 64)


def test_batches_are_not_taken_for_volumes():
    batch = np.stack([photo(16, 20)] * 4)
    logits = np.random.default_rng(0).normal(size=(4, 2, 8, 10))  # fits like a volume of 2 slices with 4 labels
    for images in (batch, batch[..., 0]):
        with pytest.raises(InputError, match="may be 2 images or a volume of 2 slices; give one image at a time"):
            cs.refine(images, logits=logits)
    with pytest.raises(InputError, match="along axis 1: label_axis=0 does not fit"):
        cs.refine(batch, softmax(logits.swapaxes(0, 1)).swapaxes(0, 1))


def test_one_label_is_refused():
    with pytest.raises(InputError, match="at least 2 labels"):
        cs.refine(IMAGE, logits=LOGITS[:1])


def test_parameters_are_tuned_on_small_probabilities():
    truth = LARGE.argmax(0)
    with pytest.warns(UserWarning, match="truths have no pixel of label 2"):
        tuned = cs.tune([IMAGE], [softmax(LOGITS)], [truth], budget=2)
    assert tuned.unrefined_score == pytest.approx(1)
    assert tuned.default_score > 0.5

import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError, InputTypeError
from classicseg.pipelines.image import eight_bit_unit
from tests.oracles import costs, photo, softmax

IMAGE, UNARY = photo(40, 50), costs(3, (40, 50))
P = softmax(-UNARY)


def test_labels_of_all_three_inputs():
    labels = cs.refine(IMAGE, P)
    assert labels.shape == (40, 50)
    assert labels.dtype == np.int32
    assert (labels == cs.refine(IMAGE, unary=-np.log(P))).mean() > 0.999
    assert (labels == cs.refine(IMAGE, logits=np.log(P) + 5)).mean() > 0.999


@pytest.mark.parametrize("preset", cs.PRESETS)
def test_every_preset_runs_and_has_a_source(preset):
    assert cs.refine(IMAGE, P, preset=preset).shape == (40, 50)
    assert cs.PRESETS[preset].source
    assert cs.PRESETS[preset].summary


def test_the_preset_pydensecrf_is_that_setting():
    crf = cs.refinement_crf(IMAGE, P, preset="pydensecrf")
    own = cs.DenseCRF(cs.unary_from_probabilities(P), [cs.GaussianKernel(3, 3), cs.BilateralKernel(IMAGE, 80, 13, 10)])
    np.testing.assert_array_equal(cs.minimize(crf).marginals, cs.minimize(own).marginals)


def test_parameters_replace_those_of_the_preset_and_zero_leaves_a_kernel_out():
    crf = cs.refinement_crf(IMAGE, P, preset="irnet", bilateral_sigma=7, color_sigma=(1, 2, 3), weight=0)
    assert len(crf.kernels) == 1
    assert "sigma=7" in repr(crf.kernels[0])
    assert cs.refinement_crf(IMAGE, P, weight=0, bilateral_weight=0).kernels == ()


def test_presets_of_your_own():
    irnet = cs.PRESETS["irnet"]
    own = irnet.replace(weight=1.0, quality="high")
    assert (own.weight, own.sigma, irnet.weight) == (1.0, 3.0, 3.0)
    changed = cs.refinement_crf(IMAGE, P, preset="irnet", weight=1.0, quality="high")
    assert repr(cs.refinement_crf(IMAGE, P, preset=own).kernels) == repr(changed.kernels)
    assert changed.quality == "high"
    np.testing.assert_array_equal(cs.refine(IMAGE, P, preset=irnet.replace(max_iter=0)), P.argmax(0))
    new = cs.Preset(sigma=(0.1, 0.2), weight=2.0, bilateral_sigma=0.3, color_sigma=(9, 8, 7), bilateral_weight=3.0)
    smooth, alike = cs.refinement_crf(IMAGE, P, preset=new.replace(relative=True)).kernels
    np.testing.assert_allclose(smooth.sigma, np.array([0.1, 0.2]) * np.sqrt(40 * 50))
    np.testing.assert_allclose(alike.color_sigma, [9, 8, 7])
    np.testing.assert_array_equal(cs.refine(IMAGE, P, preset="irnet", sigma=None), cs.refine(IMAGE, P, preset=irnet))


def test_changes_are_in_pixels_and_in_the_units_of_the_image_whatever_those_of_the_preset():
    (smooth, alike) = cs.refinement_crf(IMAGE / 255, P, sigma=2, color_sigma=0.1).kernels
    np.testing.assert_allclose(smooth.sigma, 2)
    np.testing.assert_allclose(alike.color_sigma, 0.1)
    np.testing.assert_allclose(alike.sigma, 0.3 * np.sqrt(40 * 50))


@pytest.mark.parametrize(
    ("image", "unit"),
    [
        (np.array([[0, 7], [200, 3]], np.uint8), 1),
        (np.array([[True, False], [True, True]]), 1 / 255),
        (np.array([[0.0, 1.0], [0.2, 0.1]]), 1 / 255),
        (np.array([[0.0, 0.5], [0.2, 0.1]]), 1 / 255),  # floats within 0 to 1: a photo, however dark
        (np.full((4, 4), 0.5), 1 / 255),
        (np.array([[0, 1], [1, 0]]), 1 / 255),
        (np.array([[-0.5, 0.5]]), (0.99 * 1) / 255),  # between percentiles
        (np.array([[0.0, 2.0]]), (0.99 * 2) / 255),
        (np.full((4, 4), 700), 1),
    ],
)
def test_a_step_of_eight_bits_in_the_units_of_an_image(image, unit):
    np.testing.assert_allclose(eight_bit_unit(image), unit)


def test_eight_bit_units_make_the_range_of_the_image_irrelevant():
    labels = cs.refine(IMAGE, P, preset="irnet")
    stretched = np.linspace(-1000, 3000, 256)[IMAGE]
    assert (labels == cs.refine(IMAGE / 255, P, preset="irnet")).mean() > 0.999
    assert (labels == cs.refine(stretched, P, preset="irnet")).mean() > 0.97


def test_gray_channels_first_and_volumes_are_recognised():
    gray = IMAGE[..., 0]
    np.testing.assert_array_equal(cs.refine(gray, P), cs.refine(gray[None], P))
    np.testing.assert_array_equal(cs.refine(IMAGE.transpose(2, 0, 1), P), cs.refine(IMAGE, P))
    volume = np.random.default_rng(0).random((6, 8, 9))
    p = softmax(np.random.default_rng(1).standard_normal((2, 6, 8, 9)))
    assert cs.refine(volume, p, spacing=(3, 1, 1)).shape == (6, 8, 9)
    assert cs.refine(np.stack([volume, volume], axis=-1), p).shape == (6, 8, 9)


def test_label_axis():
    np.testing.assert_array_equal(cs.refine(IMAGE, np.moveaxis(P, 0, -1), label_axis=-1), cs.refine(IMAGE, P))


def test_constant_images_work():
    for image in (np.zeros((40, 50)), np.full((40, 50, 3), 7.5), np.ones((40, 50), bool)):
        assert cs.refine(image, P).shape == (40, 50)


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: cs.refine(IMAGE), InputTypeError, "exactly one"),
        (lambda: cs.refine(IMAGE, P, logits=P), InputTypeError, "probabilities and logits"),
        (lambda: cs.refine(IMAGE[1:], P), InputError, "39.*40"),
        (lambda: cs.refine(IMAGE, P, preset="best"), InputError, "'default'"),
        (lambda: cs.refine(IMAGE, P[:1]), InputError, "2 labels"),
        (lambda: cs.refine(IMAGE * np.nan, P), InputError, "finite"),
        (lambda: cs.refine(IMAGE, P * np.nan), InputError, "finite"),
        (lambda: cs.refine(IMAGE, P, preset=3), InputError, "preset must be a Preset or one of 'default'"),
        (
            lambda: cs.refine(IMAGE, P, wieght=2),
            InputTypeError,
            "no parameter 'wieght'; did you mean 'weight'",
        ),
        (lambda: cs.refine(IMAGE, P, chanel_axis=2), InputTypeError, "did you mean 'channel_axis'"),
        (lambda: cs.refine(IMAGE, P, relative=True), InputTypeError, "no parameter 'relative'"),
        (lambda: cs.PRESETS["irnet"].replace(sigmas=2), InputTypeError, "a preset has no attribute 'sigmas'; did you"),
        (lambda: cs.refinement_crf(IMAGE, P, max_iter=2), InputTypeError, "pass max_iter to minimize"),
        (lambda: cs.refine(IMAGE, P, quality="best"), InputError, "quality"),
        (lambda: cs.refine(IMAGE, P, sigma=0), InputError, "sigma"),
        (lambda: cs.refine(IMAGE, P, spacing=0), InputError, "spacing"),
        (lambda: cs.refine(IMAGE, P, max_iter=-1), InputError, "max_iter"),
    ],
)
def test_bad_input_raises_and_names_the_argument(call, error, word):
    with pytest.raises(error, match=word):
        call()

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

import classicseg as cs
from benchmarks.shared.folders import DATA
from classicseg.errors import InputError, InputTypeError
from classicseg.inputs import value_range
from classicseg.pipelines import image as pipeline
from tests.oracles import costs, photo, softmax
from tests.strategies.images import bytes_of, equal_values


def eight_bit_unit(image, channel_axis):
    return pipeline.eight_bit_unit(*value_range(image, channel_axis))


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
    colors = 13 * eight_bit_unit(IMAGE, -1)
    assert colors == pytest.approx(13, rel=0.05)
    alike = cs.BilateralKernel(IMAGE, 80, colors, 10)
    own = cs.DenseCRF(cs.unary_from_probabilities(P), [cs.GaussianKernel(3, 3), alike])
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
        (np.array([[0, 7], [200, 3]], np.uint8), 200 / 255),
        (np.array([[True, False], [True, True]]), 1 / 255),
        (np.array([[0.0, 1.0], [0.2, 0.1]]), 1 / 255),
        (np.array([[-0.5, 0.5]]), 1 / 255),
        (np.full((4, 4), 700), 1),
    ],
)
def test_a_step_of_eight_bits_in_the_units_of_an_image(image, unit):
    np.testing.assert_allclose(eight_bit_unit(image, None), unit)


def photos():
    for name in ("coffee", "nuclei"):
        yield cs.sample(name).image
    for pattern in ("bsds500/*.jpg", "voc2012/*.jpg", "horses/horse???.png", "camvid/test/*.png", "msrc21/*.bmp"):
        for file in sorted(DATA.glob(pattern)):
            with Image.open(file) as picture:
                yield np.asarray(picture)


def test_the_unit_of_photos_of_eight_bits_is_one_within_five_percent():
    units = [eight_bit_unit(image, -1 if image.ndim == 3 else None) for image in photos()]
    assert np.median(np.abs(np.array(units) - 1)) < 0.05 or len(units) < 10


@given(bytes_of((8, 9, 3)))
@settings(max_examples=3, deadline=None)
def test_equal_values_have_equal_labels_whatever_their_dtype_and_layout(image):
    p = P[:, :8, :9]
    expected = cs.refine(image, p, preset="irnet")
    for same, _ in equal_values(image):
        np.testing.assert_array_equal(cs.refine(same, p, preset="irnet"), expected)


def test_eight_bit_units_make_scale_and_offset_of_the_image_irrelevant():
    labels = cs.refine(IMAGE, P, preset="irnet")
    for scale, offset in ((1 / 255, 0), (4000 / 255, -1000), (2.0**-60, 0), (1, 1e8), (1e-3, 1.0)):
        image = IMAGE.astype(float) * scale + offset
        agreement = (labels == cs.refine(image, P, preset="irnet")).mean()
        assert agreement > (0.999 if offset == 0 else 0.98)  # an offset moves the image in the lattice


def test_labels_change_little_where_one_value_leaves_the_range():
    image = IMAGE / 255
    image[3, 4, 1] = 1
    labels = cs.refine(image, P, preset="irnet")
    image[3, 4, 1] += 1e-7
    assert (labels == cs.refine(image, P, preset="irnet")).mean() > 0.999


@pytest.mark.parametrize("missing", [-9999, -3.4e38])
def test_no_data_does_not_change_the_labels_of_the_rest(missing):
    image = np.pad(IMAGE.astype(np.float32), ((0, 40), (0, 0), (0, 0)), constant_values=missing)
    p = np.pad(P, ((0, 0), (0, 40), (0, 0)), constant_values=1 / 3)
    colors = 13 * eight_bit_unit(IMAGE, -1)
    (_, alike) = cs.refinement_crf(image, p, preset="pydensecrf").kernels
    assert alike.color_sigma == pytest.approx(colors, rel=1e-6)
    changed = cs.refine(image, p, preset="pydensecrf", weight=1e-9)[:40]
    assert (changed == cs.refine(IMAGE, P, preset="pydensecrf", weight=1e-9)).mean() > 0.99


def test_every_channel_of_a_large_image_counts():
    image = np.zeros((1024, 1024, 3), np.float32)
    image[..., 2] = np.linspace(0, 51, 1024)
    assert eight_bit_unit(image, -1) == pytest.approx(0.2, rel=0.02)
    assert eight_bit_unit(np.moveaxis(image, -1, 0), 0) == eight_bit_unit(image, -1)


def test_gray_channels_first_and_volumes_are_recognised():
    gray = IMAGE[..., 0]
    np.testing.assert_array_equal(cs.refine(gray, P), cs.refine(gray[None], P))
    np.testing.assert_array_equal(cs.refine(IMAGE.transpose(2, 0, 1), P), cs.refine(IMAGE, P))
    volume = np.random.default_rng(0).random((6, 8, 9))
    p = softmax(np.random.default_rng(1).standard_normal((2, 6, 8, 9)))
    assert cs.refine(volume, p, spacing=(3, 1, 1)).shape == (6, 8, 9)
    assert cs.refine(np.stack([volume, volume], axis=-1), p).shape == (6, 8, 9)


@pytest.mark.parametrize("n", [2, 3])
def test_a_batch_is_not_taken_for_a_volume(n):
    """Where there are as many images as labels, (B, L, H, W) fits like (L, D, H, W)."""
    images, logits = np.stack([IMAGE] * n), np.random.default_rng(0).normal(size=(n, n, 40, 50))
    p = softmax(np.moveaxis(logits, 1, 0)).swapaxes(0, 1)
    for batch in (images, images[..., 0]):
        with pytest.raises(InputError, match=r"along axis 1: label_axis=0 does not fit.*one image at a time"):
            cs.refine(batch, p)
        for name in ("logits", "unary"):
            with pytest.raises(InputError, match=f"may be {n} images or a volume of {n} slices; give one image at a"):
                cs.refine(batch, **{name: logits})
    with pytest.raises(InputError, match="may be 5 images or a volume of 5 slices"):
        cs.refine(np.stack([IMAGE] * 5), np.stack([P] * 5), label_axis=1)
    volume = cs.refinement_crf(images[:, :9, :8], logits=logits[..., :9, :8], channel_axis=-1)
    assert volume.shape == (n, 9, 8)


def test_reversed_axes_are_noticed():
    with pytest.raises(InputError, match=r"in reverse, see np\.transpose"):
        cs.refine(np.zeros((4, 5, 6)), np.full((2, 6, 5, 4), 0.5))


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
        (lambda: cs.refine(IMAGE, P, preset=3), InputError, "preset must be a Preset or one of 'auto'"),
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
        (lambda: cs.refine(IMAGE, P, sigma=0), InputError, "^sigma must be"),
        (lambda: cs.refine(IMAGE, P, bilateral_sigma=0), InputError, "^bilateral_sigma must be"),
        (lambda: cs.refine(IMAGE, P, bilateral_weight=np.nan), InputError, "^bilateral_weight must be"),
        (lambda: cs.refine(IMAGE, P, weight=np.ones(2)), InputTypeError, "^weight must be"),
        (lambda: cs.refine(IMAGE, P, spacing=0), InputError, "spacing"),
        (lambda: cs.refine(IMAGE, P, max_iter=-1), InputError, "max_iter"),
    ],
)
def test_bad_input_raises_and_names_the_argument(call, error, word):
    with pytest.raises(error, match=word):
        call()


def test_an_image_with_its_channels_last_is_not_taken_for_one_with_many_in_front():
    """Costs with their labels last leave a shape that then fits, and every pixel would look at wrong ones."""
    image, unary = np.zeros((9, 8, 3)), np.zeros((9, 8, 3))
    with pytest.raises(InputError, match=r"9 channels in front; pass channel_axis=0 if .* of 9 x 8 pixels"):
        cs.refine(image, unary=unary[:5])
    with pytest.raises(InputError, match=r"pass label_axis=-1, or channel_axis=0 if the image has 9 channels in front"):
        cs.refine(image, unary=unary)
    assert cs.refinement_crf(image, unary=unary, channel_axis=0).shape == (8, 3)
    assert cs.refinement_crf(image, unary=unary, label_axis=-1).shape == (9, 8)


def test_a_channel_axis_that_is_an_array_is_refused_by_name():
    with pytest.raises(TypeError, match="channel_axis"):
        cs.refinement_crf(np.zeros((4, 5)), np.full((2, 4, 5), 0.5), channel_axis=np.array([]))

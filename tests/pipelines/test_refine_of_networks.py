"""What networks put out goes into refine as it is: tensors, objects that hold logits, batches of one image."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest

import classicseg as cs
import classicseg.pydensecrf.densecrf as dcrf
from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.pydensecrf.utils import unary_from_softmax
from tests.oracles import costs, photo

IMAGE = photo(16, 18)
LOGITS = -costs(3, (16, 18))


@functools.cache
def expected():
    """Labels from logits of the usual layout."""
    return cs.refine(IMAGE, logits=LOGITS)


@pytest.mark.parametrize(
    "output",
    [
        SimpleNamespace(logits=LOGITS),
        SimpleNamespace(logits=LOGITS[None], hidden_states=None),
        {"out": LOGITS[None], "aux": None},
        LOGITS[None],
    ],
)
def test_logits_are_found_and_a_batch_of_one_is_one_image(output):
    np.testing.assert_array_equal(cs.refine(IMAGE, logits=output), expected())
    np.testing.assert_array_equal(cs.refine(np.moveaxis(IMAGE, -1, 0), logits=output, channel_axis=0), expected())
    crf = cs.refinement_crf(IMAGE[..., 0], logits=output)
    assert crf.unary.shape == (3, 16, 18)


def test_small_logits_of_one_image_come_in_a_batch():
    """As those of SegFormer, at a quarter of the resolution."""
    small = LOGITS[:, ::4, ::4]
    expected = cs.refine(IMAGE, logits=small)
    for output in (small[None], SimpleNamespace(logits=small[None])):
        np.testing.assert_array_equal(cs.refine(IMAGE, logits=output), expected)
    with pytest.raises(InputError, match="hold 2 images"):
        cs.refine(IMAGE, logits=np.stack([small, small]))


def test_probabilities_and_costs_of_one_image_may_have_a_batch_axis():
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(0)
    np.testing.assert_array_equal(cs.refine(IMAGE, p[None]), cs.refine(IMAGE, p))
    np.testing.assert_array_equal(cs.refine(IMAGE, unary=-LOGITS[None]), expected())


def test_volumes_of_one_image():
    volume, logits = np.moveaxis(photo(12, 10), -1, 0), -costs(2, (3, 12, 10))
    expected = cs.refine(volume, logits=logits)
    np.testing.assert_array_equal(cs.refine(volume, logits=logits[None], channel_axis=None), expected)
    assert cs.refine(np.moveaxis(volume, 0, -1), logits=logits.transpose(0, 2, 3, 1)).shape == (12, 10, 3)


def test_tensors_are_read_where_they_are():
    torch = pytest.importorskip("torch")
    logits = torch.from_numpy(LOGITS).requires_grad_()
    assert np.shares_memory(inputs.as_array(logits, "logits"), LOGITS)
    assert np.shares_memory(inputs.scores_of({"logits": logits[None]}, "logits", IMAGE, 0, "infer"), LOGITS)
    for given in (logits, (logits * 1)[None], SimpleNamespace(logits=logits[None])):
        np.testing.assert_array_equal(cs.refine(torch.from_numpy(IMAGE), logits=given), expected())
    coarse = logits.to(torch.bfloat16)
    np.testing.assert_array_equal(
        cs.refine(IMAGE, logits=coarse), cs.refine(IMAGE, logits=coarse.detach().float().numpy())
    )


def test_what_holds_logits_holds_no_probabilities():
    with pytest.raises(InputTypeError, match="probabilities must be an array, got SimpleNamespace, which holds logits"):
        cs.refine(IMAGE, SimpleNamespace(logits=LOGITS))


def test_several_images_are_refused():
    for name in ("logits", "unary"):
        with pytest.raises(InputError, match=f"{name} of shape .* hold 2 images.*give one image at a time"):
            cs.refine(IMAGE, **{name: np.stack([LOGITS, LOGITS])})


def test_one_foreground_channel_is_no_batch():
    for image in (IMAGE, np.moveaxis(IMAGE, -1, 0), photo(16 * 8, 18).reshape(8, 16, 18, 3)):
        volume = image.ndim == 4
        with pytest.raises(InputError, match="unary_from_sigmoid"):
            cs.refine(image, logits=np.zeros((1, 8, 16, 18) if volume else (1, 16, 18)))
    gray = photo(16 * 8, 18)[..., 0].reshape(8, 16, 18)
    with pytest.raises(InputError, match="unary_from_sigmoid"):
        cs.refine(gray, logits=np.zeros((1, 8, 16, 18)))


@pytest.mark.parametrize("name", ["probabilities", "logits"])
@pytest.mark.parametrize(("image", "step"), [(IMAGE, 1), (IMAGE, 2), (IMAGE[..., 0], 1)])
def test_a_foreground_without_an_axis_of_labels_is_refused_with_what_takes_it(name, image, step):
    with pytest.raises(InputError, match=r"lack the axis of labels.*unary_from_sigmoid takes the foreground alone"):
        cs.refine(image, **{name: np.full((16, 18), 0.4)[::step, ::step]})


def test_booleans_are_told_what_takes_masks():
    with pytest.raises(InputTypeError, match="got a mask of booleans; unary_from_labels takes masks"):
        cs.refine(IMAGE, np.ones((16, 18), bool))


def test_a_line_of_as_many_pixels_as_channels_and_labels_is_one_if_that_is_said():
    assert cs.refine(np.eye(5), np.eye(5), channel_axis=-1).shape == (5,)


@pytest.mark.parametrize("name", ["probabilities", "logits", "unary"])
def test_labels_behind_the_pixels_are_refused_with_what_to_pass(name):
    p = np.full((3, 16, 18), 1 / 3)
    with pytest.raises(InputError, match="labels last: pass label_axis=-1"):
        cs.refine(IMAGE, **{name: np.moveaxis(p, 0, -1)})
    assert cs.refine(IMAGE, **{name: np.moveaxis(p, 0, -1)}, label_axis=-1).shape == (16, 18)
    volume = photo(16 * 8, 18).reshape(8, 16, 18, 3)
    with pytest.raises(InputError, match="labels last: pass label_axis=-1"):
        cs.refine(volume, **{name: np.full((8, 16, 18, 2), 0.5)})


def test_the_preset_cutler_is_what_its_script_does():
    """A mask becomes logits of 0 and 1; 7 at 3 pixels, 10 at 50 pixels and 5 colours; ten updates."""
    mask = LOGITS.argmax(0) == 1
    p = np.stack([1 - mask, mask]) * (np.e - 1) + 1
    p /= p.sum(0)
    d = dcrf.DenseCRF2D(18, 16, 2)
    d.setUnaryEnergy(unary_from_softmax(p))
    d.addPairwiseGaussian(sxy=3, compat=7)
    d.addPairwiseBilateral(sxy=50, srgb=5, rgbim=IMAGE, compat=10)
    expected = d.inference(10).argmax(0).reshape(16, 18)
    unary = cs.unary_from_labels(mask, 2, confidence=np.e / (1 + np.e))
    np.testing.assert_array_equal(cs.refine(IMAGE, unary=unary, preset="cutler", color_sigma=5), expected)

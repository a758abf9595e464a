"""Masks that may overlap: each equals the refinement of itself alone, and all share one lattice."""

import functools
from unittest import mock

import numpy as np
import pytest

import classicseg as cs
from classicseg.energies import dense_crf
from classicseg.energies.sharing import with_unary
from classicseg.errors import InputError, InputTypeError
from classicseg.monai import CRFd
from tests.oracles import costs, photo

IMAGE = photo(16, 18)
LOGITS = 2 * np.stack([costs(2, (16, 18), seed=k)[0] - costs(2, (16, 18), seed=k)[1] for k in range(4)])


@functools.cache
def alone():
    """Each mask, refined by itself."""
    return np.stack([cs.refine(IMAGE, unary=cs.unary_from_sigmoid(z, from_logits=True)) for z in LOGITS])


def test_each_mask_is_refined_as_if_it_were_alone():
    masks = cs.refine(IMAGE, logits=LOGITS, independent=True)
    assert masks.dtype == np.uint8
    np.testing.assert_array_equal(masks, alone())
    assert (masks.sum(0) > 1).any()
    assert (masks.sum(0) == 0).any()


def test_probabilities_and_other_axes_of_masks():
    p = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    expected = np.stack([cs.refine(IMAGE, unary=cs.unary_from_sigmoid(mask)) for mask in p])
    np.testing.assert_array_equal(cs.refine(IMAGE, p, independent=True), expected)
    last = np.moveaxis(p, 0, -1)
    np.testing.assert_array_equal(cs.refine(IMAGE, last, independent=True, label_axis=-1), expected)
    with pytest.raises(InputError, match="pass label_axis=-1"):
        cs.refine(IMAGE, last, independent=True)


def test_masks_may_be_smaller_than_the_image():
    small = LOGITS[:, ::2, ::2]
    masks = cs.refine(IMAGE, logits=small, independent=True)
    for mask, z in zip(masks, small, strict=True):
        unary = cs.unary_from_sigmoid(z, from_logits=True)
        np.testing.assert_array_equal(mask, cs.refine(IMAGE, unary=unary))


def test_one_lattice_serves_all_masks():
    with mock.patch.object(dense_crf, "LatticeBank", wraps=dense_crf.LatticeBank) as bank:
        cs.refine(IMAGE, logits=LOGITS, independent=True, preset="pydensecrf", max_iter=2)
    assert bank.call_count == 1


def test_parameters_count_and_one_mask_is_enough():
    one = cs.refine(IMAGE, logits=LOGITS[:1], independent=True, preset="pydensecrf", max_iter=3)
    unary = cs.unary_from_sigmoid(LOGITS[0], from_logits=True)
    np.testing.assert_array_equal(one[0], cs.refine(IMAGE, unary=unary, preset="pydensecrf", max_iter=3))
    np.testing.assert_array_equal(cs.refine(IMAGE, unary=unary, independent=False), alone()[0])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"unary": np.zeros((2, 16, 18))}, InputTypeError, "takes logits or probabilities"),
        ({"logits": np.full((2, 16, 18), np.nan)}, InputError, "logits must be finite"),
        ({"probabilities": np.full((2, 16, 18), 3.0)}, InputError, "probabilities must be in .*pass logits="),
        ({"logits": np.zeros((2, 17, 18))}, InputError, "does not fit logits"),
        ({"logits": np.zeros((0, 16, 18))}, InputError, "logits must not be empty"),
    ],
)
def test_what_cannot_be_refined_is_named(given, error, message):
    with pytest.raises(error, match=message):
        cs.refine(IMAGE, **given, independent=True)


def test_a_word_is_no_answer_and_one_crf_is_of_one_mask():
    with pytest.raises(InputTypeError, match="independent must be True or False"):
        cs.refine(IMAGE, logits=LOGITS, independent="yes")
    with pytest.raises(InputTypeError, match="makes one CRF, of one mask"):
        cs.refinement_crf(IMAGE, logits=LOGITS, independent=True)


def test_other_costs_share_what_was_built():
    crf = cs.refinement_crf(IMAGE, unary=cs.unary_from_sigmoid(LOGITS[0], from_logits=True))
    bank = crf.lattice_bank(1)
    other = with_unary(crf, cs.unary_from_sigmoid(LOGITS[1], from_logits=True))
    assert other.lattice_bank(1) is bank
    np.testing.assert_array_equal(cs.minimize(other).labels, alone()[1])
    np.testing.assert_array_equal(cs.minimize(crf).labels, alone()[0])
    with pytest.raises(InputError, match=r"unary must have shape \(2, 16, 18\), as before"):
        with_unary(crf, np.zeros((2, 18, 16)))


def test_the_transform_for_monai_refines_regions_that_overlap():
    data = {"image": np.moveaxis(IMAGE, -1, 0), "pred": LOGITS}
    np.testing.assert_array_equal(CRFd("pred", independent=True)(data)["pred"], alone())
    with pytest.raises(InputError, match="output='marginals'"):
        CRFd("pred", independent=True, output="marginals")

"""How strongly `refine` acts where nobody says so."""

import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import classicseg as cs
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.pipelines.appearance import Appearance
from classicseg.pipelines.strength import Evidence, Limits, Trial, blocks_of, choose, decide, evidence_of, trial_of


def unary_of(p):
    return -np.log(np.maximum(np.stack([1 - p, p]), 1e-6)).astype(np.float32)


def evidence(unary, mask=None, block=None):
    scores = UnaryGrid(unary, unary.shape[1:], False)
    return evidence_of(scores, mask, block or blocks_of(unary.shape[1:], (1.0,) * (unary.ndim - 1)), 1)


def ramp(width, shape=(64, 64)):
    """Probability that rises linearly over `width` pixels, in the middle of the columns."""
    x = (np.arange(shape[1]) - shape[1] / 2 + 0.5) / width + 0.5
    return np.broadcast_to(np.clip(x, 0.0, 1.0), shape)


@st.composite
def pictures(draw):
    shape = draw(st.lists(st.integers(1, 21), min_size=1, max_size=4).filter(lambda s: math.prod(s) <= 2000))
    block = tuple(draw(st.integers(1, n)) for n in shape)
    if len(shape) > 3:
        block = (*(1 for _ in shape[:-2]), *block[-2:])
    seed, n_labels = draw(st.integers(0, 99)), draw(st.integers(2, 5))
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < draw(st.sampled_from([0.3, 0.9, 1.0]))
    mask.reshape(-1)[0] = True
    return rng.gamma(1.0, 2.0, (n_labels, *shape)).astype(np.float32), mask, block


@settings(deadline=None)
@given(pictures())
def test_blocks_are_means_of_their_pixels(picture):
    unary, mask, block = picture
    p = np.exp(-unary.astype(float))
    p /= p.sum(0)
    found = evidence(unary, mask, block)
    assert found.means.shape[1:] == tuple(-(-n // b) for n, b in zip(mask.shape, block, strict=True))
    for at in np.ndindex(found.means.shape[1:]):
        window = tuple(slice(i * b, (i + 1) * b) for i, b in zip(at, block, strict=True))
        pixels = p[(slice(None), *window)][:, mask[window]]
        assert found.inside[at] == bool(pixels.size)
        if pixels.size:
            np.testing.assert_allclose(found.means[(slice(None), *at)], pixels.mean(1), atol=1e-5)
    labels, crossings = np.where(mask, unary.argmin(0), -1), []
    for axis in range(mask.ndim):
        pairs = np.stack([np.moveaxis(labels, axis, 0)[:-1].ravel(), np.moveaxis(labels, axis, 0)[1:].ravel()])
        pairs = pairs[:, (pairs >= 0).all(0)]
        crossings.append((pairs[0] != pairs[1]).mean() if pairs.size else 0.0)
    unsure = (p * (1 - p)).sum(0)[mask].mean() / 2
    expected = unsure / np.mean(crossings) if any(crossings) else 0.0
    assert found.width == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("width", [4, 12])
def test_width_is_that_of_the_unsure_band(width):
    """The integral of p (1 - p) along a linear ramp is a sixth of its width; half of the axes have no border."""
    assert evidence(unary_of(ramp(width))).width == pytest.approx(2 * width / 6, rel=0.15, abs=0.1)


def test_crossings_are_those_of_a_line_across_the_image():
    """One border on each row, none on the columns."""
    assert evidence(unary_of(ramp(4))).crossings == pytest.approx(0.5, rel=0.1)


def test_noise_is_one_without_noise():
    clean, rng = ramp(6), np.random.default_rng(0)
    noisy = np.clip(clean + rng.normal(0, 0.35, clean.shape), 0.01, 0.99)
    assert evidence(unary_of(clean)).noise == pytest.approx(1, abs=0.05)
    assert evidence(unary_of(noisy)).noise > 2


@pytest.mark.parametrize("ratio", [2, 4, 8, 16])
def test_small_scores_say_what_they_say_when_enlarged(ratio):
    rng = np.random.default_rng(1)
    rough = rng.normal(0, 1, (3, 96 // ratio, 128 // ratio))
    small = (60 / ratio * gaussian_filter(rough, (0, 20 / ratio, 20 / ratio))).astype(np.float32)
    scores = UnaryGrid(small, (96, 128), False)
    at_once = evidence_of(scores, None, (4, 4), 1)
    enlarged = evidence(scores.full(), None, (4, 4))
    assert at_once.means.shape == enlarged.means.shape
    assert np.abs(at_once.means - enlarged.means).mean() < 0.03
    assert at_once.crossings == pytest.approx(enlarged.crossings, rel=0.25)
    assert at_once.width == pytest.approx(enlarged.width, rel=0.25)
    assert at_once.share == pytest.approx(at_once.width / np.sqrt(96 * 128))
    assert at_once.noise == pytest.approx(1, abs=0.35)


def test_blocks_are_as_long_as_wide_in_millimetres():
    assert blocks_of((200, 300), (1.0, 1.0)) == (4, 4)
    assert blocks_of((40, 40, 40), (5.0, 1.0, 1.0)) == (1, 5, 5)
    assert blocks_of((9, 9), (1.0, 1.0)) == (1, 1)
    assert blocks_of((1, 1), (1.0, 1.0)) == (1, 1)
    n = math.prod(-(-n // b) for n, b in zip((3000, 4000), blocks_of((3000, 4000), (1.0, 1.0)), strict=True))
    assert 2**14 < n <= 2**15


def test_decisions():
    limits, fine, erased = Limits(), Trial(1.0, 1.0), Trial(0.0, 0.0)

    def decided(width, trials, noise=1.0, crossings=2.0, side=300):
        asked = []
        evidence = Evidence(None, None, width, width / side, crossings, noise)
        return decide(evidence, lambda n: asked.append(n) or trials[n], limits), asked

    assert decided(0.0, {}) == ("gentle", [])
    assert decided(1.8, {}) == ("firm", [])
    assert decided(20.0, {}) == ("gentle", [])  # no border is that wide: the network does not know what is there
    assert decided(20.0, {"strong": erased}, side=2000) == ("firm", ["strong"])
    assert decided(4.0, {}, crossings=8.0) == ("firm", [])
    assert decided(4.0, {"strong": erased}) == ("firm", ["strong"])
    assert decided(4.0, {"strong": fine, "strongest": fine}) == ("strongest", ["strong", "strongest"])
    assert decided(4.0, {"strong": fine, "strongest": erased}) == ("strong", ["strong", "strongest"])
    assert decided(4.0, {"strong": Trial(0.9, 1.0)}) == ("strong", ["strong"])
    assert decided(4.0, {"strong": Trial(0.5, 1.0)}) == ("firm", ["strong"])
    assert decided(4.0, {"strong": Trial(0.5, 1.0)}, noise=2.0) == ("strong", ["strong"])
    assert decided(4.0, {"strong": Trial(0.5, 0.5)}, noise=2.0) == ("firm", ["strong"])


def test_a_trial_sees_what_is_erased():
    """A thin line of the colour of its surroundings: strong positive weights take it away."""
    p = np.full((40, 40), 0.03)
    p[20] = 0.97
    means = np.stack([1 - p, p]).astype(np.float32)
    flat = [cs.BilateralKernel(np.zeros((40, 40), np.uint8), 20, 5, 10, channel_axis=None)]
    lost = trial_of(Evidence(means, None, 4.0, 0.01, 2.0, 1.0), flat, 1)
    assert lost == Trial(0.0, 0.0)
    image = np.where(p > 0.5, 200, 0).astype(np.uint8)
    kept = trial_of(
        Evidence(means, None, 4.0, 0.01, 2.0, 1.0), [cs.BilateralKernel(image, 20, 5, 10, channel_axis=None)], 1
    )
    assert kept.kept == 1
    assert kept.area > 0.9
    one_alive = Evidence(means[:, :10], None, 4.0, 0.01, 2.0, 1.0)
    assert trial_of(one_alive, flat, 1) == Trial(1.0, 1.0)


def test_auto_is_one_of_the_presets(caplog):
    s = cs.sample("nuclei")
    with caplog.at_level(logging.INFO, "classicseg"):
        found = cs.refinement(s.image, s.probabilities)
    assert f"auto: {found.strength}" in caplog.text
    np.testing.assert_array_equal(found.labels, cs.refine(s.image, s.probabilities, preset=found.strength))
    assert found.crf.kernels[-1].weight == cs.PRESETS[found.strength].bilateral_weight == found.preset.bilateral_weight
    again = cs.refinement(s.image, s.probabilities, preset=cs.PRESETS["firm"], max_iter=1)
    assert again.strength == "firm"
    assert again.preset.max_iter == 1
    assert cs.refinement(s.image, s.probabilities, preset=cs.PRESETS["firm"].replace(weight=0.0)).strength == "own"


def test_what_stands_under_a_mask_does_not_matter():
    rng = np.random.default_rng(3)
    s, mask = cs.sample("nuclei"), rng.random((256, 256)) < 0.7
    mask[:, 200:] = False
    other = s.image.copy()
    other[~mask] = rng.integers(0, 256, other[~mask].shape)
    p = s.probabilities.copy()
    p[:, ~mask] = np.nan
    first, second = cs.refinement(s.image, s.probabilities, mask=mask), cs.refinement(other, p, mask=mask)
    assert first.strength == second.strength
    np.testing.assert_array_equal(first.labels, second.labels)


def test_the_bundled_photo_is_cleaned():
    s = cs.sample()
    labels = cs.refine(s.image, s.probabilities)
    assert cs.scores(labels, s.truth, ignore_label=255).mean_iou > 0.8


def test_a_mask_between_the_middles_of_blocks_is_refined_gently():
    mask = np.zeros((64, 64), bool)
    mask[0, :2] = True
    logits = np.random.default_rng(0).normal(0, 3, (2, 8, 8))
    found = cs.refinement(np.zeros((64, 64), np.uint8), logits=logits, mask=mask)
    assert found.strength == "gentle"
    assert (found.labels[mask] >= 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (2, 2, 2)])
def test_tiny_pictures(shape):
    p = np.random.default_rng(0).random(shape)
    seen = Appearance.of(np.zeros(shape), shape, None, 1.0)
    assert choose(UnaryGrid(unary_of(p), shape, False), seen, {}, 1) in {"gentle", "firm", "strong", "strongest"}


def test_refinement_refuses_what_is_for_others():
    s = cs.sample("nuclei")
    with pytest.raises(TypeError, match="refinement, whose result has marginals"):
        cs.refine(s.image, s.probabilities, marginals=True)
    with pytest.raises(TypeError, match="pass unary=unary_from_sigmoid"):
        cs.refinement(s.image, s.probabilities, independent=True)
    with pytest.raises(ValueError, match="auto"):
        cs.refine(s.image, s.probabilities, preset="automatic")
    assert cs.refinement(s.image, s.probabilities, marginals=False).marginals is None

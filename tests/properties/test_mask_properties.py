"""Of pixels that take no part nothing depends on anything."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from tests.oracles import costs, photo, softmax
from tests.strategies.masks import masks, padded, with_noise

SHAPE = (11, 14)
IMAGE = photo(*SHAPE)
P = softmax(-costs(3, SHAPE))
KINDS = {"probabilities": P.astype(np.float32), "logits": np.log(P).astype(np.float32), "unary": -np.log(P)}
SEEDS = st.integers(0, 2**16)
PRESETS = st.sampled_from(["auto", *sorted(cs.PRESETS)])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(masks(SHAPE), SEEDS, st.sampled_from(sorted(KINDS)), PRESETS, st.booleans())
def test_what_stands_outside_changes_no_bit(mask, seed, kind, preset, whole_numbers):
    image = IMAGE if whole_numbers else IMAGE.astype(np.float32)
    labels = cs.refine(image, **{kind: KINDS[kind]}, mask=mask, preset=preset)
    result = cs.minimize(cs.refinement_crf(image, **{kind: KINDS[kind]}, mask=mask, preset=preset), max_iter=3)
    noisy, evidence = with_noise(image, mask, seed, last=True), with_noise(KINDS[kind], mask, seed + 1)
    np.testing.assert_array_equal(cs.refine(noisy, **{kind: evidence}, mask=mask, preset=preset), labels)
    again = cs.minimize(cs.refinement_crf(noisy, **{kind: evidence}, mask=mask, preset=preset), max_iter=3)
    np.testing.assert_array_equal(again.marginals, result.marginals)
    assert again.energy == result.energy
    np.testing.assert_array_equal(labels == -1, ~mask)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    masks(SHAPE), SEEDS, st.tuples(st.integers(0, 20), st.integers(0, 20)), PRESETS,
    st.sampled_from(["fast", "high", "exact"]),
)  # fmt: skip
def test_padding_with_noise_changes_no_bit(mask, seed, by, preset, quality):
    image, inside = padded(IMAGE, mask, by, seed, last=True)
    p, _ = padded(P, mask, by, seed)
    results = [
        cs.minimize(cs.refinement_crf(i, q, mask=m, preset=preset, quality=quality))
        for i, q, m in ((IMAGE, P, mask), (image, p, inside))
    ]
    height, width = SHAPE
    np.testing.assert_array_equal(results[1].marginals[:, :height, :width], results[0].marginals)
    np.testing.assert_array_equal(results[1].labels[:height, :width], results[0].labels)
    assert (results[1].labels[~inside] == -1).all()
    assert results[1].energy == results[0].energy


@settings(max_examples=30, deadline=None, derandomize=True)
@given(masks((6, 7)), SEEDS, st.sampled_from(["symmetric", "none", "before", "after"]))
def test_any_dense_crf_with_a_mask_is_that_of_its_points(mask, seed, normalization):
    """Features of one's own at the pixels inside, in a row, make the same CRF."""
    rng = np.random.default_rng(seed)
    unary, features = rng.random((2, 6, 7)), 3 * rng.random((3, 6, 7))
    crf = cs.DenseCRF(unary, cs.FeatureKernel(features, 2, normalization=normalization), mask=mask)
    row = cs.DenseCRF(unary[:, mask], cs.FeatureKernel(features[:, mask], 2, normalization=normalization))
    result, expected = cs.minimize(crf), cs.minimize(row)
    np.testing.assert_array_equal(result.marginals[:, mask], expected.marginals)
    assert result.energy == expected.energy


@settings(max_examples=30, deadline=None, derandomize=True)
@given(masks(SHAPE), SEEDS, st.integers(2, 4))
def test_forbidden_labels_are_given_to_no_pixel(mask, seed, n_labels):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((n_labels, *SHAPE))
    forbidden = rng.random(logits.shape) < 0.5
    forbidden[rng.integers(n_labels), forbidden.all(axis=0)] = False
    logits[forbidden] = -np.inf
    result = cs.minimize(cs.refinement_crf(IMAGE, logits=logits, mask=mask, preset="pydensecrf"))
    assert (result.marginals[forbidden] == 0).all()
    np.testing.assert_allclose(result.marginals[:, mask].sum(axis=0), 1, atol=1e-5)
    assert not forbidden[result.labels[mask], *np.nonzero(mask)].any()
    assert np.isfinite(result.energy)

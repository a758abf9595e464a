"""Pipelines on images of which not every pixel takes part."""

import numpy as np
import pytest

import classicseg as cs
from classicseg.energies.sharing import with_unary
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.pipelines.segmenters import SEGMENTERS
from tests.oracles import costs, photo, softmax
from tests.strategies.masks import box, with_noise

SHAPE = (40, 50)
IMAGE = photo(*SHAPE)
P = softmax(-costs(3, SHAPE))
MASK = box(SHAPE, ((3, 36), (0, 44))) & (np.random.default_rng(1).random(SHAPE) < 0.95)
INSIDE_BOX = box(SHAPE, ((5, 35), (6, 40)))


# --- refine -------------------------------------------------------------------------------------------------------


def test_outside_gets_the_fill():
    labels = cs.refine(IMAGE, P, mask=MASK)
    np.testing.assert_array_equal(labels == -1, ~MASK)
    filled = cs.refine(IMAGE, P, mask=MASK, fill=255)
    assert filled.dtype == np.int32
    np.testing.assert_array_equal(filled, np.where(MASK, labels, 255))


def test_a_mask_of_everything_is_none():
    np.testing.assert_array_equal(cs.refine(IMAGE, P, mask=np.ones(SHAPE)), cs.refine(IMAGE, P))


def test_masks_of_pictures_and_evidence_of_any_layout():
    labels = cs.refine(IMAGE, P, mask=MASK)
    for mask in (MASK.astype(np.uint8), 255 * MASK.astype(np.uint8), MASK.tolist()):
        np.testing.assert_array_equal(cs.refine(IMAGE, P, mask=mask), labels)
    last, first = np.moveaxis(P, 0, -1), np.moveaxis(IMAGE, -1, 0)
    np.testing.assert_array_equal(cs.refine(first, last, mask=MASK, label_axis=-1), labels)
    certain = np.eye(3, dtype=np.uint8)[P.argmax(0)].transpose(2, 0, 1)
    np.testing.assert_array_equal(cs.refine(IMAGE, certain, mask=MASK), cs.refine(IMAGE, certain * 1.0, mask=MASK))


def test_units_look_at_the_inside_only():
    """Of a dark image with a bright margin, with and without it."""
    dark = (IMAGE // 8).astype(np.float32)
    dark[~INSIDE_BOX] = 5000
    sigmas = [k.color_sigma for k in cs.refinement_crf(dark, P, mask=INSIDE_BOX).kernels[1:]]
    part = dark[5:35, 6:40], P[:, 5:35, 6:40]
    assert sigmas == [k.color_sigma for k in cs.refinement_crf(*part).kernels[1:]]
    ranges = [k.sigma for k in cs.refinement_crf(dark, P, mask=INSIDE_BOX).kernels]
    assert ranges == [k.sigma for k in cs.refinement_crf(*part).kernels]


def test_values_that_only_float64_tells_apart_do_so_whatever_lies_outside():
    image = 1e7 + IMAGE[..., 0].astype(np.float64) / 100
    labels = cs.refine(image, P, mask=MASK)
    for outside in (-9999.0, 0.0, np.nan, 1e300):
        np.testing.assert_array_equal(cs.refine(np.where(MASK, image, outside), P, mask=MASK), labels)


def test_volumes_have_masks():
    volume, p = np.stack([IMAGE[..., 0]] * 3), np.stack([P] * 3, axis=1)
    mask = np.stack([MASK, ~MASK, MASK])
    labels = cs.refine(volume, p, mask=mask)
    np.testing.assert_array_equal(labels == -1, ~mask)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: cs.refine(IMAGE, P, mask=MASK.T), cs.InputError, r"mask must have shape \(40, 50\), got \(50, 40\)"),
        (lambda: cs.refine(IMAGE, P, mask=MASK & False), cs.InputError, "no pixel takes part"),
        (lambda: cs.refine(IMAGE, P, mask=P[0]), cs.InputError, "mask must hold booleans"),
        (lambda: cs.refine(IMAGE, P, mask=MASK, fill=0.5), cs.InputTypeError, "fill must be a whole number"),
        (lambda: cs.refine(IMAGE, P, mask=MASK, fill=2**40), cs.InputError, "fill must fit into 32 bits"),
        (lambda: cs.refinement_crf(IMAGE, P, mask=MASK, fill=0), cs.InputTypeError, "fill is of refine"),
        (lambda: cs.refine(np.where(MASK, np.nan, IMAGE[..., 0]), P, mask=MASK), cs.InputError, "a mask leaves out"),
        (lambda: cs.refine(IMAGE[..., 0] * np.nan, P), cs.InputError, "a mask leaves out pixels"),
        (lambda: cs.refine(IMAGE, logits=np.where(MASK, -np.inf, P)), cs.InputError, "logits .*all of them are forbid"),
        (lambda: cs.unary_from_logits([[1e20, 0], [0, 0]], temperature=1e-20), cs.InputError, "logits / temperature"),
    ],
)
def test_bad_masks_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


# --- scores of fewer points than pixels, and several masks --------------------------------------------------------

SMALL = np.log(softmax(-costs(3, (10, 13), 1))).astype(np.float32)


def test_scores_smaller_than_the_image_are_refined_inside():
    full = UnaryGrid(SMALL, SHAPE, align_corners=False).full()
    plain = {"mask": MASK, "preset": "default", "dilution": 0.0, "exact": True}
    labels = cs.refine(IMAGE, logits=SMALL, **plain)
    assert (labels[MASK] == cs.refine(IMAGE, logits=full, **plain)[MASK]).mean() > 0.999
    np.testing.assert_array_equal(labels == -1, ~MASK)
    for preset in ("auto", "default"):
        noisy = with_noise(IMAGE.astype(np.float32), MASK, 1, last=True)
        expected = cs.refine(IMAGE.astype(np.float32), logits=SMALL, mask=MASK, preset=preset)
        np.testing.assert_array_equal(cs.refine(noisy, logits=SMALL, mask=MASK, preset=preset), expected)
    with pytest.raises(cs.InputError, match=r"mask must have shape \(40, 50\), got \(30, 50\)"):
        cs.refine(IMAGE, logits=SMALL, mask=np.ones((30, 50), bool))
    with pytest.raises(cs.InputError, match="mask must have shape"):
        cs.refine(IMAGE, logits=SMALL, mask=np.ones((5, 6), bool))
    with pytest.raises(cs.InputError, match="logits must be finite"):
        cs.refine(IMAGE, logits=np.full_like(SMALL, np.nan), mask=MASK)


def test_energies_of_scores_smaller_than_the_image_count_the_inside():
    crf = cs.refinement_crf(IMAGE, logits=SMALL, mask=MASK, preset="default")
    whole = cs.DenseCRF(crf.grid.full(), crf.kernels, mask=MASK)
    labels = P.argmax(0)
    assert crf.energy(labels) == pytest.approx(whole.energy(labels), rel=1e-5)
    result = cs.minimize(crf, prune=False)
    np.testing.assert_allclose(result.marginals, cs.minimize(whole, prune=False).marginals, atol=1e-5)


@pytest.mark.parametrize("mask", [None, MASK])
def test_forbidden_labels_of_scores_smaller_than_the_image(mask):
    forbidden = SMALL.copy()
    forbidden[2, :, :6] = -np.inf
    crf = cs.refinement_crf(IMAGE, logits=forbidden, mask=mask, preset="default")
    result = cs.minimize(crf)
    assert (result.labels[:, :20] != 2).all()
    assert (result.labels[:, 30:] == 2).any()
    assert (result.marginals[2, :, :20] == 0).all()
    assert np.isfinite(result.energy)
    assert np.isfinite(crf.free_energy(result.marginals))
    assert crf.energy(np.full(SHAPE, 2)) == np.inf
    for preset in ("auto", "gentle"):
        assert (cs.refine(IMAGE, logits=forbidden, mask=mask, preset=preset)[:, :20] != 2).all()


def test_masks_that_overlap_are_refined_inside_and_share_their_lattices():
    scores = np.stack([SMALL[0], SMALL[1]]).repeat(4, axis=1).repeat(4, axis=2)[:, :40, :50]
    full = {"mask": MASK, "preset": "default", "independent": True}
    both = cs.refine(IMAGE, logits=scores, **full)
    assert (both[:, ~MASK] == 0).all()
    np.testing.assert_array_equal(cs.refine(IMAGE, logits=with_noise(scores, MASK, 1), **full), both)
    for score, found in zip(scores, both, strict=True):
        unary = cs.unary_from_sigmoid(score, from_logits=True)
        alone = cs.refine(IMAGE, unary=unary, mask=MASK, preset="default")
        np.testing.assert_array_equal(found[MASK], alone[MASK])


def test_energies_that_share_lattices_have_the_same_mask():
    crf = cs.refinement_crf(IMAGE, P, mask=MASK, preset="default")
    cs.minimize(crf)
    costs_ = -np.log(P[::-1])
    other = with_unary(crf, with_noise(costs_, MASK, 2))
    assert vars(other.inside)["_lattices"] is vars(crf.inside)["_lattices"]
    fresh = cs.DenseCRF(costs_, crf.kernels, mask=MASK)
    np.testing.assert_array_equal(cs.minimize(other).marginals, cs.minimize(fresh).marginals)


@pytest.mark.parametrize("preset", ["auto", "pydensecrf"])
def test_a_refinement_tells_the_outside(preset):
    result = cs.refinement(IMAGE, P, mask=MASK, preset=preset, fill=255)
    np.testing.assert_array_equal(result.labels == 255, ~MASK)
    assert (result.marginals[:, ~MASK] == 0).all()
    labels = cs.refine(IMAGE, P, mask=MASK, preset=result.preset, exact=True)
    assert (labels[MASK] != result.labels[MASK]).mean() <= 1e-3
    part = IMAGE[3:36, :44], P[:, 3:36, :44]
    assert result.strength == cs.refinement(*part, mask=MASK[3:36, :44], preset=preset).strength


# --- tune ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["miou", "boundary"])
def test_the_outside_is_not_scored(metric):
    truth = P.argmax(0)
    options = {"budget": 3, "metric": metric}
    tuned = cs.tune([IMAGE], [P], [truth], masks=[MASK], **options)
    noisy = with_noise(IMAGE.astype(np.float32), MASK, 1, last=True)
    again = cs.tune([noisy], [with_noise(P, MASK, 2)], [np.where(MASK, truth, 77)], masks=[MASK], **options)
    assert again.history == tuned.history
    assert again.unrefined_score == tuned.unrefined_score
    wrong = np.where(MASK, truth, 2 - truth)
    assert cs.tune([IMAGE], [P], [wrong], masks=[MASK], **options).score == tuned.score
    ignored = cs.tune([IMAGE], [P], [wrong], masks=[MASK], ignore_label=255, **options)
    assert ignored.score == tuned.score


def test_some_images_have_masks_and_any_crf_gets_them():
    seen = []

    def crf(image, p, mask=None, strength=1.0):
        seen.append(mask)
        return np.where(True if mask is None else mask, p.argmax(0), -1)

    truth = P.argmax(0)
    tuned = cs.tune([IMAGE] * 2, [P] * 2, [truth] * 2, masks=[None, MASK], crf=crf, space={"strength": [1]}, budget=1)
    assert tuned.score == 1
    assert seen[0] is None
    np.testing.assert_array_equal(seen[1], MASK)
    with pytest.raises(cs.InputError, match="masks must be as many as images, 2, got 1"):
        cs.tune([IMAGE] * 2, [P] * 2, [truth] * 2, masks=[None])
    with pytest.raises(cs.InputError, match="mask must have shape"):
        cs.tune([IMAGE], [P], [truth], masks=[MASK.T])
    with pytest.raises(cs.InputError, match=r"masks\[0\] must have shape"):
        cs.tune([IMAGE], [P], [truth], masks=[np.ones((60, 60))])
    with pytest.raises(cs.InputTypeError, match="masks are given as 'mask', but the CRF cannot be called with it"):
        cs.tune([IMAGE], [P], [truth], masks=[MASK], crf=lambda image, p, a=1: truth, space={"a": [1]})


# --- segment ------------------------------------------------------------------------------------------------------


def options_of(name):
    seeds = np.zeros(SHAPE, int)
    seeds[8:12, 8:12], seeds[25:30, 30:35] = 3, 7
    return {"seeds": np.where(MASK, seeds, -5)} if "seeds" in SEGMENTERS[name].options() else {}


@pytest.mark.parametrize("name", cs.segmenters())
def test_no_method_looks_at_the_outside(name):
    image = IMAGE.astype(np.float64)
    labels = cs.segment(image, name, mask=MASK, **options_of(name))
    assert (labels[~MASK] == 0).all()
    assert (labels[MASK] > 0).mean() > 0.98  # the rest are islands without a seed
    assert labels.dtype == np.int32
    for outside in (np.nan, -1e200, 1000):
        noisy = np.where(MASK[..., None], image, outside)
        np.testing.assert_array_equal(cs.segment(noisy, name, mask=MASK, **options_of(name)), labels)


def test_the_page_says_which_methods_know_masks():
    filled = [name for name in cs.segmenters() if not SEGMENTERS[name].knows_masks]
    assert ", ".join(filled) in " ".join(cs.segment.__doc__.split())


def test_thresholds_are_those_of_the_inside():
    gray = np.where(INSIDE_BOX, IMAGE[..., 0] // 4, 255)
    part = cs.segment(gray[5:35, 6:40], "otsu")
    np.testing.assert_array_equal(cs.segment(gray, "otsu", mask=INSIDE_BOX)[5:35, 6:40], part)
    flat = np.where(INSIDE_BOX, 7, IMAGE[..., 0])
    np.testing.assert_array_equal(cs.segment(flat, "otsu", mask=INSIDE_BOX), INSIDE_BOX.astype(int))


def test_bad_masks_of_segment_are_named():
    with pytest.raises(cs.InputError, match="no pixel takes part"):
        cs.segment(IMAGE, "otsu", mask=np.zeros(SHAPE))
    with pytest.raises(cs.InputError, match="finite"):
        cs.segment(np.where(MASK, np.nan, IMAGE[..., 0]), "otsu", mask=MASK)
    with pytest.raises(cs.InputTypeError, match=r"mask=~image\.mask"):
        cs.segment(np.ma.masked_equal(IMAGE, 1), "felzenszwalb")


# --- cutout -------------------------------------------------------------------------------------------------------

STROKES = np.full(SHAPE, -1)
STROKES[15:20, 15:25], STROKES[:, -8:-6], STROKES[33:36] = 1, 0, 0


@pytest.mark.parametrize("colors", ["mixture", "histogram"])
def test_a_cutout_ignores_the_outside(colors):
    cut = cs.cutout(IMAGE, STROKES, mask=MASK, colors=colors)
    np.testing.assert_array_equal(cut.labels == -1, ~MASK)
    assert not cut.mask[~MASK].any()
    assert (cut.probabilities[:, ~MASK] == 0).all()
    assert cut.crf.energy(cut.labels) == cut.energy
    noisy = with_noise(IMAGE.astype(np.float32), MASK, 1, last=True)
    again = cs.cutout(noisy, np.where(MASK, STROKES, 4), mask=MASK, fill=255, colors=colors)
    np.testing.assert_array_equal(again.labels, np.where(MASK, cut.labels, 255))
    np.testing.assert_array_equal(again.mask, cut.mask)
    assert again.energy == cut.energy


def test_more_strokes_go_on_with_the_mask_of_before():
    cut = cs.cutout(IMAGE, STROKES, mask=MASK, fill=9)
    noisy = with_noise(IMAGE, MASK, 1, last=True)
    more = cs.cutout(noisy, np.where(MASK, STROKES, 1), previous=cut)
    np.testing.assert_array_equal(more.labels == -1, ~MASK)
    assert more.energy <= cut.energy * (1 + 1e-9)
    np.testing.assert_array_equal(more.scribbles == -1, cut.scribbles == -1)


def test_boxes_several_objects_and_strokes_outside():
    boxed = cs.cutout(IMAGE, box=(8, 8, 30, 40), mask=MASK)
    assert set(np.unique(boxed.labels)) <= {-1, 0, 1}
    three = STROKES.copy()
    three[25:30, 30:35] = 2
    assert set(np.unique(cs.cutout(IMAGE, three, mask=MASK).labels)) == {-1, 0, 1, 2}
    with pytest.raises(cs.InputError, match="got no pixel of label 1"):
        cs.cutout(IMAGE, STROKES, mask=MASK & (STROKES != 1))
    with pytest.raises(cs.InputError, match="mask must have shape"):
        cs.cutout(IMAGE, STROKES, mask=MASK.T)
    with pytest.raises(cs.InputTypeError, match="fill must be a whole number"):
        cs.cutout(IMAGE, STROKES, mask=MASK, fill="x")

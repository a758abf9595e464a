"""Energies of images of which not every pixel takes part."""

import copy
import pickle

import numpy as np
import pytest

import classicseg as cs
from tests.oracles import bilateral_features, gaussian_matrix, normalized, photo, position_features
from tests.strategies.masks import box, with_noise

SHAPE = (9, 12)
RNG = np.random.default_rng(3)
UNARY = RNG.random((3, *SHAPE)).astype(np.float32)
IMAGE = photo(*SHAPE)
MASK = RNG.random(SHAPE) < 0.6
LABELS = RNG.integers(0, 3, SHAPE)


def dense(unary=UNARY, image=IMAGE, mask=MASK, **options):
    kernels = [cs.GaussianKernel(1.5, 2.0), cs.BilateralKernel(image, 4.0, 30.0, 3.0, mask=mask)]
    return cs.DenseCRF(unary, kernels, mask=mask, **options)


def grid(unary=UNARY, weights=None, mask=MASK, **options):
    weights = cs.contrast_weights(IMAGE) if weights is None else weights
    return cs.GridCRF(unary, cs.Potts(0.7), weights, mask=mask, **options)


@pytest.mark.parametrize("normalization", ["symmetric", "none", "before", "after"])
def test_the_points_of_kernels_are_the_pixels_inside(normalization):
    kernels = [
        cs.GaussianKernel(1.5, 2.0, normalization=normalization),
        cs.BilateralKernel(IMAGE, 4.0, 30.0, 3.0, normalization=normalization),
    ]
    crf = cs.DenseCRF(UNARY, kernels, mask=MASK, quality="exact")
    inside, labels = MASK.reshape(-1), LABELS[MASK]
    expected = float(np.take_along_axis(UNARY[:, MASK], labels[None], 0).sum(dtype=np.float64))
    features = position_features(SHAPE, 1.5), bilateral_features(IMAGE.astype(float), 4.0, 30.0)
    for weight, f in zip((2.0, 3.0), features, strict=True):
        k = normalized(gaussian_matrix(f[:, inside]), normalization)
        expected += weight * (k * (labels[:, None] != labels)).sum() / 2
    assert crf.energy(LABELS) == pytest.approx(expected, rel=1e-5)
    assert sum(crf.terms(LABELS).values()) == crf.energy(LABELS)


def test_the_energy_of_a_grid_is_that_of_pixels_and_edges_inside():
    weights, costs = cs.contrast_weights(IMAGE, connectivity=8), np.array([2.0, 3.0, 5.0])
    labels = np.where(LABELS == 2, 0, LABELS)
    labels[~MASK] = 2  # is used by nobody inside
    expected = float(np.take_along_axis(UNARY[:, MASK], labels[MASK][None], 0).sum(dtype=np.float64)) + 5
    for name, (dy, dx) in {"right": (0, 1), "down": (1, 0), "down_right": (1, 1), "down_left": (1, -1)}.items():
        for (y, x), weight in np.ndenumerate(weights[name]):
            first, second = (y, x + (dx < 0)), (y + dy, x + (dx < 0) + dx)
            expected += 0.7 * weight * (MASK[first] and MASK[second] and labels[first] != labels[second])
    crf = grid(label_costs=costs)
    assert crf.energy(labels) == pytest.approx(expected, rel=1e-6)
    assert sum(crf.terms(labels).values()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("make", [dense, grid])
def test_what_stands_outside_changes_no_bit(make):
    crf = make()
    for seed in range(3):
        options = {"image": with_noise(IMAGE.astype(np.float32), MASK, seed, last=True)} if make is dense else {}
        other = make(with_noise(UNARY, MASK, seed), **options)
        np.testing.assert_array_equal(other.unary, crf.unary)
        junk = np.where(MASK, LABELS, [-1, 255, 7][seed])
        assert other.energy(junk) == other.energy(LABELS)
        if make is grid:
            assert other.energy(junk) == crf.energy(LABELS)
    if make is grid:
        weights = cs.contrast_weights(with_noise(IMAGE.astype(np.float32), MASK, 0, last=True), mask=MASK)
        clean = cs.contrast_weights(IMAGE.astype(np.float32), mask=MASK)
        for name in weights:
            np.testing.assert_array_equal(weights[name], clean[name])
            np.testing.assert_array_equal(grid(weights=weights).weights[name], weights[name])


def test_weights_outside_may_be_nan_but_not_of_another_shape():
    weights = {"right": np.ones((9, 11)), "down": np.ones((8, 12))}
    expected = grid(weights=weights).energy(LABELS)
    weights["right"][~(MASK[:, 1:] & MASK[:, :-1])] = np.nan
    assert grid(weights=weights).energy(LABELS) == expected
    with pytest.raises(cs.InputError, match=r"weights.*right.*nan"):
        grid(weights=weights, mask=None)
    with pytest.raises(cs.InputError, match=r"weights.*down.*shape"):
        grid(weights={**weights, "down": np.ones((8, 11))})


@pytest.mark.parametrize("weight", [2, 0.5, 1e-3])
def test_a_single_weight_is_that_of_edges_inside(weight):
    for spacing in (None, 2.0):
        crf = cs.GridCRF(UNARY, cs.Potts(1), weight, connectivity=8, spacing=spacing, mask=MASK)
        full = cs.GridCRF(UNARY, cs.Potts(1), weight, connectivity=8, spacing=spacing)
        again = cs.GridCRF(UNARY, cs.Potts(1), dict(full.weights), connectivity=8, mask=MASK)
        assert crf.energy(LABELS) == again.energy(LABELS)


@pytest.mark.parametrize("make", [dense, grid])
def test_a_mask_of_everything_is_none(make):
    crf, plain = make(mask=np.ones(SHAPE, bool)), make(mask=None)
    assert crf.mask is None
    assert crf.n_points == 108
    assert crf.energy(LABELS) == plain.energy(LABELS)
    assert repr(crf) == repr(plain)


def test_a_box_of_a_grid_is_the_cut_out_of_it():
    mask = box(SHAPE, ((2, 7), (3, 11)))
    weights = cs.contrast_weights(IMAGE, beta=0.001, connectivity=8)
    part = cs.contrast_weights(IMAGE[2:7, 3:11], beta=0.001, connectivity=8)
    whole = cs.GridCRF(UNARY, cs.Potts(0.7), weights, mask=mask)
    cut = cs.GridCRF(UNARY[:, 2:7, 3:11], cs.Potts(0.7), part)
    assert whole.energy(LABELS) == pytest.approx(cut.energy(LABELS[2:7, 3:11]), rel=1e-12)
    assert whole.n_points == cut.n_points == 40


def test_automatic_weights_look_at_the_inside_only():
    mask = box(SHAPE, ((2, 7), (3, 11)))
    weights, part = cs.contrast_weights(IMAGE, mask=mask), cs.contrast_weights(IMAGE[2:7, 3:11])
    np.testing.assert_allclose(weights["right"][2:7, 3:10], part["right"], rtol=1e-5)
    weights["right"][2:7, 3:10] = 0
    assert not weights["right"].any()


@pytest.mark.parametrize("quality", ["fast", "exact"])
def test_messages_and_free_energies_are_those_of_the_inside(quality):
    crf = dense(quality=quality)
    q = RNG.dirichlet(np.ones(3), SHAPE).astype(np.float32).transpose(2, 0, 1)
    noisy = with_noise(q, MASK, 0)
    message = crf.pairwise_message(noisy)
    assert message.shape == (3, *SHAPE)
    assert (message[:, ~MASK] == 0).all()
    np.testing.assert_array_equal(message[:, MASK], crf.inside.pairwise_message(q[:, MASK]))
    assert crf.free_energy(noisy) == crf.inside.free_energy(q[:, MASK])
    with pytest.raises(cs.InputError, match="marginals must have shape"):
        crf.free_energy(q[:, :5])


def test_forbidden_labels_have_a_free_energy():
    unary = UNARY.copy()
    unary[0, 2:5] = np.inf
    crf = dense(unary, mask=None)
    q = np.where(np.isinf(unary), 0, 1.0)
    q /= q.sum(axis=0)
    assert np.isfinite(crf.free_energy(q))
    assert crf.free_energy(np.full((3, *SHAPE), 1 / 3)) == np.inf
    assert crf.energy(np.zeros(SHAPE, int)) == np.inf
    assert np.isfinite(crf.energy(np.ones(SHAPE, int)))


@pytest.mark.parametrize("make", [dense, grid])
def test_copies_keep_the_mask(make):
    crf = make()
    crf.energy(LABELS)
    for twin in (copy.copy(crf), copy.deepcopy(crf), pickle.loads(pickle.dumps(crf))):
        np.testing.assert_array_equal(twin.mask, MASK)
        assert twin.energy(LABELS) == crf.energy(LABELS)
    assert f"9x12 pixels, {MASK.sum()} inside" in repr(crf)


@pytest.mark.parametrize("make", [dense, grid])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mask": MASK.T}, r"mask must have (the spatial )?shape"),
        ({"mask": np.ones((20, 30), bool)}, r"mask must have (the spatial )?shape"),
        ({"mask": MASK & False}, "mask is False everywhere"),
        ({"mask": LABELS + 1}, "mask must hold booleans"),
        ({"unary": np.where(MASK, np.inf, UNARY)}, "forbidden"),
        ({"unary": np.where(MASK, np.nan, UNARY)}, "nan"),
    ],
)
def test_bad_masks_and_costs_are_named(make, options, words):
    with pytest.raises(cs.InputError, match=words):
        make(**options)


def test_labels_at_a_third_axis_and_volumes():
    unary = RNG.random((2, 3, 4, 5))
    mask = RNG.random((3, 4, 5)) < 0.5
    labels = RNG.integers(0, 2, mask.shape)
    for crf in (
        cs.DenseCRF(unary, cs.GaussianKernel(1.0, 2.0), mask=mask),
        cs.GridCRF(unary, cs.Potts(1), connectivity=26, mask=mask),
    ):
        last = type(crf)(np.moveaxis(unary, 0, -1), *arguments(crf), label_axis=-1, mask=mask)
        assert last.energy(labels) == crf.energy(np.where(mask, labels, -1))


def arguments(crf):
    return (crf.kernels,) if isinstance(crf, cs.DenseCRF) else (crf.compatibility, dict(crf.weights))

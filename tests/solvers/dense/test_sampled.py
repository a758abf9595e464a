import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import classicseg as cs
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.solvers.dense import sampled
from classicseg.solvers.dense.prospects import contest
from tests.oracles import photo

SHAPE = (60, 84)


def smooth(n_labels, shape, seed=0):
    """Costs of a few large regions with blurred borders."""
    rng = np.random.default_rng(seed)
    values = gaussian_filter(rng.standard_normal((n_labels, *shape)), (0, *(max(1, n // 8) for n in shape)))
    return (3 * values / values.std()).astype(np.float32)


def crf(unary, shape=SHAPE, image=None, **options):
    image = photo(*shape) if image is None else image
    return cs.DenseCRF(
        unary,
        [cs.GaussianKernel(16, -1.0, **options), cs.BilateralKernel(image, 20, 40, 3.0, **options)],
        shape=shape,
    )


def infer(energy, n_iter=5, n_threads=1):
    return sampled.infer_sampled(contest(energy, n_iter, n_threads), n_iter, n_threads, marginals=False)


def plain(energy, n_iter=5):
    return cs.minimize(energy, max_iter=n_iter, marginals=False).labels


@pytest.fixture
def few_are_many(monkeypatch):
    """Images of any size are sampled, however small the sample is, and whatever comes out."""
    for name, value in {"_FEWEST": 0, "_CROWDED": 0, "MOST_DIFFER": np.inf, "_SAMPLES": (1200,)}.items():
        monkeypatch.setattr(sampled, name, value)


def sample_all(shape, n):
    points = np.arange(np.prod(shape))
    return points, points % 2 == 0


@pytest.mark.parametrize(
    ("n_labels", "small", "options"),
    [
        (3, (15, 21), {}),
        (3, SHAPE, {"normalization": "after"}),
        (20, (15, 21), {}),  # two panels
        (3, (15, 21), {"compatibility": [[0, 1, 2], [1, 0, 3], [2, 3, 1]]}),
    ],
)
def test_a_sample_of_all_points_gives_the_labels_of_the_whole_loop(n_labels, small, options, few_are_many, monkeypatch):
    monkeypatch.setattr(sampled, "sample", sample_all)
    monkeypatch.setattr("classicseg.filters.elsewhere.AT_ONCE", 1000)  # several parts, none a multiple of a block
    energy = crf(smooth(n_labels, small), **options)
    found = infer(energy)
    assert (found.labels != plain(energy)).mean() <= 2e-4  # rounding


def test_volumes_masks_and_one_axis_are_sampled_as_well(few_are_many, monkeypatch):
    monkeypatch.setattr(sampled, "sample", sample_all)
    volume = (9, 14, 21)
    image = gaussian_filter(np.random.default_rng(0).random(volume), 2) * 800
    inside = photo(*volume[:2])[..., :1] > 90
    mask = np.broadcast_to(inside, volume)
    for given_mask in (None, mask):
        kernel = cs.BilateralKernel(image, 9, 40, 3.0, channel_axis=None)
        energy = cs.DenseCRF(smooth(3, volume), kernel, mask=given_mask)
        found, labels = infer(energy.inside), plain(energy)
        assert (found.labels != (labels if given_mask is None else labels[mask])).mean() <= 2e-4


def test_labels_and_estimate_are_near_those_of_the_whole_loop(few_are_many, monkeypatch):
    monkeypatch.setattr(sampled, "_SAMPLES", (6000,))
    shape = (150, 200)
    for seed in range(3):
        energy = crf(smooth(3, (38, 50), seed), shape)
        found, labels = infer(energy), plain(energy)
        differ = (found.labels != labels).mean()
        assert differ <= 0.02 < (energy.grid.cheapest() != labels).mean()
        assert found.may_differ / 8 <= differ <= found.may_differ


def test_what_the_sample_has_not_seen_is_counted(few_are_many, monkeypatch):
    image = photo(*SHAPE)
    image[10:30, 20:50] = 250, 0, 250  # a colour of its own

    def elsewhere(shape, n):
        outside = np.ones(shape, bool)
        outside[10:30, 20:50] = False
        points = np.flatnonzero(outside)
        return points, points % 2 == 0

    monkeypatch.setattr(sampled, "sample", elsewhere)
    unsure = 0.1 * smooth(3, SHAPE)
    found = infer(crf(unsure, image=image))
    share = 20 * 30 / image[..., 0].size
    assert found.may_differ >= 0.9 * share


def test_a_pattern_as_wide_as_a_cell_is_seen(few_are_many):
    """Stripes of two colours, one of them in every other column, and costs that only colours tell apart."""
    shape = (120, 160)
    striped = np.zeros((*shape, 3))
    striped[:, ::4] = striped[:, 1::4] = 200
    unary = 0.2 * np.random.default_rng(0).standard_normal((2, *shape))
    unary[0] += np.where(striped[..., 0] > 0, 0.2, -0.2)
    energy = cs.DenseCRF(unary, cs.BilateralKernel(striped, 20, 20, 5.0))
    found = infer(energy)
    assert (found.labels != plain(energy)).mean() <= 0.01
    assert (found.labels != (striped[..., 0] > 0)).mean() <= 0.01


def test_equal_to_the_bit_for_every_number_of_threads(few_are_many, monkeypatch):
    monkeypatch.setattr("classicseg.filters.elsewhere.AT_ONCE", 1000)
    energy = crf(smooth(3, (15, 21)))
    first, *others = (infer(energy, n_threads=n) for n in (1, 2, 5))
    for other in others:
        np.testing.assert_array_equal(other.labels, first.labels)
        assert other.may_differ == first.may_differ


def test_labels_that_cannot_win_are_left_out(few_are_many):
    few = smooth(3, (15, 21))
    dead = np.full((12, *few.shape[1:]), few.max() + 6, np.float32)
    for level in (0, 20):  # with and without a share of the pixels
        energy = crf(np.concatenate([few[:1], dead + level, few[1:]]))
        found, labels = infer(energy), plain(energy)
        assert set(np.unique(found.labels)) <= {0, 13, 14}
        assert (found.labels != labels).mean() <= found.may_differ


def test_what_cannot_be_sampled_is_not(monkeypatch):
    energy = crf(smooth(3, (15, 21)))
    assert infer(energy) is None  # too few points
    monkeypatch.setattr(sampled, "_FEWEST", 0)
    left = contest(energy, 5, 1)
    assert sampled.infer_sampled(left, 5, 1, marginals=True) is None
    monkeypatch.setattr(sampled, "_SAMPLES", (300,))
    assert infer(energy) is None  # a vertex for every other point
    monkeypatch.setattr(sampled, "_CROWDED", 0)
    assert infer(energy) is None  # labels depend on the sample


def test_a_larger_sample_is_tried_where_the_first_is_nearly_enough(few_are_many, monkeypatch):
    energy, tried = crf(smooth(3, (38, 50)), (150, 200)), []

    def recorded(shape, n):
        tried.append(n)
        return sample(shape, n)

    sample = sampled.sample
    monkeypatch.setattr(sampled, "sample", recorded)
    monkeypatch.setattr(sampled, "_SAMPLES", (6000,))
    of_first = infer(energy).may_differ
    monkeypatch.setattr(sampled, "_SAMPLES", (6000, 12000))
    monkeypatch.setattr(sampled, "MOST_DIFFER", 0.45 * of_first)
    assert infer(energy).may_differ < 0.6 * of_first
    monkeypatch.setattr(sampled, "MOST_DIFFER", of_first / 8)
    assert infer(energy) is None
    assert tried == [6000, 6000, 12000, 6000]


def test_minimize_samples_unless_marginals_are_wanted(few_are_many):
    energy = crf(smooth(3, (15, 21)))
    result = cs.minimize(energy, max_iter=5, prune=True, marginals=False)
    found = infer(energy)
    assert found.may_differ > 1e-3  # so that all is done again, without a sample
    assert result.may_differ != found.may_differ
    np.testing.assert_array_equal(result.labels, cs.minimize(energy, max_iter=5, prune=True).labels)


@given(
    shape=st.lists(st.integers(1, 60), min_size=1, max_size=3).map(tuple),
    share=st.floats(0.05, 1.0),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_samples_are_even(shape, share):
    n = max(1, round(share * np.prod(shape)))
    points, half = sampled.sample(shape, n)
    assert points.min() >= 0
    assert points.max() < np.prod(shape)
    assert abs(int(half.sum()) - points.size / 2) <= points.size / 6 + 1
    if points.size >= 100:
        for place, length in zip(np.unravel_index(points, shape), shape, strict=True):
            assert abs(place.mean() - (length - 1) / 2) <= 0.5 + length / 8
    np.testing.assert_array_equal(points, sampled.sample(shape, n)[0])


def test_all_pixels_are_equally_likely():
    shape = (7, 30)
    counts = np.zeros(np.prod(shape))
    for seed in range(200):
        sampled_points, _ = _with_seed(seed, shape)
        counts += np.bincount(sampled_points, minlength=counts.size)
    expected = counts.mean()
    assert abs(counts - expected).max() <= 5 * np.sqrt(expected)


def _with_seed(seed, shape):
    kept = sampled._SEED
    try:
        sampled._SEED = seed
        return sampled.sample(shape, 50)
    finally:
        sampled._SEED = kept


@pytest.mark.parametrize(
    ("grid", "shape"), [((5,), (23,)), ((4, 6), (13, 6)), ((2, 3, 4), (5, 9, 8)), ((4, 6), (4, 6))]
)
@pytest.mark.parametrize("aligned", [False, True])
def test_costs_of_scattered_points_are_those_of_all(grid, shape, aligned):
    rng = np.random.default_rng(0)
    costs = UnaryGrid(rng.random((3, *grid), np.float32), shape, aligned)
    points = rng.integers(0, np.prod(shape), 40)
    np.testing.assert_allclose(costs.at(points), costs.full().reshape(3, -1)[:, points], rtol=1e-6)

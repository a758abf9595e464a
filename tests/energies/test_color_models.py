import numpy as np
import pytest

from classicseg.energies.color_models import ColorHistogram, ColorMixture, fit_color_model
from classicseg.errors import InputError


def three_colors(n=400, seed=5):
    """Three clouds of colours, (3, 3n)."""
    rng = np.random.default_rng(seed)
    tilted = np.array([[90, 40, 0], [40, 90, 0], [0, 0, 9.0]])
    clouds = [
        rng.multivariate_normal([50, 60, 70], np.diag([30, 40, 50.0]), n),
        rng.multivariate_normal([150, 60, 70], tilted, n),
        rng.multivariate_normal([10, 200, 90], np.eye(3) * 300, n),
    ]
    return np.ascontiguousarray(np.concatenate(clouds).T, np.float32)


def slow_costs(mixture, colors):
    """The formula of the docstring."""
    best = np.full(colors.shape[1], np.inf)
    for share, mean, covariance in zip(mixture.shares, mixture.means, mixture.covariances, strict=True):
        if share == 0:
            continue
        off = colors - mean[:, None]
        square = np.einsum("in,ij,jn->n", off, np.linalg.inv(covariance), off)
        best = np.minimum(best, square / 2 + np.log(np.linalg.det(2 * np.pi * covariance)) / 2 - np.log(share))
    return best


@pytest.mark.parametrize("n", [1, 5, 16, 37, 1000])
@pytest.mark.parametrize("n_channels", [1, 2, 3, 7])
def test_costs_are_those_of_the_formula(n, n_channels):
    rng = np.random.default_rng(n)
    colors = np.ascontiguousarray(30 * rng.standard_normal((n_channels, n)), np.float32)
    mixture = ColorMixture.fit(colors, 3)
    cost, component = mixture.costs(colors)
    np.testing.assert_allclose(cost, slow_costs(mixture, colors), rtol=1e-4, atol=1e-3)
    assert cost.shape == component.shape == (n,)


def test_clouds_of_colours_are_found():
    mixture = ColorMixture.fit(three_colors(), 3, max_iter=20)
    order = np.argsort(mixture.means[:, 0])
    np.testing.assert_allclose(mixture.means[order], [[10, 200, 90], [50, 60, 70], [150, 60, 70]], atol=3)
    np.testing.assert_allclose(mixture.shares, 1 / 3, atol=0.01)


def test_no_step_raises_the_cost_also_at_the_floor():
    colors = np.round(three_colors() / 40) * 40  # few colours: variances reach the floor
    mixture, last = ColorMixture.fit(colors, 5, max_iter=0), np.inf
    for _ in range(10):
        cost, component = mixture.costs(colors)
        total = cost.sum(dtype=np.float64)
        assert total <= last * (1 + 1e-6)
        last = total
        mixture = mixture.refit(colors, np.ones(colors.shape[1], bool), component)
    assert np.linalg.eigvalsh(mixture.covariances).min() >= 1 - 1e-6


def test_one_colour_makes_one_component_and_no_pixels_keep_the_model():
    mixture = ColorMixture.fit(np.full((3, 40), 7, np.float32), 5)
    assert mixture.shares.tolist() == [1.0]
    assert mixture.refit(np.zeros((3, 2), np.float32), np.zeros(2, bool), np.zeros(2, np.uint8)) is mixture


def test_a_component_that_lost_its_pixels_is_left_out():
    colors = three_colors()
    mixture = ColorMixture.fit(colors, 3)
    only_first = mixture.refit(colors, np.ones(colors.shape[1], bool), np.zeros(colors.shape[1], np.uint8))
    assert only_first.shares.tolist() == [1.0, 0.0, 0.0]
    assert set(only_first.costs(colors)[1].tolist()) == {0}


def test_results_do_not_depend_on_threads():
    colors = np.tile(three_colors(), (1, 120))
    one, two = (ColorMixture.fit(colors, 4, n_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.covariances, two.covariances)
    np.testing.assert_array_equal(one.costs(colors, 1)[0], two.costs(colors, 2)[0])


def test_histograms_integrate_to_one_and_never_forbid():
    colors = three_colors()[:1]
    histogram = ColorHistogram.fit(colors, bins=64, low=-100, high=400)
    everywhere = np.linspace(-100, 400, 5001, dtype=np.float32)[None]
    density = np.exp(-histogram.costs(everywhere)[0])
    assert density.mean() * 500 == pytest.approx(1, rel=0.01)
    assert density.min() > 0


def test_bad_kinds_are_refused():
    with pytest.raises(InputError, match="'mixture', 'histogram'"):
        fit_color_model("colours", three_colors(), np.ones(1200, bool), 3)
    with pytest.raises(InputError, match="up to 3 channels, got 4"):
        fit_color_model("histogram", np.zeros((4, 9), np.float32), np.ones(9, bool), 3)

"""The float64 twin is the lattice of pydensecrf, and close to a Gaussian."""

import numpy as np
import pytest

from classicseg.reference.lattice import Lattice, elevate, locate
from classicseg.reference.mean_field import energy, free_energy, mean_field, message
from tests.oracles import bilateral_features, costs, gaussian_matrix, normalized, photo, position_features


def test_points_are_between_their_vertices():
    features = np.random.default_rng(0).uniform(-9, 9, (4, 200))
    lifted = elevate(features)
    vertices, weights = locate(lifted)
    full = np.concatenate([vertices, -vertices.sum(axis=2, keepdims=True)], axis=2)
    assert weights.min() >= -1e-12
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(np.einsum("nr,nrd->dn", weights, full), lifted, atol=1e-9)
    assert set(np.unique(full % 5)) <= set(range(5))


@pytest.mark.peer
@pytest.mark.parametrize("normalization", ["none", "before", "after", "symmetric"])
def test_reproduces_pydensecrf(normalization):
    dcrf = pytest.importorskip("pydensecrf.densecrf")
    image, unary = photo(20, 24), costs(3, (20, 24))
    d = dcrf.DenseCRF2D(24, 20, 3)
    d.setUnaryEnergy(unary.reshape(3, -1))
    number = ["none", "before", "after", "symmetric"].index(normalization)
    weight = 0.1 if normalization == "none" else 3
    d.addPairwiseBilateral(20, 10, image, weight, normalization=dcrf.NormalizationType(number))
    features = bilateral_features(image.astype(np.float32), 20, 10).astype(np.float32)
    lattice = Lattice(features, gain=1 / (1 + 2.0**-5))
    q = mean_field(unary.reshape(3, -1), [(lambda v: lattice.filter(v, normalization), -weight * np.eye(3))], 3)
    np.testing.assert_allclose(np.array(d.inference(3)), q, atol=2e-5)


def test_is_close_to_a_gaussian_on_a_dense_grid():
    features = position_features((24, 24), 3.0)
    signal = np.sin(features[:1] * 1.5)
    exact = signal @ normalized(gaussian_matrix(features), "after").T
    assert (
        np.abs(Lattice(features).filter(signal, "after") - exact).max() < 0.1
    )  # worst at the border; the lattice is no better
    inner = Lattice(features).filter(np.ones((1, 576))).reshape(24, 24)[12, 12]
    np.testing.assert_allclose(inner, gaussian_matrix(features)[12 * 24 + 12].sum(), rtol=0.05)


def test_adjoint():
    rng = np.random.default_rng(1)
    lattice = Lattice(rng.uniform(0, 4, (3, 60)))
    a, b = rng.standard_normal((2, 1, 60))
    for normalization in ("none", "before", "after", "symmetric"):
        left = (b * lattice.filter(a, normalization)).sum()
        np.testing.assert_allclose(left, (a * lattice.filter(b, normalization, adjoint=True)).sum())


def test_energy_and_free_energy_agree_on_certain_marginals():
    rng = np.random.default_rng(2)
    matrix, cost = gaussian_matrix(rng.uniform(0, 3, (2, 12))), 1.0 - np.eye(3)
    unary, labels = rng.random((3, 12)), rng.integers(0, 3, 12)
    certain = np.eye(3)[:, labels]
    terms = [(lambda q: q @ matrix, cost)]
    np.testing.assert_allclose(free_energy(certain, unary, terms), energy(labels, unary, [matrix], [cost]))
    assert message(certain, terms).shape == (3, 12)

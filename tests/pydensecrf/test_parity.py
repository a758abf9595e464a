"""The drop-in against pydensecrf2: marginals within 1e-4 and the same labels.

A few pixels stand between two labels so evenly that ten updates blow rounding errors of float32 up: against a float64
twin, either library is off by some 1e-4 there. They may differ by more, the others may not.
"""

import numpy as np
import pytest

from classicseg.pydensecrf import densecrf as ours
from tests.oracles import costs, photo
from tests.pydensecrf.families import FAMILIES, run

theirs = pytest.importorskip("pydensecrf.densecrf")
pytestmark = pytest.mark.peer


def assert_same(q, expected):
    error = np.abs(q - expected).max(axis=0)
    assert error.max() < 5e-3
    assert (error > 1e-4).mean() < 2e-3
    top = np.sort(expected, axis=0)
    no_tie = top[-1] - top[-2] > 2 * error.max()
    assert no_tie.mean() > 0.9
    np.testing.assert_array_equal(q.argmax(0)[no_tie], expected.argmax(0)[no_tie])


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n_labels", [2, 21])
def test_parameters_that_the_wild_uses(family, n_labels):
    unary, image = costs(n_labels), photo()
    assert_same(run(ours, unary, image, FAMILIES[family]), run(theirs, unary, image, FAMILIES[family]))


@pytest.mark.parametrize("normalization", range(4))
@pytest.mark.parametrize("family", ["readme", "deeplab"])
def test_all_normalizations(normalization, family):
    unary, image = costs(3, seed=1), photo(seed=1)
    sxy, compat, *rest = FAMILIES[family]
    compat = compat if normalization else 0.05  # raw sums are large; pydensecrf itself is chaotic at full weight
    parameters = (sxy, compat, *rest[:2], rest[2] if normalization else 0.05, rest[3])
    assert_same(
        run(ours, unary, image, parameters, normalization), run(theirs, unary, image, parameters, normalization)
    )


@pytest.mark.parametrize("n_labels", [5, 33, 81])
def test_numbers_of_labels(n_labels):
    unary, image = costs(n_labels, (30, 41)), photo(30, 41)
    assert_same(run(ours, unary, image, FAMILIES["readme"]), run(theirs, unary, image, FAMILIES["readme"]))


@pytest.mark.parametrize("kind", ["potts", "diagonal", "matrix", "asymmetric"])
def test_compatibilities(kind):
    rng = np.random.default_rng(2)
    compat = {
        "potts": 4.0,
        "diagonal": -rng.uniform(0.5, 4, 4).astype(np.float32),
        "matrix": -np.diag(rng.uniform(1, 3, 4)).astype(np.float32),
        "asymmetric": rng.uniform(0, 2, (4, 4)).astype(np.float32),
    }[kind]
    parameters = (3, compat, 50, 8, compat, 5)
    unary, image = costs(4), photo()
    assert_same(run(ours, unary, image, parameters), run(theirs, unary, image, parameters))


def test_kernel_types_have_no_effect():
    unary = costs(2)
    answers = []
    for kernel in (ours.CONST_KERNEL, ours.DIAG_KERNEL, ours.FULL_KERNEL, 2):
        d = ours.DenseCRF2D(80, 60, 2)
        d.setUnaryEnergy(unary.reshape(2, -1))
        d.addPairwiseGaussian(sxy=3, compat=3, kernel=kernel)
        answers.append(d.inference(3))
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])


def test_own_features_of_five_channels():
    from classicseg.pydensecrf.utils import create_pairwise_bilateral, create_pairwise_gaussian

    image, unary = photo(channels=5), costs(3)
    answers = []
    for dcrf in (ours, theirs):
        d = dcrf.DenseCRF(4800, 3)
        d.setUnaryEnergy(unary.reshape(3, -1))
        d.addPairwiseEnergy(create_pairwise_gaussian((3, 2), (60, 80)), compat=3)
        d.addPairwiseEnergy(create_pairwise_bilateral((40, 40), 15, image, chdim=2), compat=8)
        answers.append(np.array(d.inference(5)))
    assert_same(*answers)


def test_volumes():
    from classicseg.pydensecrf.utils import create_pairwise_bilateral, create_pairwise_gaussian

    shape = (12, 20, 22)
    volume, unary = np.random.default_rng(3).uniform(0, 200, shape).astype(np.float32), costs(3, shape)
    answers = []
    for dcrf in (ours, theirs):
        d = dcrf.DenseCRF(volume.size, 3)
        d.setUnaryEnergy(unary.reshape(3, -1))
        d.addPairwiseEnergy(create_pairwise_gaussian((2, 2, 2), shape), compat=2)
        d.addPairwiseEnergy(create_pairwise_bilateral((9, 9, 9), (30,), volume), compat=4)
        answers.append(np.array(d.inference(5)))
    assert_same(*answers)


def test_steps_and_divergence():
    unary, image = costs(3), photo()
    states = []
    for dcrf in (ours, theirs):
        d = dcrf.DenseCRF2D(80, 60, 3)
        d.setUnaryEnergy(unary.reshape(3, -1))
        d.addPairwiseGaussian(sxy=3, compat=3)
        d.addPairwiseBilateral(sxy=80, srgb=13, rgbim=image, compat=10)
        q, tmp1, tmp2 = d.startInference()
        divergences = [d.klDivergence(q)]
        for _ in range(4):
            d.stepInference(q, tmp1, tmp2)
            divergences.append(d.klDivergence(q))
        states.append((np.array(q), divergences))
    assert_same(states[0][0], states[1][0])
    np.testing.assert_allclose(states[0][1], states[1][1], rtol=1e-4)


def test_without_unary():
    for dcrf in (ours, theirs):
        d = dcrf.DenseCRF2D(8, 6, 3)
        d.addPairwiseGaussian(sxy=2, compat=3)
        np.testing.assert_allclose(np.array(d.inference(3)), 1 / 3, atol=1e-6)
        assert not np.array(d.startInference()[0]).any()

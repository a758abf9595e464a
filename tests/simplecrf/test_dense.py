"""The dense CRFs of SimpleCRF: mean field as its formula says, over all pairs of pixels, and on the lattice."""

import numpy as np
import pytest

import classicseg.pydensecrf.densecrf as dcrf
from classicseg.errors import InputError, InputTypeError
from classicseg.pydensecrf.utils import create_pairwise_bilateral, create_pairwise_gaussian
from classicseg.simplecrf import denseCRF, denseCRF3D
from tests.oracles import costs, photo

PARAM = (10.0, 80, 13, 3.0, 3, 5.0)
PARAM_3D = {
    "MaxIterations": 2.0, "PosW": 2.0, "PosRStd": 2.0, "PosCStd": 3.0, "PosZStd": 1.0,
    "BilateralW": 3.0, "BilateralRStd": 4.0, "BilateralCStd": 5.0, "BilateralZStd": 2.0,
    "ModalityNum": 3, "BilateralModsStds": (20.0, 30.0, 40.0),
}  # fmt: skip


def softmax(costs):
    p = np.exp(-costs.astype(np.float64))
    return np.moveaxis(p / p.sum(0), 0, -1).astype(np.float32)


def test_labels_are_those_of_pydensecrf_with_the_same_terms():
    """Both wrap the same library; SimpleCRF clips probabilities, and adds its terms in this order."""
    image, p = photo(24, 32), softmax(costs(3, (24, 32)))
    p[0, 0] = 0, 1, 0
    d = dcrf.DenseCRF2D(32, 24, 3)
    d.setUnaryEnergy(-np.log(np.moveaxis(p, -1, 0).clip(0.01, 0.99)).reshape(3, -1))
    d.addPairwiseBilateral(sxy=80, srgb=13, rgbim=image, compat=10)
    d.addPairwiseGaussian(sxy=3, compat=3)
    labels = denseCRF.densecrf(image, p, PARAM)
    assert labels.dtype == np.int8
    np.testing.assert_array_equal(labels, d.inference(5).argmax(0).reshape(24, 32))


def test_volumes_are_those_of_the_terms_in_their_axes():
    image, p = photo(4 * 9, 8).reshape(4, 9, 8, 3), softmax(costs(2, (4, 9, 8)))
    d = dcrf.DenseCRF(4 * 9 * 8, 2)
    d.setUnaryEnergy(-np.log(np.moveaxis(p, -1, 0)).reshape(2, -1))
    d.addPairwiseEnergy(create_pairwise_gaussian((1, 2, 3), (4, 9, 8)), compat=2)
    features = create_pairwise_bilateral((2, 4, 5), (20, 30, 40), image, chdim=3)
    d.addPairwiseEnergy(features, compat=3)
    q = d.inference(2)
    sure = np.abs(q[0] - q[1]).reshape(4, 9, 8) > 0.05  # features in another order differ in the second decimal
    labels = denseCRF3D.densecrf3d(image, p, PARAM_3D)
    assert labels.dtype == np.int8
    np.testing.assert_array_equal(labels[sure], q.argmax(0).reshape(4, 9, 8)[sure])
    assert sure.mean() > 0.8
    assert (labels != p.argmax(-1)).mean() > 0.02


def test_axes_are_named_as_rows_columns_and_slices():
    """One sure voxel spreads along the axis whose range is long, and along no other."""
    for axis, name in enumerate(("PosZStd", "PosRStd", "PosCStd")):
        p = np.full((7, 7, 7, 2), [0.51, 0.49], np.float32)
        line = [3, 3, 3]
        line[axis] = slice(None, None, 2)
        p[tuple(line)] = 0.02, 0.98
        ranges = {"PosZStd": 0.01, "PosRStd": 0.01, "PosCStd": 0.01, name: 2.0}
        labels = denseCRF3D.densecrf3d(np.zeros((7, 7, 7, 3)), p, PARAM_3D | ranges | {"BilateralW": 0.0})
        expected = np.zeros((7, 7, 7), bool)
        line[axis] = slice(None)
        expected[tuple(line)] = True
        np.testing.assert_array_equal(labels == 1, expected)


def test_a_probability_of_0_rules_a_label_out():
    p = np.full((5, 5, 5, 2), [0.01, 0.99], np.float32)
    p[2, 2, 2] = 1, 0
    labels = denseCRF3D.densecrf3d(np.zeros((5, 5, 5, 3)), p, PARAM_3D | {"PosW": 500.0})
    assert labels.sum() == 124
    assert labels[2, 2, 2] == 0


def test_no_iterations_are_the_largest_probabilities():
    p = softmax(costs(3, (8, 9)))
    np.testing.assert_array_equal(denseCRF.densecrf(photo(8, 9), p, (*PARAM[:-1], 0.0)), p.argmax(-1))


def test_what_cannot_work_is_named():
    image, p = np.zeros((4, 5, 3)), np.full((4, 5, 2), 0.5)
    with pytest.raises(InputError, match=r"param must be \(w1, alpha, beta, w2, gamma, it\), got 5"):
        denseCRF.densecrf(image, p, PARAM[:5])
    with pytest.raises(InputError, match="beta of param must be positive"):
        denseCRF.densecrf(image, p, (10, 80, 0, 3, 3, 5))
    with pytest.raises(InputError, match="I of shape"):
        denseCRF.densecrf(image[:3], p, PARAM)
    with pytest.raises(InputError, match="at most 128 labels"):
        denseCRF.densecrf(image, np.full((4, 5, 129), 0.5), PARAM)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ModalityNum": 2}, "ModalityNum of param must be the 3 channels of I"),
        ({"BilateralModsStds": (5.0,)}, "BilateralModsStds of param must be 3 numbers"),
        ({"PosRStd": 0}, "PosRStd of param must be positive"),
        ({"BilateralW": np.nan}, "BilateralW of param must be finite"),
    ],
)
def test_parameters_of_volumes_are_named(change, message):
    with pytest.raises(InputError, match=message):
        denseCRF3D.densecrf3d(np.zeros((2, 4, 5, 3)), np.full((2, 4, 5, 2), 0.5), PARAM_3D | change)


def test_parameters_of_volumes_have_to_be_there():
    volume = np.zeros((2, 4, 5, 3)), np.full((2, 4, 5, 2), 0.5)
    with pytest.raises(InputError, match="param must hold PosW, ModalityNum"):
        denseCRF3D.densecrf3d(*volume, {k: v for k, v in PARAM_3D.items() if k not in ("PosW", "ModalityNum")})
    with pytest.raises(InputTypeError, match="param must be a mapping"):
        denseCRF3D.densecrf3d(*volume, PARAM)

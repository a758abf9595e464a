"""The block gives the numbers that MONAI's own tests expect of theirs."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from classicseg.errors import InputError, InputTypeError
from classicseg.monai import CRF
from tests.monai.published import CASES


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_that_monai_publishes(name):
    numbers, matrix, logits, features, expected = CASES[name]
    crf = CRF(*numbers, None if matrix is None else torch.from_numpy(matrix))
    out = crf(torch.from_numpy(logits), torch.from_numpy(features))
    np.testing.assert_allclose(out.numpy(), expected, atol=2e-6)


def test_a_matrix_that_is_not_symmetric_acts_from_row_to_column():
    """A like pixel of label 0 speaks for label 1, and nobody for label 0."""
    logits, flat = torch.zeros(1, 2, 6, 7), torch.zeros(1, 1, 6, 7)
    logits[:, 0] = 2.0
    crf = CRF(1, 1.0, 0.0, update_factor=5.0, compatibility_matrix=torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    p0 = 1 / (1 + np.exp(-2.0))
    expected = 1 / (1 + np.exp(2.0 - 5.0 * p0))  # all pixels are alike, so the filtered value is the value
    torch.testing.assert_close(crf(logits, flat)[0, 1], torch.full((6, 7), expected, dtype=torch.float32))


def test_it_differentiates_and_no_iteration_is_a_softmax():
    logits, scan = torch.randn(2, 3, 6, 5, requires_grad=True), torch.rand(2, 2, 6, 5)
    crf = CRF(iterations=2)
    crf(logits, scan)[:, 0].sum().backward()
    assert logits.grad.abs().sum() > 0
    crf.iterations = 0
    torch.testing.assert_close(crf(logits, scan), logits.softmax(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bilateral_color_sigma": 0}, "bilateral_color_sigma"),
        ({"gaussian_spatial_sigma": -1}, "gaussian_spatial_sigma"),
        ({"iterations": -1}, "iterations"),
        ({"compatibility_matrix": torch.eye(3)}, "compatibility"),
    ],
)
def test_parameters_out_of_range_are_named(change, message):
    with pytest.raises(InputError, match=message):
        CRF(**change)(torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4))


def test_what_does_not_fit_is_named():
    with pytest.raises(InputError, match="reference_tensor must have shape"):
        CRF()(torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 5))
    with pytest.raises(InputTypeError, match=r"input_tensor must be a torch\.Tensor"):
        CRF()(np.zeros((1, 2, 4, 4)), torch.zeros(1, 1, 4, 4))

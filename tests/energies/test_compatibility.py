import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError, InputTypeError


def test_potts_and_a_constant_diagonal_differ_by_a_constant():
    difference = cs.Potts(2.5).matrix(4) - cs.Diagonal(2.5).matrix(4)
    np.testing.assert_allclose(difference, 2.5)


def test_values_are_kept_apart_from_the_callers_array():
    values = np.ones((2, 2))
    matrix = cs.Matrix(values)
    values[:] = 9
    np.testing.assert_array_equal(matrix.matrix(2), 1)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: cs.Potts(np.inf), "weight"),
        (lambda: cs.Diagonal([1, np.nan]), "values"),
        (lambda: cs.Matrix(np.ones((2, 3))), "square"),
        (lambda: cs.DenseCRF(np.zeros((2, 3, 3)), [], cs.Matrix([[0, 1], [2, 0]])), "symmetric"),
        (lambda: cs.TruncatedLinear(np.nan), "weight"),
        (lambda: cs.TruncatedLinear(1.0, truncation=0), "truncation"),
        (lambda: cs.TruncatedQuadratic(1.0, truncation=np.nan), "truncation"),
        (lambda: cs.Matrix(np.ones((2, 2))).matrix(3), "3 labels"),
        (lambda: cs.Diagonal([1.0, 2.0]).matrix(3), "3 labels"),
    ],
)
def test_bad_values_raise(make, word):
    with pytest.raises(InputError, match=word):
        make()


def test_text_is_no_compatibility():
    with pytest.raises(InputTypeError, match="compatibility"):
        cs.DenseCRF(np.zeros((2, 3, 3)), [], "potts")


def test_asymmetry_is_named_where_it_is():
    matrix = [[0, 9, 1], [9, 0, 5], [2, 5, 0]]
    with pytest.raises(InputError, match=r"got 1 for labels \(0, 2\) and 2 for \(2, 0\)"):
        cs.DenseCRF(np.zeros((3, 3, 3)), [], matrix)

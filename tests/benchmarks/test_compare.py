"""The referee of two checkouts sees the smallest difference, and none where there is none."""

import numpy as np
import pytest

from benchmarks import compare_checkouts
from benchmarks.compare.digest import told


def test_arrays_are_equal_only_to_the_bit():
    x = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    assert told(x) == told(np.asfortranarray(x))
    assert told(x) != told(np.nextafter(x, 2))
    assert told(x) != told(x.reshape(4, 3))
    assert told(x) != told(x.astype(np.float64))
    assert told(np.float32([0.0])) != told(np.float32([-0.0]))


def test_numbers_are_equal_only_in_all_their_digits():
    assert told(np.float64(0.1)) == told(0.1)
    assert told(0.1 + 0.2) != told(0.3)
    assert told({"a": 1.0}) != told({"a": 2.0})


def test_differences_name_what_differs():
    old, new = {"result": {"labels": "x", "energy": "1.0"}}, {"result": {"labels": "x", "energy": "2.0"}}
    assert compare_checkouts.difference(old, old) == []
    (line,) = compare_checkouts.difference(old, new)
    assert line.startswith("energy")


@pytest.mark.parametrize("reply", [{"error": "ValueError: no"}, {"missing": "torch"}])
def test_an_error_is_a_difference_even_if_both_have_it(reply):
    assert compare_checkouts.difference(reply, reply)
    assert compare_checkouts.difference({"result": {}}, reply)

"""Parts of kernels: what they compute inside of them, and that nothing is made of them alone."""

import numba
import numpy as np
import pytest

from classicseg.machine.jit import inline, kernel


def square(x):
    return x * x


def distance(points, i, j):
    total = 0.0
    for axis in range(points.shape[1]):
        total += square_part(points[i, axis] - points[j, axis])
    return np.sqrt(total)


def checked(points, i):
    if i >= len(points):
        raise IndexError("no such point")
    return distance_part(points, i, 0)


square_part, distance_part, checked_part = inline(square), inline(distance), inline(checked)


def farthest(points, n):
    best, room = 0.0, np.zeros(n)
    for i in range(n):
        room[i] = checked_part(points, i)
        best = max(best, room[i])
    return best


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kernel_of_parts_of_parts_computes_what_python_does(dtype):
    points = np.random.default_rng(0).random((20, 3)).astype(dtype)
    expected = max(np.linalg.norm(points - points[0], axis=1).tolist())
    assert kernel(farthest)(points, 20) == pytest.approx(expected, rel=1e-6)


def test_what_a_part_raises_reaches_the_caller():
    with pytest.raises(IndexError, match="no such point"):
        kernel(farthest)(np.zeros((3, 2)), 4)


def test_ordinary_compiled_functions_and_callbacks_have_parts_too():
    @numba.njit
    def ordinary(x):
        return square_part(x) + 1

    @numba.cfunc("float64(float64)")
    def callback(x):
        return square_part(x) + 2

    assert ordinary(3.0) == 10
    assert callback.ctypes(3.0) == 11


def test_a_part_has_no_machine_code():
    part = inline(square)

    @kernel
    def whole(x):
        return part(x)

    assert whole(4) == 16
    (compiled,) = part.overloads.values()
    assert compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name) == 0

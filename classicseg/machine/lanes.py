"""What becomes of all lanes of a pack together, and packs of doubles; see :mod:`classicseg.machine.simd`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from classicseg.machine.packs import Pack, broadcast, build, split, vector_sizes, width_of

_INT32 = ir.IntType(32)


@intrinsic
def fill_doubles(typing: Any, value: Any, lanes: Any) -> Any:
    """A pack of ``len(lanes)`` float64 lanes that all hold `value`."""
    width = width_of(lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return build(builder, [broadcast(builder, args[0], size) for size in vector_sizes(width)])

    return Pack(width, types.float64)(types.float64, lanes), codegen


@intrinsic
def least_of(typing: Any, a: Any) -> Any:
    """The least lane of `a`, a pack of one vector of floats."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (vector,) = split(builder, a.width, args[0])
        while (half := vector.type.count // 2) > 0:
            low, high = (
                builder.shuffle_vector(
                    vector, vector, ir.Constant(ir.VectorType(_INT32, half), list(range(start, start + half)))
                )
                for start in (0, half)
            )
            vector = builder.select(builder.fcmp_ordered("<", low, high), low, high)
        return builder.extract_element(vector, ir.Constant(_INT32, 0))

    return a.dtype(a), codegen


@intrinsic
def any_above(typing: Any, a: Any, b: Any) -> Any:
    """Whether a lane of `a`, a pack of floats, is above that of `b`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = ir.Constant(ir.IntType(1), 0)
        for left, right in zip(split(builder, a.width, args[0]), split(builder, b.width, args[1]), strict=True):
            above = builder.fcmp_ordered(">", left, right)
            bits = ir.IntType(left.type.count)
            found = builder.or_(found, builder.icmp_unsigned("!=", builder.bitcast(above, bits), ir.Constant(bits, 0)))
        return found

    return types.boolean(a, b), codegen


@intrinsic
def cone(typing: Any, a: Any, rise: Any) -> Any:
    """Each lane of `a`, a pack of one vector of floats, or what another lane and `rise` for each step to it come to.

    Of these sums, each lane of the result is the least. `rise` is at least 0.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (vector,), (slope,) = split(builder, a.width, args[0]), split(builder, a.width, args[1])
        size = vector.type.count
        infinity = ir.Constant(vector.type, [float("inf")] * size)
        step = 1
        while step < size:  # by steps of 1, 2, 4 … every distance is reached
            near = infinity
            for way in (-step, step):
                order = [lane + way if 0 <= lane + way < size else size for lane in range(size)]
                moved = builder.shuffle_vector(vector, infinity, ir.Constant(ir.VectorType(_INT32, size), order))
                near = builder.select(builder.fcmp_ordered("<", moved, near), moved, near)
            dearer = builder.fadd(near, slope)
            vector = builder.select(builder.fcmp_ordered("<", dearer, vector), dearer, vector)
            slope = builder.fadd(slope, slope)
            step *= 2
        return build(builder, [vector])

    return a(a, a), codegen

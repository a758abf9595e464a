"""The least of the lanes of a pack, and packs of doubles; see :mod:`classicseg.machine.simd`."""

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

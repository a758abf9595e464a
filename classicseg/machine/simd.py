"""Short vectors ("packs") of floats or whole numbers as Numba intrinsics.

A pack holds 1 to 32 lanes in registers. Numba would vectorise most loops by itself, but gives up where many arrays
might overlap; with packs the machine code is what the source says, and LLVM splits a pack into whatever registers are
there.

The width of a pack is part of its type. It is given by a tuple argument whose length is the number of lanes,
``lanes = (0,) * 24``, so that one kernel source serves all widths. Loads and stores take a flat array, or a
:func:`pointer` to it, and an element offset; they check no bounds.

Each function is documented as kernels call it. What Numba calls is its typing function, to which it passes its typing
context first.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from classicseg.machine.jit import FASTMATH
from classicseg.machine.packs import (
    Pack,
    address_of,
    broadcast,
    build,
    call_math,
    constant,
    data_of,
    exponential,
    split,
    vector_of,
    vector_sizes,
    width_of,
)

_INT32 = ir.IntType(32)

PIXELS = 16
"""How many pixels one block holds; the length of a pack across pixels."""

ACROSS = (0,) * PIXELS
"""Width of a pack that holds one value for each pixel of a block."""


# --- reading and writing ------------------------------------------------------------------------------------------


@intrinsic
def load(typing: Any, array: Any, offset: Any, lanes: Any) -> Any:
    """The pack of ``len(lanes)`` values that starts at ``array[offset]``."""
    width = width_of(lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors, start = [], 0
        for size in vector_sizes(width):
            at = builder.add(args[1], ir.Constant(args[1].type, start))
            vectors.append(builder.load(address_of(context, builder, signature.args[0], args[0], at, size), align=4))
            start += size
        return build(builder, vectors)

    return Pack(width, array.dtype)(array, types.intp, lanes), codegen


@intrinsic
def store(typing: Any, array: Any, offset: Any, pack: Any) -> Any:
    """Write the lanes of `pack` from ``array[offset]`` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = 0
        for size, vector in zip(vector_sizes(pack.width), split(builder, pack.width, args[2]), strict=True):
            at = builder.add(args[1], ir.Constant(args[1].type, start))
            builder.store(vector, address_of(context, builder, signature.args[0], args[0], at, size), align=4)
            start += size
        return context.get_dummy_value()

    return types.void(array, types.intp, pack), codegen


@intrinsic
def item(typing: Any, array: Any, offset: Any) -> Any:
    """``array[offset]``, without Numba's test for a negative offset."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load(builder.gep(data, [args[1]]))

    return array.dtype(array, types.intp), codegen


@intrinsic
def put(typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """``array[offset] = value``, without Numba's test for a negative offset."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        builder.store(args[2], builder.gep(data, [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), codegen


@intrinsic
def pointer(typing: Any, array: Any) -> Any:
    """Address of the elements of a contiguous `array`, to be read and written like the array itself.

    Unlike an array, a pointer costs nothing to hand on: no reference is counted. Its index may not be negative.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return data_of(context, builder, signature.args[0], args[0])

    return types.CPointer(array.dtype)(array), codegen


@intrinsic
def fill(typing: Any, value: Any, lanes: Any) -> Any:
    """A pack of ``len(lanes)`` lanes that all hold `value`."""
    width = width_of(lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return build(builder, [broadcast(builder, args[0], size) for size in vector_sizes(width)])

    dtype = types.int64 if isinstance(value, types.Integer) else types.float32
    return Pack(width, dtype)(dtype, lanes), codegen


@intrinsic
def spread(typing: Any, array: Any, offset: Any, lanes: Any) -> Any:
    """A pack of ``len(lanes)`` lanes that all hold ``array[offset]``."""
    width = width_of(lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = data_of(context, builder, signature.args[0], args[0])
        value = builder.load(builder.gep(data, [args[1]]))
        return build(builder, [broadcast(builder, value, size) for size in vector_sizes(width)])

    return Pack(width, array.dtype)(array, types.intp, lanes), codegen


@intrinsic
def convert(typing: Any, pack: Any, array: Any) -> Any:
    """`pack`, of floats, in the precision of the elements of `array`."""

    def cast(builder: Any, vector: Any) -> Any:
        if pack.dtype == array.dtype:
            return vector
        change = builder.fpext if array.dtype == types.float64 else builder.fptrunc
        return change(vector, vector_of(vector.type.count, array.dtype))

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return build(builder, [cast(builder, vector) for vector in split(builder, pack.width, args[0])])

    return Pack(pack.width, array.dtype)(pack, array), codegen


# --- arithmetic ---------------------------------------------------------------------------------------------------


def _elementwise(operation: Any) -> Any:
    """Make an intrinsic of two packs from ``operation(builder, x, y)``, which does it for two vectors."""

    def typer(typing: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pairs = zip(split(builder, a.width, args[0]), split(builder, a.width, args[1]), strict=True)
            return build(builder, [operation(builder, x, y) for x, y in pairs])

        return a(a, a), codegen

    return intrinsic(typer)


_FLAGS = tuple(sorted(FASTMATH))


def _is_whole(vector: Any) -> bool:
    """Whether the lanes of `vector` hold whole numbers."""
    return isinstance(vector.type.element, ir.IntType)


add = _elementwise(lambda b, x, y: b.add(x, y) if _is_whole(x) else b.fadd(x, y, flags=_FLAGS))
subtract = _elementwise(lambda b, x, y: b.sub(x, y) if _is_whole(x) else b.fsub(x, y, flags=_FLAGS))
multiply = _elementwise(lambda b, x, y: b.mul(x, y) if _is_whole(x) else b.fmul(x, y, flags=_FLAGS))

# Of floats. Where either lane is NaN, that of the second argument is taken.
maximum = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y))
minimum = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y))


# 1.0 where it is true, else 0.0: counts and choices stay in float lanes, where small whole numbers are exact.
less = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), constant(x.type, 1.0), constant(x.type, 0.0)))
equal = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered("==", x, y), constant(x.type, 1.0), constant(x.type, 0.0)))


@intrinsic
def choose(typing: Any, condition: Any, a: Any, b: Any) -> Any:
    """Lane by lane: `a` where `condition` is not zero, else `b`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        triples = zip(*(split(builder, a.width, arg) for arg in args), strict=True)
        chosen = [builder.select(builder.fcmp_unordered("!=", c, constant(c.type, 0.0)), x, y) for c, x, y in triples]
        return build(builder, chosen)

    return a(condition, a, b), codegen


def _to_whole(dtype: Any) -> Any:
    """Make an intrinsic that turns float lanes into lanes of the whole type `dtype`."""

    def typer(typing: Any, a: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors = split(builder, a.width, args[0])
            return build(builder, [builder.fptosi(v, vector_of(v.type.count, dtype)) for v in vectors])

        return Pack(a.width, dtype)(a), codegen

    return intrinsic(typer)


to_int32 = _to_whole(types.int32)
"""Whole numbers in float lanes as int32 lanes."""

to_int64 = _to_whole(types.int64)
"""Whole numbers in float lanes as int64 lanes."""


@intrinsic
def round_even(typing: Any, a: Any) -> Any:
    """The whole numbers nearest to the lanes of `a`, as floats; halves go to the even one."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return build(builder, [call_math(builder, "nearbyint", v) for v in split(builder, a.width, args[0])])

    return a(a), codegen


@intrinsic
def sqrt(typing: Any, a: Any) -> Any:
    """Square root of each lane of `a`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return build(builder, [call_math(builder, "sqrt", v) for v in split(builder, a.width, args[0])])

    return a(a), codegen


@intrinsic
def axpy(typing: Any, scalar: Any, x: Any, y: Any) -> Any:
    """``scalar * x + y`` in one rounding."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = zip(split(builder, x.width, args[1]), split(builder, x.width, args[2]), strict=True)
        return build(
            builder,
            [call_math(builder, "fma", broadcast(builder, args[0], v.type.count), v, w) for v, w in pairs],
        )

    return x(types.float32, x, x), codegen


@intrinsic
def exp(typing: Any, a: Any) -> Any:
    """Exponential of each lane of `a`, relative error below 2e-7; exactly 0 below e^-50, saturated above e^88."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return build(builder, [exponential(builder, v) for v in split(builder, a.width, args[0])])

    return a(a), codegen


@intrinsic
def divide(typing: Any, a: Any, b: Any) -> Any:
    """Lane by lane, `a` divided by `b`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = zip(split(builder, a.width, args[0]), split(builder, a.width, args[1]), strict=True)
        return build(builder, [builder.fdiv(x, y) for x, y in pairs])

    return a(a, a), codegen


# --- lanes of a single vector -------------------------------------------------------------------------------------


def _shifter(step: int) -> Any:
    """Make an intrinsic whose lanes are those that lie `step` lanes further on."""

    def typer(typing: Any, a: Any, entering: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            (vector,) = split(builder, a.width, args[0])
            size = vector.type.count
            other = builder.insert_element(vector, args[1], ir.Constant(_INT32, 0))
            order = [size if not 0 <= lane + step < size else lane + step for lane in range(size)]
            shifted = builder.shuffle_vector(vector, other, ir.Constant(ir.VectorType(_INT32, size), order))
            return build(builder, [shifted])

        return a(a, a.dtype), codegen

    return intrinsic(typer)


@intrinsic
def lane(typing: Any, a: Any, index: Any) -> Any:
    """Lane number `index` of `a`, a pack of one vector."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (vector,) = split(builder, a.width, args[0])
        return builder.extract_element(vector, args[1])

    return a.dtype(a, types.intp), codegen


shift_up = _shifter(-1)
"""Move each lane to the next one; the second argument enters at lane 0. For packs of one vector (1, 2, 4, 8, 16)."""

shift_down = _shifter(1)
"""Move each lane to the one before; the second argument enters at the last lane."""


# --- rows ---------------------------------------------------------------------------------------------------------
# In row arrays the lanes of a pixel lie together: with `count` rows of width 24, first `count` times 16 lanes, then
# `count` times 8. So every part of a row lies on a border of its own size and never crosses a cache line.


def _row_offsets(builder: Any, width: int, base: Any, count: Any, row: Any) -> list[Any]:
    """Where the vectors of a `row` of plain `width` begin, among the `count` rows that start at `base`."""
    offsets, start = [], 0
    for size in vector_sizes(width):
        before = builder.mul(count, ir.Constant(count.type, start))
        inside = builder.mul(row, ir.Constant(row.type, size))
        offsets.append(builder.add(builder.add(base, before), inside))
        start += size
    return offsets


@intrinsic
def store_row(typing: Any, rows: Any, base: Any, count: Any, row: Any, pack: Any) -> Any:
    """Write `pack` as row number `row` of the `count` rows that start at ``rows[base]``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        offsets = _row_offsets(builder, pack.width, *args[1:4])
        for offset, vector in zip(offsets, split(builder, pack.width, args[4]), strict=True):
            size = vector.type.count
            builder.store(vector, address_of(context, builder, signature.args[0], args[0], offset, size), align=4)
        return context.get_dummy_value()

    return types.void(rows, types.intp, types.intp, types.intp, pack), codegen


@intrinsic
def load_row(typing: Any, rows: Any, base: Any, count: Any, row: Any, lanes: Any) -> Any:
    """Row number `row` of the `count` rows that start at ``rows[base]``, a pack of ``len(lanes)``."""
    width = width_of(lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        offsets = _row_offsets(builder, width, *args[1:4])
        vectors = [
            builder.load(address_of(context, builder, signature.args[0], args[0], offset, size), align=4)
            for offset, size in zip(offsets, vector_sizes(width), strict=True)
        ]
        return build(builder, vectors)

    return Pack(width)(rows, types.intp, types.intp, types.intp, lanes), codegen


@intrinsic
def prefetch(typing: Any, array: Any, offset: Any) -> Any:
    """Ask for the cache line of ``array[offset]``; an address beyond the array does no harm."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = data_of(context, builder, signature.args[0], args[0])
        pointer = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        function_type = ir.FunctionType(ir.VoidType(), [pointer.type, _INT32, _INT32, _INT32])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        builder.call(function, [pointer, *(ir.Constant(_INT32, v) for v in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, types.intp), codegen


def lanes_for(n_channels: int) -> tuple[tuple[int, ...], int]:
    """The pack width and the number of panels of that width that hold `n_channels` with little padding."""
    if n_channels <= 32:
        return (0,) * next(width for width in (1, 2, 4, 8, 16, 24, 32) if width >= n_channels), 1
    width = 24 if -(-n_channels // 24) * 24 < -(-n_channels // 32) * 32 else 32
    return (0,) * width, -(-n_channels // width)


def padded_pixels(n: int) -> int:
    """`n` rounded up to whole blocks."""
    return -(-n // PIXELS) * PIXELS

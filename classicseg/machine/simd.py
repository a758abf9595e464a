"""Short vectors ("packs") of floats or whole numbers as Numba intrinsics.

A pack holds 1 to 32 lanes in registers. Numba would vectorise most loops by itself, but gives up where many arrays
might overlap; with packs the machine code is what the source says, and LLVM splits a pack into whatever registers are.

The width of a pack is part of its type. It is given by a tuple argument whose length is the number of lanes,
``lanes = (0,) * 24``, so that one kernel source serves all widths. Loads and stores take a flat array, or a
:func:`pointer` to it, and an element offset; they check no bounds.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import PrimitiveModel, register_default
from numba.extending import intrinsic

_FLOAT = ir.FloatType()
_DOUBLE = ir.DoubleType()
_INT32 = ir.IntType(32)
_INT64 = ir.IntType(64)

PIXELS = 16
"""How many pixels one block holds; the length of a pack across pixels."""

ACROSS = (0,) * PIXELS
"""Width of a pack that holds one value for each pixel of a block."""


_ELEMENTS = {types.float32: _FLOAT, types.float64: _DOUBLE, types.int32: _INT32, types.int64: _INT64}


class Pack(types.Type):  # type: ignore[misc]
    """Numba type of `width` lanes of float32, float64, int32 or int64."""

    def __init__(self, width: int, dtype: Any = types.float32) -> None:
        self.width, self.dtype = width, dtype
        super().__init__(name=f"Pack({width}, {dtype})")


def vector_sizes(width: int) -> list[int]:
    """Cut a width into power-of-two vectors, widest first: 24 -> 16 + 8."""
    parts = []
    for size in (16, 8, 4, 2, 1):
        while width >= size:
            parts.append(size)
            width -= size
    return parts


def _vector(size: int, dtype: Any = types.float32) -> ir.VectorType:
    return ir.VectorType(_ELEMENTS[dtype], size)


def _struct(pack: Pack) -> ir.LiteralStructType:
    return ir.LiteralStructType([_vector(size, pack.dtype) for size in vector_sizes(pack.width)])


@register_default(Pack)
class _PackModel(PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, pack: Pack) -> None:
        super().__init__(manager, pack, _struct(pack))


def width_of(lanes: Any) -> int:
    """Lanes of a pack, from the tuple that stands for it."""
    return int(lanes.count)


def data_of(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    """Where the elements of an array, or of what `pointer` made of it, lie."""
    if isinstance(array_type, types.CPointer):
        return array
    return context.make_array(array_type)(context, builder, array).data


def address_of(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, size: int) -> Any:
    """Where a vector of `size` elements lies."""
    data = data_of(context, builder, array_type, array)
    return builder.bitcast(builder.gep(data, [offset]), _vector(size, array_type.dtype).as_pointer())


def _build(builder: Any, vectors: list[Any]) -> Any:
    pack = ir.Constant(ir.LiteralStructType([vector.type for vector in vectors]), ir.Undefined)
    for i, vector in enumerate(vectors):
        pack = builder.insert_value(pack, vector, i)
    return pack


def _split(builder: Any, width: int, pack: Any) -> list[Any]:
    return [builder.extract_value(pack, i) for i in range(len(vector_sizes(width)))]


def _broadcast(builder: Any, scalar: Any, size: int) -> Any:
    undefined = ir.Constant(ir.VectorType(scalar.type, size), ir.Undefined)
    vector = builder.insert_element(undefined, scalar, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(vector, undefined, ir.Constant(ir.VectorType(_INT32, size), [0] * size))


def _call(builder: Any, name: str, *vectors: Any) -> Any:
    """Call an LLVM math intrinsic on vectors of one type."""
    vector_type = vectors[0].type
    function_type = ir.FunctionType(vector_type, [vector_type] * len(vectors))
    function = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.{name}.v{vector_type.count}f32")
    return builder.call(function, vectors)


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
        return _build(builder, vectors)

    return Pack(width, array.dtype)(array, types.intp, lanes), codegen


@intrinsic
def store(typing: Any, array: Any, offset: Any, pack: Any) -> Any:
    """Write the lanes of a pack from ``array[offset]`` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = 0
        for size, vector in zip(vector_sizes(pack.width), _split(builder, pack.width, args[2]), strict=True):
            at = builder.add(args[1], ir.Constant(args[1].type, start))
            builder.store(vector, address_of(context, builder, signature.args[0], args[0], at, size), align=4)
            start += size
        return context.get_dummy_value()

    return types.void(array, types.intp, pack), codegen


@intrinsic
def item(typing: Any, array: Any, offset: Any) -> Any:
    """``array[offset]`` without Numba's test for a negative offset."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load(builder.gep(data, [args[1]]))

    return array.dtype(array, types.intp), codegen


@intrinsic
def put(typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """``array[offset] = value`` without Numba's test for a negative offset."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        builder.store(args[2], builder.gep(data, [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), codegen


@intrinsic
def pointer(typing: Any, array: Any) -> Any:
    """Where the elements of a contiguous array lie, to be read and written like the array itself.

    Unlike an array, a pointer costs nothing to hand on: no reference is counted. Its index may not be negative.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return data_of(context, builder, signature.args[0], args[0])

    return types.CPointer(array.dtype)(array), codegen


@intrinsic
def fill(typing: Any, value: Any, lanes: Any) -> Any:
    """A pack with the same value in all lanes."""
    width = width_of(lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _build(builder, [_broadcast(builder, args[0], size) for size in vector_sizes(width)])

    dtype = types.int64 if isinstance(value, types.Integer) else types.float32
    return Pack(width, dtype)(dtype, lanes), codegen


@intrinsic
def spread(typing: Any, array: Any, offset: Any, lanes: Any) -> Any:
    """A pack with ``array[offset]`` in all lanes."""
    width = width_of(lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = data_of(context, builder, signature.args[0], args[0])
        value = builder.load(builder.gep(data, [args[1]]))
        return _build(builder, [_broadcast(builder, value, size) for size in vector_sizes(width)])

    return Pack(width, array.dtype)(array, types.intp, lanes), codegen


@intrinsic
def convert(typing: Any, pack: Any, array: Any) -> Any:
    """A pack of floats in the precision of the elements of `array`."""

    def cast(builder: Any, vector: Any) -> Any:
        if pack.dtype == array.dtype:
            return vector
        change = builder.fpext if array.dtype == types.float64 else builder.fptrunc
        return change(vector, _vector(vector.type.count, array.dtype))

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _build(builder, [cast(builder, vector) for vector in _split(builder, pack.width, args[0])])

    return Pack(pack.width, array.dtype)(pack, array), codegen


def _elementwise(operation: Any) -> Any:
    """Make an intrinsic of packs from a rule for one vector each."""

    def typer(typing: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pairs = zip(_split(builder, a.width, args[0]), _split(builder, a.width, args[1]), strict=True)
            return _build(builder, [operation(builder, x, y) for x, y in pairs])

        return a(a, a), codegen

    return intrinsic(typer)


_FLAGS = ("nsz", "arcp", "contract", "afn", "reassoc")


def _is_whole(vector: Any) -> bool:
    return isinstance(vector.type.element, ir.IntType)


add = _elementwise(lambda b, x, y: b.add(x, y) if _is_whole(x) else b.fadd(x, y, flags=_FLAGS))
subtract = _elementwise(lambda b, x, y: b.sub(x, y) if _is_whole(x) else b.fsub(x, y, flags=_FLAGS))
multiply = _elementwise(lambda b, x, y: b.mul(x, y) if _is_whole(x) else b.fmul(x, y, flags=_FLAGS))
maximum = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y))
minimum = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y))


def _one(value: float) -> Any:
    return lambda vector_type: ir.Constant(vector_type, [value] * vector_type.count)


# 1.0 where x < y, else 0.0: counts and choices stay in float lanes, small whole numbers are exact there.
less = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), _one(1.0)(x.type), _one(0.0)(x.type)))
equal = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered("==", x, y), _one(1.0)(x.type), _one(0.0)(x.type)))


@intrinsic
def choose(typing: Any, condition: Any, a: Any, b: Any) -> Any:
    """Lane by lane `a` where `condition` is not zero, else `b`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        triples = zip(*(_split(builder, a.width, arg) for arg in args), strict=True)
        chosen = [builder.select(builder.fcmp_unordered("!=", c, _one(0.0)(c.type)), x, y) for c, x, y in triples]
        return _build(builder, chosen)

    return a(condition, a, b), codegen


def _to_whole(dtype: Any) -> Any:
    def typer(typing: Any, a: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors = _split(builder, a.width, args[0])
            return _build(builder, [builder.fptosi(v, _vector(v.type.count, dtype)) for v in vectors])

        return Pack(a.width, dtype)(a), codegen

    return intrinsic(typer)


to_int32 = _to_whole(types.int32)
"""Whole numbers in float lanes as int32 lanes."""

to_int64 = _to_whole(types.int64)
"""Whole numbers in float lanes as int64 lanes."""


@intrinsic
def round_even(typing: Any, a: Any) -> Any:
    """Nearest whole numbers, halves to the even one."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _build(builder, [_call(builder, "nearbyint", v) for v in _split(builder, a.width, args[0])])

    return a(a), codegen


@intrinsic
def axpy(typing: Any, scalar: Any, x: Any, y: Any) -> Any:
    """``scalar * x + y`` in one rounding."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = zip(_split(builder, x.width, args[1]), _split(builder, x.width, args[2]), strict=True)
        return _build(
            builder,
            [_call(builder, "fma", _broadcast(builder, args[0], v.type.count), v, w) for v, w in pairs],
        )

    return x(types.float32, x, x), codegen


# exp(x) = 2^n * exp(r), n = round(x / ln 2), |r| <= ln(2) / 2; the polynomial is the Taylor series to degree 7, whose
# remainder is below 2e-8 there. Below e^-50 the result is an exact zero: it would drown in any sum with e^0, and
# denormal numbers would slow down every later step.
_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_TAYLOR = [1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0]


def _exp(builder: Any, x: Any) -> Any:
    kind = x.type
    clamped = builder.select(builder.fcmp_ordered(">", x, _one(-60.0)(kind)), x, _one(-60.0)(kind))
    clamped = builder.select(builder.fcmp_ordered("<", clamped, _one(88.0)(kind)), clamped, _one(88.0)(kind))
    n = _call(builder, "nearbyint", builder.fmul(clamped, _one(_LOG2_E)(kind)))
    r = _call(builder, "fma", n, _one(-_LN2_HIGH)(kind), clamped)
    r = _call(builder, "fma", n, _one(-_LN2_LOW)(kind), r)
    p = _one(_TAYLOR[0])(kind)
    for coefficient in _TAYLOR[1:]:
        p = _call(builder, "fma", p, r, _one(coefficient)(kind))
    whole = ir.VectorType(_INT32, kind.count)
    shift = ir.Constant(whole, [23] * kind.count)
    bits = builder.add(builder.bitcast(p, whole), builder.shl(builder.fptosi(n, whole), shift))
    return builder.select(builder.fcmp_ordered("<", x, _one(-50.0)(kind)), _one(0.0)(kind), builder.bitcast(bits, kind))


@intrinsic
def exp(typing: Any, a: Any) -> Any:
    """Exponential of every lane, relative error below 2e-7; exactly 0 below e^-50, saturated above e^88."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _build(builder, [_exp(builder, v) for v in _split(builder, a.width, args[0])])

    return a(a), codegen


@intrinsic
def divide(typing: Any, a: Any, b: Any) -> Any:
    """Quotient of every lane."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = zip(_split(builder, a.width, args[0]), _split(builder, a.width, args[1]), strict=True)
        return _build(builder, [builder.fdiv(x, y) for x, y in pairs])

    return a(a, a), codegen


# --- lanes of a single vector -------------------------------------------------------------------------------------


def _shifter(step: int) -> Any:
    def typer(typing: Any, a: Any, entering: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            (vector,) = _split(builder, a.width, args[0])
            size = vector.type.count
            other = builder.insert_element(vector, args[1], ir.Constant(_INT32, 0))
            order = [size if not 0 <= lane + step < size else lane + step for lane in range(size)]
            shifted = builder.shuffle_vector(vector, other, ir.Constant(ir.VectorType(_INT32, size), order))
            return _build(builder, [shifted])

        return a(a, a.dtype), codegen

    return intrinsic(typer)


@intrinsic
def lane(typing: Any, a: Any, index: Any) -> Any:
    """The value of one lane of a pack of one vector."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (vector,) = _split(builder, a.width, args[0])
        return builder.extract_element(vector, args[1])

    return a.dtype(a, types.intp), codegen


shift_up = _shifter(-1)
"""Move every lane to the next one; the second argument enters at lane 0. For packs of one vector (1, 2, 4, 8, 16)."""

shift_down = _shifter(1)
"""Move every lane to the one before; the second argument enters at the last lane."""


# --- rows ---------------------------------------------------------------------------------------------------------
# In row arrays the lanes of a pixel lie together: with `count` rows of width 24, first `count` times 16 lanes, then
# `count` times 8. So every part of a row lies on a border of its own size and never crosses a cache line.


def _row_offsets(builder: Any, width: int, base: Any, count: Any, row: Any) -> list[Any]:
    offsets, start = [], 0
    for size in vector_sizes(width):
        before = builder.mul(count, ir.Constant(count.type, start))
        inside = builder.mul(row, ir.Constant(row.type, size))
        offsets.append(builder.add(builder.add(base, before), inside))
        start += size
    return offsets


@intrinsic
def store_row(typing: Any, rows: Any, base: Any, count: Any, row: Any, pack: Any) -> Any:
    """Write a pack as row number `row` of the `count` rows that start at `base`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        offsets = _row_offsets(builder, pack.width, *args[1:4])
        for offset, vector in zip(offsets, _split(builder, pack.width, args[4]), strict=True):
            size = vector.type.count
            builder.store(vector, address_of(context, builder, signature.args[0], args[0], offset, size), align=4)
        return context.get_dummy_value()

    return types.void(rows, types.intp, types.intp, types.intp, pack), codegen


@intrinsic
def load_row(typing: Any, rows: Any, base: Any, count: Any, row: Any, lanes: Any) -> Any:
    """Row number `row` of the `count` rows that start at `base`, as a pack."""
    width = width_of(lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        offsets = _row_offsets(builder, width, *args[1:4])
        vectors = [
            builder.load(address_of(context, builder, signature.args[0], args[0], offset, size), align=4)
            for offset, size in zip(offsets, vector_sizes(width), strict=True)
        ]
        return _build(builder, vectors)

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

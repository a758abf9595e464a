"""What a pack of lanes is to Numba and LLVM; :mod:`classicseg.machine.simd` builds its operations from this.

Numba sees one value of type :class:`Pack`. LLVM sees a structure of vectors whose lengths are powers of two, 24 lanes
being 16 and 8, because only these fill registers. The functions here write LLVM instructions: `context` and `builder`
are Numba's, and all other arguments are values or types of LLVM unless they are said to be plain numbers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import PrimitiveModel, register_default

_INT32 = ir.IntType(32)
_ELEMENTS = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.int32: _INT32,
    types.int64: ir.IntType(64),
}


class Pack(types.Type):  # type: ignore[misc]
    """Numba type of `width` lanes of `dtype`: float32, float64, int32 or int64."""

    def __init__(self, width: int, dtype: Any = types.float32) -> None:
        self.width, self.dtype = width, dtype
        super().__init__(name=f"Pack({width}, {dtype})")


@register_default(Pack)
class _PackModel(PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, pack: Pack) -> None:
        vectors = [vector_of(size, pack.dtype) for size in vector_sizes(pack.width)]
        super().__init__(manager, pack, ir.LiteralStructType(vectors))


def vector_sizes(width: int) -> list[int]:
    """Cut `width` lanes into vectors whose lengths are powers of two, widest first: 24 -> 16 + 8."""
    sizes = []
    for size in (16, 8, 4, 2, 1):
        while width >= size:
            sizes.append(size)
            width -= size
    return sizes


def vector_of(size: int, dtype: Any = types.float32) -> ir.VectorType:
    """LLVM type of a vector of `size` lanes of the Numba type `dtype`."""
    return ir.VectorType(_ELEMENTS[dtype], size)


def width_of(lanes: Any) -> int:
    """Width of a pack, from the Numba type of the tuple `lanes` that stands for it."""
    return int(lanes.count)


def data_of(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    """Address of the elements of `array`, whose Numba type `array_type` is an array or a pointer."""
    if isinstance(array_type, types.CPointer):
        return array
    return context.make_array(array_type)(context, builder, array).data


def address_of(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, size: int) -> Any:
    """Address of the vector of `size` elements at ``array[offset]``; `array_type` as for :func:`data_of`."""
    data = data_of(context, builder, array_type, array)
    return builder.bitcast(builder.gep(data, [offset]), vector_of(size, array_type.dtype).as_pointer())


def build(builder: Any, vectors: list[Any]) -> Any:
    """Make a pack of its `vectors`."""
    pack = ir.Constant(ir.LiteralStructType([vector.type for vector in vectors]), ir.Undefined)
    for i, vector in enumerate(vectors):
        pack = builder.insert_value(pack, vector, i)
    return pack


def split(builder: Any, width: int, pack: Any) -> list[Any]:
    """Take the vectors out of `pack`, which has `width` lanes."""
    return [builder.extract_value(pack, i) for i in range(len(vector_sizes(width)))]


def broadcast(builder: Any, scalar: Any, size: int) -> Any:
    """Make a vector of `size` lanes that all hold `scalar`."""
    undefined = ir.Constant(ir.VectorType(scalar.type, size), ir.Undefined)
    vector = builder.insert_element(undefined, scalar, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(vector, undefined, ir.Constant(ir.VectorType(_INT32, size), [0] * size))


def constant(vector_type: Any, value: float) -> Any:
    """A vector of the type `vector_type` whose lanes all hold the plain number `value`."""
    return ir.Constant(vector_type, [value] * vector_type.count)


def call_math(builder: Any, name: str, *vectors: Any) -> Any:
    """Call LLVM's mathematical function `name` on float32 `vectors` of one type."""
    vector_type = vectors[0].type
    function_type = ir.FunctionType(vector_type, [vector_type] * len(vectors))
    function = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.{name}.v{vector_type.count}f32")
    return builder.call(function, vectors)


# exp(x) = 2^n * exp(r), n = round(x / ln 2), |r| <= ln(2) / 2; the polynomial is the Taylor series to degree 7, whose
# remainder is below 2e-8 there. Below e^-50 the result is an exact zero: it would drown in any sum with e^0, and
# denormal numbers would slow down every later step.
_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_TAYLOR = [1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0]


def exponential(builder: Any, x: Any) -> Any:
    """Exponential of each lane of a float32 vector `x`."""
    kind = x.type
    low, high = constant(kind, -60.0), constant(kind, 88.0)
    clamped = builder.select(builder.fcmp_ordered(">", x, low), x, low)
    clamped = builder.select(builder.fcmp_ordered("<", clamped, high), clamped, high)
    n = call_math(builder, "nearbyint", builder.fmul(clamped, constant(kind, _LOG2_E)))
    r = call_math(builder, "fma", n, constant(kind, -_LN2_HIGH), clamped)
    r = call_math(builder, "fma", n, constant(kind, -_LN2_LOW), r)
    p = constant(kind, _TAYLOR[0])
    for coefficient in _TAYLOR[1:]:
        p = call_math(builder, "fma", p, r, constant(kind, coefficient))
    whole = ir.VectorType(_INT32, kind.count)
    bits = builder.add(builder.bitcast(p, whole), builder.shl(builder.fptosi(n, whole), constant(whole, 23)))
    tiny = builder.fcmp_ordered("<", x, constant(kind, -50.0))
    return builder.select(tiny, constant(kind, 0.0), builder.bitcast(bits, kind))

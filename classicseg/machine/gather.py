"""Packs whose lanes come from anywhere in an array, and small whole numbers that say from where.

Row numbers and vertex numbers are kept in as few bits as can hold them; as lanes they are int64.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from classicseg.machine.packs import Pack, broadcast, build, data_of, split, vector_of
from classicseg.machine.simd import PIXELS

_BIT, _INT32, _INT64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)


def _bits(dtype: Any, size: int) -> ir.VectorType:
    """LLVM type of a vector of `size` whole numbers of the Numba type `dtype`."""
    return ir.VectorType(ir.IntType(dtype.bitwidth), size)


def _address(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, size: int) -> Any:
    """Address of the vector of `size` whole numbers at ``array[offset]``, in an `array` of the Numba `array_type`."""
    data = builder.gep(data_of(context, builder, array_type, array), [offset])
    return builder.bitcast(data, _bits(array_type.dtype, size).as_pointer())


@intrinsic
def load_numbers(typing: Any, array: Any, offset: Any) -> Any:
    """The 16 numbers from ``array[offset]`` on, which are unsigned, as int64 lanes."""
    size, bytes_of = PIXELS, array.dtype.bitwidth // 8

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _address(context, builder, signature.args[0], args[0], args[1], size)
        return build(builder, [builder.zext(builder.load(at, align=bytes_of), vector_of(size, types.int64))])

    return Pack(size, types.int64)(array, types.intp), codegen


@intrinsic
def store_numbers(typing: Any, array: Any, offset: Any, pack: Any) -> Any:
    """Write the int64 lanes of `pack`, which fit into the elements of `array`, from ``array[offset]`` on."""
    size, bytes_of = PIXELS, array.dtype.bitwidth // 8

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (vector,) = split(builder, pack.width, args[2])
        at = _address(context, builder, signature.args[0], args[0], args[1], size)
        builder.store(builder.trunc(vector, _bits(signature.args[0].dtype, size)), at, align=bytes_of)
        return context.get_dummy_value()

    return types.void(array, types.intp, pack), codegen


@intrinsic
def gather(typing: Any, array: Any, base: Any, index: Any) -> Any:
    """Lane by lane ``array[base + index]``, for 16 lanes; whole numbers come as int64."""
    size, dtype = PIXELS, array.dtype
    is_whole = isinstance(dtype, types.Integer)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (numbers,) = split(builder, size, args[2])
        kind = _bits(dtype, size) if is_whole else vector_of(size, dtype)
        data = builder.gep(data_of(context, builder, signature.args[0], args[0]), [args[1]])
        places = builder.gep(builder.bitcast(data, ir.PointerType()), [numbers], source_etype=kind.element)
        places.type = ir.VectorType(ir.PointerType(), size)  # llvmlite takes it for the type of a single address
        all_lanes = ir.Constant(ir.VectorType(_BIT, size), [1] * size)
        function_type = ir.FunctionType(kind, [places.type, _INT32, all_lanes.type, kind])
        name = f"llvm.masked.gather.v{size}{'i' if is_whole else 'f'}{dtype.bitwidth}.v{size}p0"
        function = cgutils.get_or_insert_function(builder.module, function_type, name)
        align = ir.Constant(_INT32, dtype.bitwidth // 8)
        vector = builder.call(function, [places, align, all_lanes, ir.Constant(kind, None)])
        if is_whole and dtype.bitwidth < types.int64.bitwidth:
            vector = builder.zext(vector, vector_of(size, types.int64))
        return build(builder, [vector])

    return Pack(size, types.int64 if is_whole else dtype)(array, types.intp, Pack(size, types.int64)), codegen


# --- whole numbers in lanes ---------------------------------------------------------------------------------------


@intrinsic
def shift_right(typing: Any, a: Any, bits: Any) -> Any:
    """The int64 lanes of `a` without their lowest `bits`; zeros enter at the top."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (vector,) = split(builder, a.width, args[0])
        return build(builder, [builder.lshr(vector, broadcast(builder, args[1], a.width))])

    return a(a, types.int64), codegen


def _set(builder: Any, condition: Any) -> Any:
    """The lanes of `condition`, a vector of bits, that are set: the lowest bits of a uint64."""
    bits = ir.IntType(condition.type.count)
    return builder.zext(builder.bitcast(condition, bits), _INT64)


@intrinsic
def different(typing: Any, a: Any, b: Any) -> Any:
    """Which int64 lanes of `a` are not those of `b`: bit i, of a uint64, says it of lane i."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (x,), (y,) = (split(builder, a.width, arg) for arg in args)
        return _set(builder, builder.icmp_signed("!=", x, y))

    return types.uint64(a, a), codegen


@intrinsic
def negative(typing: Any, a: Any) -> Any:
    """Which int64 lanes of `a` are below 0, as :func:`different` says it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (x,) = split(builder, a.width, args[0])
        return _set(builder, builder.icmp_signed("<", x, ir.Constant(x.type, [0] * a.width)))

    return types.uint64(a), codegen

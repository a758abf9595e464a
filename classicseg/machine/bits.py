"""Words of 64 bits as small sets, as Numba intrinsics."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from classicseg.machine.jit import inline
from classicseg.machine.packs import address_of, width_of

NONE = np.uint64(0)
_ONE = np.uint64(1)


@intrinsic
def first_bit(typing: Any, word: Any) -> Any:
    """Number of the lowest bit that is set in `word`, which must not be 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@intrinsic
def count_bits(typing: Any, word: Any) -> Any:
    """How many bits are set in `word`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@intrinsic
def positive(typing: Any, array: Any, offset: Any, lanes: Any) -> Any:
    """Which of the ``len(lanes)`` elements from ``array[offset]`` on are above 0: bit k for element k.

    The number of lanes must be a power of two, from 2 to 64.
    """
    width = width_of(lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = address_of(context, builder, signature.args[0], args[0], args[1], width)
        values = builder.load(at, align=4)
        found = builder.icmp_signed(">", values, ir.Constant(values.type, None))
        return builder.zext(builder.bitcast(found, ir.IntType(width)), ir.IntType(64))

    return types.uint64(array, types.intp, lanes), codegen


@inline
def transposed(word):
    """`word` as a matrix of bits whose rows are its 8 bytes, transposed: bit ``8 y + x`` goes to ``8 x + y``."""
    change = (word ^ (word >> np.uint64(7))) & np.uint64(0x00AA00AA00AA00AA)
    word ^= change ^ (change << np.uint64(7))
    change = (word ^ (word >> np.uint64(14))) & np.uint64(0x0000CCCC0000CCCC)
    word ^= change ^ (change << np.uint64(14))
    change = (word ^ (word >> np.uint64(28))) & np.uint64(0x00000000F0F0F0F0)
    return word ^ change ^ (change << np.uint64(28))


@inline
def bit(number):
    """The word in which only bit `number`, 0 to 63, is set."""
    return _ONE << np.uint64(number)


@inline
def without_first(word):
    """`word` without its lowest bit that is set."""
    return word & (word - _ONE)

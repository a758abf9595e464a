"""Words of 64 bits as small sets, as Numba intrinsics."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from classicseg._jit import inline

NONE = np.uint64(0)
_ONE = np.uint64(1)


@intrinsic
def first_bit(typing: Any, word: Any) -> Any:
    """Number of the lowest bit that is set, of a word that is not 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@intrinsic
def count_bits(typing: Any, word: Any) -> Any:
    """How many bits are set."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@inline
def bit(number):  # type: ignore[no-untyped-def]
    """The word in which one bit is set, number 0 to 63."""
    return _ONE << np.uint64(number)


@inline
def without_first(word):  # type: ignore[no-untyped-def]
    """The word without its lowest bit."""
    return word & (word - _ONE)


@inline
def has_bit(word, number):  # type: ignore[no-untyped-def]
    """Whether a bit is set."""
    return word & bit(number) != NONE

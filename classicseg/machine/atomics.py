"""Reading and writing words that threads share, and waiting for them to change, as Numba intrinsics."""

from __future__ import annotations

import platform
import sys
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from classicseg.machine.packs import data_of

_INT32 = ir.IntType(32)


def _word(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Address of ``array[index]``, an array of the Numba type `array_type`."""
    return builder.gep(data_of(context, builder, array_type, array), [index])


@intrinsic
def atomic_add(typing: Any, words: Any, index: Any, value: Any) -> Any:
    """Add `value` to ``words[index]``, an int64 that threads share; returns what it held before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw(
            "add", _word(context, builder, signature.args[0], args[0], args[1]), args[2], "seq_cst"
        )

    return types.int64(words, types.intp, types.int64), codegen


@intrinsic
def atomic_load(typing: Any, words: Any, index: Any) -> Any:
    """Read ``words[index]``, an int64 that another thread may be writing."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_word(context, builder, signature.args[0], args[0], args[1]), "seq_cst", 8)

    return types.int64(words, types.intp), codegen


@intrinsic
def atomic_store(typing: Any, words: Any, index: Any, value: Any) -> Any:
    """Write `value` to ``words[index]``, an int64 that another thread may be reading."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[2], _word(context, builder, signature.args[0], args[0], args[1]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(words, types.intp, types.int64), codegen


@intrinsic
def pause(typing: Any) -> Any:
    """Tell the processor that this thread is waiting in a loop."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if platform.machine() in ("x86_64", "AMD64"):
            function_type = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, function_type, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def sleep_briefly(typing: Any) -> Any:
    """Leave the processor to others for some tens of microseconds."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        name, amount = ("Sleep", 0) if sys.platform == "win32" else ("usleep", 20)
        function_type = ir.FunctionType(_INT32, [_INT32])
        function = cgutils.get_or_insert_function(builder.module, function_type, name)
        builder.call(function, [ir.Constant(_INT32, amount)])
        return context.get_dummy_value()

    return types.void(), codegen

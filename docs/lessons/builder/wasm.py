"""From the source of kernels to WebAssembly: Numba -> LLVM -> wasm32.

Numba compiles for the processor that it runs on. Its code is taken before LLVM optimises it: there, sizes and places
are still those of named types, so that the same code holds where pointers have 32 bits. It is then optimised and
written for wasm32 by the LLVM that comes with llvmlite, and linked by ``wasm-ld``. What Numba's run-time system does
natively is done by a few lines: memory is taken from the end of a heap that the page clears before every call, all
arrays that are reshaped are contiguous, and products of 64 bits, by which the sizes of arrays are checked, are made of
those of 32 (unoptimised: LLVM would see that it is such a product, and call it by itself).

Three things differ from native code. ``fma`` becomes a product and a sum, because WebAssembly has no instruction for
it, so the last digit may differ. Atomic instructions become plain ones, and there is one thread. Vectors of 16 lanes
become four of WebAssembly's.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from builder.sources import LESSONS, MODULES

FEATURES = "+simd128,+bulk-memory,+nontrapping-fptoint,+sign-ext"
"""What browsers of 2021 and later understand."""

_STACK = 2**18  # bytes
_FUSING = "embed_stripe"  # the kernel in which one rounding more moves points, where coordinates are large
_FUSED = """
define linkonce_odr <16 x float> @fused(<16 x float> %a, <16 x float> %b, <16 x float> %c) alwaysinline {
  %x = fpext <16 x float> %a to <16 x double>
  %y = fpext <16 x float> %b to <16 x double>
  %z = fpext <16 x float> %c to <16 x double>
  %product = fmul <16 x double> %x, %y
  %sum = fadd <16 x double> %product, %z
  %once = fptrunc <16 x double> %sum to <16 x float>
  ret <16 x float> %once
}
"""
_TRIPLE = "wasm32-unknown-unknown"
_RUN_TIME = """
target triple = "wasm32-unknown-unknown"
%meminfo = type { i64, ptr, ptr, ptr, i64, ptr }
@heap_top = global i32 0
declare i32 @llvm.wasm.memory.size.i32(i32)
declare i32 @llvm.wasm.memory.grow.i32(i32, i32)
define ptr @reserve(i32 %size) noinline {
  %top = load i32, ptr @heap_top
  %up = add i32 %top, 63
  %at = and i32 %up, -64
  %end = add i32 %at, %size
  store i32 %end, ptr @heap_top
  %pages = call i32 @llvm.wasm.memory.size.i32(i32 0)
  %have = shl i32 %pages, 16
  %enough = icmp ule i32 %end, %have
  br i1 %enough, label %done, label %grow
grow:
  %missing = sub i32 %end, %have
  %round = add i32 %missing, 65535
  %more = lshr i32 %round, 16
  %old = call i32 @llvm.wasm.memory.grow.i32(i32 0, i32 %more)
  br label %done
done:
  %p = inttoptr i32 %at to ptr
  ret ptr %p
}
define ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %align) {
  %small = trunc i64 %size to i32
  %all = add i32 %small, 64
  %info = call ptr @reserve(i32 %all)
  store i64 1, ptr %info
  %data = getelementptr i8, ptr %info, i32 64
  %slot = getelementptr %meminfo, ptr %info, i32 0, i32 3
  store ptr %data, ptr %slot
  ret ptr %info
}
define void @NRT_MemInfo_call_dtor(ptr %info) {
  ret void
}
define void @__multi3(ptr %to, i64 %a, i64 %a_high, i64 %b, i64 %b_high) noinline optnone {
  %a0 = and i64 %a, 4294967295
  %a1 = lshr i64 %a, 32
  %b0 = and i64 %b, 4294967295
  %b1 = lshr i64 %b, 32
  %p00 = mul i64 %a0, %b0
  %p01 = mul i64 %a0, %b1
  %p10 = mul i64 %a1, %b0
  %p11 = mul i64 %a1, %b1
  %carry = lshr i64 %p00, 32
  %p01_low = and i64 %p01, 4294967295
  %p10_low = and i64 %p10, 4294967295
  %sum0 = add i64 %carry, %p01_low
  %middle = add i64 %sum0, %p10_low
  %p01_high = lshr i64 %p01, 32
  %p10_high = lshr i64 %p10, 32
  %middle_high = lshr i64 %middle, 32
  %sum1 = add i64 %p11, %p01_high
  %sum2 = add i64 %sum1, %p10_high
  %sum3 = add i64 %sum2, %middle_high
  %cross0 = mul i64 %a, %b_high
  %cross1 = mul i64 %a_high, %b
  %sum4 = add i64 %sum3, %cross0
  %high = add i64 %sum4, %cross1
  %low = mul i64 %a, %b
  store i64 %low, ptr %to
  %next = getelementptr i8, ptr %to, i32 8
  store i64 %high, ptr %next
  ret void
}
define i32 @numba_attempt_nocopy_reshape(
    i64 %n, ptr %dims, ptr %strides, i64 %new_n, ptr %new_dims, ptr %new_strides, i64 %item, i32 %fortran) {
  br label %next
next:
  %left = phi i64 [ %new_n, %0 ], [ %axis, %body ]
  %stride = phi i64 [ %item, %0 ], [ %wider, %body ]
  %more = icmp sgt i64 %left, 0
  br i1 %more, label %body, label %done
body:
  %axis = sub i64 %left, 1
  %to = getelementptr i64, ptr %new_strides, i64 %axis
  store i64 %stride, ptr %to
  %from = getelementptr i64, ptr %new_dims, i64 %axis
  %length = load i64, ptr %from
  %wider = mul i64 %stride, %length
  br label %next
done:
  ret i32 1
}
define i32 @usleep(i32 %microseconds) {
  ret i32 0
}
"""


def linker() -> str | None:
    """The path of ``wasm-ld``, if it is installed; Debian has it in the package lld."""
    found = shutil.which("wasm-ld")
    return found or next((str(path) for path in sorted(Path("/usr/bin").glob("wasm-ld-*"), reverse=True)), None)


def build(entry: Path) -> Path:
    """Compile the entries of a file into a module beside the others; returns its path.

    Numba reads its options when it is imported, so that happens in a process of its own.
    """
    target = MODULES / f"{entry.stem}.wasm"
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, __file__, entry.stem, str(target)]
        environment = os.environ | {
            "NUMBA_OPT": "0",
            "NUMBA_CPU_NAME": "generic",
            "NUMBA_CPU_FEATURES": "",
            "NUMBA_CACHE_DIR": place,  # kernels that were compiled natively hold code that is optimised already
            "PYTHONPATH": os.pathsep.join([str(LESSONS), str(LESSONS.parents[1])]),
        }
        subprocess.run(command, env=environment, check=True)
    return target


def _intermediate_code(name: str) -> dict[str, str]:
    """LLVM's intermediate code of each entry in the file of that `name`."""
    functions = vars(importlib.import_module(f"entries.{name}")).items()
    entries = {name: function for name, function in functions if getattr(function, "is_entry", False)}
    return {name: next(iter(function.inspect_llvm().values())) for name, function in entries.items()}


def _for_wasm32(code: str) -> str:
    """Native intermediate code as that of wasm32."""
    code = re.sub(r"^target datalayout = .*$", "", code, flags=re.MULTILINE)
    code = re.sub(r"^target triple = .*$", f'target triple = "{_TRIPLE}"', code, flags=re.MULTILINE)
    code = re.sub(r'"target-(cpu|features)"="[^"]*"', "", code)
    code = code.replace("= common ", "= weak ")
    code = re.sub(rf"^define [^\n]*{_FUSING}.*?^}}", _with_fused_rounding, code, flags=re.MULTILINE | re.DOTALL)
    code = code.replace("@llvm.fma.", "@llvm.fmuladd.")
    code = re.sub(r"^\s*(tail )?call void @llvm\.(x86\.sse2\.pause|prefetch\.p0)\(.*$", "", code, flags=re.MULTILINE)
    return re.sub(r"^declare void @llvm\.(x86\.sse2\.pause|prefetch\.p0)\(.*$", "", code, flags=re.MULTILINE)


def _with_fused_rounding(kernel: re.Match[str]) -> str:
    """A kernel whose ``fma`` is rounded once, by way of float64, in which products of float32 are exact."""
    return kernel[0].replace("@llvm.fma.v16f32", "@fused")


def _object_code(codes: dict[str, str]) -> bytes:
    """One object file of all entries, whose intermediate code is given."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(_TRIPLE).create_target_machine(opt=3, features=FEATURES)
    whole = llvm.parse_assembly(_RUN_TIME)
    whole.data_layout = str(machine.target_data)
    for name, code in codes.items():
        part = llvm.parse_assembly(_for_wasm32(code) + _FUSED)
        part.data_layout = str(machine.target_data)
        (own,) = [f for f in part.functions if not f.is_declaration and f.linkage == llvm.Linkage.external]
        own.name = name
        whole.link_in(part)
    for function in whole.functions:
        if not function.is_declaration and function.name not in {*codes, "reserve", "__multi3"}:
            function.linkage = "internal"
    whole.verify()
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(whole, passes)
    return bytes(machine.emit_object(whole))


def _main(name: str, target: str) -> None:
    codes = _intermediate_code(name)
    program = linker()
    if program is None:
        raise SystemExit("wasm-ld is not installed; Debian has it in the package lld")
    with tempfile.TemporaryDirectory() as place:
        objects = Path(place) / "entries.o"
        objects.write_bytes(_object_code(codes))
        exports = [f"--export={symbol}" for symbol in (*codes, "reserve", "heap_top", "__heap_base")]
        options = ["--no-entry", "--gc-sections", "--strip-all", "--allow-undefined", "--stack-first"]
        command = [program, *options, "-z", f"stack-size={_STACK}", *exports, str(objects), "-o", target]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])

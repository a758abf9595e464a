"""Transposing a block of 16 pixels between rows and planes, as Numba intrinsics.

A block holds `width` lanes for each of 16 pixels. "Rows" order keeps the lanes of a pixel together, "planes" order
the pixels of a lane. With flat positions written in bits, rows are (pixel | lane) and planes (lane | pixel): the
one is the other rotated. A perfect shuffle (interleave the first half of the vectors with the second) rotates by
one bit, so four shuffles turn rows into planes, and log2(width) shuffles turn them back.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from classicseg.machine.packs import address_of, vector_sizes, width_of
from classicseg.machine.simd import PIXELS

_INT32 = ir.IntType(32)


def _perfect_shuffle(builder: Any, vectors: list[Any]) -> list[Any]:
    """Interleave the first half of `vectors`, of 16 lanes each, with the second half, lane by lane."""
    half = len(vectors) // 2
    kind = ir.VectorType(_INT32, 16)
    low = ir.Constant(kind, [i // 2 + 16 * (i % 2) for i in range(16)])
    high = ir.Constant(kind, [8 + i // 2 + 16 * (i % 2) for i in range(16)])
    shuffled = []
    for a, b in zip(vectors[:half], vectors[half:], strict=True):
        shuffled += [builder.shuffle_vector(a, b, low), builder.shuffle_vector(a, b, high)]
    return shuffled


def _transposer(to_planes: bool) -> Any:
    """Make an intrinsic that copies a block from rows to planes, or back unless `to_planes`."""

    def typer(typing: Any, source: Any, source_at: Any, target: Any, target_at: Any, lanes: Any) -> Any:
        width = width_of(lanes)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def at(k: int, start: int) -> Any:
                offset = builder.add(args[k + 1], ir.Constant(args[k + 1].type, start))
                return address_of(context, builder, signature.args[k], args[k], offset, 16)

            start = 0
            for size in vector_sizes(width):
                base = start * PIXELS
                vectors = [builder.load(at(0, base + 16 * v), align=4) for v in range(size)]
                if size > 1:
                    for _ in range(4 if to_planes else size.bit_length() - 1):
                        vectors = _perfect_shuffle(builder, vectors)
                for v, vector in enumerate(vectors):
                    builder.store(vector, at(2, base + 16 * v), align=4)
                start += size
            return context.get_dummy_value()

        return types.void(source, types.intp, target, types.intp, lanes), codegen

    return intrinsic(typer)


rows_to_planes = _transposer(True)
"""Copy a block from rows (as `store_row` writes 16 of them) to planes: 16 pixels of lane 0, 16 of lane 1, and so on."""

planes_to_rows = _transposer(False)
"""Copy a block from planes to rows (as `load_row` reads it)."""

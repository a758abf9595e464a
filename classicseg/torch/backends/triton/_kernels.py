"""The programs that run on the GPU.

Rows of all arrays, of points and of vertices alike, hold C channels and zeros up to STRIDE, a multiple of 8 where C is
not small, so that they are read in whole sectors and vectors. A program works on BLOCK rows and LANES channels, which
are powers of two. Offsets into arrays of rows are 64 bits wide: 1080p with 150 labels has more than 2^31 numbers times
a batch of 7.

Sums are taken in the order of the arrays, by one program each, so results are the same from run to run.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _offsets(row, STRIDE: tl.constexpr, LANES: tl.constexpr):
    return row.to(tl.int64)[:, None] * STRIDE + tl.arange(0, LANES)[None, :]


@triton.jit
def _in_channels(image, within, n_each, C: tl.constexpr, LANES: tl.constexpr):
    """Offsets into (B, C, N) of points of an image; that they follow each other is left for the compiler to see."""
    n = n_each.to(tl.int64)
    return (image * C * n + within)[:, None] + tl.arange(0, LANES)[None, :] * n


@triton.jit
def _rounded(x):
    """To the nearest whole number, halves to the even one."""
    whole = tl.floor(x)
    rest = x - whole
    is_odd = tl.floor(whole * 0.5) != whole * 0.5
    return whole + ((rest > 0.5) | ((rest == 0.5) & is_odd)).to(tl.float32)


@triton.jit
def _column(table, lane, at):
    return tl.sum(tl.where(lane == at, table, 0), axis=1)[:, None]  # of one number: exact


@triton.jit(do_not_specialize=["n_each"])
def embed(
    features,
    scale,
    origin_of,
    rank_of,
    weight_of,
    reciprocal,
    n_each,
    D: tl.constexpr,
    LANES: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """See :func:`classicseg.torch.backends._sorting.embed`, operation for operation.

    A program embeds BLOCK points of an image, a lane for each of the D + 1 coordinates.

    Parameters
    ----------
    features : (B, D, N)
    scale : (D,)
    origin_of, rank_of : (D + 1, B N)
        Results, as is `weight_of`.
    weight_of : (B N, D + 1)
    reciprocal : 1 / (D + 1), rounded as a float32
    n_each : N, the points of each image
    D, LANES, BLOCK
        Axes of the features; lanes and points of a program.
    """
    image, n = tl.program_id(1).to(tl.int64), n_each.to(tl.int64)
    within = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lane = tl.arange(0, LANES)[None, :]
    there, real = within < n_each, lane <= D
    first, point = image * D * n + within, image * n + within
    total = tl.zeros((BLOCK, 1), tl.float32)
    elevated = tl.zeros((BLOCK, LANES), tl.float32)
    for i in tl.static_range(D):
        feature = tl.load(features + first + (D - 1 - i) * n, mask=there, other=0.0)[:, None]
        scaled = feature * tl.load(scale + (D - 1 - i))
        elevated = tl.where(lane == D - i, total - scaled * (D - i), elevated)
        total += scaled
    elevated = tl.where(lane == 0, total, elevated)

    origin = _rounded(elevated * reciprocal)
    residual = elevated - origin * (D + 1)
    rank = tl.sum(origin, axis=1).to(tl.int32)[:, None] + tl.zeros((BLOCK, LANES), tl.int32)
    for other in tl.static_range(D + 1):
        theirs = _column(residual, lane, other)
        below = tl.where(lane < other, residual < theirs, (lane > other) & (residual <= theirs))
        rank += below.to(tl.int32)
    step = (rank < 0).to(tl.int32) - (rank > D).to(tl.int32)
    rank += step * (D + 1)
    residual = (residual - step * (D + 1)) * reciprocal
    plane = lane * tl.num_programs(1) * n + point[:, None]
    tl.store(origin_of + plane, origin + step, mask=there[:, None] & real)
    tl.store(rank_of + plane, rank, mask=there[:, None] & real)

    rank = tl.where(real, rank, -1)
    highest = tl.sum(tl.where(rank == 0, residual, 0.0), axis=1)[:, None]
    lowest = tl.sum(tl.where(rank == D, residual, 0.0), axis=1)[:, None]
    weight = tl.where(lane == 0, (1 + lowest) - highest, tl.zeros((BLOCK, LANES), tl.float32))
    above = highest
    for r in tl.static_range(1, D + 1):
        falling = tl.sum(tl.where(rank == r, residual, 0.0), axis=1)[:, None]
        weight = tl.where(lane == D + 1 - r, above - falling, weight)
        above = falling
    at = point[:, None] * (D + 1) + lane
    tl.store(weight_of + at, weight, mask=there[:, None] & real)


@triton.jit(do_not_specialize=["first", "stop"], do_not_specialize_on_alignment=["begin", "end"])
def sum_runs(
    values,
    member,
    weight,
    begin,
    end,
    out,
    first,
    stop,
    INDEXED: tl.constexpr,
    WEIGHTED: tl.constexpr,
    STRIDE: tl.constexpr,
    LANES: tl.constexpr,
    BLOCK: tl.constexpr,
    UNROLLED: tl.constexpr,
):
    """Row i of `out` is the sum of weight[e] * values[member[e]] for e from begin[i] to end[i], from `first` to `stop`.

    Parameters
    ----------
    values : rows that are summed
    member, weight : (entries,)
        Not read where INDEXED says that entries are rows in order, or WEIGHTED that weights are 1.
    begin, end : (runs,)
    out : (runs, STRIDE)
    first, stop : int
        Rows that are computed.
    INDEXED, WEIGHTED : bool
    STRIDE, LANES, BLOCK
        See the module.
    UNROLLED
        Entries that are read at once.
    """
    run = first + tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there, inside = run < stop, tl.arange(0, LANES)[None, :] < STRIDE
    entry = tl.load(begin + run, mask=there, other=0)[:, None]
    length = (tl.load(end + run, mask=there, other=0)[:, None] - entry).to(tl.int32)
    lane = tl.arange(0, LANES)[None, :]
    total = tl.zeros((BLOCK, LANES), tl.float32)
    for step in range(0, tl.max(length), UNROLLED):
        for j in tl.static_range(UNROLLED):
            at, some = entry + (step + j), step + j < length
            row = tl.load(member + at, mask=some, other=0) if INDEXED else at
            moved = tl.load(values + row.to(tl.int64) * STRIDE + lane, mask=some & inside, other=0.0)
            if WEIGHTED:
                moved *= tl.load(weight + at, mask=some, other=0.0)
            total += moved
    tl.store(out + _offsets(run, STRIDE, LANES), total, mask=there[:, None] & inside)


@triton.jit
def _near(neighbours, row, side: tl.constexpr, there):
    """A neighbour of each row, and where there is one: a row that has none stands for itself."""
    near = tl.load(neighbours + row.to(tl.int64) * 2 + side, mask=there, other=0)
    return near, there & (near != row)


@triton.jit
def _blurred(rows, neighbours, row, there, STRIDE: tl.constexpr, LANES: tl.constexpr):
    inside = tl.arange(0, LANES)[None, :] < STRIDE
    total = tl.load(rows + _offsets(row, STRIDE, LANES), mask=there[:, None] & inside, other=0.0)
    for side in tl.static_range(2):
        near, some = _near(neighbours, row, side, there)
        total += 0.5 * tl.load(rows + _offsets(near, STRIDE, LANES), mask=some[:, None] & inside, other=0.0)
    return total


@triton.jit(do_not_specialize=["first", "stop"])
def blur_axes(
    rows,
    along,
    then,
    out,
    first,
    stop,
    TWO: tl.constexpr,
    STRIDE: tl.constexpr,
    LANES: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Each row plus half of its two neighbours along an axis, and the same of the result along a second one.

    Two axes at once: what a row needs of the first is computed anew for each of three, to the bit as if it were stored.

    Parameters
    ----------
    rows, out : (rows, STRIDE)
    along, then : (rows, 2)
        Neighbours along each axis; the row itself where there is none.
    first, stop : int
        Rows that are computed.
    TWO : bool
        Whether there is a second axis.
    STRIDE, LANES, BLOCK
        See the module.
    """
    row = first + tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there, inside = row < stop, tl.arange(0, LANES)[None, :] < STRIDE
    total = _blurred(rows, along, row, there, STRIDE, LANES)
    if TWO:
        for side in tl.static_range(2):
            near, some = _near(then, row, side, there)
            total += 0.5 * _blurred(rows, along, near, some, STRIDE, LANES)
    tl.store(out + _offsets(row, STRIDE, LANES), total, mask=there[:, None] & inside)


@triton.jit(do_not_specialize=["n_rows"])
def mix_labels(
    rows,
    matrices,
    kernel_of,
    out,
    n_rows,
    C: tl.constexpr,
    STRIDE: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """`rows` times the matrix of their kernel, in full precision.

    Parameters
    ----------
    rows, out : (n_rows, STRIDE)
    matrices : (kernels, C, C)
    kernel_of : (n_rows / BLOCK,)
        Kernel of the rows of each program.
    n_rows, C, STRIDE, BLOCK
        See the module.
    COLUMNS, DEPTH
        Columns that a program computes, and rows of the matrix that it multiplies at a time.
    """
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    matrix = matrices + tl.load(kernel_of + tl.program_id(0)) * C * C
    there, base = row < n_rows, row.to(tl.int64)[:, None] * STRIDE
    total = tl.zeros((BLOCK, COLUMNS), tl.float32)
    for first in range(0, C, DEPTH):
        label = first + tl.arange(0, DEPTH)
        left = tl.load(rows + base + label[None, :], mask=there[:, None] & (label < C)[None, :], other=0.0)
        real = (label < C)[:, None] & (column < C)[None, :]
        right = tl.load(matrix + label[:, None] * C + column[None, :], mask=real, other=0.0)
        total += tl.dot(left, right, input_precision="ieee")
    tl.store(out + base + column[None, :], total, mask=there[:, None] & (column < STRIDE)[None, :])


@triton.jit(do_not_specialize=["n_each", "first_pair"])
def update_points(
    rows,
    index,
    weight,
    scale,
    addend,
    marginals,
    out,
    n_each,
    first_pair,
    WHOLE: tl.constexpr,
    PAIRS: tl.constexpr,
    ALL_PAIRS: tl.constexpr,
    SCALED: tl.constexpr,
    ADDED: tl.constexpr,
    THEN: tl.constexpr,
    IN_CHANNELS: tl.constexpr,
    C: tl.constexpr,
    STRIDE: tl.constexpr,
    LANES: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Slice: sum the rows of each point, scaled; add; then a softmax, its logarithm or its adjoint.

    Parameters
    ----------
    rows : (vertices, STRIDE)
        Blurred rows of the vertices of all kernels.
    index, weight : (B N, ALL_PAIRS)
        Vertices of each point, and their weights.
    scale : (PAIRS, STRIDE)
        Factor of each channel of a row, if SCALED.
    addend : (B, C, N)
        Added to the sum if ADDED.
    marginals : (B N, STRIDE)
        What a softmax gave, whose adjoint is wanted.
    out : (B, C, N) with IN_CHANNELS, else (B N, STRIDE)
    n_each : N, the points of each image
    first_pair : the first of the PAIRS columns of `index` that are summed
    WHOLE : bool
        Whether N is a multiple of 16, as of most images: then channels are read and written four numbers at a time.
    PAIRS, ALL_PAIRS
        Columns that are summed, of how many; with PAIRS = 0 nothing is sliced, and nothing read but the `addend`.
    SCALED, ADDED, IN_CHANNELS : bool
    THEN : {"", "softmax", "log_softmax", "softmax_adjoint"}
        What becomes of the sum.
    C, STRIDE, LANES, BLOCK
        See the module.
    """
    image = tl.program_id(1).to(tl.int64)
    if WHOLE:
        n_each = tl.multiple_of(n_each, 16)
    within = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    point, lane = image * n_each + within, tl.arange(0, LANES)
    there, inside = within < n_each, (lane < STRIDE)[None, :]
    real = there[:, None] & (lane < C)[None, :]
    total = tl.zeros((BLOCK, LANES), tl.float32)
    for pair in tl.static_range(PAIRS):
        at = point * ALL_PAIRS + first_pair + pair
        row = tl.load(index + at, mask=there, other=0)
        moved = tl.load(rows + _offsets(row, STRIDE, LANES), mask=there[:, None] & inside, other=0.0)
        moved *= tl.load(weight + at, mask=there, other=0.0)[:, None]
        if SCALED:
            moved *= tl.load(scale + pair * STRIDE + lane, mask=lane < STRIDE, other=0.0)[None, :]
        total += moved
    if ADDED:
        total += tl.load(addend + _in_channels(image, within, n_each, C, LANES), mask=real, other=0.0)
    if THEN == "softmax" or THEN == "log_softmax":
        total = tl.where((lane < C)[None, :], total, -float("inf"))
        total -= tl.max(total, axis=1)[:, None]
        powers = tl.exp(total)
        sums = tl.sum(powers, axis=1)[:, None]
        total = powers / sums if THEN == "softmax" else total - tl.log(sums)
    if THEN == "softmax_adjoint":
        q = tl.load(marginals + _offsets(point, STRIDE, LANES), mask=there[:, None] & inside, other=0.0)
        total *= q
        total -= q * tl.sum(total, axis=1)[:, None]
    if IN_CHANNELS:
        tl.store(out + _in_channels(image, within, n_each, C, LANES), total, mask=real)
    else:
        tl.store(out + _offsets(point, STRIDE, LANES), total, mask=there[:, None] & inside)

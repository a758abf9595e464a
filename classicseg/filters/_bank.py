"""Building a bank of lattices (see :mod:`classicseg.kernels.bank`) and filtering with one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from classicseg._jit import map_tasks, new_sync, run
from classicseg.errors import InputError
from classicseg.filters._base import Normalization, factors_of
from classicseg.filters._stencil import AXES, Blur, stencil_blur
from classicseg.kernels import lattice as kernels
from classicseg.kernels.bank import Bank
from classicseg.kernels.filtering import filter_values
from classicseg.kernels.row_sums import row_sums
from classicseg.kernels.simd import ACROSS, PIXELS, lanes_for, padded_pixels

_POINTS_PER_STRIPE = 10_000
_MAX_STRIPES = 16
_FAR = 1000.0  # standard deviations
_LARGEST_COORDINATE = 2.0**22  # float32 tells neighbouring lattice cells apart up to here


def padded_features(columns: Sequence[np.ndarray], blur: Blur = AXES) -> np.ndarray:
    """Stack feature columns of n points into a zero-padded (d, n_padded) float32 array.

    Features far from the origin are moved there, or float32 would lose their fine differences. The move is one that
    maps the lattice onto itself, so it changes nothing but rounding errors. Features that begin near 0, as those of
    images do, stay as they are: exact ties between them are kept.
    """
    n = columns[0].size
    low, high = (np.array([f(column) for column in columns], np.float64) for f in (np.min, np.max))
    middle = (low + high) / 2
    far = np.any(np.abs(middle) > (high - low) + _FAR)
    shift = _centre_of_lattice(middle, blur.feature_scale(len(columns))) if far else np.zeros(len(columns))
    features = np.zeros((len(columns), padded_pixels(n)), np.float32)
    for row, column, offset in zip(features, columns, shift, strict=True):
        np.subtract(column.reshape(-1), column.dtype.type(offset), out=row[:n], casting="same_kind")
    return features


def _centre_of_lattice(middle: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """A point of the feature space near `middle` that is a remainder-0 vertex of the lattice."""
    d = middle.size
    scaled = middle * scale
    total, elevated = 0.0, np.zeros(d + 1)
    for j in range(d, 0, -1):
        elevated[j] = total - j * scaled[j - 1]
        total += scaled[j - 1]
    vertex = (d + 1) * np.round(elevated / (d + 1))
    total, centre = 0.0, np.empty(d)
    for j in range(d, 0, -1):
        centre[j - 1] = (total - vertex[j]) / j
        total += centre[j - 1]
    return centre / scale


def _radices(features: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Radix of each coordinate in a vertex key, (d + 1,) int64, the last one 0.

    Where the product of all ranges fits into 63 bits the key is an exact packing. Where it does not, odd random
    numbers make keys of different vertices differ with overwhelming probability (about 2^-60 for each pair).
    """
    d = scale.size
    low, high = features.min(axis=1) * scale, features.max(axis=1) * scale
    span = np.empty(d + 1)
    for j in range(d + 1):
        a, b = np.minimum(low, high)[j:], np.maximum(low, high)[j:]
        lower, upper = a.sum(), b.sum()
        if j > 0:
            lower, upper = lower - j * max(low[j - 1], high[j - 1]), upper - j * min(low[j - 1], high[j - 1])
        if not max(abs(lower), abs(upper)) < _LARGEST_COORDINATE:
            raise InputError(
                "the features spread over more than a million standard deviations of the kernel; "
                "use a larger sigma, or scale the features down"
            )
        span[j] = upper - lower + 4 * (d + 2)
    bits = np.log2(span[:d]).sum()
    radix = np.zeros(d + 1, np.int64)
    if bits < 62:
        radix[0] = 1
        for i in range(1, d):
            radix[i] = radix[i - 1] * math.ceil(span[i - 1])
    else:
        radix[:d] = np.random.default_rng(20100401).integers(-(2**62), 2**62, d) * 2 + 1
    return radix


def build_bank(feature_sets: Sequence[np.ndarray], blurs: Sequence[Blur], n: int, n_threads: int) -> Bank:
    """Build one lattice for each (d, n_padded) array of :func:`padded_features`, blurred as its blur says."""
    n_padded = padded_pixels(n)
    n_blocks = n_padded // PIXELS
    n_stripes = max(1, min(_MAX_STRIPES, n // _POINTS_PER_STRIPE))
    stripe = np.linspace(0, n_blocks, n_stripes + 1).astype(np.int64)
    column = np.concatenate([[0], np.cumsum([f.shape[0] + 1 for f in feature_sets])]).astype(np.int64)
    n_columns = int(column[-1])
    index = np.zeros(n_padded * n_columns, np.uint32)
    weight = np.zeros(n_padded * n_columns, np.float32)
    n_shells = max(1, *(len(blur.shells) for blur in blurs))
    shell_weight = np.zeros((len(blurs), n_shells), np.float32)
    first_row, parts = 1, []
    for k, (features, blur) in enumerate(zip(feature_sets, blurs, strict=True)):
        shell_weight[k, : len(blur.weights)] = blur.weights
        part = _build_lattice(
            features, blur, n, stripe, int(column[k]), n_columns, index, weight, first_row, n_shells, n_threads
        )
        parts.append(part)
        first_row = part.duplicate[0] + part.duplicate[1]

    def starts(arrays: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([[0], np.cumsum([a.size for a in arrays])])[:-1].astype(np.int64)

    links_before = starts([part.link for part in parts])
    return Bank(
        index=index,
        weight_in=weight,
        weight_out=weight,
        column=column,
        stripe=stripe,
        vertex=np.array([part.vertex for part in parts], np.int64),
        duplicate=np.array([part.duplicate for part in parts], np.int64),
        own=np.array([part.own for part in parts]),
        own_duplicate=np.array([part.own_duplicate for part in parts]),
        target_start=starts([part.target for part in parts]),
        target=np.concatenate([part.target for part in parts]),
        neighbour_start=starts([part.neighbour for part in parts]),
        neighbour=np.concatenate([part.neighbour for part in parts]),
        shell_weight=shell_weight,
        link_start=starts([part.link_border for part in parts]),
        link_border=np.concatenate(
            [part.link_border + np.uint32(before) for part, before in zip(parts, links_before, strict=True)]
        ),
        link=np.concatenate([part.link for part in parts]),
        n_rows=-(-first_row // 16) * 16,  # whole cache lines, whatever the width of a part
    )


class _Lattice(NamedTuple):
    """One lattice's share of a bank; fields as there."""

    vertex: tuple[int, int]
    duplicate: tuple[int, int]
    own: np.ndarray
    own_duplicate: np.ndarray
    target: np.ndarray
    neighbour: np.ndarray
    link_border: np.ndarray
    link: np.ndarray


def _build_lattice(
    features: np.ndarray,
    blur: Blur,
    n: int,
    stripe: np.ndarray,
    column: int,
    n_columns: int,
    index: np.ndarray,
    weight: np.ndarray,
    first_row: int,
    n_shells: int,
    n_threads: int,
) -> _Lattice:
    d, n_padded = features.shape
    scale = blur.feature_scale(d)
    radix = _radices(features, scale)
    scale32, flat = scale.astype(np.float32), features.reshape(-1)
    n_stripes = stripe.size - 1

    def embed(s: int) -> np.ndarray:
        return kernels.embed_stripe(
            flat, n, n_padded, scale32, radix, stripe[s], stripe[s + 1], column, n_columns, index, weight
        )

    stripe_keys = map_tasks(embed, n_stripes, n_threads)
    start = np.concatenate([[0], np.cumsum([keys.size for keys in stripe_keys])]).astype(np.int64)
    row_of = np.empty(start[-1], np.uint32)
    table, log2_size, keys, target, own, own_duplicate = kernels.merge_stripes(
        np.concatenate(stripe_keys), start, first_row, row_of
    )

    def number(s: int) -> None:
        kernels.number_rows(index, n, stripe[s], stripe[s + 1], column, n_columns, d + 1, row_of, start[s])

    map_tasks(number, n_stripes, n_threads)
    neighbour, border, link = (np.empty(0, np.uint32) for _ in range(3))
    if blur.shells:
        border, link = _stencil_links(blur, keys, table, log2_size, radix, first_row, n_shells, n_threads)
    else:
        neighbour = _axis_neighbours(d, keys, table, log2_size, radix, first_row, n_threads)
    return _Lattice(
        (first_row, keys.size),
        (first_row + keys.size, target.size),
        own,
        own_duplicate,
        target,
        neighbour,
        border,
        link,
    )


def _axis_neighbours(
    d: int, keys: np.ndarray, table: np.ndarray, log2_size: int, radix: np.ndarray, first_row: int, n_threads: int
) -> np.ndarray:
    steps = (d + 1) * radix - radix[:d].sum()
    neighbour = np.zeros((d + 1) * keys.size * 2, np.uint32)
    part = np.linspace(0, keys.size, 4 * n_threads + 1).astype(np.int64)

    def find(p: int) -> None:
        kernels.find_neighbours(keys, table, log2_size, steps, first_row, part[p], part[p + 1], neighbour)

    map_tasks(find, part.size - 1, n_threads)
    return neighbour


def _stencil_links(
    blur: Blur,
    keys: np.ndarray,
    table: np.ndarray,
    log2_size: int,
    radix: np.ndarray,
    first_row: int,
    n_shells: int,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Where the links of each vertex and shell end, and the links. Shells that a stencil does not have are empty."""
    steps = np.concatenate([shell @ radix for shell in blur.shells])
    sizes = [len(shell) for shell in blur.shells] + [0] * (n_shells - len(blur.shells))
    shell_end = np.cumsum(sizes).astype(np.int64)
    border = np.empty(keys.size * n_shells, np.uint32)
    part = np.linspace(0, keys.size, 4 * n_threads + 1).astype(np.int64)

    def find(p: int) -> np.ndarray:
        return kernels.find_links(keys, table, log2_size, steps, shell_end, first_row, part[p], part[p + 1], border)

    links = map_tasks(find, part.size - 1, n_threads)
    before = np.cumsum([0, *(link.size for link in links)])
    for p in range(1, part.size - 1):
        border[part[p] * n_shells : part[p + 1] * n_shells] += np.uint32(before[p])
    return border, np.concatenate(links)


def parts_of(lanes: tuple[int, ...]) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """The lanes of a row's leading parts, None if there is but one part, and of its last part: 24 -> 16, 8."""
    return ACROSS if len(lanes) > PIXELS else None, lanes[(len(lanes) - 1) // PIXELS * PIXELS :]


def zero_rows(bank: Bank, n_panels: int, width: int) -> np.ndarray:
    """A row array for `n_panels` panels, on a cache line's border; zero, of which only row 0 of each panel matters."""
    size = n_panels * bank.n_rows * width
    storage = np.zeros(size + 16, np.float32)
    offset = -(storage.ctypes.data // 4) % 16
    return storage[offset : offset + size]


def filter_with(bank: Bank, k: int, values: np.ndarray, gain: float, backward: bool, n_threads: int) -> np.ndarray:
    """Filter ``(C, n)`` float32 values with lattice `k`."""
    n_channels, n = values.shape
    lanes, n_panels = lanes_for(n_channels)
    width = len(lanes)
    out = np.empty((n_channels, n), np.float32)
    scale = np.full((bank.vertex.shape[0], n_panels * width), gain, np.float32)
    rows, other = zero_rows(bank, n_panels, width), zero_rows(bank, n_panels, width)
    args = (values.reshape(-1), out.reshape(-1), n, n_channels, bank, k, scale, backward, rows, other)
    run(filter_values, n_threads, new_sync(5), *args, n_panels, lanes, parts_of(lanes))
    return out


def _row_sums(bank: Bank, n: int, n_threads: int) -> np.ndarray:
    """What each lattice makes of a signal of ones, gains not applied, (n_lattices, n) float32."""
    sums = np.empty((bank.vertex.shape[0], n), np.float32)
    run(row_sums, n_threads, new_sync(3), bank, n, zero_rows(bank, 1, 1), zero_rows(bank, 1, 1), sums.reshape(-1))
    return sums


class LatticeBank:
    """Lattices of several kernels over the same points, normalised, ready for plain filtering and for mean field."""

    def __init__(
        self,
        columns: Sequence[Sequence[np.ndarray]],
        normalizations: Sequence[Normalization],
        *,
        accurate: bool,
        n_threads: int,
    ) -> None:
        n = columns[0][0].size
        self.n_points = n
        blurs = [stencil_blur(len(c)) if accurate else AXES for c in columns]
        self.gains = [blur.gain(len(c)) for blur, c in zip(blurs, columns, strict=True)]
        bank = build_bank([padded_features(c, b) for c, b in zip(columns, blurs, strict=True)], blurs, n, n_threads)
        one_sided = any(norm in ("before", "after") for norm in normalizations)
        self.bank = bank._replace(weight_out=bank.weight_in.copy()) if one_sided else bank
        self.row_sums = list(_row_sums(bank, n, n_threads) * np.array(self.gains, np.float32)[:, None])
        self.factors = [factors_of(sums, norm) for sums, norm in zip(self.row_sums, normalizations, strict=True)]
        self._scale(self.bank.weight_in, [before for before, _ in self.factors], n_threads)
        if one_sided:
            self._scale(self.bank.weight_out, [after for _, after in self.factors], n_threads)

    def _scale(self, weight: np.ndarray, factors: list[np.ndarray | None], n_threads: int) -> None:
        ones = np.ones(self.n_points, np.float32)
        factor = np.stack([ones if f is None else f for f in factors])
        border = np.linspace(0, self.n_points, 2 * n_threads + 1).astype(np.int64)

        def part(t: int) -> None:
            kernels.scale_weights(weight, factor, border[t], border[t + 1], self.bank.column)

        map_tasks(part, 2 * n_threads, n_threads)

    def filter(self, k: int, values: np.ndarray, n_threads: int) -> np.ndarray:
        """The normalised lattice of kernel `k` applied to (C, n) float32 values."""
        return filter_with(self.bank, k, values, self.gains[k], False, n_threads)

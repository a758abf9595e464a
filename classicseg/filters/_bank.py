"""Building a bank of lattices (see :mod:`classicseg.kernels.bank`) and filtering with one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from classicseg._jit import map_tasks, new_sync, run
from classicseg.errors import InputError
from classicseg.filters._base import Normalization, factors_of
from classicseg.kernels import lattice as kernels
from classicseg.kernels.bank import Bank
from classicseg.kernels.filtering import filter_values
from classicseg.kernels.simd import PIXELS, lanes_for, padded_pixels

_POINTS_PER_STRIPE = 10_000
_MAX_STRIPES = 16
_FAR = 1000.0  # standard deviations
_LARGEST_COORDINATE = 2.0**22  # float32 tells neighbouring lattice cells apart up to here


def lattice_gain(d: int) -> float:
    """Factor that makes the raw lattice sum equal to the sum of Gaussians, for densely filled lattices."""
    return math.sqrt(d + 1) * (4 * math.pi / 3) ** (d / 2) / 2 ** (d + 1)


def feature_scale(d: int) -> np.ndarray:
    """Scale of each feature that gives the lattice's kernel unit variance, (d,) float64."""
    i = np.arange(d)
    return (d + 1) * math.sqrt(2 / 3) / np.sqrt((i + 1) * (i + 2))


def padded_features(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Stack feature columns of n points into a zero-padded (d, n_padded) float32 array.

    Features far from the origin are moved there, or float32 would lose their fine differences. The move is one that
    maps the lattice onto itself, so it changes nothing but rounding errors. Features that begin near 0, as those of
    images do, stay as they are: exact ties between them are kept.
    """
    n = columns[0].size
    low, high = (np.array([f(column) for column in columns], np.float64) for f in (np.min, np.max))
    middle = (low + high) / 2
    far = np.any(np.abs(middle) > (high - low) + _FAR)
    shift = _centre_of_lattice(middle) if far else np.zeros(len(columns))
    features = np.zeros((len(columns), padded_pixels(n)), np.float32)
    for row, column, offset in zip(features, columns, shift, strict=True):
        np.subtract(column.reshape(-1), column.dtype.type(offset), out=row[:n], casting="same_kind")
    return features


def _centre_of_lattice(middle: np.ndarray) -> np.ndarray:
    """A point of the feature space near `middle` that is a remainder-0 vertex of the lattice."""
    d = middle.size
    scaled = middle * feature_scale(d)
    total, elevated = 0.0, np.zeros(d + 1)
    for j in range(d, 0, -1):
        elevated[j] = total - j * scaled[j - 1]
        total += scaled[j - 1]
    vertex = (d + 1) * np.round(elevated / (d + 1))
    total, centre = 0.0, np.empty(d)
    for j in range(d, 0, -1):
        centre[j - 1] = (total - vertex[j]) / j
        total += centre[j - 1]
    return centre / feature_scale(d)


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


def build_bank(feature_sets: Sequence[np.ndarray], n: int, n_threads: int) -> Bank:
    """Build one lattice for each (d, n_padded) array of :func:`padded_features`."""
    n_padded = padded_pixels(n)
    n_blocks = n_padded // PIXELS
    n_stripes = max(1, min(_MAX_STRIPES, n // _POINTS_PER_STRIPE))
    stripe = np.linspace(0, n_blocks, n_stripes + 1).astype(np.int64)
    column = np.concatenate([[0], np.cumsum([f.shape[0] + 1 for f in feature_sets])]).astype(np.int64)
    n_columns = int(column[-1])
    index = np.zeros(n_padded * n_columns, np.uint32)
    weight = np.zeros(n_padded * n_columns, np.float32)
    first_row = 1
    parts = []
    for k, features in enumerate(feature_sets):
        part = _build_lattice(features, n, stripe, int(column[k]), n_columns, index, weight, first_row, n_threads)
        parts.append(part)
        first_row = part[1][0] + part[1][1]
    vertex, duplicate, own, own_duplicate, target, neighbour = (list(x) for x in zip(*parts, strict=True))

    def starts(arrays: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([[0], np.cumsum([a.size for a in arrays])])[:-1].astype(np.int64)

    return Bank(
        index=index,
        weight_in=weight,
        weight_out=weight,
        column=column,
        stripe=stripe,
        vertex=np.array(vertex, np.int64),
        duplicate=np.array(duplicate, np.int64),
        own=np.array(own),
        own_duplicate=np.array(own_duplicate),
        target_start=starts(target),
        target=np.concatenate(target),
        neighbour_start=starts(neighbour),
        neighbour=np.concatenate(neighbour),
        n_rows=-(-first_row // 16) * 16,  # whole cache lines, whatever the width of a part
    )


def _build_lattice(
    features: np.ndarray,
    n: int,
    stripe: np.ndarray,
    column: int,
    n_columns: int,
    index: np.ndarray,
    weight: np.ndarray,
    first_row: int,
    n_threads: int,
) -> tuple[tuple[int, int], tuple[int, int], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    d, n_padded = features.shape
    scale = feature_scale(d)
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
    steps = (d + 1) * radix - radix[:d].sum()
    neighbour = np.zeros((d + 1) * keys.size * 2, np.uint32)
    border = np.linspace(0, keys.size, 4 * n_threads + 1).astype(np.int64)

    def link(part: int) -> None:
        kernels.find_neighbours(keys, table, log2_size, steps, first_row, border[part], border[part + 1], neighbour)

    map_tasks(link, border.size - 1, n_threads)
    return (first_row, keys.size), (first_row + keys.size, target.size), own, own_duplicate, target, neighbour


def tail_of(lanes: tuple[int, ...]) -> tuple[int, ...]:
    """The lanes that remain after as many parts of 16 as leave some: 24 -> 8, 32 -> 16, 4 -> 4."""
    return lanes[(len(lanes) - 1) // PIXELS * PIXELS :]


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
    scale = np.full(n_panels * width, gain, np.float32)
    rows, other = zero_rows(bank, n_panels, width), zero_rows(bank, n_panels, width)
    args = (values.reshape(-1), out.reshape(-1), n, n_channels, bank, k, scale, backward, rows, other)
    run(filter_values, n_threads, new_sync(3), *args, n_panels, lanes, tail_of(lanes))
    return out


class LatticeBank:
    """Lattices of several kernels over the same points, normalised, ready for plain filtering and for mean field."""

    def __init__(
        self, columns: Sequence[Sequence[np.ndarray]], normalizations: Sequence[Normalization], n_threads: int
    ) -> None:
        n = columns[0][0].size
        self.n_points = n
        self.gains = [lattice_gain(len(c)) for c in columns]
        bank = build_bank([padded_features(c) for c in columns], n, n_threads)
        one_sided = any(norm in ("before", "after") for norm in normalizations)
        self.bank = bank._replace(weight_out=bank.weight_in.copy()) if one_sided else bank
        self.row_sums: list[np.ndarray] = []
        self.factors: list[tuple[np.ndarray | None, np.ndarray | None]] = []
        for k, norm in enumerate(normalizations):
            self.row_sums.append(filter_with(bank, k, np.ones((1, n), np.float32), self.gains[k], False, n_threads)[0])
            self.factors.append(factors_of(self.row_sums[k], norm))
        for k, (before, after) in enumerate(self.factors):
            self._scale(self.bank.weight_in, before, k, n_threads)
            if one_sided:
                self._scale(self.bank.weight_out, after, k, n_threads)

    def _scale(self, weight: np.ndarray, factor: np.ndarray | None, k: int, n_threads: int) -> None:
        if factor is None:
            return
        column = self.bank.column
        border = np.linspace(0, self.n_points, 2 * n_threads + 1).astype(np.int64)

        def part(t: int) -> None:
            kernels.scale_weights(weight, factor, border[t], border[t + 1], column[k], column[k + 1], column[-1])

        map_tasks(part, 2 * n_threads, n_threads)

    def filter(self, k: int, values: np.ndarray, n_threads: int) -> np.ndarray:
        """The normalised lattice of kernel `k` applied to (C, n) float32 values."""
        return filter_with(self.bank, k, values, self.gains[k], False, n_threads)

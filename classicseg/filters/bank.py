"""Building a bank of lattices (see :mod:`classicseg.kernels.dense.bank`) and filtering with one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from classicseg.errors import InputError
from classicseg.filters.base import Normalization
from classicseg.filters.blur import AXES, Blur, stencil_blurs
from classicseg.filters.features import Column, Features
from classicseg.kernels.dense import lattice as kernels
from classicseg.kernels.dense.bank import Bank
from classicseg.kernels.dense.filtering import filter_values
from classicseg.kernels.dense.normalization import normalize
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.simd import ACROSS, PIXELS, lanes_for, padded_pixels
from classicseg.machine.threads import map_tasks

_POINTS_PER_STRIPE = 12_000
_MAX_STRIPES = 16
_MOST_POINTS_OF_16_BITS = 2**18  # of more points it is hardly ever true that 16 bits can number the rows
_VERTICES_PER_LINK_PART = 10_000
_MOST_LINKS = 60  # of a point, on average, for the larger of two stencils: as many sums as slicing and splatting take
_SAMPLE = 256
_MAX_LINK_PARTS = 8
_LARGEST_COORDINATE = 2.0**22  # float32 tells neighbouring lattice cells apart up to here


def spans(low: np.ndarray, high: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Range of each elevated coordinate of vertices around features from `low` to `high`, (d + 1,) float64."""
    d = scale.size
    low, high = low * scale, high * scale
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
    return span


def packing(widths: Sequence[float] | np.ndarray) -> np.ndarray:
    """Radix of each coordinate in a key, (len(widths),) int64.

    Where the product of all ranges fits into 63 bits the key is an exact packing. Where it does not, odd random
    numbers make keys of different vertices differ with overwhelming probability (about 2^-60 for each pair).
    """
    n = len(widths)
    if np.log2(widths).sum() >= 62:
        return np.random.default_rng(20100401).integers(-(2**62), 2**62, n) * 2 + 1
    radix = np.ones(n, np.int64)
    for i in range(1, n):
        radix[i] = radix[i - 1] * math.ceil(widths[i - 1])
    return radix


def _radices(features: Features, scale: np.ndarray) -> np.ndarray:
    """Radix of each coordinate in a vertex key, (d + 1,) int64, the last one 0."""
    return np.append(packing(spans(features.low, features.high, scale)[:-1]), 0)


class _Lattice:
    """One lattice on its way into a bank."""

    def __init__(self, features: Features, blur: Blur, column: int) -> None:
        self.features, self.blur, self.column, self.d = features, blur, column, features.d
        scale = blur.feature_scale(self.d)
        self.radix = _radices(features, scale)
        self.scale = scale.astype(np.float32)
        self.neighbour, self.border, self.link = (np.empty(0, np.uint32) for _ in range(3))
        self.n_neighbours = self.first_row = 0

    def merge(self, stripe_keys: list[np.ndarray]) -> None:
        self.start = np.concatenate([[0], np.cumsum([keys.size for keys in stripe_keys])]).astype(np.int64)
        self.row_of = np.empty(self.start[-1], np.uint32)
        self.table, self.log2_size, self.keys, self.target, self.own, self.own_duplicate = kernels.merge_stripes(
            np.concatenate(stripe_keys), self.start, self.row_of
        )
        self.n_rows = self.keys.size + self.target.size

    def plan_blur(self) -> None:
        """Allocate what :meth:`link_part` fills, but for the neighbours along axes."""
        self.n_parts = max(1, min(_MAX_LINK_PARTS, self.keys.size // _VERTICES_PER_LINK_PART))
        if self.blur.shells:
            self.steps = np.concatenate([shell @ self.radix for shell in self.blur.shells])
            self.shell_end = np.cumsum([len(shell) for shell in self.blur.shells]).astype(np.int64)
            self.border = np.empty(self.keys.size * self.shell_end.size, np.uint32)
        else:
            self.steps = (self.d + 1) * self.radix - self.radix[: self.d].sum()
            self.n_neighbours = (self.d + 1) * self.keys.size * 2
        self.part = np.linspace(0, self.keys.size, self.n_parts + 1).astype(np.int64)

    def link_part(self, p: int) -> np.ndarray:
        """Find the neighbours of some of the vertices; those of a stencil are returned."""
        where = self.keys, self.table, self.log2_size, self.steps
        first, last = self.part[p], self.part[p + 1]
        if self.blur.shells:
            return kernels.find_links(*where, self.shell_end, self.first_row, first, last, self.border)
        kernels.find_neighbours(*where, self.first_row, first, last, self.neighbour)
        return self.link

    def join_links(self, links: list[np.ndarray]) -> None:
        before = np.cumsum([0, *(link.size for link in links)])
        n_shells = self.shell_end.size
        for p in range(1, self.n_parts):
            self.border[self.part[p] * n_shells : self.part[p + 1] * n_shells] += np.uint32(before[p])
        self.link = np.concatenate(links)


def stripes_of(n: int) -> int:
    """Number of stripes that `n` points are cut into, even if there are several."""
    return max(1, min(_MAX_STRIPES, -(-(n // _POINTS_PER_STRIPE) // 2) * 2))


def _stripes(n: int) -> np.ndarray:
    """First block of each stripe, and where the last one ends."""
    return np.linspace(0, padded_pixels(n) // PIXELS, stripes_of(n) + 1).astype(np.int64)


def _embed(
    lattices: Sequence[_Lattice], stripe: np.ndarray, n: int, index: np.ndarray, weight: np.ndarray, n_threads: int
) -> list[np.ndarray]:
    """Locate all points in all lattices: the keys of each stripe's vertices, lattice after lattice."""
    n_stripes, n_columns = stripe.size - 1, sum(lattice.d + 1 for lattice in lattices)
    index[n * n_columns :] = 0  # points that only fill the last block lie, with weight 0, at the zero row
    weight[n * n_columns :] = 0.0

    def embed(task: int) -> np.ndarray:
        lattice, s = lattices[task // n_stripes], task % n_stripes
        block, origin = lattice.features.block(int(stripe[s]) * PIXELS, min(int(stripe[s + 1]) * PIXELS, n))
        return kernels.embed_stripe(
            block, origin, n, lattice.scale, lattice.radix, stripe[s], stripe[s + 1], lattice.column, n_columns,
            index, weight,
        )  # fmt: skip

    return map_tasks(embed, len(lattices) * n_stripes, n_threads)


def choose_blur(columns: Sequence[Column], accurate: bool) -> Blur:
    """How to blur a lattice of these features."""
    *larger, usual = stencil_blurs(len(columns)) if accurate else (AXES,)
    return next((blur for blur in larger if _links_per_point(columns, blur) <= _MOST_LINKS), usual)


def _links_per_point(columns: Sequence[Column], blur: Blur) -> float:
    """How many neighbours within the stencil a vertex has times how many vertices a point has, from samples.

    The points are those of the stripe in the middle, the vertices some of theirs.
    """
    features = Features(columns, blur)
    lattice, stripe, n_columns = _Lattice(features, blur, 0), _stripes(features.n), features.d + 1
    first, last = stripe[(stripe.size - 1) // 2 :][:2]
    n = min(int(last) * PIXELS, features.n)
    n_points = n - int(first) * PIXELS
    block, origin = features.block(n - n_points, n)
    index, weight = np.empty(n * n_columns, np.uint16), np.empty(n * n_columns, np.float32)
    keys = kernels.embed_stripe(
        block, origin, n, lattice.scale, lattice.radix, first, last, 0, n_columns, index, weight
    )
    if keys.size == 0:
        return math.inf
    lattice.merge([keys])
    lattice.plan_blur()
    lattice.part = np.array([0, min(_SAMPLE, keys.size)]) + max(0, keys.size - _SAMPLE) // 2
    return lattice.link_part(0).size / (lattice.part[1] - lattice.part[0]) * keys.size / n_points


def build_bank(feature_sets: Sequence[Features], blurs: Sequence[Blur], n_threads: int) -> Bank:
    """Build one lattice for each set of features, blurred as its blur says."""
    n = feature_sets[0].n
    stripe = _stripes(n)
    n_stripes, n_lattices = stripe.size - 1, len(feature_sets)
    column = np.concatenate([[0], np.cumsum([f.d + 1 for f in feature_sets])]).astype(np.int64)
    n_columns = int(column[-1])
    weight = np.empty(padded_pixels(n) * n_columns, np.float32)
    index = np.empty(weight.size, np.uint16 if n <= _MOST_POINTS_OF_16_BITS else np.uint32)
    lattices = [_Lattice(f, blur, int(c)) for f, blur, c in zip(feature_sets, blurs, column, strict=False)]
    stripe_keys = _embed(lattices, stripe, n, index, weight, n_threads)
    if any(keys.size == 0 for keys in stripe_keys):
        index = np.empty(weight.size, np.uint32)
        stripe_keys = _embed(lattices, stripe, n, index, weight, n_threads)

    def merge(k: int) -> None:
        lattices[k].merge(stripe_keys[k * n_stripes : (k + 1) * n_stripes])

    map_tasks(merge, n_lattices, n_threads)
    first_row = 1
    for lattice in lattices:
        lattice.first_row = first_row
        first_row += lattice.n_rows
        lattice.plan_blur()
    rows = index
    if first_row > 1 << (8 * index.itemsize):
        rows = np.empty(index.size, np.uint32)
        rows[n * n_columns :] = 0
    neighbour_start = np.concatenate([[0], np.cumsum([lat.n_neighbours for lat in lattices])]).astype(np.int64)
    neighbour = np.zeros(neighbour_start[-1], np.uint32)
    for lattice, start in zip(lattices, neighbour_start, strict=False):
        lattice.neighbour = neighbour[start : start + lattice.n_neighbours]

    def number(s: int) -> None:
        for lattice in lattices:
            kernels.number_rows(
                index, rows, n, stripe[s], stripe[s + 1], lattice.column, n_columns, lattice.d + 1, lattice.row_of,
                lattice.start[s], lattice.first_row,
            )  # fmt: skip

    links = [(lattice, p) for lattice in lattices[::-1] for p in range(lattice.n_parts)]

    def finish(task: int) -> np.ndarray | None:
        if task < len(links):
            lattice, p = links[task]
            return lattice.link_part(p)
        number(task - len(links))
        return None

    finished = map_tasks(finish, len(links) + n_stripes, n_threads)
    for lattice in lattices:
        if lattice.blur.shells:
            lattice.join_links([part for (owner, _), part in zip(links, finished, strict=False) if owner is lattice])

    def starts(arrays: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([[0], np.cumsum([a.size for a in arrays])])[:-1].astype(np.int64)

    n_shells = np.array([len(blur.weights) for blur in blurs], np.int64)
    shell_weight = np.zeros((n_lattices, max(1, n_shells.max())), np.float32)
    for weights, blur in zip(shell_weight, blurs, strict=True):
        weights[: len(blur.weights)] = blur.weights
    links_before = starts([lattice.link for lattice in lattices])
    borders = [lat.border + np.uint32(before) for lat, before in zip(lattices, links_before, strict=True)]
    return Bank(
        index=rows,
        weight_in=weight,
        weight_out=weight,
        column=column,
        stripe=stripe,
        vertex=np.array([(lat.first_row, lat.keys.size) for lat in lattices], np.int64),
        duplicate=np.array([(lat.first_row + lat.keys.size, lat.target.size) for lat in lattices], np.int64),
        own=np.array([lat.first_row + lat.own for lat in lattices]),
        own_duplicate=np.array([lat.first_row + lat.own_duplicate for lat in lattices]),
        target_start=starts([lat.target for lat in lattices]),
        target=np.concatenate([np.uint32(lat.first_row) + lat.target for lat in lattices]),
        neighbour_start=neighbour_start[:-1],
        neighbour=neighbour,
        n_shells=n_shells,
        shell_weight=shell_weight,
        link_start=starts([lat.border for lat in lattices]),
        link_border=np.concatenate(borders),
        link=np.concatenate([lat.link for lat in lattices]),
        n_rows=-(-first_row // 16) * 16,  # whole cache lines, whatever the width of a part
    )


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


class LatticeBank:
    """Lattices of several kernels over the same points, normalised, ready for plain filtering and for mean field."""

    def __init__(
        self,
        columns: Sequence[Sequence[Column]],
        normalizations: Sequence[Normalization],
        *,
        accurate: bool,
        n_threads: int,
        keep_row_sums: bool = False,
    ) -> None:
        blurs = [choose_blur(c, accurate) for c in columns]
        features = [Features(c, blur) for c, blur in zip(columns, blurs, strict=True)]
        self.n_points = features[0].n
        self.gains = [blur.gain(f.d) for blur, f in zip(blurs, features, strict=True)]
        bank = build_bank(features, blurs, n_threads)
        one_sided = any(norm in ("before", "after") for norm in normalizations)
        self.bank = bank._replace(weight_out=bank.weight_in.copy()) if one_sided else bank
        self._normalizations = normalizations
        self.row_sums = np.empty((len(columns), self.n_points if keep_row_sums else 0), np.float32)
        before, after = np.array([POWERS[norm] for norm in normalizations], np.float32).T
        rows = [zero_rows(bank, 1, 1) for _ in range(2)]
        run(
            normalize, n_threads, new_sync(3), self.bank, self.n_points, np.array(self.gains, np.float32),
            before.copy(), after.copy(), *rows, self.row_sums.reshape(-1),
        )  # fmt: skip

    def factors(self, k: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Factors of each point before and after lattice `k`, (n,) float32 each or None.

        Barycentric weights sum to 1; those of the bank are multiplied by the factors, so they sum to the factors.
        """
        before, after = POWERS[self._normalizations[k]]
        return self._sums_of(k, self.bank.weight_in, before), self._sums_of(k, self.bank.weight_out, after)

    def _sums_of(self, k: int, weight: np.ndarray, power: float) -> np.ndarray | None:
        first, last = self.bank.column[k : k + 2]
        table = weight.reshape(-1, self.bank.column[-1])[: self.n_points, first:last]
        return None if power == 0 else table.sum(axis=1)

    def filter(self, k: int, values: np.ndarray, n_threads: int) -> np.ndarray:
        """The normalised lattice of kernel `k` applied to (C, n) float32 values."""
        return filter_with(self.bank, k, values, self.gains[k], False, n_threads)


POWERS = {"none": (0.0, 0.0), "before": (-1.0, 0.0), "after": (0.0, -1.0), "symmetric": (-0.5, -0.5)}
"""Powers of the row sum before and after a filter."""

"""The lattices of several kernels over the same points: normalised, and ready to filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from classicseg.filters.base import POWERS, Normalization
from classicseg.filters.blur import Blur
from classicseg.filters.building import build_bank
from classicseg.filters.counting import index_type_of
from classicseg.filters.elsewhere import Elsewhere
from classicseg.filters.features import Column, Features
from classicseg.filters.memory import check_lattices
from classicseg.kernels.dense.bank import Bank, RowLayout
from classicseg.kernels.dense.filtering import filter_values
from classicseg.kernels.dense.normalization import normalize
from classicseg.machine.memory import aligned_zeros, check_memory
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.simd import PIXELS

_MANY = 2**26  # values; fewer are not worth a look at how much memory is free
_FEW = 2**20  # points: row sums of them are known in a few milliseconds
_AT_ONCE = 2**16  # corners; NumPy makes 64-bit numbers of those that it looks up


def new_rows(bank: Bank, layout: RowLayout, n: int = 1) -> np.ndarray:
    """`n` row arrays, one after the other, zero."""
    size = n * layout.size(bank)
    if size >= _MANY:
        check_memory(4 * size, f"{layout.n_channels} values at each of {bank.n_rows} lattice vertices")
    return aligned_zeros(size, np.float32)


def chunks(layout: RowLayout) -> Iterator[tuple[int, int]]:
    """The first channel of each chunk in which row arrays lie, one whole chunk after the other, and how many it has."""
    width = len(layout.lanes)
    for panel in range(layout.n_panels):
        for lane in range(0, width, PIXELS):
            yield panel * width + lane, min(PIXELS, width - lane)


def index_of_vertices(bank: Bank) -> np.ndarray:
    """The index of a bank with the vertex that it stands for in place of every duplicate."""
    vertex_of = np.arange(bank.n_rows, dtype=bank.index.dtype)
    for (first, n), start in zip(bank.duplicate, bank.target_start, strict=True):
        vertex_of[first : first + n] = bank.target[start : start + n]
    index = np.empty_like(bank.index)
    for start in range(0, index.size, _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        np.take(vertex_of, bank.index[some], out=index[some], mode="clip")  # all are in range; only so without a copy
    return index


def filter_with(bank: Bank, k: int, values: np.ndarray, gain: float, backward: bool, n_threads: int) -> np.ndarray:
    """Filter ``(C, n)`` float32 values with lattice `k` and multiply them by `gain`.

    The transposed filter is that of ``bank.adjoint()`` with `backward`: the axes are blurred in the opposite order.
    """
    layout = RowLayout.of(len(values))
    out = np.empty(values.shape, np.float32)
    scale = np.full((len(bank.vertex), layout.n_panels * len(layout.lanes)), gain, np.float32)
    rows, other = new_rows(bank, layout), new_rows(bank, layout)
    flat = values.reshape(-1), out.reshape(-1)
    run(
        filter_values, n_threads, new_sync(5), *flat, bank, k, scale, backward, rows, other, layout,
        brief=values.size <= _FEW,
    )  # fmt: skip
    return out


class LatticeBank:
    """Lattices of several kernels over the same points, normalised, ready for plain filtering and for mean field.

    Before they are built it is checked that there is memory for them, and for filtering `n_channels` with all at once.
    With `pick`, the lattices are of some of the points alone, and can be read at all: see `elsewhere`. ``pick(k, f)``
    gives the features of these of all features f of lattice k.
    """

    def __init__(
        self,
        columns: Sequence[Sequence[Column]],
        normalizations: Sequence[Normalization],
        *,
        blurs: Sequence[Blur],
        n_threads: int,
        keep_row_sums: bool = False,
        n_channels: int = 1,
        pick: Callable[[int, Features], Features] | None = None,
    ) -> None:
        of_all = [Features(c, blur) for c, blur in zip(columns, blurs, strict=True)]
        features = of_all if pick is None else [pick(k, f) for k, f in enumerate(of_all)]
        self.n_points = features[0].n
        self.gains = [blur.gain(f.d) for blur, f in zip(blurs, features, strict=True)]
        check_lattices(
            features, blurs, n_channels, n_threads, f"a dense CRF of {n_channels} labels at {self.n_points} pixels"
        )
        bank, ones, lattices = build_bank(features, blurs, n_threads, index_type_of(features, blurs))
        if pick is None:
            lattices.clear()
        one_sided = any(norm in ("before", "after") for norm in normalizations)
        self.bank = bank._replace(weight_out=bank.weight_in.copy()) if one_sided else bank
        self._normalizations = normalizations
        self.row_sums = np.empty((len(columns), self.n_points if keep_row_sums else 0), np.float32)
        before, after = np.array([POWERS[norm] for norm in normalizations], np.float32).T
        other = new_rows(bank, RowLayout.of(1))
        run(
            normalize, n_threads, new_sync(2), self.bank, self.n_points, np.array(self.gains, np.float32),
            before.copy(), after.copy(), ones, other, self.row_sums.reshape(-1), brief=self.n_points <= _FEW,
        )  # fmt: skip
        self.elsewhere = None if pick is None else Elsewhere(of_all, lattices, bank, ones, self.gains, after)

    def factors(self, k: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Factors of each point before and after lattice `k`, (n,) float32 each or None.

        Barycentric weights sum to 1; those of the bank are multiplied by the factors, so they sum to the factors.
        """
        before, after = POWERS[self._normalizations[k]]
        return self._sums_of(k, self.bank.weight_in, before), self._sums_of(k, self.bank.weight_out, after)

    def _sums_of(self, k: int, weight: np.ndarray, power: float) -> np.ndarray | None:
        first, last = self.bank.corner_start[k : k + 2]
        table = weight.reshape(-1, self.bank.corner_start[-1], PIXELS)[:, first:last]
        return None if power == 0 else table.sum(axis=1).reshape(-1)[: self.n_points]

    def filter(self, k: int, values: np.ndarray, n_threads: int) -> np.ndarray:
        """The normalised lattice of kernel `k` applied to (C, n) float32 values."""
        return filter_with(self.bank, k, values, self.gains[k], False, n_threads)

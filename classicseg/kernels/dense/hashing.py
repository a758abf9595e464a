"""The hash table from the key of a lattice vertex to its number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.machine.jit import inline
from classicseg.machine.simd import item, prefetch

GOLDEN = np.int64(-7046029254386353131)
"""2^64 / golden ratio: multiplied with it, keys that follow each other are spread evenly (Fibonacci hashing)."""

EMPTY = np.int64(-1)
"""The number of an entry that holds no key."""


class Table(NamedTuple):
    """An open-addressed hash table, at most half full."""

    entries: np.ndarray  # (2 * 2**log2_size,) int64: key, number, key, number, ...
    log2_size: int


@inline
def hashed(key, shift):
    """Fibonacci hash of a `key`: the upper bits that a `shift` to the right leaves of 64."""
    return np.uint64(key * GOLDEN) >> np.uint64(shift)


@inline
def find(entries, shift, key):
    """Position of `key`, or of the empty entry where it belongs, in a table's `entries`; `shift` is 64 - log2_size."""
    mask = np.int64((entries.size >> 1) - 1)
    at = np.int64(hashed(key, shift))
    while item(entries, 2 * at + 1) != EMPTY and item(entries, 2 * at) != key:
        at = (at + 1) & mask
    return at


@inline
def ask_for(entries, shift, key):
    """Let the processor fetch the place where :func:`find` will begin to look, with these `entries`, `shift`, `key`."""
    prefetch(entries, 2 * np.int64(hashed(key, shift)))


@inline
def new_table(log2_size):
    """An empty table of ``2**log2_size`` entries."""
    entries = np.empty(2 << log2_size, np.int64)
    for i in range(1 << log2_size):
        entries[2 * i + 1] = EMPTY
    return Table(entries, log2_size)


@inline
def table_of(keys, n, log2_size):
    """A table of ``2**log2_size`` entries in which the first `n` of the (m,) int64 `keys` are numbered in order."""
    table = new_table(log2_size)
    entries = table.entries
    for number in range(n):
        at = find(entries, 64 - log2_size, keys[number])
        entries[2 * at] = keys[number]
        entries[2 * at + 1] = number
    return table

"""Arrays with a will of their own, as workers read them."""

import os
import signal
from pathlib import Path


class Deadly:
    """Workers that read its first row die, once they have read `n_peaceful` windows: `n_deaths` of them.

    Parameters
    ----------
    array : ndarray
    folder : Path
        Where reads and deaths are counted, over all processes.
    n_peaceful, n_deaths : int
    first_only : bool
        Count windows that begin with the first row only: then it is known in which pass workers die, whoever is first.
    """

    def __init__(self, array, folder, n_peaceful, n_deaths, first_only=False):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.folder, self.n_peaceful, self.n_deaths = Path(folder), n_peaceful, n_deaths
        self.owner, self.first_only = os.getpid(), first_only

    def __getitem__(self, window):
        is_first = window[0].start == 0 and window[0].stop > 1  # one row alone is read to compare digests
        if os.getpid() != self.owner and (is_first or not self.first_only):
            n_reads = count(self.folder, "read")
            if window[0].start == 0 and n_reads > self.n_peaceful and count(self.folder, "death") <= self.n_deaths:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.array[window]


def count(folder, what):
    """How many times it has been counted, this time as well."""
    n = 0
    while True:
        n += 1
        try:
            (folder / f"{what}{n}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return n


class Elsewhere:
    """All zero for everybody but the process that made it, as stores of Zarr are that are not found."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.owner = array, array.shape, array.dtype, os.getpid()

    def __getitem__(self, window):
        return self.array[window] * (os.getpid() == self.owner)


class Failing:
    """Fails a few times when others read it, as files on a network may."""

    def __init__(self, array, folder, n_failures):
        self.array, self.shape, self.dtype, self.owner = array, array.shape, array.dtype, os.getpid()
        self.folder, self.n_failures = Path(folder), n_failures

    def __getitem__(self, window):
        if os.getpid() != self.owner and count(self.folder, "failure") <= self.n_failures:
            raise OSError("the network is down")
        return self.array[window]

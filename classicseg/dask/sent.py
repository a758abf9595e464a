"""What workers read: sent to them once, and compared with what the calling process reads."""

from __future__ import annotations

import functools
import hashlib
import pickle
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from classicseg import __version__
from classicseg.errors import InputError
from classicseg.machine.memory import keep_freed

_LARGEST = 2**26  # bytes of what is sent to every worker: of more it is better that they read it themselves
_seen: set[str] = set()  # digests of what this process has found to read the same as the process that sent it


class Sent(NamedTuple):
    """What workers read."""

    version: str
    content: bytes  # pickled
    probes: list[str]  # digests of some parts, as the sender reads them

    @classmethod
    def of(cls, content: Any, probes: list[str]) -> Sent:
        """Something that sources are part of, and :func:`digest_of` some of what they read."""
        try:
            pickled = pickle.dumps(content)
        except Exception as failure:  # whatever others' sources raise
            raise InputError(
                f"workers cannot be sent what they are to read ({failure}); give names of .npy files or of Zarr stores "
                "that all of them see, or arrays of Dask that read such"
            ) from failure
        if len(pickled) > _LARGEST:
            raise InputError(
                f"what is to be read would be sent to every worker in {len(pickled) / 2**20:.0f} MiB; save large "
                "arrays where all workers see them, and give the names of .npy files or Zarr stores"
            )
        return cls(__version__, pickled, probes)

    def opened(self, i: int, probe: Callable[[Any], str]) -> Any:
        """The content; ``probe(content)`` is what should be the digest number `i`."""
        if self.version != __version__:
            raise InputError(f"workers have classicseg {__version__}, and the run was begun by {self.version}")
        content = _loaded(self.content)
        own = hashlib.blake2b(self.content, digest_size=16).hexdigest()
        if own not in _seen:
            # Zarr gives its fill value for chunks that it does not find, so that a store on another machine is empty.
            if probe(content) != self.probes[i]:
                raise InputError(
                    "workers read something else than this process does: they have to see the same files, under the "
                    "same names"
                )
            keep_freed()
            _seen.add(own)
        return content


@functools.lru_cache(maxsize=1)
def _loaded(content: bytes) -> Any:
    """What was pickled: files are opened, and scans unpacked, once by each worker."""
    return pickle.loads(content)


def digest_of(arrays: Iterable[np.ndarray]) -> str:
    """A digest of all that some arrays hold."""
    digest = hashlib.blake2b(digest_size=16)
    for values in arrays:
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()

"""Dask as the executor: images larger than memory, refined by the workers of a cluster.

::

    import classicseg.dask as cd

    labels = cd.refine("image.zarr", logits="logits.zarr", out="labels.npy", cluster="tcp://scheduler:8786")

Labels are those of the same run in memory, to the bit, whoever works on what: see :func:`refine`.
"""

from __future__ import annotations

try:
    import distributed as _distributed  # noqa: F401
except ImportError as failure:
    raise ImportError(
        "classicseg.dask needs Dask, the extra `dask`: pip install 'dask[array]' distributed"
    ) from failure

from classicseg.dask.refinement import refine
from classicseg.dask.workers import WorkerError

__all__ = ["WorkerError", "refine"]

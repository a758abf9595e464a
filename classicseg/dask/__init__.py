"""Dask as the executor: images larger than memory, refined, cut and segmented by the workers of a cluster.

::

    import classicseg.dask as cd

    cd.refine("image.zarr", logits="logits.zarr", out="labels.npy", cluster="tcp://scheduler:8786")
    cd.split_and_merge("image.zarr", 24, out="regions.npy", cluster="tcp://scheduler:8786")
    cd.minimum_cut("costs.zarr", 6.0, image="image.zarr", out="mask.npy", cluster="tcp://scheduler:8786")

Labels are those of the same run in memory, to the bit, whoever works on what.
"""

from __future__ import annotations

try:
    import distributed as _distributed  # noqa: F401
except ImportError as failure:
    raise ImportError(
        "classicseg.dask needs Dask, the extra `dask`: pip install 'dask[array]' distributed"
    ) from failure

from classicseg.dask.cuts import minimum_cut
from classicseg.dask.refinement import refine
from classicseg.dask.regions import split_and_merge
from classicseg.dask.workers import WorkerError

__all__ = ["WorkerError", "minimum_cut", "refine", "split_and_merge"]

"""The lattices of an image that passes by: in memory if they fit, else in bands of scratch files."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
from collections.abc import Callable

from classicseg.errors import BudgetError
from classicseg.filters.bands.bank import BandedBank
from classicseg.filters.bands.building import Built, build
from classicseg.filters.base import Normalization
from classicseg.filters.streamed import StreamedBank, meet_all
from classicseg.machine.memory import check_memory, is_far_below_free
from classicseg.streaming.refine.kept_state import KeptState
from classicseg.streaming.refine.needs import Needs, most_in_memory, needs_of
from classicseg.streaming.refine.passage import Passing
from classicseg.streaming.refine.pieces import expected_vertices
from classicseg.streaming.refine.survey import Prepared

_LESS = "fewer threads, or a preset of a shorter reach, need less"
_log = logging.getLogger(__name__)


def lattices_of(
    ready: Prepared,
    passing: Passing,
    state: KeptState,
    n_threads: int,
    bar: Callable[[int], contextlib.AbstractContextManager[Callable[[], None]]],
    *,
    prunes: bool,
) -> StreamedBank | BandedBank:
    """Those of all points, as the state knows them, or built now; ``bar(1)`` shows how far that is."""
    n_points, spaces = ready.raster.inside.n_points, passing.spaces
    normalizations: list[Normalization] = ["symmetric"] * len(spaces)
    reaches = passing.reaches()
    vertices, built = state.vertices(), state.built()
    if built is None and vertices is None and not is_far_below_free(most_in_memory(ready)):
        needs = needs_of(ready, expected_vertices(ready, n_threads), n_threads, prunes=prunes)
        if needs.in_bands:
            built = _built(passing, state, n_points, n_threads, bar, needs)
    if built is None:
        try:
            if vertices is None:
                with bar(1) as tick:
                    vertices = meet_all(spaces, passing.features, n_points, n_threads, tick)
                state.keep_vertices(vertices)
            return StreamedBank(spaces, vertices, normalizations, n_points, n_threads)
        except BudgetError:
            vertices = None
            built = _built(passing, state, n_points, n_threads, bar, None)
    return BandedBank(state.bands(), spaces, reaches, built, normalizations, n_points)


def _built(
    passing: Passing,
    state: KeptState,
    n_points: int,
    n_threads: int,
    bar: Callable[[int], contextlib.AbstractContextManager[Callable[[], None]]],
    needs: Needs | None,
) -> Built:
    """Lattices in bands; OSError beforehand if there is not as much room on the disk as they need."""
    files = state.bands()
    if needs is not None:
        check_memory(needs.least, "what is near to each other of lattices in bands", _LESS)
        free = shutil.disk_usage(files.folder).free
        if needs.scratch > free:
            text = (
                f"vertices that do not fit into memory need about {needs.scratch / 2**30:.1f} GiB of scratch space, "
                f"but {free / 2**30:.1f} GiB are free"
            )
            raise OSError(errno.ENOSPC, text, str(files.folder))
        _log.info("vertices lie in scratch files of about %.1f GiB in %s", needs.scratch / 2**30, files.folder)
    with bar(1) as tick:
        built = build(files, passing.spaces, passing.reaches(), passing.features, n_points, n_threads, tick)
    state.keep_built(built)
    return built

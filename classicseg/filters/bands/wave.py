"""Steps that each need the one before at all near vertices, in one passage over vertices that lie in files.

While the first step is done to some vertices, the second one is done to those that lie so far behind them that all of
their neighbours have been through the first one, and so on: a wave. What has been through all steps may leave memory.
"""

from __future__ import annotations

from collections.abc import Callable

from classicseg.machine.threads import map_tasks

_FEWEST = 2**17  # vertices that a step is done to at once: fewer are not worth the calls
_SHARE = 4  # of the distance of neighbours, the part that is done at once: vertices of some more are in memory


def run_wave(
    n_vertices: int,
    n_steps: int,
    distance: int,
    work: Callable[[int, int, int], None],
    done: Callable[[int, int], None],
    n_threads: int,
) -> None:
    """Do all steps to all vertices.

    Parameters
    ----------
    n_vertices, n_steps : int
    distance : int
        Most by which the numbers of two neighbours differ.
    work : callable
        ``work(step, first, last)`` does a step to some vertices; it reads what the step before has made of them and
        their neighbours, and may overwrite what that step has read.
    done : callable
        ``done(first, last)`` is called when nobody needs these vertices any more.
    n_threads : int
    """
    size = max(_FEWEST, distance // _SHARE)
    n_parts, lag = -(-n_vertices // size), -(-distance // size)
    for time in range(n_parts + (n_steps - 1) * lag):
        for step in range(n_steps):
            part = time - step * lag
            if 0 <= part < n_parts:
                first, last = part * size, min((part + 1) * size, n_vertices)
                _shared_out(work, step, first, last, n_threads)
        left = time - (n_steps + 1) * lag  # the steps that are still to come look back as far as forward
        if 0 <= left < n_parts:
            done(left * size, min((left + 1) * size, n_vertices))
    done(max(0, n_parts - 2 * lag) * size, n_vertices)


def _shared_out(work: Callable[[int, int, int], None], step: int, first: int, last: int, n_threads: int) -> None:
    """Have each thread do a share of the vertices."""
    borders = [first + (last - first) * i // n_threads for i in range(n_threads + 1)]
    map_tasks(lambda i: work(step, borders[i], borders[i + 1]), n_threads, n_threads)

"""The workers of a cluster, and what becomes of tasks when these die."""

from __future__ import annotations

import collections
import contextlib
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import distributed
from distributed.scheduler import KilledWorker

from classicseg.errors import ClassicsegError, InputError, InputTypeError
from classicseg.machine.limits import processors

_RETRIES = 3  # of a task that fails, for instance since a file on the network was away for a moment
_PATIENCE = 60.0  # seconds without any worker until a run gives up
_LOOK = 5.0  # seconds between looks whether there are workers
_AHEAD = 3  # tasks for each thread: one that it does, one that is next, and one whose result is on its way
_SHARES = 2  # of the work for each thread: with one, all would wait for the slowest
_LOCAL = "local:"


class WorkerError(ClassicsegError, ConnectionError):
    """Workers died while they worked on the same part of an image, or there are none any more."""


@contextlib.contextmanager
def kept_in(folder: Path | None, what: str) -> Iterator[None]:
    """Where workers end a run, say that `what` is done so far is kept in a folder, if it is."""
    try:
        yield
    except WorkerError as failure:
        if folder is None:
            raise
        raise WorkerError(f"{failure}; {what} kept in {folder}") from failure


@contextlib.contextmanager
def connected(cluster: Any) -> Iterator[distributed.Client | None]:
    """A client of what is given as `cluster`; None if all is to be done by threads of this process."""
    if cluster is None:
        try:
            client = distributed.default_client()
        except ValueError:
            client = None
        yield client
    elif isinstance(cluster, distributed.Client):
        if cluster.asynchronous:
            raise InputError("cluster must be a client that waits for results, got an asynchronous one")
        yield cluster
    elif isinstance(cluster, str) and cluster.startswith(_LOCAL):
        n = cluster.removeprefix(_LOCAL)
        if not n.isdecimal() or int(n) < 1:
            raise InputError(f"cluster must be 'local:N' with the number of processes N, got {cluster!r}")
        with (
            distributed.LocalCluster(
                n_workers=int(n), threads_per_worker=max(1, processors() // int(n)), dashboard_address=":0"
            ) as local,
            distributed.Client(local, set_as_default=False) as client,
        ):
            yield client
    elif isinstance(cluster, str) or hasattr(cluster, "scheduler_address"):
        with _client_of(cluster) as client:
            yield client
    else:
        raise InputTypeError(
            "cluster must be the address of a scheduler, such as 'tcp://10.0.0.1:8786', 'local:N', a cluster or a "
            f"client of distributed, got {cluster!r:.80}"
        )


def _client_of(cluster: Any) -> distributed.Client:
    """A client of a cluster, or of the scheduler at an address."""
    try:
        return distributed.Client(cluster, set_as_default=False)
    except (OSError, ValueError) as failure:  # OSError is also what a time limit raises
        raise InputError(f"no scheduler answers at cluster={cluster!r}: {failure}") from failure


class Workers:
    """Those of a client, who do tasks that are independent of each other, again if need be."""

    def __init__(self, client: distributed.Client) -> None:
        self._client = client

    def keep(self, value: Any) -> distributed.Future:
        """What several tasks take. Unlike data that were scattered it is there again when its worker dies."""
        return self._submit(_same, value)

    def shares(self, n: int) -> list[range]:
        """Numbers from 0 to `n` - 1 in runs, of which each thread can take a few: to send a task takes milliseconds."""
        n_runs = min(n, _SHARES * self._n_threads())
        borders = [n * i // n_runs for i in range(n_runs + 1)]
        return [range(*ends) for ends in pairwise(borders)]

    def each(self, task: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        """Do a task with each of some arguments; gives the number and the result of each as soon as it is done."""
        pending = {self._submit(task, *given): i for i, given in enumerate(arguments)}
        try:
            while pending:
                for future in self._done(list(pending)):
                    yield pending.pop(future), self._result(future)
        finally:
            for future in pending:
                future.cancel()

    def in_order(self, task: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """Do a task with each of some arguments; gives the results in that order, of few tasks at a time."""
        waiting: collections.deque[distributed.Future] = collections.deque()
        left = iter(arguments)
        try:
            while True:
                while len(waiting) < self._at_once():
                    given = next(left, None)
                    if given is None:
                        break
                    waiting.append(self._submit(task, *given))
                if not waiting:
                    return
                self._done([waiting[0]])
                yield self._result(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def _at_once(self) -> int:
        """How many tasks are begun before the first of them is taken, so that results do not fill the workers."""
        return _AHEAD * self._n_threads()

    def _n_threads(self) -> int:
        """Those of all workers that there are now."""
        return max(1, sum(self._client.nthreads().values()))

    def _submit(self, task: Callable[..., Any], *given: Any) -> distributed.Future:
        with warnings.catch_warnings():
            # What a stripe is given is as large as its vertices make it, and has to travel whichever way it is sent.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self._client.submit(_attempted, task, *given, pure=False, retries=_RETRIES)

    def _done(self, futures: list[distributed.Future]) -> list[distributed.Future]:
        """Wait for some of them."""
        last_seen = time.monotonic()
        while True:
            try:
                with self._client.as_current():
                    return list(distributed.wait(futures, timeout=_LOOK, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                if self._client.scheduler_info(n_workers=-1)["workers"]:
                    last_seen = time.monotonic()
                elif time.monotonic() - last_seen > _PATIENCE:
                    raise WorkerError(f"the cluster has had no worker for {_PATIENCE:.0f} seconds") from None

    def _result(self, future: distributed.Future) -> Any:
        try:
            result = future.result()
        except KilledWorker as failure:
            raise WorkerError(
                f"{failure.allowed_failures + 1} workers died while they worked on the same part of the image, the "
                f"last one at {failure.last_worker.address}; most often they have too little memory: fewer threads "
                "for each worker, or smaller chunks, need less"
            ) from failure
        except distributed.client.FutureCancelledError as failure:
            raise WorkerError(f"the cluster gave up its tasks: {failure}") from failure
        if isinstance(result, ClassicsegError):
            raise result
        return result


def _same(value: Any) -> Any:
    return value


def _attempted(task: Callable[..., Any], *given: Any) -> Any:
    """What a task returns; or our own error, which would be the same again: others are raised, and the task retried."""
    try:
        return task(*given)
    except ClassicsegError as failure:
        return failure

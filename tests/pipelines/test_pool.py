"""Threads that work through tasks: order, room, errors and interrupts."""

import contextlib
import itertools
import signal
import threading
import time

import pytest

from classicseg.pipelines.many import Gate, attempt, workers_for
from classicseg.pipelines.pool import results_of


def test_results_come_in_order_or_as_they_are_finished():
    first = threading.Event()

    def call(i):
        if i == 0:
            assert first.wait(10)
        if i == 2:
            first.set()
        return i * i

    assert list(results_of(call, range(7), 2, in_order=True)) == [(i, i * i) for i in range(7)]
    first.clear()
    found = list(results_of(call, range(7), 2))
    assert sorted(found) == [(i, i * i) for i in range(7)]
    assert found[0] != (0, 0)
    assert list(results_of(call, [], 3)) == []


def test_tasks_are_not_asked_for_before_there_is_room():
    asked = itertools.count()
    tasks = (next(asked) for _ in range(1000))
    with contextlib.closing(results_of(lambda task: task, tasks, 2)) as results:
        for taken, _ in enumerate(results, 1):
            assert next(asked) - taken <= 2 * 2 + taken  # each look counts, too
            if taken == 9:
                break
    assert next(asked) < 40
    assert "classicseg" not in {thread.name for thread in threading.enumerate()}


def test_what_a_task_or_their_iterator_raises_ends_everything():
    begun = []

    def call(i):
        begun.append(i)
        if i == 3:
            raise ZeroDivisionError("of 3")

    with pytest.raises(ZeroDivisionError, match="of 3"):
        list(results_of(call, range(1000), 2))
    assert len(begun) < 20

    def tasks():
        yield 1
        raise KeyError("no more")

    with pytest.raises(KeyError, match="no more"):
        list(results_of(lambda task: task, tasks(), 2))


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_an_interrupt_reaches_what_was_begun():
    ends = []

    def call(i):
        try:
            while True:
                time.sleep(0.001)
        finally:
            ends.append(i)

    def interrupt():
        time.sleep(0.1)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        list(results_of(call, range(100), 3))
    assert sorted(ends) == [0, 1, 2]


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_what_is_in_a_kernel_is_not_waited_for():
    ends, woken = [], threading.Event()

    def call(i):
        try:
            woken.wait(20)  # like a kernel, it hears of nothing
        finally:
            ends.append(i)

    def interrupt():
        time.sleep(0.1)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(results_of(call, range(100), 2))
    assert time.monotonic() - start < 10
    left = [thread for thread in threading.enumerate() if thread.name == "classicseg"]
    woken.set()
    for thread in left:
        thread.join()
    assert (len(left), sorted(ends)) == (2, [0, 1])


def test_what_is_large_is_alone_and_has_all_threads():
    gate, inside, most = Gate(3, 2), [], []

    def call(nbytes):
        with gate.admit(nbytes) as n_threads:
            inside.append(nbytes)
            most.append((list(inside), n_threads))
            time.sleep(0.002)
            inside.remove(nbytes)

    large = gate.share * 2
    list(results_of(call, [1.0, 2.0, large, 3.0, large + 1, 4.0, 5.0] * 3, 3))
    for together, n_threads in most:
        assert n_threads == (6 if together[-1] >= large else 2)
        assert len(together) == 1 or max(together) < large
    assert gate.largest == large + 1


def test_errors_are_kept_but_that_of_a_full_disk():
    assert attempt(lambda: 3) == (3, None)
    result, error = attempt(lambda: 1 / 0)
    assert result is None
    assert isinstance(error, ZeroDivisionError)

    def write():
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        attempt(write)


def test_many_have_a_thread_each_and_few_share_all(monkeypatch):
    monkeypatch.setattr("classicseg.pipelines.many.resolve_threads", lambda n: min(n or 8, 8))
    assert workers_for(500, None, None) == (8, 1)
    assert workers_for(None, None, None) == (8, 1)
    assert workers_for(2, None, None) == (2, 4)
    assert workers_for(500, 3, None) == (3, 2)
    assert workers_for(500, None, 4) == (2, 4)
    assert workers_for(0, None, None) == (1, 8)
    with pytest.raises(ValueError, match="n_workers must be"):
        workers_for(5, 0, None)

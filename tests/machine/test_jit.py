"""Threads: counts, callers in several threads and processes, Ctrl-C."""

import concurrent.futures
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import classicseg as cs
from classicseg.machine import threads
from classicseg.machine.cache import KernelCache
from classicseg.machine.jit import kernel
from classicseg.machine.parallel import barrier, claim, new_sync, run
from classicseg.machine.threads import run_threads
from tests.oracles import costs, photo


def solve(seed=0):
    crf = cs.DenseCRF(costs(3, (40, 50), seed), [cs.GaussianKernel(), cs.BilateralKernel(photo(40, 50, seed), 20, 10)])
    return cs.minimize(crf, n_threads=2).marginals


def test_the_thread_count_comes_from_the_call_the_setting_or_the_environment(monkeypatch):
    cs.set_num_threads(None)
    monkeypatch.setenv("CLASSICSEG_NUM_THREADS", "3")
    assert cs.get_num_threads() == 3
    cs.set_num_threads(2)
    assert cs.get_num_threads() == 2
    cs.set_num_threads(None)
    monkeypatch.setenv("CLASSICSEG_NUM_THREADS", "none")
    with pytest.raises(cs.InputError, match="CLASSICSEG_NUM_THREADS"):
        cs.get_num_threads()
    for bad in (0, -1, 1.5, "x", 1025):
        with pytest.raises(cs.InputError, match="n must"):
            cs.set_num_threads(bad)
    with pytest.raises(cs.InputError, match="n_threads must be a whole number from 1 to 1024, got 5000"):
        cs.minimize(cs.GridCRF(np.zeros((2, 3)), cs.Potts(1)), n_threads=5000)
    cs.set_num_threads(500)
    assert cs.get_num_threads() == 500
    cs.set_num_threads(None)


def test_the_time_to_prepare_a_kernel_is_not_that_of_a_solver(monkeypatch):
    monkeypatch.setattr(KernelCache, "load_overload", lambda *_: time.sleep(0.2))
    start, solver = time.perf_counter(), cs.Run("solver")
    kernel(lambda x: 2 * x)(2.0)
    solver.record(energy=0.0)
    seconds = solver.result(np.zeros((1, 1), np.int32), energy=0.0).seconds
    assert seconds < 0.2 * (time.perf_counter() - start)
    assert seconds >= solver.history[0].seconds >= 0


@kernel
def note_threads(sync, n_threads, seen):
    while True:
        task = claim(sync, 0)
        if task >= seen.size:
            break
        seen[task] = n_threads
    barrier(sync, n_threads)


@pytest.mark.parametrize(("n_threads", "brief", "started"), [(1, True, 0), (1, False, 1), (3, True, 2), (3, False, 3)])
def test_the_calling_thread_takes_part_in_brief_work(monkeypatch, n_threads, brief, started):
    made = []

    class Thread(threading.Thread):
        def __init__(self, *args, **settings):
            super().__init__(*args, **settings)
            made.append(self)

    monkeypatch.setattr(threading, "Thread", Thread)
    seen = np.zeros(20, np.int64)
    run(note_threads, n_threads, new_sync(1), seen, brief=brief)
    assert (seen == n_threads).all()
    assert len(made) == started


def test_failures_of_a_region_reach_the_caller():
    def region(sync, n_threads):
        raise RuntimeError("from inside")

    region.compile = lambda signature: region
    with pytest.raises(RuntimeError, match="from inside"):
        run(region, 2, new_sync(0))


def test_several_python_threads_at_once():
    expected = [solve(seed) for seed in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for answer, right in zip(pool.map(solve, [0, 1, 2, 3] * 3), expected * 3, strict=True):
            np.testing.assert_array_equal(answer, right)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_before_and_after_use(method):
    expected = solve()
    with multiprocessing.get_context(method).Pool(2) as pool:
        for answer in pool.map(solve, [0, 0]):
            np.testing.assert_array_equal(answer, expected)


FORK = """
import os, signal, sys, tempfile, threading
import numpy as np, classicseg as cs
from numba.core import event

class Compiles(event.Listener):
    begun = threading.Event()

    def on_start(self, event):
        self.begun.set()

    def on_end(self, event):
        pass

def solve(n):
    return cs.minimize(cs.GridCRF(np.eye(n)[:, None], cs.Potts(1)), "icm").n_iter

cs.GridCRF, cs.minimize
event.register("numba:compiler_lock", Compiles())
threading.Thread(target=solve, args=(2,)).start()
Compiles.begun.wait()  # all is imported by now: a child would wait for ever for a module that is half imported
child = os.fork()
if child == 0:
    signal.alarm(60)
    solve(3)
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_that_is_born_while_a_kernel_is_compiled_does_not_wait_for_ever(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    root = Path(cs.__file__).parents[1]
    subprocess.run([sys.executable, "-c", FORK], env=environment, cwd=root, check=True, capture_output=True)


class StopThere(BaseException):
    """As Ctrl-C, at a certain place."""


@pytest.mark.parametrize("place", ["start", "join"])
def test_no_thread_works_any_more_when_an_interrupt_is_raised(monkeypatch, place):
    working, stop = [], threading.Event()

    def work():
        working.append(None)
        stop.wait(10)
        time.sleep(0.1)
        working.pop()

    def interrupted(thread, *args):
        while place == "join" and len(working) < 2:
            time.sleep(0.001)
        original(thread) if place == "start" else None
        raise StopThere

    original = getattr(threading.Thread, place)
    monkeypatch.setattr(threading.Thread, place, interrupted)
    with pytest.raises(StopThere):
        run_threads(work, 2, stop.set)
    assert not working


def test_a_second_interrupt_changes_nothing(monkeypatch):
    ended, slept = [], []

    def work():
        wait.wait(10)
        ended.append(None)

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) < 3:
            raise StopThere
        wait.set()

    wait = threading.Event()
    monkeypatch.setattr(threads.time, "sleep", sleep)
    with pytest.raises(StopThere):
        run_threads(work, 2, lambda: None, meanwhile=lambda: sleep(0))
    assert len(ended) == 2


def test_loky_workers():
    joblib = pytest.importorskip("joblib")
    answers = joblib.Parallel(n_jobs=2)(joblib.delayed(solve)() for _ in range(2))
    np.testing.assert_array_equal(answers[0], answers[1])


LONG = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
import numpy as np, classicseg as cs
crf = cs.DenseCRF(np.random.default_rng(0).random((3, 400, 400), dtype=np.float32), cs.GaussianKernel())
cs.minimize(crf, max_iter=1)
print("ready", flush=True)
try:
    cs.minimize(crf, max_iter=10_000_000)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.mark.slow
def test_ctrl_c_stops_at_once():
    process = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "ready"
    time.sleep(0.5)
    start = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    assert process.stdout.readline().strip() == "stopped"
    assert time.monotonic() - start < 2  # 0.5 s on a machine that is not busy with other tests
    process.communicate()
    assert process.returncode == 0

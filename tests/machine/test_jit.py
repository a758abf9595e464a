"""Threads: counts, callers in several threads and processes, Ctrl-C."""

import concurrent.futures
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import classicseg as cs
from tests.oracles import costs, photo


def solve(seed=0):
    crf = cs.DenseCRF(costs(3, (40, 50), seed), [cs.GaussianKernel(), cs.BilateralKernel(photo(40, 50, seed), 20, 10)])
    return cs.minimize(crf, n_threads=2).marginals


def test_the_thread_count_comes_from_the_call_the_setting_or_the_environment(monkeypatch):
    monkeypatch.setenv("CLASSICSEG_NUM_THREADS", "3")
    assert cs.get_num_threads() == 3
    cs.set_num_threads(2)
    assert cs.get_num_threads() == 2
    cs.set_num_threads(None)
    monkeypatch.setenv("CLASSICSEG_NUM_THREADS", "none")
    with pytest.raises(cs.InputError, match="CLASSICSEG_NUM_THREADS"):
        cs.get_num_threads()
    for bad in (0, -1, 1.5, "x"):
        with pytest.raises(cs.InputError, match="n must"):
            cs.set_num_threads(bad)


def test_several_python_threads_at_once():
    expected = [solve(seed) for seed in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for answer, right in zip(pool.map(solve, [0, 1, 2, 3] * 3), expected * 3, strict=True):
            np.testing.assert_array_equal(answer, right)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_before_and_after_use(method):
    expected = solve()
    with multiprocessing.get_context(method).Pool(2) as pool:
        for answer in pool.map(solve, [0, 0]):
            np.testing.assert_array_equal(answer, expected)


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

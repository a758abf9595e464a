"""Processors and memory of a container, and how many threads run."""

import subprocess
import sys
import threading

import pytest

import classicseg as cs
from classicseg.errors import BudgetError
from classicseg.machine import limits, memory, threads

GIB = 2**30


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A function that writes files of a system, which is then asked."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    monkeypatch.setattr(limits, "_ROOT", tmp_path)
    for function in (limits._quota, limits._memory_groups):
        function.cache_clear()
    yield write
    for function in (limits._quota, limits._memory_groups):
        function.cache_clear()


V2 = {"proc/self/cgroup": "0::/a/b\n"}
V1 = {
    "proc/self/cgroup": "4:memory:/a\n3:cpu,cpuacct:/a\n1:name=systemd:/a\n",
    "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
}


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({}, 64),
        ({"proc/self/cgroup": "nonsense"}, 64),
        ({**V2, "sys/fs/cgroup/cpu.max": "max 100000\n"}, 64),
        ({**V2, "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({**V2, "sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "sys/fs/cgroup/a/cpu.max": "150000 100000\n"}, 2),
        ({**V2, "sys/fs/cgroup/a/b/cpu.max": "1000 100000\n"}, 1),
        ({**V1, "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1"}, 64),
        (
            {**V1, "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "300000"},
            3,
        ),
    ],
)
def test_processors_are_those_of_the_affinity_and_the_quota(files, most, system, monkeypatch):
    monkeypatch.setattr(limits.os, "sched_getaffinity", lambda who: set(range(64)), raising=False)
    system(files)
    assert limits.processors() == most


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, 16 * GIB),
        ({**V2, "sys/fs/cgroup/memory.max": "max", "sys/fs/cgroup/memory.current": "5"}, 16 * GIB),
        (
            {
                **V2,
                "sys/fs/cgroup/a/memory.max": str(8 * GIB),
                "sys/fs/cgroup/a/memory.current": str(7 * GIB),
                "sys/fs/cgroup/a/memory.stat": f"anon 5\ninactive_file {2 * GIB}\n",
            },
            3 * GIB,
        ),
        (
            {
                **V1,
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(4 * GIB),
                "sys/fs/cgroup/memory/memory.usage_in_bytes": str(1 * GIB),
            },
            3 * GIB,
        ),
        (
            {
                **V1,
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": str(1 * GIB),
            },
            16 * GIB,
        ),
        (
            {
                **V1,
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": str(4 * GIB),
                "sys/fs/cgroup/memory/a/memory.usage_in_bytes": str(3 * GIB),
                "sys/fs/cgroup/memory/a/memory.stat": f"inactive_file 7\ntotal_inactive_file {GIB}\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(64 * GIB),
                "sys/fs/cgroup/memory/memory.usage_in_bytes": str(63 * GIB),
            },
            GIB,
        ),
        (
            {
                **V2,
                "sys/fs/cgroup/a/b/memory.max": str(2 * GIB),
                "sys/fs/cgroup/a/b/memory.current": str(GIB // 2),
                "sys/fs/cgroup/a/memory.max": str(9 * GIB),
                "sys/fs/cgroup/a/memory.current": str(8 * GIB),
            },
            GIB,
        ),
        ({**V2, "sys/fs/cgroup/memory.max": "7", "sys/fs/cgroup/memory.current": "9"}, 0),
    ],
)
def test_memory_is_what_the_machine_and_all_control_groups_have_left(files, left, system):
    system({"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {16 * GIB // 1024} kB\n", **files})
    assert limits.available_memory() == left


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no /proc")
def test_memory_is_limited_by_that_of_the_process(monkeypatch):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda what: (100 * GIB, 100 * GIB))
    assert 0 < limits.available_memory() < 100 * GIB
    monkeypatch.setattr(resource, "getrlimit", lambda what: (5, 5))
    assert limits.available_memory() == 0
    with pytest.raises(BudgetError, match=r"a plan would need .* GiB, but .* are free"):
        memory.check_memory(GIB, "a plan")


@pytest.mark.parametrize(("limited", "left"), [("AS", 10 * GIB), ("DATA", 7 * GIB), ("ASDATA", 7 * GIB), ("", None)])
def test_what_a_process_has_already_counts_in_its_limits(limited, left, system, monkeypatch):
    resource = pytest.importorskip("resource")
    page = resource.getpagesize()
    system({"proc/self/statm": f"{2 * GIB // page} 9 9 9 0 {5 * GIB // page} 0\n"})
    most = {resource.RLIMIT_AS: 12 * GIB if "AS" in limited else resource.RLIM_INFINITY}
    most[resource.RLIMIT_DATA] = 12 * GIB if "DATA" in limited else resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda what: (most[what], resource.RLIM_INFINITY))
    assert limits.available_addresses() == left


@pytest.mark.parametrize(
    ("setting", "environment", "expected"),
    [
        (3, {"CLASSICSEG_NUM_THREADS": "4", "NUMBA_NUM_THREADS": "5", "OMP_NUM_THREADS": "6"}, 3),
        (None, {"CLASSICSEG_NUM_THREADS": "4", "NUMBA_NUM_THREADS": "5", "OMP_NUM_THREADS": "6"}, 4),
        (None, {"NUMBA_NUM_THREADS": "5", "OMP_NUM_THREADS": "6"}, 5),
        (None, {"OMP_NUM_THREADS": "6,2"}, 6),
        (None, {"NUMBA_NUM_THREADS": "", "OMP_NUM_THREADS": "many"}, 7),
        (None, {"OMP_NUM_THREADS": "0"}, 1),
        (None, {}, 7),
    ],
)
def test_the_nearest_setting_counts(setting, environment, expected, monkeypatch):
    for name in threads._VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(threads, "processors", lambda: 7)
    cs.set_num_threads(setting)
    assert cs.get_num_threads() == expected
    cs.set_num_threads(None)


def test_no_more_threads_run_than_processors_and_work_allow(monkeypatch):
    monkeypatch.setattr(threads, "_most_at_once", lambda: 8)
    monkeypatch.setattr(threads, "_WORK", 1000)
    assert threads.resolve_threads(256) == 8
    assert threads.resolve_threads(256, work=5500) == 5
    assert threads.resolve_threads(3, work=5500) == 3
    assert threads.resolve_threads(3, work=0) == 1
    cs.set_num_threads(500)
    assert cs.get_num_threads() == 8
    cs.set_num_threads(None)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems set no limit to addresses")
@pytest.mark.parametrize("warm", [False, True])
def test_too_little_memory_is_an_error_and_spoils_nothing(warm):
    script = """
import resource, sys
import numpy as np, classicseg as cs
import classicseg.solvers.cut.qpbo  # Python's import says ImportError where a library finds no room

most = resource.getrlimit(resource.RLIMIT_AS)[1]
small = cs.GridCRF(np.array([[[0, 1, 2], [3, 4, 5]], [[5, 4, 3], [2, 1, 0]]]), cs.Potts(1))
large = cs.GridCRF(np.zeros((2, 300, 400), int), cs.Potts(1))
if sys.argv[1] == "True":
    cs.minimize(small, "qpbo")
for room in (2, 8, 24, 60):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + room * 2**20, most))
    for crf in (large, small):
        try:
            cs.minimize(crf, "qpbo")
        except MemoryError as failure:
            print("refused")
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    assert cs.minimize(small, "qpbo").energy == 9
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(warm)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout


def test_memory_that_cannot_be_had_is_a_budget_error():
    for n in (2**45, 2**70):
        with pytest.raises(BudgetError, match="cannot be had"):
            memory.aligned_zeros(n, "int32")


def test_threads_that_cannot_begin_are_a_budget_error(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(BudgetError, match="no more threads"):
            threads.map_tasks(abs, 3, 2)
    monkeypatch.setattr(threads, "available_addresses", lambda: 2**20)
    with pytest.raises(BudgetError, match="1 more threads have no room in 1 MiB"):
        threads.map_tasks(abs, 3, 2)
    assert threads.map_tasks(abs, 3, 1) == [0, 1, 2]

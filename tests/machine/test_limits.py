"""Processors and memory of a container, and how many threads run."""

import sys

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

"""Kernels on disk: where they are kept, what is not trusted, and what damaged files do."""

import logging
import os
import pickle
import subprocess
import sys

import pytest

from classicseg.machine import cache
from classicseg.machine.jit import kernel

ROOT = cache.PACKAGE.parent
needs_owners = pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no owners here")


def double(x):
    return 2 * x


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The only place for kernels, a folder that does not exist yet."""
    monkeypatch.setattr(cache, "_places", lambda: [tmp_path / "deep" / "kernels"])
    yield tmp_path / "deep" / "kernels"
    cache.folders.cache_clear()


@pytest.fixture(autouse=True)
def forget():
    for function in (cache.folders, cache._give_compile_notice):
        function.cache_clear()


def hits(function):
    """Whether a kernel of `function` is found on disk."""
    dispatcher = kernel(function)
    assert dispatcher(3) == 6
    return sum(dispatcher.stats.cache_hits.values())


def test_the_second_process_finds_what_the_first_one_made(place):
    assert [hits(double), hits(double)] == [0, 1]
    (folder,) = place.iterdir()
    assert folder.stat().st_mode & 0o777 == place.stat().st_mode & 0o777 == 0o700
    assert len(list(folder.iterdir())) == 1


def test_what_is_found_does_not_wait_for_the_libraries_of_the_compiler(tmp_path):
    program = """if True:
        import sys
        from classicseg.machine.jit import kernel
        def double(x):
            return 2 * x
        assert kernel(double)(3) == 6
        print("numba.typed.dictimpl" in sys.modules)
        """
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = [subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True) for _ in range(2)]
    assert [one.stdout.split() for one in done] == [["True"], ["False"]]


def test_another_function_of_the_same_name_is_another_kernel(place):
    def double(x):
        return x * 2 + 0

    assert [hits(globals()["double"]), hits(double), hits(double)] == [0, 0, 1]


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"", lambda b: b"no pickle", lambda b: pickle.dumps(7)])
def test_damaged_files_count_as_missing_and_are_replaced(place, damage):
    hits(double)
    (path,) = next(place.iterdir()).iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert [hits(double), hits(double)] == [0, 1]


def test_a_file_of_another_kernel_counts_as_missing(place):
    hits(double)
    (path,) = next(place.iterdir()).iterdir()
    (_, signature), code = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps(((("another",), signature), code)))
    assert hits(double) == 0


@needs_owners
@pytest.mark.parametrize("mode", [0o777, 0o757, 0o775])
@pytest.mark.parametrize("depth", ["folder", "above"])
def test_nothing_is_read_where_others_can_write(place, monkeypatch, mode, depth):
    monkeypatch.setattr(cache, "_own_group", lambda user: -1)
    hits(double)
    target = next(place.iterdir()) if depth == "folder" else place.parent
    target.chmod(mode)
    cache.folders.cache_clear()
    assert cache.folders() == ([], None)
    assert hits(double) == 0


@needs_owners
def test_a_group_of_ones_own_and_folders_that_protect_their_entries_are_trusted(place, monkeypatch):
    monkeypatch.setattr(cache, "_own_group", lambda user: os.getgid())
    hits(double)
    next(place.iterdir()).chmod(0o770)
    place.parent.chmod(0o1777)
    assert hits(double) == 1


def test_owners_are_this_user_the_administrator_and_the_owner_of_the_library():
    folder = os.stat_result((0o40700, 0, 0, 2, 4711, 4711, 0, 0, 0, 0))
    assert cache._is_kept(folder, (4711, 0, 5))
    assert cache._is_kept(folder, (1000, 0, 4711))
    assert not cache._is_kept(folder, (1000, 0, 5))


def test_kernels_of_older_sources_are_removed(place, monkeypatch):
    hits(double)
    monkeypatch.setattr(cache, "_digest_of_kernels", lambda: "newer")
    cache.folders.cache_clear()
    hits(double)
    assert [path.name for path in place.iterdir()] == ["newer"]


def test_without_a_folder_kernels_work_and_one_warning_says_so(place, caplog):
    place.parent.write_text("a file is in the way")
    with caplog.at_level(logging.WARNING, "classicseg"):
        assert [hits(double), hits(double)] == [0, 0]
    (record,) = caplog.records
    assert "NUMBA_CACHE_DIR" in record.getMessage()


def test_a_full_disk_is_no_error(place, monkeypatch, caplog):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.Path, "write_bytes", full)
    assert hits(double) == 0
    assert "No space left" in caplog.text
    assert not list(next(place.iterdir()).iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become nobody")
@pytest.mark.parametrize("home", ["/dev/null", "/nonexistent", None])
def test_a_user_without_rights_and_home_computes_all_the_same(home, tmp_path):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "none")}
    if home:
        environment["HOME"] = home
    code = (
        "import numpy as np, classicseg as cs; print(cs.minimize(cs.GridCRF(np.eye(2)[:, None], cs.Potts(1)), 'icm'))"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd="/", user=65534, group=65534, extra_groups=[],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except PermissionError:
        pytest.skip("the user nobody may not run this Python, which lies in a private folder")
    assert done.stdout.startswith("Result(method='icm'"), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "NUMBA_CACHE_DIR" in done.stderr

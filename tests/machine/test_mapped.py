"""Arrays in mapped files keep what they hold, whatever leaves memory."""

import errno
import os

import numpy as np
import pytest

from classicseg.machine.mapped import MappedArrays


def test_what_leaves_memory_is_there_when_it_is_read_again(tmp_path):
    files = MappedArrays(tmp_path / "made")
    array = files.zeros("numbers", 100_000, np.float32)
    assert not array.any()
    array[:] = np.arange(array.size)
    for start, stop in [(0, 100_000), (1000, 2000), (5, 70_001), (99_000, 200_000), (7, 7)]:
        files.let_go(array, start, stop)
        np.testing.assert_array_equal(array, np.arange(array.size))
    np.testing.assert_array_equal(files.opened("numbers", np.float32), array)
    files.let_go(np.ones(3), 0, 3)  # of an array elsewhere nothing is let go
    files.forget("numbers", "nothing")
    assert not list((tmp_path / "made").iterdir())


def test_an_empty_file_is_an_empty_array(tmp_path):
    files = MappedArrays(tmp_path)
    (tmp_path / "nothing").touch()
    assert files.opened("nothing", np.int64).size == files.zeros("none", 0, np.int64).size == 0


def test_no_room_is_known_before_anything_is_written(tmp_path, monkeypatch):
    def reserve(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", reserve, raising=False)
    with pytest.raises(OSError, match="No space left"):
        MappedArrays(tmp_path).zeros("numbers", 10, np.float32)


def test_where_room_cannot_be_reserved_zeros_are_written(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr("classicseg.machine.mapped._PIECE", 7)
    array = MappedArrays(tmp_path).zeros("numbers", 10, np.float32)
    np.testing.assert_array_equal(array, np.zeros(10))
    assert (tmp_path / "numbers").stat().st_size == 40

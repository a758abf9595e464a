"""Truncated files, full disks, folders that nobody may write to: an error that names the file, and nothing left."""

import contextlib
import errno
import os
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from classicseg import io
from classicseg.cli import main
from classicseg.errors import InputError
from classicseg.io import geotiff
from classicseg.io.windows import as_source, label_file
from tests.strategies.files import write_map, write_scan, write_zarr

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(1, 255, (60, 50), dtype=np.uint8)
VOXELS = RNG.integers(-900, 900, (12, 16, 15)).astype(np.int16)
NOISE = RNG.integers(0, 2**31 - 1, VOXELS.shape)  # labels that nothing makes smaller


def write_cog(path):
    copy = pytest.importorskip("rasterio.shutil").copy
    plain = write_map(path.with_name("plain"), PIXELS[np.newaxis])
    copy(plain, path, driver="COG", compress="deflate", blocksize=128)
    plain.unlink()
    return path


def write_stack(path, **more):
    import tifffile

    tifffile.imwrite(path, VOXELS.astype(np.uint16), **more)
    return path


def write_shards(path):
    return write_zarr(path, VOXELS, chunks=(4, 8, 5), shards=(12, 16, 15))


KINDS = {
    "map.tif": lambda path: write_map(path, PIXELS[np.newaxis]),
    "cog.tif": write_cog,
    "scan.nii": lambda path: write_scan(path, VOXELS),
    "scan.nii.gz": lambda path: write_scan(path, VOXELS),
    "plain.tif": lambda path: write_stack(path, photometric="minisblack"),
    "zipped.tif": lambda path: write_stack(path, photometric="minisblack", compression="zlib"),
    "imagej.tif": lambda path: write_stack(path, imagej=True, metadata={"axes": "ZYX", "spacing": 3.0}),
    "ome.tif": lambda path: write_stack(path, ome=True, metadata={"axes": "ZYX", "PhysicalSizeZ": 3.0}),
    "shards.zarr": write_shards,
}


def shorten(path, part):
    """Cut the end of a file off, or of the largest of a folder."""
    longest = max(
        (file for file in path.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size, default=path
    )
    n = longest.stat().st_size
    os.truncate(longest, {"half": n // 2, "header": 60, "end": n - 30}[part])


@pytest.mark.parametrize("part", ["half", "header", "end"])
@pytest.mark.parametrize("kind", KINDS)
def test_truncated_files_are_errors_that_name_them(tmp_path, monkeypatch, capsys, kind, part):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    path = KINDS[kind](tmp_path / kind)
    shorten(path, part)
    for read in (io.read_image, io.read_labels, io.read_probabilities, io.read_masked_image):
        with pytest.raises(InputError, match=kind):
            pytest.fail(f"{read.__name__}: {read(path)}")

    def read_in_windows():
        source = as_source(path, "image")
        return source[tuple(slice(0, n) for n in source.shape)]

    with pytest.raises(InputError, match=kind):
        pytest.fail(str(read_in_windows()))
    before = sorted(tmp_path.iterdir())
    for words in (["-o", "labels.npy"], ["-o", "labels.npy", "--stream"], ["-o", "many"]):
        assert main(["split", str(path), words[0], str(tmp_path / words[1]), *words[2:]]) == (
            1 if "many" in words else 2
        )
        error = capsys.readouterr().err
        assert kind in error
        assert "Traceback" not in error
        shutil.rmtree(tmp_path / "many", ignore_errors=True)
    assert sorted(tmp_path.iterdir()) == before
    assert not list((tmp_path / "scratch").iterdir())


def test_chunks_of_zarr_that_are_damaged_are_errors(tmp_path):
    write_zarr(tmp_path / "a.zarr", PIXELS, chunks=(60, 50))
    (chunk,) = (path for path in (tmp_path / "a.zarr" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(b"x" + chunk.read_bytes()[1:])
    with pytest.raises(InputError, match=r"a\.zarr cannot be read"):
        io.read_image(tmp_path / "a.zarr")
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(InputError, match=r"b\.zarr cannot be read"):
        io.read_image(tmp_path / "b.zarr")
    with pytest.raises(FileNotFoundError, match="no such file"):
        io.read_image(tmp_path / "c.zarr")


@contextlib.contextmanager
def room_for(n):
    """While this lasts, no file may have more bytes: as on a full disk, a write fails somewhere."""
    handler, before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def everything(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


needs_limits = pytest.mark.skipif(sys.platform == "win32", reason="sizes of files have no limits here")


@needs_limits
@pytest.mark.parametrize("limit", [100, 3000, 11_000])
@pytest.mark.parametrize("kind", KINDS)
def test_on_a_full_disk_nothing_half_written_is_left(tmp_path, kind, limit):
    like = io.read_image(KINDS[kind](tmp_path / kind))
    noise = RNG.integers(0, 2**31 - 1, like.shape)
    p = RNG.random((2, *like.shape))
    target, scores = tmp_path / f"labels-{kind}", tmp_path / f"p-{kind}"
    io.write_labels(target, np.zeros(like.shape, int), like=like)
    before = everything(tmp_path)
    with room_for(limit):
        with pytest.raises(OSError, match=r".+"):
            io.write_labels(target, noise, like=like)
        with pytest.raises(OSError, match=r".+"):
            io.write_marginals(scores, p, like=like)
        if isinstance(like, io.Raster) and kind != "cog.tif" and limit < 3000:
            with pytest.raises(OSError, match=r".+"):
                io.write_image(tmp_path / f"again-{kind}", like)
    assert everything(tmp_path) == before


@needs_limits
@pytest.mark.parametrize("kind", ["map.tif", "scan.nii.gz", "imagej.tif", "shards.zarr"])
def test_labels_that_come_piece_by_piece_leave_nothing_on_a_full_disk(tmp_path, kind):
    source = as_source(KINDS[kind](tmp_path / kind), "image")
    before = everything(tmp_path)
    n = int(np.prod(source.shape))
    sink = label_file(tmp_path / f"labels-{kind}", tuple(source.shape), np.uint32, 0, like=source)
    sink.write(0, RNG.integers(0, 2**31 - 1, n))
    with room_for(4000), pytest.raises(OSError, match=r".+"):
        sink.finish()
    sink.discard()
    assert everything(tmp_path) == before


def test_a_map_on_a_full_disk_ends_all_work(tmp_path, monkeypatch):
    """GDAL says nothing; that no room is left tells it from a damaged disk, on which the next image may be written."""
    like = io.read_image(write_map(tmp_path / "map.tif", PIXELS[np.newaxis]))
    monkeypatch.setattr(geotiff.np, "array_equal", lambda *a, **more: False)
    with pytest.raises(OSError, match=r"labels\.tif") as failure:
        io.write_labels(tmp_path / "labels.tif", PIXELS, like=like)
    assert failure.value.errno == errno.EIO
    monkeypatch.setattr(geotiff.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 0, 9))
    with pytest.raises(OSError, match=r"labels\.tif") as failure:
        io.write_labels(tmp_path / "labels.tif", PIXELS, like=like)
    assert failure.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.iterdir()] == ["map.tif"]


@pytest.mark.parametrize("suffix", [".png", ".npy", ".tif", ".nii.gz", ".zarr"])
def test_a_folder_that_nobody_may_write_to_is_known_before_work(tmp_path, monkeypatch, capsys, suffix):
    write_map(tmp_path / "map.tif", PIXELS[np.newaxis])
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "kept")
    monkeypatch.setattr("classicseg.splitmerge.split_merge.split_and_merge", None)
    monkeypatch.setattr("classicseg.streaming.split.streamed.surveyed", None)
    for more in ([], ["--stream"]):
        if suffix == ".png" and more:
            continue
        assert main(["split", str(tmp_path / "map.tif"), "-o", str(tmp_path / "kept" / f"labels{suffix}"), *more]) == 2
        assert "nothing can be written to the folder" in capsys.readouterr().err
    assert main(["split", str(tmp_path / "map.tif"), "-o", str(tmp_path / "kept"), "--suffix", suffix]) == 2
    assert "nothing can be written to the folder" in capsys.readouterr().err
    assert not list((tmp_path / "kept").iterdir())
    (tmp_path / "file.zarr").write_text("no folder")
    with pytest.raises(InputError, match=r"file\.zarr is a file"):
        io.check_output(tmp_path / "file.zarr", "labels")

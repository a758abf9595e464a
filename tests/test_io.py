import concurrent.futures
import os
import zlib

import numpy as np
import pytest

from classicseg import io
from classicseg.errors import InputError, InputTypeError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("suffix", [".png", ".npy", ".tif"])
@pytest.mark.parametrize("largest", [3, 255, 1000])
def test_labels_come_back(tmp_path, suffix, largest):
    labels = RNG.integers(0, largest + 1, (7, 9))
    labels[0, 0] = largest
    io.write_labels(tmp_path / f"labels{suffix}", labels)
    np.testing.assert_array_equal(io.read_labels(tmp_path / f"labels{suffix}"), labels)


def test_volumes_of_labels_need_an_array_format(tmp_path):
    volume = RNG.integers(0, 3, (3, 4, 5))
    io.write_labels(tmp_path / "v.tif", volume)
    np.testing.assert_array_equal(io.read_labels(tmp_path / "v.tif"), volume)
    with pytest.raises(InputError, match="2 axes"):
        io.write_labels(tmp_path / "v.png", volume)


def test_pictures_come_back(tmp_path):
    for name, picture in {"a.png": RNG.integers(0, 255, (4, 5, 3)), "b.png": RNG.integers(0, 255, (4, 5))}.items():
        io.write_image(tmp_path / name, picture.astype(np.uint8))
        np.testing.assert_array_equal(io.read_image(tmp_path / name), picture)


def test_an_alpha_channel_is_dropped_and_a_palette_resolved(tmp_path):
    from PIL import Image

    Image.fromarray(RNG.integers(0, 255, (4, 5, 4)).astype(np.uint8)).save(tmp_path / "rgba.png")
    assert io.read_image(tmp_path / "rgba.png").shape == (4, 5, 3)
    io.write_labels(tmp_path / "labels.png", np.zeros((4, 5), int))
    assert io.read_image(tmp_path / "labels.png").shape == (4, 5, 3)


def test_nifti(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    volume = RNG.random((3, 4, 5)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "v.nii.gz")
    np.testing.assert_allclose(io.read_image(tmp_path / "v.nii.gz"), volume)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "labels.npy"
    io.write_labels(path, np.zeros((2, 2), int))

    def full(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="no space"):
        io.write_labels(path, np.ones((2, 2), int))
    assert [p.name for p in tmp_path.iterdir()] == ["labels.npy"]
    np.testing.assert_array_equal(np.load(path), 0)


def test_bad_files_raise(tmp_path):
    (tmp_path / "bad.png").write_text("no picture")
    (tmp_path / "bad.npy").write_text("no array")
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(InputError, match="read as an image"):
        io.read_image(tmp_path / "bad.png")
    for name in ("bad.npy", "objects.npy"):
        with pytest.raises(InputError, match="cannot be read"):
            io.read_probabilities(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        io.read_image(tmp_path / "none.png")
    io.write_image(tmp_path / "color.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(InputError, match="colours"):
        io.read_labels(tmp_path / "color.png")
    with pytest.raises(InputTypeError, match="uint8"):
        io.write_image(tmp_path / "x.png", np.zeros((2, 2)))
    with pytest.raises(InputError, match="format"):
        io.write_image(tmp_path / "x.what", np.zeros((2, 2), np.uint8))


def written(path, text="new"):
    with io.replacing(path) as temporary:
        temporary.write_text(text)
    return path.read_text()


needs_modes = pytest.mark.skipif(os.name == "nt", reason="files have no modes of Unix here")


@needs_modes
def test_files_keep_their_mode_and_new_ones_get_the_usual_one(tmp_path):
    (tmp_path / "plain").write_text("")
    assert written(tmp_path / "fresh") == "new"
    assert (tmp_path / "fresh").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "plain").chmod(0o600)
    assert written(tmp_path / "plain") == "new"
    assert (tmp_path / "plain").stat().st_mode & 0o777 == 0o600


@needs_modes
def test_nobody_changes_the_mask_of_the_process(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", None)
    assert written(tmp_path / "fresh") == "new"


@needs_modes
def test_read_only_files_stay(tmp_path):
    (tmp_path / "kept").write_text("old")
    (tmp_path / "kept").chmod(0o400)
    with pytest.raises(PermissionError, match="kept is read-only"):
        written(tmp_path / "kept")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_links_lead_to_what_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "file").write_text("old")
    for name in ("file", "not yet"):
        (tmp_path / name).symlink_to(tmp_path / "far" / name)
        assert written(tmp_path / name) == "new"
        assert (tmp_path / name).is_symlink()
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == ["file", "not yet"]


def test_names_may_be_as_long_as_the_system_allows(tmp_path):
    name = 250 * "x" + ".npy"
    io.write_labels(tmp_path / name, np.zeros((2, 3), int))
    assert io.read_labels(tmp_path / name).shape == (2, 3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_devices_are_written_to_and_stay(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        read = pool.submit((tmp_path / "pipe").read_text)
        with io.replacing(tmp_path / "pipe") as temporary:
            temporary.write_text("new")
        assert read.result(timeout=20) == "new"
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    ("name", "what", "message"),
    [
        ("nowhere/labels.png", "labels", "no such folder"),
        ("labels.jpg", "labels", r"labels can be written as \.png, .*\.nii\.gz, \.zarr, got"),
        ("folder.png", "labels", "is a folder"),
        ("p.png", "marginals", "marginals can be written as"),
        ("picture.xyz", "images", "no image format"),
        ("film.mp4", "animations", "animations can be written as .gif"),
        ("table.xlsx", "tables", r"tables can be written as \.csv"),
    ],
)
def test_what_cannot_be_written_is_known_before(tmp_path, name, what, message):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises((OSError, InputError), match=message):
        io.check_output(tmp_path / name, what)
    assert io.check_output(tmp_path / "picture.png", "images") == tmp_path / "picture.png"


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.png", "a.tif", "a.nii", "a.nii.gz", "a.txt"])
def test_damaged_files_are_errors_of_ours(tmp_path, name):
    path = tmp_path / name
    np.savez(tmp_path / "whole.npz", p=np.zeros((2, 40, 50)))
    whole = (tmp_path / "whole.npz").read_bytes()
    for content in (b"", b"\xff\xfe\x00\x81\x00", whole[:100], whole[:60] + b"x" * 30 + whole[90:]):
        path.write_bytes(content)
        for read in (io.read_image, io.read_labels, io.read_probabilities, io.read_classes):
            if content or read is not io.read_classes:
                with pytest.raises(InputError, match=name):
                    read(path)


def test_nobody_is_told_to_load_pickles(tmp_path):
    np.save(tmp_path / "a.npy", np.array([None, {}], object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", p=np.array([None, {}], object))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError, match="it holds Python objects, not numbers") as refused:
            io.read_probabilities(tmp_path / name)
        assert "pickle" not in str(refused.value)


def test_pictures_that_are_far_too_large_are_refused(tmp_path):
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "bomb.png")
    content = bytearray((tmp_path / "bomb.png").read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(content)
    for read in (io.read_image, io.read_labels):
        with pytest.raises(InputError, match="3600000000 pixels"):
            read(tmp_path / "bomb.png")

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

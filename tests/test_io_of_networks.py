"""What networks leave: tensors of PyTorch, safetensors, NIfTI, bfloat16; and marginals as bands."""

import json
import sys

import numpy as np
import pytest

from classicseg import io
from classicseg.errors import InputError

SCORES = np.linspace(-3, 3, 24, dtype=np.float32).reshape(2, 3, 4)


def bfloat16(array):
    """The upper halves of float32, and what they are worth."""
    upper = (array.astype("<f4").view("<u4") >> 16).astype("<u2")
    return upper, (upper.astype(np.uint32) << 16).view(np.float32)


def write_safetensors(path, tensors, **changes):
    """`tensors`: name to (dtype, array)."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, array) in tensors.items():
        raw = array.tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        header[name].update(changes)
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16", "I64", "U8"])
def test_safetensors_are_read(tmp_path, dtype):
    stored = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "U8": "u1"}
    upper, rounded = bfloat16(SCORES)
    array, expected = (upper, rounded) if dtype == "BF16" else 2 * (np.abs(SCORES).astype(stored[dtype]),)
    path = write_safetensors(tmp_path / "p.safetensors", {"other": ("U8", np.zeros(3, "u1")), "p": (dtype, array)})
    read = io.read_probabilities(path, "p")
    np.testing.assert_array_equal(read, expected)
    assert read.dtype == expected.dtype
    with pytest.raises(InputError, match="holds the arrays other, p; name one of them, as by key='other'"):
        io.read_probabilities(path)


def test_damaged_safetensors_are_refused(tmp_path):
    path, good = tmp_path / "p.safetensors", {"p": ("F32", SCORES)}
    for changes in (
        {"shape": [2, 3, 5]}, {"shape": [-2, -3, 4]}, {"shape": [2**40, 2**40]}, {"shape": 3}, {"dtype": "F8_E5M2"},
        {"dtype": []}, {"data_offsets": [8, 104]}, {"data_offsets": [0.0, 96]}, {"data_offsets": "x"},
    ):  # fmt: skip
        with pytest.raises(InputError, match="cannot be read"):
            io.read_probabilities(write_safetensors(path, good, **changes))
    whole = write_safetensors(path, good).read_bytes()
    for damaged in (b"", whole[:5], whole[:40], whole[:-1], (2**62).to_bytes(8, "little") + whole[8:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read"):
            io.read_probabilities(path)
    for text in (b"[1, 2]", b'"ab"', b"17", b'{"p": 3}', b"\xff\xff\xff", b"[" * 100_000):
        path.write_bytes(len(text).to_bytes(8, "little") + text)
        with pytest.raises(InputError, match="cannot be read"):
            io.read_probabilities(path)


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_tensors_of_pytorch_are_read(tmp_path, suffix):
    torch = pytest.importorskip("torch")
    path, tensor = tmp_path / f"p{suffix}", torch.tensor(SCORES)
    for saved, key, expected in (
        (tensor, None, SCORES),
        (tensor.bfloat16().requires_grad_(), None, tensor.bfloat16().float().numpy()),
        (tensor.half().permute(2, 0, 1), None, SCORES.astype(np.float16).transpose(2, 0, 1)),
        ({"epoch": 3, "logits": tensor}, None, SCORES),
        ({"image": tensor[0], "logits": tensor}, "logits", SCORES),
    ):
        torch.save(saved, path)
        np.testing.assert_array_equal(io.read_probabilities(path, key), expected)


def test_files_of_pytorch_that_hold_something_else_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "p.pt"
    for saved, words in (
        ({"a": torch.ones(2), "b": torch.ones(2)}, "the arrays a, b"),
        ({"a": 1}, "holds no array"),
        ([torch.ones(2)], "must hold a tensor or a dict of tensors, got list"),
        (np.random.default_rng(0), r"holds more than tensors and would have to run code; save .* torch\.save\("),
    ):
        torch.save(saved, path)
        with pytest.raises(InputError, match=words) as caught:
            io.read_probabilities(path)
        assert "weights_only" not in str(caught.value)
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match="is damaged"):
        io.read_probabilities(path)


def test_what_is_not_installed_is_named_with_a_command_that_installs_it(tmp_path, monkeypatch):
    (tmp_path / "p.pt").write_bytes(b"x")
    (tmp_path / "p.nii").write_bytes(b"x")
    (tmp_path / "p.zarr").mkdir()
    for name, module, command in (
        ("p.pt", "torch", "to read .*p.pt, install PyTorch: pip install torch"),
        ("p.nii", "nibabel", ".*p.nii needs nibabel, of the extra medical: pip install nibabel"),
        ("p.zarr", "zarr", ".*p.zarr needs zarr, of the extra zarr: pip install zarr"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(InputError, match=f"{command}$"):
            io.read_probabilities(tmp_path / name)


def test_bfloat16_in_files_of_numpy_is_read(tmp_path):
    """NumPy has no name for this dtype and stores two raw bytes."""
    upper, rounded = bfloat16(SCORES)
    np.save(tmp_path / "p.npy", upper.view("V2"))
    np.savez(tmp_path / "p.npz", upper.view("V2"))
    for name in ("p.npy", "p.npz"):
        np.testing.assert_array_equal(io.read_probabilities(tmp_path / name), rounded)


def test_labels_of_nifti_files_come_first(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    p = np.random.default_rng(0).random((3, 4, 5, 2)).astype(np.float32)
    for stored, expected in (
        (p, p.transpose(3, 0, 1, 2)), (p[:, :, :, np.newaxis], p.transpose(3, 0, 1, 2)), (p[..., 0], p[..., 0])
    ):  # fmt: skip
        nibabel.save(nibabel.Nifti1Image(stored, np.eye(4)), tmp_path / "p.nii.gz")
        np.testing.assert_array_equal(io.read_probabilities(tmp_path / "p.nii.gz"), expected)
    (tmp_path / "p.nii.gz").write_bytes(b"no volume")
    for read in (io.read_probabilities, io.read_image, io.read_labels):
        with pytest.raises(InputError, match="cannot be read"):
            read(tmp_path / "p.nii.gz")


def test_labels_that_a_file_has_as_floats_are_integers(tmp_path):
    labels = np.array([[0, 2], [255, -1]])
    for dtype in (np.float64, np.float32, np.float16):
        np.save(tmp_path / "l.npy", labels.astype(dtype))
        read = io.read_labels(tmp_path / "l.npy")
        assert read.dtype.kind == "i"
        np.testing.assert_array_equal(read, labels)
    for wrong in (0.5, np.nan, np.inf, 1e30):
        np.save(tmp_path / "l.npy", np.array([1.0, wrong]))
        with pytest.raises(InputError, match="holds fractions"):
            io.read_labels(tmp_path / "l.npy")


@pytest.mark.parametrize("n_labels", [2, 3, 4, 5])
def test_marginals_of_an_image_are_the_bands_of_one_page(tmp_path, n_labels):
    """As GDAL and rasterio read bands; several pages would be several pictures to them."""
    import tifffile

    q = np.random.default_rng(0).random((n_labels, 6, 7)).astype(np.float32)
    io.write_marginals(tmp_path / "q.tif", q)
    with tifffile.TiffFile(tmp_path / "q.tif") as file:
        (page,) = file.pages
        assert (page.samplesperpixel, page.planarconfig, page.shape) == (n_labels, 2, q.shape)
        assert page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
        assert len(page.extrasamples) == n_labels - 1
    np.testing.assert_array_equal(io.read_probabilities(tmp_path / "q.tif"), q)


def test_marginals_of_a_volume_are_pages(tmp_path):
    q = np.random.default_rng(0).random((2, 3, 6, 7)).astype(np.float32)
    io.write_marginals(tmp_path / "q.tif", q)
    np.testing.assert_array_equal(io.read_probabilities(tmp_path / "q.tif"), q)

"""Where the memory ends: one line that names what to lower, and exit code 2."""

import pytest

pytest.importorskip("torch")

import torch

from classicseg.cli import main
from classicseg.cli._torch import enough_memory
from classicseg.torch import networks, train
from tests.strategies.folders import folder

OF_CUDA = torch.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of …\nSee …"
)
OF_CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "4096 bytes. Error code 12 (Cannot allocate memory)"
)
FAILURES = {
    "CUDA": (OF_CUDA, "there is not enough memory for 2.50 GiB more; "),
    "the CPU": (OF_CPU, "there is not enough memory for 4096 bytes more; "),
    "NumPy": (
        MemoryError("Unable to allocate 8.00 GiB for an array"),
        "there is not enough memory for 8.00 GiB more; ",
    ),
    "MPS": (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), "there is not enough memory; "),
    "cuBLAS": (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "there is not enough memory; "),
}


@pytest.mark.parametrize("where", FAILURES)
def test_train_predict_and_evaluate_say_what_to_lower(tmp_path, capsys, monkeypatch, where):
    failure, said = FAILURES[where]
    root, model = folder(tmp_path / "data"), tmp_path / "m.pt"
    train.Model("unet", ["ground", "block"], width=0.03).save(model)

    def forward(self, image):
        raise failure

    monkeypatch.setattr(networks.UNet, "forward", forward)
    for words, advice in (
        (["train", "--data", root, "-o", tmp_path / "new.pt"], "lower --batch, --crop, --size or --width, raise --acc"),
        (["predict", model, root / "images" / "p0.png", "-o", tmp_path / "p0.png"], "give --window 512 512"),
        (["evaluate", "--model", model, "--data", root], "give --window 512 512"),
    ):
        assert main([str(word) for word in words]) == 2
        err = capsys.readouterr().err
        assert f"classicseg {words[0]}: {said}{advice}" in err
        assert err.count("\n") == 1


def test_what_pytorch_really_raises_is_known():
    with (
        pytest.raises(MemoryError, match="memory for 4000000000000000 bytes more; less"),
        enough_memory("less"),
    ):
        torch.empty(10**15)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="mat1 and mat2"), enough_memory("less"):
        torch.zeros(2, 3) @ torch.zeros(2, 3)

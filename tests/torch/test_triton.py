"""Programs in Triton where there is no GPU: interpreted, and compiled for GPUs without running there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

import numpy as np

import classicseg.torch as ct
from classicseg.torch import backends
from classicseg.torch.backends import _sorting
from classicseg.torch.backends import triton as triton_backend
from classicseg.torch.backends.triton import _lattice, _launch

INTERPRETED = Path(__file__).with_name("interpreted.py")


@pytest.mark.slow
def test_programs_compute_what_pytorch_computes():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(INTERPRETED)]
    root = Path(__file__).parents[2]
    result = subprocess.run(
        command, cwd=root, env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    assert " passed" in result.stdout


def compiled(target, kernel, args, constants):
    """The machine code of one launch."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    pointers = {torch.float32: "*fp32", torch.int16: "*i16", torch.int32: "*i32", torch.int64: "*i64"}
    kinds: dict[object, str] = {**pointers, int: "i32", float: "fp32"}
    names = kernel.arg_names[: len(args)]
    signature = {
        name: kinds[x.dtype if isinstance(x, torch.Tensor) else type(x)] for name, x in zip(names, args, strict=True)
    }
    aligned = {
        (at,): [["tt.divisibility", 16]]
        for at, x in enumerate(args)
        if isinstance(x, torch.Tensor) and x.data_ptr() % 16 == 0
    }
    source = ASTSource(kernel, signature | dict.fromkeys(constants, "constexpr"), constants, aligned)
    return triton.compile(source, target=GPUTarget("cuda", target, 32), options=_launch.OPTIONS)


def fits(usage):
    """Registers hold all: the assembler limits them by itself, and may then put a number or two on the stack."""
    return usage["STACK"] <= 16 and usage["LOCAL"] == 0 and 0 < usage["REG"] < 128


@pytest.fixture(params=[80, 90])
def compile_only(request, monkeypatch, tmp_path):
    """Launches compile for a GPU and run nothing; the fixture holds what came of them."""
    programs = []

    def launch(kernel, grid, *args, **constants):
        program = compiled(request.param, kernel, args, constants)
        code = tmp_path / "program.cubin"
        code.write_bytes(program.asm["cubin"])
        tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
        usage = subprocess.run([tool, "--dump-resource-usage", code], capture_output=True, text=True, check=True).stdout
        programs.append((program, {name: int(n) for name, n in re.findall(r"(REG|STACK|LOCAL):(\d+)", usage)}))

    monkeypatch.setattr(_launch, "_launch", launch)
    return programs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_channels", "integer"),
    [(1, torch.int32), (2, torch.int32), (5, torch.int32), (19, torch.int64), (21, torch.int32), (150, torch.int32)],
)
def test_registers_hold_what_programs_compute(n_channels, integer, compile_only):
    width = _launch.width_of(n_channels)
    rows, other = (_launch.new_rows(torch.empty(0), 128, width) for _ in range(2))
    values, some, weight = torch.empty(1, n_channels, 99), torch.zeros(129, dtype=integer), torch.empty(99, 9)
    index, matrices, scale = torch.zeros(99, 9, dtype=integer), torch.empty(2, n_channels, n_channels), rows[:6]
    near, everything = torch.zeros(2, 128, 2, dtype=integer), slice(0, 128)
    _launch.sum_runs(rows, some, weight, some, some, other, everything)
    _launch.sum_runs(rows, some, None, some, some[1:], other, everything)
    _launch.sum_runs(rows, None, None, some, some[1:], other, everything)
    _launch.blur_axes(rows, near[:1].unbind(), other, everything)
    _launch.blur_axes(rows, near.unbind(), other, everything)
    sliced = _launch.Slicing(rows, index, weight, slice(3, 9), scale)
    mixed = sliced._replace(scale=None)
    _launch.update_points(other, width, 99, sliced=mixed, addend=values, then="softmax")
    _launch.update_points(values, width, 99, sliced=sliced, addend=values, then="log_softmax")
    _launch.update_points(other, width, 99, sliced=mixed, marginals=other, then="softmax_adjoint")
    _launch.update_points(values, width, 96, sliced=sliced)
    _launch.mix_labels(rows, matrices, some[:2].int(), other)
    _launch.update_points(rows, width, 99, addend=values, then="softmax")
    assert len(compile_only) == 11
    for program, usage in compile_only:
        assert fits(usage), (program.metadata.name, usage)
    if n_channels > 8:  # all but the last two gather rows, four numbers at a time
        assert all("ld.global.v4" in program.asm["ptx"] for program, _ in compile_only[:-2])


def test_programs_are_the_same_for_lattices_of_odd_and_even_sizes(monkeypatch):
    """Nothing that decides what is compiled differs: types, alignment of what is aligned at all, constants."""
    keys = []

    def launch(kernel, grid, *args, **constants):
        loose = {kernel.arg_names[i] if isinstance(i, int) else i for i in kernel.do_not_specialize_on_alignment or ()}
        key = [kernel.__name__]
        for name, x in zip(kernel.arg_names, args, strict=False):
            tensor = isinstance(x, torch.Tensor)
            key.append((x.dtype, name in loose or x.data_ptr() % 16 == 0) if tensor else type(x))
        keys.append((*map(str, key), str(constants)))

    monkeypatch.setattr(_launch, "_launch", launch)
    monkeypatch.setattr(_lattice, "embed", _sorting.embed)
    sets = set()
    for seed in range(4):
        keys.clear()
        image = 255 * torch.rand(1, 3, 8, 7, generator=torch.Generator().manual_seed(seed))
        features = [
            f.flatten(2)
            for f in ct.DenseCRF(2, [ct.GaussianKernel(2), ct.BilateralKernel(4, 30)]).features(image, image)
        ]
        lattice = triton_backend.build(features, ["symmetric", "symmetric"])
        z, rewards, updates = torch.rand(1, 2, 56), torch.rand(2, 2, 2), backends.Updates(2, False, True)
        out, tape = triton_backend.mean_field(z, rewards, lattice, updates, True)
        triton_backend.mean_field_backward(z, out, z, rewards, [], lattice, [], tape, updates)
        triton_backend.filter(z[:, :1].contiguous(), lattice, 1, True)
        sets.add(frozenset(keys))
    assert len(sets) == 1


@pytest.mark.parametrize("d", [1, 2, 5, 9])
def test_registers_hold_what_the_embedding_computes(d, compile_only):
    _launch.embed(torch.empty(2, d, 33), np.ones(d, np.float32))
    ((program, usage),) = compile_only
    assert fits(usage), usage
    assert "fma.rn.f32" not in program.asm["ptx"]  # which would round otherwise than PyTorch


def test_triton_must_be_asked_for_and_installed(monkeypatch):
    cuda = torch.device("cuda")
    assert backends.choose("auto", torch.device("cpu")) == "numba"
    assert backends.choose("auto", cuda) == backends.ON_CUDA
    assert backends.choose("triton", cuda) == "triton"
    monkeypatch.setattr(backends, "ON_CUDA", "triton+graphs")
    assert backends.choose("auto", cuda) == "triton+graphs"
    monkeypatch.setattr(backends, "HAS_TRITON", False)
    assert backends.choose("auto", cuda) == "torch"
    with pytest.raises(ImportError, match="backend='triton' needs Triton: pip install triton"):
        backends.choose("triton", cuda)


def test_a_device_that_triton_does_not_serve_is_named():
    image = torch.zeros(1, 3, 4, 5)
    with pytest.raises(ValueError, match="backend='triton' computes on CUDA devices, but the logits are on cpu"):
        ct.DenseCRF(3, ct.BilateralKernel(), backend="triton")(image, image)

"""What PyTorch can turn the networks, losses and layers into is as the table of the page has it, cell by cell."""

import contextlib
import copy
import functools
import importlib.util
import io
import logging
import pickle
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import classicseg.torch as ct
from classicseg.torch import losses, networks, train

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of PyTorch's own, of many kinds

PAGE = Path(__file__).parents[2] / "docs" / "compile-and-export.md"


def crf(backend):
    return ct.DenseCRF(3, [ct.GaussianKernel(2, 1), ct.BilateralKernel(5, 20, 1)], n_iter=2, backend=backend)


@functools.cache
def things():
    """Each by its name in the table, with two inputs of one size."""

    def drawn(*make):
        pairs = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            pairs.append(tuple(one() for one in make))
            if seed and make[-1] is labels:
                pairs[-1][1][0, :2] = 255
        return pairs

    def picture():
        return 255 * torch.rand(2, 3, 5, 6)

    def logits():
        return torch.randn(2, 3, 5, 6)

    def labels():
        return torch.randint(3, (2, 5, 6))

    def probabilities():
        return logits().softmax(1)

    found = {}
    for name in ("fcn8s", "unet", "fcdensenet56", "pspnet50", "deeplabv3_50"):
        found[name] = networks.build(name, 3, width=1 / 32).eval(), drawn(lambda: torch.rand(2, 3, 32, 32))
    for name in losses.NAMES:
        found[name] = losses.build(name), drawn(logits, labels)
    found["DenseCRFLoss"] = ct.DenseCRFLoss(5, 20, backend="torch"), drawn(probabilities, picture)
    found["GatedCRFLoss"] = ct.GatedCRFLoss(radius=1), drawn(probabilities, picture)
    found["DenseCRF"] = crf("torch"), drawn(logits, picture)
    found['DenseCRF(backend="exact")'] = crf("exact"), drawn(logits, picture)
    found["CRFasRNN"] = ct.CRFasRNN(torch.nn.Conv2d(3, 3, 1), crf("torch")).eval(), drawn(picture)
    found["train.Model"] = (
        train.Model("unet", ["a", "b", "c"], width=1 / 32).eval(),
        drawn(lambda: 255 * torch.rand(2, 3, 32, 32)),
    )
    return found


def compiled(module, _):
    torch._dynamo.reset()
    return torch.compile(module, backend="eager")


def whole_graph(module, _):
    torch._dynamo.reset()
    return torch.compile(module, backend="eager", fullgraph=True)


def exported(module, given):
    return torch.export.export(module, given, strict=False).module()


def traced(module, given):
    return torch.jit.trace(module, given, check_trace=False)


def scripted(module, _):
    return torch.jit.script(module)


def differentiated(module, given):
    def total(z, *more):
        return module(z, *more).sum()

    z = given[0].clone().requires_grad_()
    total(z, *given[1:]).backward()
    torch.testing.assert_close(torch.func.grad(total)(*given), z.grad)
    return module


def pushed_forward(module, given):
    values, _ = torch.func.jvp(lambda z: module(z, *given[1:]), (given[0],), (torch.ones_like(given[0]),))
    torch.testing.assert_close(values, module(*given))
    return module


def mapped(module, given):
    several = torch.func.vmap(module)(*(torch.stack([x, x]) for x in given))
    torch.testing.assert_close(several[1], module(*given), rtol=1e-4, atol=1e-4)
    return module


WAYS = {
    "pickle, deepcopy": lambda module, _: copy.deepcopy(pickle.loads(pickle.dumps(module))),
    "compile": compiled,
    "fullgraph": whole_graph,
    "export": exported,
    "trace": traced,
    "script": scripted,
    "func.grad": differentiated,
    "func.jvp": pushed_forward,
    "func.vmap": mapped,
}

REASONS = {
    "values": r"data-dependent|\.item\(\)|Cannot access data pointer|INTERNAL ASSERT",
    "own": r"must override the setup_context staticmethod",
    "forward": "there are no derivatives in forward mode, as of torch.func.jvp; take backward.., or backend='exact'",
    "rule": r"Batching rule not implemented for classicseg::build_lattice",
    "script": r"^(RuntimeError|NotSupportedError|ValueError): ",
    "distances": r"distances must be given, as a trace would keep those of its example",
}
"""What the page says after "no", and what the error says then."""


def table(which=0):
    """A table of the page: its rows by their first cell, as cells by the head of their column."""
    text = PAGE.read_text(encoding="utf-8").split("Why not:")[which]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    header, _, *body = [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in body}


def test_the_tables_have_everything():
    assert list(table()) == list(things())
    assert all(list(row) == list(WAYS) for row in table().values())
    assert list(table(1)) == list(REASONS)


def judge(name, way):
    """Yes, or what went wrong."""
    module, (given, other) = things()[name]
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            turned = WAYS[way](module, given)
            for x in (given, other):  # what was learned from one example must hold for the next
                torch.testing.assert_close(turned(*x), module(*x), rtol=1e-4, atol=1e-4)
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"
    finally:
        logging.disable(logging.NOTSET)
    return "yes"


@pytest.mark.parametrize("name", table())
def test_each_cell_is_true(name):
    row = table()[name]
    for way, said in row.items():
        if way == "compile" and row["fullgraph"] == "yes":
            assert said == "yes"
            continue
        found = judge(name, way)
        if said == "yes":
            assert found == "yes", (way, found)
        else:
            word, reason = said.split(": ")
            assert word == "no"
            assert found != "yes", way
            assert re.search(REASONS[reason], found), (way, found)


@pytest.mark.skipif(importlib.util.find_spec("onnxscript") is not None, reason="the package is there")
def test_onnx_needs_a_package():
    module, (given, _) = things()["unet"]
    with pytest.raises(ImportError, match="onnx"):
        torch.onnx.export(module, given, dynamo=True)

"""Docstrings explain every parameter: of what users call, and of what only the house reads."""

import ast
import dataclasses
import importlib
import inspect
import re
from pathlib import Path

import pytest

import classicseg

ROOT = Path(classicseg.__file__).parent
COMPILED = sorted([*(ROOT / "kernels").rglob("*.py"), *(ROOT / "machine").rglob("*.py")])

OF_NUMBA = {"self", "cls", "typing", "context", "builder"}
"""Parameters that mean the same wherever they appear: Numba passes its typing and code generation contexts first."""


def entries(text, section="Parameters"):
    """Names that a section of a numpydoc text explains."""
    lines = inspect.cleandoc(text).splitlines()
    found = []
    for underline in range(1, len(lines)):
        if lines[underline - 1] == section and re.fullmatch("-{3,}", lines[underline]):
            for line, following in zip(lines[underline + 1 :], [*lines[underline + 2 :], ""], strict=True):
                if re.fullmatch("-{3,}", following):
                    break
                if line and not line.startswith(" "):
                    found += [name.strip().lstrip("*") for name in line.split(" : ")[0].split(",")]
    return found


def public_things():
    yield from ((f"classicseg.{name}", getattr(classicseg, name)) for name in classicseg.__all__)
    for room in ("torch", "dask"):
        try:
            there = importlib.import_module(f"classicseg.{room}")
        except ImportError:  # without PyTorch, without Dask
            continue
        yield from ((f"classicseg.{room}.{name}", getattr(there, name)) for name in there.__all__)


def disagreement(thing):
    """What the signature and the docstring of a public thing do not have in common.

    Results, which the library makes and users read, may list their fields as attributes.
    """
    if not callable(thing) or (isinstance(thing, type) and issubclass(thing, Exception)):
        return set()
    text = thing.__doc__ or ""
    taken = {name for name in inspect.signature(thing).parameters if not name.startswith("_")}
    explained = set(entries(text))
    if dataclasses.is_dataclass(thing) or hasattr(thing, "_fields"):
        explained |= taken & set(entries(text, "Attributes"))
    return taken ^ explained


def test_public_docstrings_explain_the_parameters_of_the_signature_and_no_others():
    wrong = {name: disagreement(thing) for name, thing in public_things()}
    assert {name: sorted(names) for name, names in wrong.items() if names} == {}


def functions(tree):
    """All functions and methods of a file, but for those inside others, which these explain."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node)


def in_backticks(text):
    return set(re.findall(r"\w+", " ".join(re.findall(r"`+([^`]+)`+", text))))


def shared(tree):
    """Names that the text of a file explains for all its functions, as items of a list."""
    lines = (ast.get_docstring(tree) or "").splitlines()
    return set().union(*(in_backticks(line) for line in lines if line.startswith("* ")))


def unnamed(function):
    """Parameters that the docstring of a function neither lists nor names between backticks."""
    text = ast.get_docstring(function) or ""
    known = {*entries(text), *in_backticks(text), *OF_NUMBA}
    given = function.args
    taken = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [argument.arg for argument in taken if argument.arg not in known]


@pytest.mark.parametrize("path", COMPILED, ids=lambda p: str(p.relative_to(ROOT)))
def test_docstrings_of_kernels_name_every_parameter(path):
    tree, wrong = ast.parse(path.read_text(encoding="utf-8")), {}
    for function in functions(tree):
        special = function.name.startswith("__")  # documented by the class
        names = [name for name in unnamed(function) if name not in shared(tree)]
        if names and not special:
            wrong[function.name] = names
    assert wrong == {}

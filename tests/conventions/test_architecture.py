"""Rules of the house that a tool can check."""

import ast
import re
from pathlib import Path

import pytest

import classicseg

ROOT = Path(classicseg.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))


def test_rooms_import_only_what_they_may():
    importlinter = pytest.importorskip("importlinter.cli")
    config = ROOT.parent / "pyproject.toml"
    if not config.is_file():
        pytest.skip("the package is installed without its sources")
    assert importlinter.lint_imports(config_filename=str(config), no_cache=True) == 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_one_file_knows_numbas_options_and_only_the_command_line_prints(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                name = ast.unparse(decorator)
                foreign = name.startswith("triton.jit") and path.parent.name == "triton"
                numba = re.search(r"\b(njit|jit|vectorize|guvectorize)\b", name)
                assert foreign or not numba, f"{node.name}: @{name}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
            assert path.parent.name == "cli"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_hold_one_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


def test_public_names_are_documented_with_an_example():
    for name in classicseg.__all__:
        thing = getattr(classicseg, name)
        if not callable(thing):
            continue
        text = thing.__doc__ or ""
        assert text, name
        if not issubclass(thing if isinstance(thing, type) else object, Exception) and name not in ("Sample",):
            assert ">>>" in text, f"{name} has no example"

"""Rules of the house that a tool can check."""

import ast
import functools
import re
from pathlib import Path
from unittest import mock

import pytest

import classicseg

ROOT = Path(classicseg.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
PACKAGE = Path("classicseg")

# What is still too large. An entry goes when its function has become small enough, and none is added.
MANY_PARAMETERS = {
    "splitmerge/split_merge.py: split_and_merge": 11,
    "torch/backends/triton/_kernels.py: sum_runs": 14,
    "torch/backends/triton/_kernels.py: update_points": 22,
    "torch/ops.py: _": 12,  # its shape is that of mean_field_backward
    "torch/ops.py: mean_field_backward": 12,
    "torch/train/loop.py: fit": 11,
}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def each_source(test):
    """A test of one source as one of all of them, which says where it fails."""

    def of_all():
        wrong = []
        for path in SOURCES:
            try:
                test(path)
            except AssertionError as error:
                wrong.append(f"{name_of(path)}: {error}")
        assert not wrong, "\n".join(wrong)

    of_all.__name__ = test.__name__
    return of_all


@functools.cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def test_rooms_import_only_what_they_may():
    importlinter = pytest.importorskip("importlinter.cli")
    config = ROOT.parent / "pyproject.toml"
    if not config.is_file():
        pytest.skip("the package is installed without its sources")
    with mock.patch("logging.config.dictConfig"):  # it would silence all loggers that there are
        assert importlinter.lint_imports(config_filename=str(config), no_cache=True) == 0


@each_source
def test_only_one_file_knows_numbas_options_and_only_the_command_line_prints(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                name = ast.unparse(decorator)
                foreign = name.startswith("triton.jit") and path.parent.name == "triton"
                numba = re.search(r"\b(njit|jit|vectorize|guvectorize)\b", name)
                assert foreign or not numba, f"{node.name}: @{name}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
            assert path.parent.name == "cli"


def private_imports(tree):
    """Modules and names that begin with an underscore and are imported: each with the module that it is in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            words = name.split(".")
            for i, word in enumerate(words):
                if words[0] == "classicseg" and re.match("_[^_]", word):
                    yield word, words[:i]


@each_source
def test_what_begins_with_an_underscore_stays_in_its_folder(path):
    here = PACKAGE / path.relative_to(ROOT)
    for name, holder in private_imports(tree_of(path)):
        folder = Path(*holder) if ROOT.parent.joinpath(*holder).is_dir() else Path(*holder[:-1])
        assert here.is_relative_to(folder), f"{name} of {'.'.join(holder)} is private to {folder.as_posix()}"


@each_source
def test_files_hold_one_idea(path):
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= 400


def parameters(function):
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [argument.arg for argument in every if argument.arg not in ("self", "cls")]


def holds_kernels(path):
    return "kernels" in path.relative_to(ROOT).parts or path.name == "_kernels.py"


@each_source
def test_functions_take_few_parameters(path):
    most = 12 if holds_kernels(path) else 10
    found = {}
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef) and len(parameters(node)) > most:
            found[f"{name_of(path)}: {node.name}"] = len(parameters(node))
    assert sorted(found) == sorted(name for name in MANY_PARAMETERS if name.startswith(f"{name_of(path)}: "))
    assert all(n <= MANY_PARAMETERS[name] for name, n in found.items())


def test_white_lists_name_files_that_exist():
    assert {name.split(":")[0] for name in MANY_PARAMETERS} <= set(map(name_of, SOURCES))


@each_source
def test_words_with_several_meanings_are_no_parameters_of_kernels(path):
    if holds_kernels(path):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef):
                assert not {"pairs", "parts", "frame"} & set(parameters(node)), node.name


@each_source
def test_arrays_of_kernels_outlive_their_address(path):
    """The compiler frees an array after its last mention, and an address is no mention."""
    for function in ast.walk(tree_of(path)):
        if not isinstance(function, ast.FunctionDef) or path.relative_to(ROOT).parts[0] != "kernels":
            continue
        outside_of_loops = [node for node in function.body if not isinstance(node, (ast.For, ast.While))]
        made = {
            name.id
            for node in outside_of_loops
            if isinstance(node, ast.Assign) and re.search(r"np\.(empty|zeros|ones|full|arange)\(", ast.unparse(node))
            for name in ast.walk(node.targets[0])
            if isinstance(name, ast.Name)
        }
        addressed = {
            node.args[0].id
            for statement in outside_of_loops
            for node in ast.walk(statement)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pointer" and isinstance(node.args[0], ast.Name)
        }
        last = {node.id for node in ast.walk(function.body[-1]) if isinstance(node, ast.Name)}
        assert made & addressed <= last, f"{function.name}: {made & addressed - last}"


@each_source
def test_zip_wants_equal_lengths(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "zip":
            assert "strict=True" in map(ast.unparse, node.keywords), f"line {node.lineno}"


def is_number(node):
    """Whether an expression has only numbers in it."""
    parts = [part for part in ast.walk(node) if not isinstance(part, ast.operator | ast.unaryop)]
    kinds = (ast.Constant, ast.BinOp, ast.UnaryOp)
    return all(isinstance(part, kinds) and isinstance(getattr(part, "value", 0), int | float) for part in parts)


@each_source
def test_private_constants_have_a_comment_with_their_reason(path):
    """On the line, in the lines above without a gap, or as a text below."""
    lines = ["", *path.read_text(encoding="utf-8").splitlines()]
    body = tree_of(path).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and is_number(node.value)):
            continue
        name = node.targets[0].id
        if not re.fullmatch("_[A-Z][A-Z0-9_]*", name):
            continue
        first = node.lineno
        while re.match("_[A-Z]", lines[first - 1]):
            first -= 1
        below = isinstance(after, ast.Expr) and isinstance(getattr(after.value, "value", None), str)
        on_line = any("#" in line for line in lines[node.lineno : node.end_lineno + 1])
        assert below or on_line or lines[first - 1].startswith("#"), name


def test_public_names_are_documented_with_an_example():
    for name in classicseg.__all__:
        thing = getattr(classicseg, name)
        if not callable(thing):
            continue
        text = thing.__doc__ or ""
        assert text, name
        if not issubclass(thing if isinstance(thing, type) else object, Exception) and name not in ("Sample",):
            assert ">>>" in text, f"{name} has no example"

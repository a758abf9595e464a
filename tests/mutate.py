"""Do the tests bite? Change one thing in a copy of the library, run the nearest tests, and list what they let pass.

    python tests/mutate.py --sample 100 --seed 1 [--only solvers/cut]

Kernels are left alone: each change would compile all of them anew. The copy keeps its compiled kernels and a line for
each result, so a run that was stopped goes on where it was, and a larger sample with the same seed tries only the rest.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PLACE = Path(tempfile.gettempdir()) / "classicseg-mutants"
NEAREST = {
    "solvers/cut": ["tests/solvers/cut", "tests/solvers/test_scales.py"],
    "solvers/dense": ["tests/solvers/dense", "tests/energies/test_dense_crf.py"],
    "solvers/messages": ["tests/solvers/messages"],
    "solvers/sites": ["tests/solvers/sites"],
    "solvers": ["tests/solvers/test_contract.py", "tests/solvers/test_registry.py", "tests/solvers/sites"],
    "energies": ["tests/energies", "tests/solvers/dense", "tests/solvers/test_contract.py"],
    "filters": ["tests/filters", "tests/solvers/dense"],
    "splitmerge": ["tests/splitmerge"],
}
OPERATORS = {
    "Lt": "< <=", "LtE": "<= <", "Gt": "> >=", "GtE": ">= >", "Eq": "== !=", "NotEq": "!= ==", "Is": "is is_not",
    "IsNot": "is_not is", "In": "in not_in", "NotIn": "not_in in", "And": "and or", "Or": "or and",
    "Add": "+ -", "Sub": "- +", "Mult": "* /", "Div": "/ *", "FloorDiv": "// *", "Pow": "** *",
}  # fmt: skip


class Mutant(NamedTuple):
    """Replace the bytes from `start` to `end` of a file by `new`."""

    path: str
    start: int
    end: int
    new: str


def mutants_of(path: str, source: bytes) -> Iterator[Mutant]:
    """All mutants of a file."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: ast.AST) -> tuple[int, int]:
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    def text(node: ast.AST) -> str:
        return source[slice(*span(node))].decode()

    def other_operator(left: ast.AST, operator: ast.AST, right: ast.AST) -> Iterator[Mutant]:
        if words := OPERATORS.get(type(operator).__name__):
            old, new = (word.replace("_", " ") for word in words.split())
            at = source.index(old.encode(), span(left)[1], span(right)[0])
            yield Mutant(path, at, at + len(old), new)

    def changes(node: ast.AST) -> Iterator[Mutant]:
        match node:
            case (
                ast.Compare(left=left, ops=[operator, *_], comparators=[right, *_])
                | ast.BoolOp(op=operator, values=[left, right, *_])
            ):
                yield from other_operator(left, operator, right)
            case ast.BinOp(left=left, op=operator, right=right):
                yield from other_operator(left, operator, right)
                if isinstance(operator, (ast.Add, ast.Sub)):
                    yield Mutant(path, *span(node), text(left))
            case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
                yield Mutant(path, *span(node), text(operand))
            case ast.Constant(value=bool() as value):
                yield Mutant(path, *span(node), str(not value))
            case ast.Constant(value=int() | float() as value):
                yield Mutant(path, *span(node), repr(value + 1))
            case ast.Call(func=ast.Name(id="min" | "max" as name) as function):
                yield Mutant(path, *span(function), "max" if name == "min" else "min")
            case ast.Raise() | ast.AugAssign() | ast.Break() | ast.Continue() | ast.Expr(value=ast.Call()):
                yield Mutant(path, *span(node), "pass")
        if isinstance(node, (ast.If, ast.While, ast.IfExp)):
            yield Mutant(path, *span(node.test), f"not ({text(node.test)})")

    def walk(node: ast.AST) -> Iterator[Mutant]:
        yield from changes(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            return  # -1 becomes 1, not -2, which often means the same
        apart = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for child in ast.iter_child_nodes(node):
            strict = getattr(child, "arg", "") == "strict"  # no zip of ours is uneven
            if child not in apart and not strict and not isinstance(child, ast.JoinedStr):
                yield from walk(child)

    return walk(ast.parse(source))


def apply(mutant: Mutant, source: bytes) -> bytes:
    """The file with the change."""
    return source[: mutant.start] + mutant.new.encode() + source[mutant.end :]


def describe(mutant: Mutant, source: bytes) -> str:
    """Where, and what became what."""
    row = source.count(b"\n", 0, mutant.start)
    old = " ".join(source[mutant.start : mutant.end].decode().split())
    return f"{mutant.path}:{row + 1}: {old!r} -> {mutant.new!r} in: {source.splitlines()[row].decode().strip()}"


def passes(tests: list[str], marked: str, seconds: float) -> bool:
    """Whether those of the tests that are marked so pass, and in time."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": str(PLACE / "kernels")}
    command = [sys.executable, "-m", "pytest", "-qx", "-n0", "-m", marked, "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=PLACE, env=environment, capture_output=True, timeout=seconds, check=False)
        return done.returncode in (0, 5)  # 5: no test is marked so
    except subprocess.TimeoutExpired:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=100, help="how many mutants to try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a folder or file below classicseg")
    options = parser.parse_args()
    for name in ("classicseg", "tests"):
        shutil.copytree(ROOT / name, PLACE / name, dirs_exist_ok=True)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy2(ROOT / name, PLACE / name)
    results = PLACE / "results.jsonl"
    known = dict(map(json.loads, results.read_text().splitlines())) if results.exists() else {}

    found = []
    for room, tests in NEAREST.items():
        for file in sorted((ROOT / "classicseg" / room).glob("*.py")):
            path, source = file.relative_to(ROOT), file.read_bytes()
            if str(path).startswith(f"classicseg/{options.only}"):
                found += [(mutant, source, tests) for mutant in mutants_of(str(path), source)]
    random.Random(options.seed).shuffle(found)
    sample, survivors, sound = found[: options.sample], [], []
    for number, (mutant, source, tests) in enumerate(sample, 1):
        what = describe(mutant, source)
        key = hashlib.sha256(repr(mutant).encode() + source).hexdigest()
        if key not in known:
            if tests not in sound and not passes(tests, "not smoke", seconds=3600):
                sys.exit(f"these fail as they are: {' '.join(tests)}")
            sound.append(tests)
            target = PLACE / mutant.path
            try:
                target.write_bytes(apply(mutant, source))
                survived = all(passes([mutant.path, *tests], marked, seconds=300) for marked in ("not slow", "slow"))
                known[key] = "survived" if survived else "killed"
            finally:
                target.write_bytes(source)
            with results.open("a") as lines:
                lines.write(json.dumps([key, known[key]]) + "\n")
        print(f"{number:4} {known[key]:8} {what}", flush=True)
        if known[key] == "survived":
            survivors.append(what)
    killed = len(sample) - len(survivors)
    print(f"\n{killed} of {len(sample)} killed, of {len(found)} that there are. Survivors:", *survivors, sep="\n  ")


if __name__ == "__main__":
    main()

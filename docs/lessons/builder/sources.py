"""Which files a WebAssembly module is compiled from, and the digest that tells whether it is stale.

Needs nothing but Python: that a committed module is up to date can be checked where nothing can be compiled.
"""

from __future__ import annotations

import ast
import hashlib
import json
import tokenize
from pathlib import Path

LESSONS = Path(__file__).parents[1]
ROOT = LESSONS.parents[1]
MODULES = LESSONS / "wasm"
DIGESTS = MODULES / "digests.json"
FACTS = LESSONS / "facts.json"

_RUNS_IN_PYTHON = {"cache", "limits", "memory", "threads"}  # of classicseg/machine: imported, never compiled
_SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def entries() -> list[Path]:
    """The files of entries; from each a module of the same name is made."""
    return sorted(path for path in (LESSONS / "entries").glob("*.py") if path.name != "__init__.py")


def files_of(entry: Path) -> list[Path]:
    """All that `entry` is compiled from: itself, what it imports from the library's kernels, and the compiler."""
    found, waiting = set(), [entry]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return sorted(found | {LESSONS / "builder" / "wasm.py"})


def digest_of(entry: Path) -> str:
    """Digest of the source of `entry` and of all that it is compiled from, but for comments and docstrings."""
    digest = hashlib.sha256()
    for path in files_of(entry):
        digest.update(f"{path.relative_to(ROOT).as_posix()}\n{_essence(path)}\n".encode())
    return digest.hexdigest()


def stale() -> list[str]:
    """Names of the modules that are missing, were made from other sources, or are not what was made from them."""
    kept = _notes()
    return [path.stem for path in entries() if kept.get(path.stem) != _record_of(path)]


def note(entry: Path) -> None:
    """Note that the module of `entry` has just been made."""
    names = {path.stem for path in entries()}
    notes = {name: record for name, record in _notes().items() if name in names} | {entry.stem: _record_of(entry)}
    DIGESTS.write_text(json.dumps(notes, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _notes() -> dict[str, dict[str, str]]:
    kept: dict[str, dict[str, str]] = json.loads(DIGESTS.read_text(encoding="utf-8")) if DIGESTS.exists() else {}
    return kept


def _record_of(entry: Path) -> dict[str, str]:
    """What is noted about the module of `entry`: the digest of its sources and its own."""
    module = MODULES / f"{entry.stem}.wasm"
    made = hashlib.sha256(module.read_bytes()).hexdigest() if module.exists() else "missing"
    return {"sources": digest_of(entry), "module": made}


def _imported(path: Path) -> list[Path]:
    """Files of the library and of the builder that `path` imports and that hold compiled code."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    files = [ROOT / f"{name.replace('.', '/')}.py" for name in names if _is_compiled(name)]
    files += [LESSONS / f"{name.replace('.', '/')}.py" for name in names if name.startswith("builder.")]
    return [file for file in files if file.exists()]


def _is_compiled(name: str) -> bool:
    room, _, rest = name.removeprefix("classicseg.").partition(".")
    return name.startswith("classicseg.") and (room == "kernels" or (room == "machine" and rest not in _RUNS_IN_PYTHON))


def _essence(path: Path) -> str:
    """The tokens of a file without what changes no machine code: comments, and strings that are statements."""
    kept, at_start = [], True
    with path.open(encoding="utf-8") as file:
        for token in tokenize.generate_tokens(file.readline):
            if not (token.type in _SILENT or (at_start and token.type == tokenize.STRING)):
                kept.append(token.string)
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                at_start = token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    return " ".join(kept)

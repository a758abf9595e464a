"""What a result says of its origin, and the file that it goes to.

A file of results is ``{"about": {...}, "runs": [...], "rows": [...]}``. Every row names the run that measured it, by
its place in the list, and a run says which commit it measured, when, and on what machine: rows of several runs may
stand in one file, and each tells the truth about itself.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.shared.folders import ROOT
from classicseg.bench.provenance import LIBRARIES, load, machine, versions

UNKNOWN = "unknown (before rows carried it)"
NO_GIT = "unknown (no git here)"
"""Commit of a copy without history, if ``$CLASSICSEG_COMMIT`` does not say it."""

Row = dict[str, Any]
Measured = tuple[dict[str, Any], Row]
"""A run and a row of it."""


def this_run(*, threads: Any, libraries: Sequence[str] = ()) -> dict[str, Any]:
    """Commit, day, machine, versions, threads and load; to be called before anything is measured."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", "classicseg", "benchmarks")
    run = {
        "commit": os.environ.get("CLASSICSEG_COMMIT", NO_GIT) if commit is None else commit,
        "dirty": None if changes is None else bool(changes),
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": versions((*LIBRARIES, *libraries)),
        "threads": threads,
        "load": load(),
    }
    print(run, flush=True)
    return run


def _git(*arguments: str) -> str | None:
    """What git says of the checkout; None where it is a copy without history."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def save(
    name: str,
    rows: Sequence[Row],
    run: dict[str, Any],
    folder: Path | None,
    *,
    about: dict[str, Any] | None = None,
    key: str | None = None,
) -> None:
    """Write ``FOLDER/NAME.json``, if a folder is given.

    With `key`, rows of earlier runs on the same processor whose ``row[key]`` was not measured now are kept, in their
    old places: long benchmarks can be run case by case.
    """
    if folder is None:
        print(f"{name}: not written, no --output")
        return
    target = folder / f"{name}.json"
    measured = [(run, row) for row in rows]
    write(target, document(with_earlier(target, measured, key), about))
    print(f"written: {target}")


def with_earlier(target: Path, measured: list[Measured], key: str | None) -> list[Measured]:
    """The rows, and those of the file that stay."""
    if key is None or not target.exists() or not measured:
        return measured
    old = json.loads(target.read_text(encoding="utf-8"))
    new = {row[key]: (run, row) for run, row in measured}
    here = measured[0][0]["machine"]["processor"]
    merged = []
    for row in old["rows"]:
        before = old["runs"][row["run"]]
        if row[key] in new:
            merged.append(new.pop(row[key]))
        elif before["machine"]["processor"] == here:
            merged.append((before, row))
    return merged + list(new.values())


def document(measured: Sequence[Measured], about: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a file of results holds."""
    runs: list[dict[str, Any]] = []
    for run, _ in measured:
        if run not in runs:
            runs.append(run)
    rows = [{"run": runs.index(run)} | {key: x for key, x in row.items() if key != "run"} for run, row in measured]
    return {"about": about or {}, "runs": runs, "rows": rows}


def write(path: Path, content: Any) -> None:
    """A file of JSON that is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)

"""A process of one checkout: it answers or times what it is asked for, a line of JSON for each line of JSON.

    python worker.py CHECKOUT

``{"answer": NAME}`` gives digests, ``{"prepare": NAME}`` the seconds of a warm call, ``{"time": N}`` those of N calls.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def use(checkout: Path) -> None:
    """Import the library of that checkout, but the benchmarks of this one, and with them the problems."""
    here = Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(checkout))
    import classicseg

    found = Path(classicseg.__file__).resolve().parents[1]
    if found != checkout.resolve():
        raise SystemExit(f"classicseg is imported from {found}, not from {checkout}")
    sys.path[0] = str(here)
    room = here / "classicseg" / "bench" / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        "classicseg.bench", room, submodule_search_locations=[str(room.parent)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["classicseg.bench"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


class Worker:
    """What is prepared, and the commands."""

    def __init__(self) -> None:
        from benchmarks.compare import answers, cases, digest

        self.problems, self.told = answers.problems(list(answers.FAMILIES)), digest.told
        self.cases = cases.CASES | cases.QUICK
        self.call: Callable[[], Any] = lambda: None

    def answer(self, name: str) -> dict[str, str]:
        return {key: self.told(value) for key, value in self.problems[name]().items()}

    def prepare(self, name: str) -> float:
        self.call = self.cases[name]()
        self.call()
        return self.time(1)

    def time(self, repeats: int) -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            self.call()
        return (time.perf_counter() - start) / repeats


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library prints is no reply
    use(Path(sys.argv[1]))
    worker = Worker()
    print(json.dumps({"result": "ready"}), file=replies, flush=True)
    for line in sys.stdin:
        ((command, argument),) = json.loads(line).items()
        try:
            reply = {"result": getattr(worker, command)(argument)}
        except (FileNotFoundError, ImportError) as missing:
            reply = {"missing": str(missing)}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()

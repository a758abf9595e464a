"""Build the lessons: ``python docs/lessons/make.py [folder]`` writes the pages, by default to docs/_build/lessons.

``--wasm`` compiles the kernels of modules that are stale first, which needs ``wasm-ld``; ``--check`` only says whether
any is, and needs nothing but Python. ``--facts`` asks the library's losses and networks anew, which needs PyTorch and
takes minutes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from builder.sources import LESSONS, MODULES, entries, note, stale


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=LESSONS.parent / "_build" / "lessons")
    parser.add_argument("--wasm", action="store_true", help="compile modules that are stale, by wasm-ld")
    parser.add_argument("--facts", action="store_true", help="ask losses and networks for their numbers, by PyTorch")
    parser.add_argument("--check", action="store_true", help="only say which modules are stale")
    given = parser.parse_args(arguments)
    if given.wasm:
        _compile(stale())
    if given.facts:
        from builder.facts import write

        write()
    if given.check:
        names = stale()
        print(
            f"stale: {', '.join(names)}; run python docs/lessons/make.py --wasm" if names else "all modules are fresh"
        )
        return 1 if names else 0
    from builder.pages import write_pages

    for path in write_pages(given.folder):
        print(f"{path} {path.stat().st_size / 1000:.0f} kB")
    return 0


def _compile(names: list[str]) -> None:
    from builder.wasm import build

    MODULES.mkdir(exist_ok=True)
    for path in entries():
        if path.stem in names:
            made = build(path)
            note(path)
            print(f"{made.name} {made.stat().st_size / 1000:.1f} kB", flush=True)


if __name__ == "__main__":
    sys.exit(main())

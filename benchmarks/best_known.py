"""Enters what runs of ``classicseg bench --json`` have found into the table of best energies that the library ships.

    python benchmarks/best_known.py run.json [...]

An entry is replaced by a lower energy, its bound by a higher one. Runs from which something is taken name the command,
the day, the versions and the hash of the labels.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout that is changed

from benchmarks.shared.folders import ROOT
from benchmarks.shared.records import write
from classicseg.bench import best_known, compare

TABLE = ROOT / "classicseg" / "bench" / "best_known.json"


def main() -> None:
    known = best_known.table()
    for name in sys.argv[1:]:
        known = best_known.merged(known, compare.read(Path(name)))
    write(TABLE, known)
    print(f"{len(known)} problems: {TABLE}")


if __name__ == "__main__":
    main()

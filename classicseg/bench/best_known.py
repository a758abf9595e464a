"""The lowest energies that anybody has found, with who found them, by which command, and the hash of the labels."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent / "best_known.json"
_NEAR = 1e-9  # energies that differ by less, of their size, are the same


@functools.cache
def table() -> dict[str, dict[str, Any]]:
    """By the names of problems: ``energy``, ``lower_bound``, ``who``, ``command``, ``labels_sha256``, ``date``.

    ``probe`` is the energy of fixed labels: where it is another one, the problem is another one, too.
    """
    known: dict[str, dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return known


def entry(name: str, probe: float | None) -> dict[str, Any] | None:
    """What is known of a problem, if anything; `probe` tells that it is still the same one.

    Parameters
    ----------
    name : str
    probe : float or None
        As ``scoring.probe`` finds it.
    """
    known = table().get(name)
    if known is None or probe is None or known["probe"] is None:
        return None
    return known if math.isclose(known["probe"], probe, rel_tol=_NEAR) else None


def merged(known: dict[str, dict[str, Any]], document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The table with what a run has found: lower energies, higher bounds, and problems that were not in it.

    Parameters
    ----------
    known : dict
        As :func:`table` returns it.
    document : dict
        Of a run.
    """
    result = {name: dict(found) for name, found in known.items()}
    energies = {one["name"]: one["probe"] for one in document["problems"] if one.get("kind") == "energy"}
    run = document["run"]
    published = [
        {"problem": one["name"], "status": "done", "score": one["published"][who], "contender": who,
         "lower_bound": None, "labels_sha256": digest}
        for one in document["problems"]
        for who, digest in one["published_labels"].items()
    ]  # fmt: skip
    for row in [*published, *document["rows"]]:
        if row["problem"] not in energies or row["status"] not in ("done", "stopped"):
            continue
        new = {"energy": None, "lower_bound": None, "probe": energies[row["problem"]]}
        found = result.setdefault(row["problem"], new)
        if found["energy"] is None or row["score"] < found["energy"] - _NEAR * abs(found["energy"]):
            found |= {
                "energy": row["score"], "who": row["contender"],
                "command": run["command"] if "cpu_seconds" in row else "published",
                "labels_sha256": row["labels_sha256"], "date": run["date"][:10], "versions": run["versions"],
            }  # fmt: skip
        bound = row["lower_bound"]
        if bound is not None and (found["lower_bound"] is None or bound > found["lower_bound"]):
            found |= {"lower_bound": bound, "bound_by": row["contender"]}
    return dict(sorted(result.items()))

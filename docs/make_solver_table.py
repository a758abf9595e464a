"""Write the table of solvers in grid-crf.md from the registry: ``python docs/make_solver_table.py``."""

import re
from pathlib import Path

import numpy as np

import classicseg as cs
from classicseg.solvers.registry import SOLVERS

PAGE = Path(__file__).parent / "grid-crf.md"
PLACE = re.compile(r"(<!-- table of solvers -->\n).*?(<!-- end -->)", re.DOTALL)

ENERGIES = {
    "2 labels": cs.GridCRF(np.zeros((2, 2, 2)), cs.Potts()),
    "2 labels, repulsive": cs.GridCRF(np.zeros((2, 2, 2)), cs.Potts(-1)),
    "more labels": cs.GridCRF(np.zeros((3, 2, 2)), cs.Potts()),
    "label costs": cs.GridCRF(np.zeros((3, 2, 2)), cs.Potts(), label_costs=1),
    "dense CRF": cs.DenseCRF(np.zeros((2, 2, 2)), cs.GaussianKernel()),
}


def table() -> str:
    """One row for each solver, with the energies that it accepts."""
    lines = ["| method | what it does | " + " | ".join(ENERGIES) + " | paper |"]
    lines.append("|---|---|" + ":---:|" * len(ENERGIES) + "---|")
    for name, solver in SOLVERS.items():
        marks = " | ".join("yes" if solver.accepts(energy) is None else "" for energy in ENERGIES.values())
        lines.append(f"| `{name}` | {solver.summary} | {marks} | {solver.paper} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Put the table in its place."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PLACE.sub(lambda place: place[1] + table() + place[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()

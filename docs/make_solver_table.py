"""Write the table of solvers in grid-crf.md from the registry: ``python docs/make_solver_table.py``."""

import re
from pathlib import Path

import numpy as np

import classicseg as cs
from classicseg.solvers.catalog import SOLVERS

PAGE = Path(__file__).parent / "grid-crf.md"
PLACE = re.compile(r"(<!-- table of solvers -->\n).*?(<!-- end -->)", re.DOTALL)

ENERGIES = {
    "2 labels": cs.GridCRF(np.zeros((2, 2, 2)), cs.Potts()),
    "2 labels, repulsive": cs.GridCRF(np.zeros((2, 2, 2)), cs.Potts(-1)),
    "more labels": cs.GridCRF(np.zeros((3, 2, 2)), cs.Potts()),
    "label costs": cs.GridCRF(np.zeros((3, 2, 2)), cs.Potts(), label_costs=1),
    "any graph": cs.GraphCRF(np.zeros((2, 3)), [[0, 1], [1, 2]], cs.Potts()),
    "dense CRF": cs.DenseCRF(np.zeros((2, 2, 2)), cs.GaussianKernel()),
}


def table() -> str:
    """One row for each solver, with the energies that it accepts and the arguments that it uses."""
    lines = ["| method | what it does | " + " | ".join(ENERGIES) + " | uses | paper |"]
    lines.append("|---|---|" + ":---:|" * len(ENERGIES) + "---|---|")
    for solver in SOLVERS:
        marks = " | ".join("yes" if solver.accepts(energy) is None else "" for energy in ENERGIES.values())
        uses = ", ".join(f"`{name}`" for name in solver.uses)
        lines.append(f"| `{solver.name}` | {solver.summary} | {marks} | {uses} | {solver.paper} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Put the table in its place."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PLACE.sub(lambda place: place[1] + table() + place[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()

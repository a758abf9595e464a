"""Are answers right? Solve random tiny energies by every method, and compare with all labellings.

    python tests/try_energies.py --first 0 --count 10000

Each number is an energy of its own (see tests/strategies/energies.py), so a run that was stopped goes on where it was.
Energies are summed in fractions, without any rounding. It is checked that no bound is above the least energy, that
the minimum of ``graph_cut`` is no further from it than its gap, that ``converged`` there means a gap of at most 1e-9,
that the proven labels of ``qpbo`` are those of a best labelling, and that energies are those of the labels.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import classicseg as cs
from tests.strategies.energies import energy_of, exact_energy, least_energy

METHODS = ("graph_cut", "qpbo", "expansion", "swap", "trws", "trws+expansion", "belief_propagation", "icm")


def faults(crf: cs.GridCRF, method: str, least) -> list[str]:
    """What is wrong with the answer of a method."""
    result = cs.minimize(crf, method, n_threads=1)
    exact = exact_energy(crf, result.labels)
    found = []
    size = float(np.abs(crf.unary[np.isfinite(crf.unary)]).sum()) + sum(
        float(w[np.isfinite(w)].sum() * np.abs(crf.cost).max()) for w in crf.weights.values()
    )
    if np.isinf(float(exact)) or np.isinf(result.energy):
        if exact != result.energy:
            found.append(f"says {result.energy}, but its labels cost {float(exact)}")
    elif abs(float(exact) - result.energy) > 1e-13 * size:
        found.append(f"says {result.energy!r}, but its labels cost {float(exact)!r}")
    if result.lower_bound is not None and (np.isnan(result.lower_bound) or result.lower_bound > least):
        found.append(f"the bound {result.lower_bound!r} is above the least energy {float(least)!r}")
    if method == "qpbo" and not np.isinf(float(least)):
        unary = np.where((result.marginals == 0) & (result.marginals.max(axis=0) == 1), np.inf, crf.unary)
        forced = cs.GridCRF(unary, crf.compatibility, dict(crf.weights), connectivity=crf.connectivity)
        if float(least_energy(forced) - least) > 1e-13 * size:
            found.append("a label counts as proven that no best labelling has")
    if method == "graph_cut" or (method == "qpbo" and (result.marginals != 0.5).all()):
        value = result.energy
        if result.converged and result.gap > 1e-9 * max(1, abs(value)):
            found.append(f"converged at a gap of {result.gap}")
        if not result.converged and size * 1e-13 < 1e-9 * max(1, abs(value)):
            found.append(f"did not converge: {value!r}, gap {result.gap}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="number of the first energy")
    parser.add_argument("--count", type=int, default=1000, help="how many energies")
    parser.add_argument("--seconds", type=float, default=np.inf, help="stop after that long")
    options = parser.parse_args()
    start, runs, wrong, seed = time.monotonic(), Counter(), 0, options.first
    for seed in range(options.first, options.first + options.count):
        if time.monotonic() - start > options.seconds:
            seed -= 1
            break
        crf = energy_of(seed)
        least, accepted = least_energy(crf), cs.methods(crf)
        for method in METHODS:
            if method in accepted:
                runs[method] += 1
                for fault in faults(crf, method, least):
                    wrong += 1
                    print(f"energy {seed}, {method}: {fault}", flush=True)
    total = seed + 1 - options.first
    counts = ", ".join(f"{method} {count}" for method, count in runs.items())
    print(f"energies {options.first} to {seed}, {total} in all: {wrong} faults. Runs: {counts}")


if __name__ == "__main__":
    main()

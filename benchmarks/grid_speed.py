"""How much faster than PyMaxflow, gco-wrapper and SciPy are grid CRFs, and with how much memory?

    python benchmarks/grid_speed.py [binary4] [binary8] [volumes] [expansion] [trws] [restart] [memory] [startup]

Problems are those of mrf_problems.py. Times are from costs and weights to labels, building the graph included. All
contenders take turns in one run; energies are compared to the integer. PyMaxflow, gco-wrapper and SciPy have one
thread, classicseg as many as a row says. Each part writes its own results/grid_speed_PART.json.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grid_peers as peers
import harness
import numpy as np
from mrf_problems import GAMMA, PROBLEMS

import classicseg as cs

harness.LIBRARIES = ("classicseg", "numpy", "numba", "scipy", "PyMaxflow", "gco-wrapper")
Row = dict[str, Any]

MANY_LABELS = (
    "potts5-256",
    "potts5-512",
    "potts5-512-contrast",
    "potts21-256",
    "potts21-512-contrast",
    "tsukuba",
    "tsukuba-no-cues",
)


# --- minimum cuts -------------------------------------------------------------------------------------------------


def binary(rounds: int, connectivity: int) -> list[Row]:
    rows = []
    for size in ("512", "native", "1024"):
        for photo in GAMMA:
            rows.append(_cut(f"{photo}-{size}-{connectivity}", min(rounds, 3) if size == "1024" else rounds))
    return _with_summary(rows)


def volumes(rounds: int) -> list[Row]:
    names = ("organ-64-6", "organ-128-6", "mr-6", "organ-64-26", "mr-26")
    return _with_summary([_cut(name, min(rounds, 2 if "26" in name else 3)) for name in names])


def _cut(name: str, rounds: int) -> Row:
    crf = PROBLEMS[name]()
    calls = {
        "PyMaxflow": peers.pymaxflow(crf),
        "1 thread": peers.classicseg(crf, "graph_cut", 1),
        "2 threads": peers.classicseg(crf, "graph_cut", 2),
    }
    energies = {key: crf.energy(call()) for key, call in calls.items()}
    assert len(set(energies.values())) == 1, (name, energies)
    seconds = harness.take_turns(calls, rounds)
    row = {
        "part": "cut",
        "problem": name,
        "connectivity": crf.connectivity,
        "pixels": crf.n_points,
        "energy": energies["1 thread"],
        "rounds": rounds,
        "ms": {key: harness.milliseconds(runs) for key, runs in seconds.items()},
        "times_faster": {key: harness.ratio(seconds["PyMaxflow"], seconds[key]) for key in ("1 thread", "2 threads")},
    }
    print(f"{name:22}", row["ms"], {k: r["median"] for k, r in row["times_faster"].items()}, flush=True)
    return row


def _with_summary(rows: list[Row]) -> list[Row]:
    """Worst and geometric mean of the ratios of each neighbourhood."""
    summaries = []
    for connectivity in sorted({row["connectivity"] for row in rows}):
        of_size = [row["times_faster"] for row in rows if row["connectivity"] == connectivity]
        for key in ("1 thread", "2 threads"):
            ratios = np.array([ratio[key]["median"] for ratio in of_size])
            summary = {
                "part": "summary",
                "connectivity": connectivity,
                "threads": key,
                "problems": len(ratios),
                "worst": round(float(ratios.min()), 2),
                "geometric_mean": round(float(np.exp(np.log(ratios).mean())), 2),
            }
            print(summary, flush=True)
            summaries.append(summary)
    return rows + summaries


# --- many labels --------------------------------------------------------------------------------------------------


def expansion(rounds: int) -> list[Row]:
    rows = []
    for name in MANY_LABELS:
        crf = PROBLEMS[name]()
        calls: dict[str, peers.Call] = {"gco": peers.gco(crf), "1 thread": peers.classicseg(crf, "expansion", 1)}
        calls["2 threads"] = peers.classicseg(crf, "expansion", 2)
        if peers.has_equal_weights(crf):
            calls["PyMaxflow"] = peers.pymaxflow_expansion(crf)
        energies = {key: crf.energy(call()) for key, call in calls.items()}
        seconds = harness.take_turns(calls, min(rounds, 2))
        ours = energies["1 thread"]
        row = {
            "part": "expansion",
            "problem": name,
            "energy": energies,
            "above_gco_percent": round(100 * (ours / energies["gco"] - 1), 4),
            "ms": {key: harness.milliseconds(runs) for key, runs in seconds.items()},
            "times_faster_than_gco": {k: harness.ratio(seconds["gco"], seconds[k]) for k in ("1 thread", "2 threads")},
        }
        if "PyMaxflow" in seconds:
            row["times_faster_than_pymaxflow"] = harness.ratio(seconds["PyMaxflow"], seconds["1 thread"])
        rows.append(row)
        print(row, flush=True)
    for key in ("1 thread", "2 threads"):
        ratios = np.array([row["times_faster_than_gco"][key]["median"] for row in rows if row["part"] == "expansion"])
        mean = round(float(np.exp(np.log(ratios).mean())), 2)
        rows.append({"part": "summary", "threads": key, "worst": float(ratios.min()), "geometric_mean": mean})
        print(rows[-1])
    return rows


def trws(rounds: int) -> list[Row]:
    """Nanoseconds for each pixel, label and iteration; energy and gap of trws+expansion, and its time."""
    rows = []
    for name in ("potts5-512", "potts21-512", "potts21-512-contrast", "tsukuba", "venus", "teddy"):
        crf = PROBLEMS[name]()
        row: Row = {"part": "trws", "problem": name, "labels": crf.n_labels}
        for threads in (1, 2):
            few, many = (_median(peers.classicseg(crf, "trws", threads, max_iter=n, tol=0), rounds) for n in (5, 25))
            row[f"ns_{threads}_thread"] = round((many - few) / 20 / crf.n_points / crf.n_labels * 1e9, 2)
        start = time.perf_counter()
        both = cs.minimize(crf, "trws+expansion", n_threads=2)
        row["seconds"] = round(time.perf_counter() - start, 3)
        row |= {"energy": both.energy, "lower_bound": both.lower_bound}
        row["gap_percent"] = round(100 * both.gap / both.lower_bound, 5)
        rows.append(row)
        print(row, flush=True)
    return rows


def _median(call: Callable[[], object], rounds: int) -> float:
    return float(np.median(harness.take_turns({"it": call}, rounds)["it"]))


# --- solving again ------------------------------------------------------------------------------------------------


def restart(rounds: int) -> list[Row]:
    """A brush stroke more: set_unary and solve, against all from scratch."""
    rows = []
    for name in ("flower-native-8", "sheep-1024-8", "motorcycle-1024-4", "retina-native-4", "mr-6"):
        crf = PROBLEMS[name]()
        times: dict[str, list[float]] = {"scratch": [], "again": []}
        for turn in range(rounds + 1):
            cut = cs.GraphCut(crf, n_threads=1)
            cut.solve()
            unary = _stroke(crf, turn)
            start = time.perf_counter()
            cut.set_unary(unary)
            again = cut.solve()
            middle = time.perf_counter()
            changed = cs.GridCRF(unary, crf.compatibility, crf.weights)
            scratch = cs.GraphCut(changed, n_threads=1).solve()
            stop = time.perf_counter()
            assert again.energy == scratch.energy, name
            if turn > 0:
                times["again"].append(middle - start)
                times["scratch"].append(stop - middle)
        row = {
            "part": "restart",
            "problem": name,
            "ms": {key: harness.milliseconds(runs) for key, runs in times.items()},
            "times_faster": harness.ratio(times["scratch"], times["again"]),
        }
        rows.append(row)
        print(row, flush=True)
    return rows


def _stroke(crf: cs.GridCRF, turn: int) -> np.ndarray:
    """The unary costs after a stroke of background of 12 x 60 pixels somewhere in the middle of the object."""
    unary = crf.unary.copy()
    rng = np.random.default_rng(turn)
    where = [int(rng.integers(n // 4, n // 2)) for n in crf.shape]
    box = tuple(slice(at, at + size) for at, size in zip(where, ((4, 12, 60)[-len(where) :]), strict=True))
    unary[1][box] = unary.max()
    return unary


# --- memory and start ---------------------------------------------------------------------------------------------


def memory(rounds: int) -> list[Row]:
    """Peak bytes for each pixel beyond the inputs, in processes of their own, kernels loaded before."""
    rows = []
    for name in ("flower-1024-4", "flower-1024-8", "organ-96-6", "organ-96-26"):
        peak = {library: _in_process("--memory", f"{library}:{name}") for library in ("classicseg", "PyMaxflow")}
        share = round(peak["classicseg"] / peak["PyMaxflow"], 3)
        rows.append({"part": "memory", "problem": name, "peak_bytes_per_pixel": peak, "share": share})
        print(rows[-1], flush=True)
    return rows


def measure_memory(library: str, name: str) -> float:
    crf = PROBLEMS[name]()
    small = PROBLEMS[name.replace("1024", "256").replace("96", "64")]()
    make = {"classicseg": lambda c: peers.classicseg(c, "graph_cut", 2), "PyMaxflow": peers.pymaxflow}[library]
    make(small)()
    call = make(crf)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    kept = call()
    peak = _status("VmHWM") - before
    del kept
    return round(peak / crf.n_points, 1)


def startup(rounds: int) -> list[Row]:
    """CPU seconds of a first call in a new process, with an empty cache of kernels and with a filled one."""
    rows = []
    floor = _in_process("--start", "numba")
    for method in cs.methods(cs.GridCRF(np.zeros((2, 4, 4), np.int32), cs.Potts(1))):
        if method == "fusion":
            continue
        with tempfile.TemporaryDirectory() as cache:
            cold = _in_process("--start", method, cache)
            warm = [_in_process("--start", method, cache) for _ in range(3)]
        seconds = {"cold_cpu_s": cold, "warm_cpu_s": sorted(warm)[1], "import_numba_cpu_s": floor}
        rows.append({"part": "startup", "method": method} | seconds)
        print(rows[-1], flush=True)
    return rows


def measure_start(method: str) -> float:
    if method == "numba":
        import numba

        assert numba
    else:
        crf = cs.GridCRF(np.random.default_rng(0).integers(0, 99, (2, 64, 64)), cs.Potts(20))
        cs.minimize(crf, method, max_iter=3)
    return round(time.process_time(), 2)


def _in_process(flag: str, argument: str, cache: str | None = None) -> float:
    environment = dict(os.environ) | ({} if cache is None else {"NUMBA_CACHE_DIR": cache})
    command = [sys.executable, __file__, flag, argument]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


PARTS = {
    "binary4": partial(binary, connectivity=4),
    "binary8": partial(binary, connectivity=8),
    "volumes": volumes,
    "expansion": expansion,
    "trws": trws,
    "restart": restart,
    "memory": memory,
    "startup": startup,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help="default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    parser.add_argument("--start", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print(measure_memory(*options.memory.split(":")))
        return
    if options.start:
        print(measure_start(options.start))
        return
    for part in options.parts or PARTS:
        about = harness.machine() | {"threads": "peers 1, classicseg as the rows say"}
        print(f"\n{part}: {about}")
        harness.save(f"grid_speed_{part}", PARTS[part](options.rounds), about)


if __name__ == "__main__":
    main()

"""Does a change alter an answer, or make anything slower? Two checkouts of this project, side by side.

    python benchmarks/compare_checkouts.py OLD NEW [--only dense grid ...] [--threads 2] [--quick]
    python benchmarks/compare_checkouts.py OLD NEW --speed [--rounds 7] [--pairs 2] [--cases PATTERN ...] [--quick]

Answers: each checkout solves the problems of compare/answers.py in a process of its own; labels, marginals and
gradients are compared by SHA-256, energies and bounds by all their digits. Fails if any differs.

With --speed the cases of compare/cases.py are timed: processes that stay warm take turns, so that a slow moment hits
both, and are started anew `pairs` times, so that no lucky place in memory decides. A ratio above 1 says that NEW is
faster. Start-up is that of new processes whose kernels are in the cache. Give OLD twice to see the noise.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.compare import answers, cases
from benchmarks.shared.harness import process_times

LONG_ENOUGH = 0.1
"""Seconds that a measurement takes at least: shorter calls are repeated."""
SLOWER = 0.97
"""A case is called slower if three quarters of its ratios are below."""

STARTS = {
    "import classicseg": ["-c", "import classicseg"],
    "classicseg --help": ["-c", "from classicseg.cli import main; main(['--help'])"],
    "first refine": [
        "-c",
        "import classicseg as cs; s = cs.sample(); cs.refine(s.image, s.probabilities.astype('float32'))",
    ],
    "first split": ["-c", "import classicseg as cs; cs.split_and_merge(cs.sample().image, 24, n_threads=1)"],
}


class Checkout:
    """A process of one checkout."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder = folder.resolve()
        if not (self.folder / "classicseg" / "__init__.py").is_file():
            raise SystemExit(f"{folder} is no checkout of this project")
        fixed = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CLASSICSEG_NUM_THREADS": str(threads)}
        self.environment = os.environ | fixed | {"PYTHONPATH": str(self.folder)}
        self.process: subprocess.Popen[str] | None = None

    def send(self, command: str, argument: Any) -> None:
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).parent / "compare" / "worker.py"), str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=self.environment,
            )
            if "result" not in self.receive():
                raise SystemExit(f"{self.folder} cannot be asked: see above")
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({command: argument}) + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            status, self.process = self.process.wait(), None
            return {"error": f"the process ended with status {status}"}
        return json.loads(line)

    def ask(self, command: str, argument: Any) -> dict[str, Any]:
        self.send(command, argument)
        return self.receive()

    def close(self) -> None:
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait()
            self.process = None

    def start(self, arguments: Sequence[str]) -> float:
        """CPU seconds of a new process and its threads."""
        return process_times([sys.executable, "-P", *arguments], self.environment)[0]


# --- answers ------------------------------------------------------------------------------------------------------


def difference(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs between two replies, in words; nothing if they are the same to the bit."""
    if "result" not in old or "result" not in new:
        return [f"{who}: {reply}" for who, reply in (("old", old), ("new", new))]
    a, b = old["result"], new["result"]
    return [
        f"{key}: {'  ->  '.join(where_they_part(a.get(key, 'not there'), b.get(key, 'not there')))}"
        for key in dict.fromkeys([*a, *b])
        if a.get(key) != b.get(key)
    ]


def where_they_part(a: str, b: str) -> tuple[str, str]:
    """The parts of two texts around the first letter that differs."""
    common = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    start = max(0, common - 60)
    return tuple(("..." if start else "") + text[start : start + 160] for text in (a, b))


def compare_answers(old: Checkout, new: Checkout, names: Iterable[str]) -> int:
    """Print a line for each problem; the number of those that differ."""
    same, differ, left_out = 0, [], 0
    for name in names:
        start = time.perf_counter()
        for checkout in (old, new):
            checkout.send("answer", name)
        replies = [checkout.receive() for checkout in (old, new)]
        if all("missing" in reply for reply in replies):
            left_out += 1
            print(f"  left out    {name}: {replies[0]['missing']}", flush=True)
            continue
        found = difference(*replies)
        seconds = time.perf_counter() - start
        print(f"  {'DIFFERENT' if found else 'identical':12}{name} ({seconds:.1f} s)", flush=True)
        if found:
            differ.append((name, found))
        else:
            same += 1
    print(f"\nidentical to the bit: {same} of {same + len(differ)}" + f", {left_out} left out" * (left_out > 0))
    for name, found in differ:
        print(f"\n{name}")
        for line in found:
            print(f"  {line}")
    return len(differ)


# --- speed --------------------------------------------------------------------------------------------------------

Seconds = tuple[list[float], list[float]]


def turns(measure: Callable[[Checkout], float], old: Checkout, new: Checkout, rounds: int) -> Seconds:
    """Seconds of both, who go first by turns."""
    seconds: Seconds = ([], [])
    for turn in range(rounds):
        pair = [(old, seconds[0]), (new, seconds[1])]
        for checkout, kept in pair if turn % 2 == 0 else pair[::-1]:
            kept.append(measure(checkout))
    return seconds


def time_case(name: str, old: Checkout, new: Checkout, rounds: int, pairs: int) -> Seconds | str:
    """Seconds for each call in both, or why there are none."""
    seconds: Seconds = ([], [])
    for _ in range(pairs):
        prepared = [checkout.ask("prepare", name) for checkout in (old, new)]
        for reply in prepared:
            if "result" not in reply:
                return next(iter(reply.values()))
        repeats = max(1, round(LONG_ENOUGH / min(reply["result"] for reply in prepared)))

        def measure(checkout: Checkout, repeats: int = repeats) -> float:
            return checkout.ask("time", repeats)["result"]

        for kept, found in zip(seconds, turns(measure, old, new, rounds), strict=True):
            kept.extend(found)
        for checkout in (old, new):
            checkout.close()
    return seconds


def report(name: str, seconds: Seconds | str, width: int) -> bool:
    """Print a line; whether the new checkout is slower."""
    if isinstance(seconds, str):
        print(f"{name:{width}}  left out: {seconds}", flush=True)
        return False
    old, new = seconds
    ratios = [a / b for a, b in zip(old, new, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    slower = high < SLOWER
    times = "".join(f"{1e3 * statistics.median(kept):10.2f}" for kept in seconds)
    spread = f"{middle:8.3f}  {low:.3f}-{high:.3f}  min/min {min(old) / min(new):.3f}"
    print(f"{name:{width}}{times}{spread}{'  SLOWER' * slower}", flush=True)
    return slower


def compare_speed(old: Checkout, new: Checkout, names: list[str], rounds: int, pairs: int) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{cores} processors, load {os.getloadavg()[0]:.2f} before; threads as the cases say, OMP and MKL 1")
    width = max(len(name) for name in [*names, *STARTS]) + 2
    print(f"{'':{width}}{'old, ms':>10}{'new, ms':>10}   old/new  quartiles")
    slower = []
    for name in names:
        if name in STARTS:
            for checkout in (old, new):
                checkout.start(STARTS[name])  # fills the cache
            seconds: Seconds | str = turns(lambda c, name=name: c.start(STARTS[name]), old, new, rounds * pairs)
        else:
            seconds = time_case(name, old, new, rounds, pairs)
        if report(name, seconds, width):
            slower.append(name)
    print(f"load {os.getloadavg()[0]:.2f} after; start-up in CPU time, all else in wall time")
    print(f"slower: {', '.join(slower) if slower else 'none'}")


def matching(names: Iterable[str], patterns: list[str] | None) -> list[str]:
    return [name for name in names if patterns is None or any(fnmatch(name, f"*{p}*") for p in patterns)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--only", nargs="+", choices=answers.FAMILIES, default=list(answers.FAMILIES))
    parser.add_argument("--cases", nargs="+", metavar="PATTERN", help="problems or cases whose names match")
    parser.add_argument("--threads", type=int, default=2, help="of the library where a problem does not say")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pairs", type=int, default=2, help="how often the processes are started")
    parser.add_argument("--quick", action="store_true", help="few problems, to try the script out")
    options = parser.parse_args()
    old, new = (Checkout(folder, options.threads) for folder in (options.old, options.new))
    try:
        if options.speed:
            names = [*cases.QUICK, "import classicseg"] if options.quick else [*cases.CASES, *STARTS]
            rounds, pairs = (2, 1) if options.quick else (options.rounds, options.pairs)
            compare_speed(old, new, matching(names, options.cases), rounds, pairs)
            return 0
        known = list(answers.problems(options.only))
        return 1 if compare_answers(old, new, matching(known[:: 20 if options.quick else 1], options.cases)) else 0
    finally:
        for checkout in (old, new):
            checkout.close()


if __name__ == "__main__":
    sys.exit(main())

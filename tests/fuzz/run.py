"""Calls everything public with sensible, odd and hostile arguments, and notes what must not happen.

    python tests/fuzz/run.py --seconds 60 [--processes 2] [--seed S] [--only NAME ...]
    python tests/fuzz/run.py --replay NAME SEED

A name and a seed make one case, always the same. Counts and findings are kept in a file for each state of the library,
that is of the folder ``classicseg``; without ``--seed`` a run goes on where those of the same state ended. Cases run in
processes of their own, so that a crash or a case without an end is one finding. The exit status is 1 if this run found
anything.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # as a script

import numpy as np  # noqa: E402

from tests.fuzz.judge import BrokenPromiseError, Silence, play  # noqa: E402
from tests.fuzz.table import CASES, WEIGHTS  # noqa: E402

LIMIT = 120.0  # seconds for a case: some compile kernels
MEMORY = 8 * 2**30  # bytes of address space: a mistake must not take the machine with it
AHEAD = 64  # cases that a worker is given at once


def outcome_of(name: str, seed: int) -> tuple[int, str, str]:
    """Number of calls, what came of them, and what was wrong with that (empty if nothing)."""
    try:
        calls, outcome = play(name, CASES[name], seed)
    except BrokenPromiseError as broken:
        return 2, "finding", str(broken)
    except AssertionError as broken:
        return 2, "finding", f"a broken invariant: {broken or traceback.format_exc(limit=-1)}"
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return 2, "finding", f"a raw error: {type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
    return calls, outcome, ""


def work(pipe: Connection) -> None:
    """Play the cases that come through the pipe, and answer each."""
    _limit_memory()
    logging.getLogger("classicseg").addHandler(logging.NullHandler())
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # it tells users what is odd about a file
    silence = Silence()
    pipe.send("ready")  # what was imported is not a part of the first case
    while cases := pipe.recv():
        for name, seed in cases:
            calls, outcome, fault = outcome_of(name, seed)
            said = silence.said()
            if said and not fault:
                outcome, fault = "finding", f"something on standard error: {said}"
            pipe.send((calls, outcome, fault))


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    except (ImportError, ValueError):
        return


class Worker:
    """A process that plays cases, and is replaced when one ends it.

    Parameters
    ----------
    target : callable
        What the process does with its end of the pipe; it begins by saying that it is ready.
    limit : float
        Seconds for a case.
    """

    def __init__(self, target: Callable[[Connection], None] = work, limit: float = LIMIT) -> None:
        self._target, self._limit = target, limit
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=self._target, args=(other,), daemon=True)
        self._process.start()
        other.close()
        self._pipe.recv()

    def play(self, cases: list[tuple[str, int]]) -> Iterator[tuple[str, int, tuple[int, str, str]]]:
        """Each case with what came of it."""
        self._pipe.send(cases)
        for i, (name, seed) in enumerate(cases):
            try:
                answer = self._pipe.recv() if self._pipe.poll(self._limit) else self._no_end()
            except EOFError:
                self._process.join()
                answer = 1, "finding", f"a crash: exit code {self._process.exitcode}"
            yield name, seed, answer
            if answer[0] == 1:
                self.end()
                self._start()
                if rest := cases[i + 1 :]:
                    self._pipe.send(rest)

    def _no_end(self) -> tuple[int, str, str]:
        return 1, "finding", f"no end in {self._limit:g} s"

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def state() -> str:
    """The library as it is: the name that git gives to what its folder holds, with a mark if that is not committed."""
    names = _git("rev-parse", "HEAD:classicseg")[:12] or "unknown"
    return names + ("-changed" if _git("status", "--porcelain", "classicseg") else "")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


class Tally:
    """Counts and findings of all runs of one state of the library, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        held: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self.calls, self.next_seed = Counter(held.get("calls", {})), Counter(held.get("next_seed", {}))
        self.outcomes = {name: Counter(of) for name, of in held.get("outcomes", {}).items()}
        self.findings: list[dict[str, Any]] = held.get("findings", [])
        self.seconds = held.get("seconds", 0.0)

    def add(self, name: str, seed: int, answer: tuple[int, str, str]) -> None:
        calls, outcome, fault = answer
        self.calls[name] += calls
        self.outcomes.setdefault(name, Counter())[outcome] += 1
        self.next_seed[name] = max(self.next_seed[name], seed + 1)
        if fault:
            self.findings.append({"name": name, "seed": seed, "fault": fault})

    def save(self) -> None:
        fields = {name: value for name, value in vars(self).items() if name != "path"}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(fields, indent=1))
        temporary.replace(self.path)


def fuzz(seconds: float, names: list[str], tally: Tally, seed: int | None, processes: int = 1) -> int:
    """Play cases for so long in so many processes; how many findings there were."""
    weights = np.array([WEIGHTS[name] for name in names])
    rng = np.random.default_rng(len(tally.findings) + sum(tally.calls.values()) if seed is None else seed)
    following = Counter(dict.fromkeys(names, seed)) if seed is not None else Counter(tally.next_seed)
    found, start, turn = 0, time.monotonic(), threading.Lock()

    def drawn() -> list[tuple[str, int]]:
        cases = []
        for name in rng.choice(names, AHEAD, p=weights / weights.sum()).tolist():
            cases.append((name, following[name]))
            following[name] += 1
        return cases

    def keep_playing(worker: Worker) -> None:
        nonlocal found
        while time.monotonic() - start < seconds:
            with turn:
                cases = drawn()
            for name, number, answer in worker.play(cases):
                with turn:
                    tally.add(name, number, answer)
                    found += bool(answer[2])
                if answer[2]:
                    print(f"{name} {number}: {answer[2]}", flush=True)
            with turn:
                tally.save()

    workers = [Worker() for _ in range(processes)]
    try:
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(keep_playing, workers))
    finally:
        for worker in workers:
            worker.end()
        tally.seconds += time.monotonic() - start
        tally.save()
    return found


def report(tally: Tally) -> None:
    """The sums of all runs of this state."""
    total = sum(tally.calls.values())
    outcomes = sum(tally.outcomes.values(), Counter())
    print(f"{total} calls in {tally.seconds:.0f} s ({total / max(tally.seconds, 1e-9):.0f} a second), {dict(outcomes)}")
    least = sorted(CASES, key=lambda name: tally.calls[name])[:10]
    print("least: " + ", ".join(f"{name} {tally.calls[name]}" for name in least))
    print(f"{len(tally.findings)} findings in {tally.path}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--processes", type=int, default=1, help="that play cases at once")
    parser.add_argument("--seed", type=int, help="first seed of every name")
    parser.add_argument("--only", nargs="+", default=list(CASES), choices=list(CASES), metavar="NAME")
    parser.add_argument("--replay", nargs=2, metavar=("NAME", "SEED"), help="play one case here, with its traceback")
    parser.add_argument("--results", type=Path, help="the file for counts and findings")
    given = parser.parse_args()
    if given.replay:
        name, seed = given.replay
        print(play(name, CASES[name], int(seed)))
        return 0
    path = given.results or Path(tempfile.gettempdir()) / "classicseg-fuzz" / f"{state()}.json"
    tally = Tally(path)
    found = fuzz(given.seconds, given.only, tally, given.seed, given.processes)
    report(tally)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

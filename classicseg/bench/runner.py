"""Everybody solves everything: workers take turns, answers are scored here, and all goes into one document.

A document is plain JSON: what the run was, each problem with what is known of it, and a row for each contender at each
problem. Reports, comparisons and rankings are made of it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from classicseg.bench import best_known, provenance, scoring
from classicseg.bench.contender import Contender, Moment
from classicseg.bench.pictures import picture_of
from classicseg.bench.problem import Problem
from classicseg.bench.worker import YARDSTICK, Setting, told
from classicseg.bench.worker_process import EndedError, WorkerProcess
from classicseg.errors import InputError

Document = dict[str, Any]
Row = dict[str, Any]
Tell = Callable[[str], None]

FORMAT = "classicseg bench 1"
LONG = 2.0
"""Seconds of a first run beyond which it counts and is not repeated; a shorter one only warms up."""
_ROUNDING = 1e-6  # of an energy, by which a bound may lie above it
_GRACE = 1.25  # times the limit, and so many seconds more, before a worker that has not stopped by itself is ended
_EXTRA = 5.0  # seconds for that, or the limit if it is shorter: a machine may be busy with other things


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes
    ----------
    problems : sequence of Problem
    contenders : sequence of Contender
    setting : Setting
        Data, plugins, limits of time and threads.
    repeats : int
        Runs of each contender at each problem that count, where they are short.
    memory_mb : float or None
        What each process may use.
    pictures : bool
        Whether labels of images are kept as small pictures.
    command : str
        What the user typed.
    """

    problems: Sequence[Problem]
    contenders: Sequence[Contender]
    setting: Setting
    repeats: int = 3
    memory_mb: float | None = None
    pictures: bool = False
    command: str = ""


def run(plan: Plan, tell: Tell = lambda text: None) -> Document:
    """Do it all, and return the document; whatever goes wrong with a contender or a problem stands in it.

    Parameters
    ----------
    plan : Plan
    tell : callable
        Is told in a few words what is being done.
    """
    about = _about(plan)
    absent = [one.name for one in plan.contenders if not one.is_installed]
    workers = {
        name: WorkerProcess(name, plan.setting, plan.memory_mb)
        for name in [YARDSTICK, *(one.name for one in plan.contenders if one.is_installed)]
    }
    problems: list[dict[str, Any]] = []
    rows: list[Row] = []
    try:
        for number, problem in enumerate(plan.problems, 1):
            found = _Problem(problem, plan, partial(_tell_of, tell, f"{number}/{len(plan.problems)}"))
            solved = found.solved_by(workers)
            problems.append(found.known)
            rows += solved
    except KeyboardInterrupt:  # what is done is kept
        about["stopped"] = f"stopped by Ctrl-C after {len(problems)} of {len(plan.problems)} problems"
    finally:
        for worker in workers.values():
            worker.end()
    packages = {one.name: one.install for one in plan.contenders if one.name in absent}
    return {"format": FORMAT, "run": about, "problems": problems, "rows": rows, "not_installed": packages}


def _tell_of(tell: Tell, place: str, text: str) -> None:
    tell(f"{place} {text}")


class _Problem:
    """One problem of a run."""

    def __init__(self, problem: Problem, plan: Plan, tell: Tell) -> None:
        self.problem, self.plan, self.tell = problem, plan, tell
        self.instance: Any = None
        self.known: dict[str, Any] = {
            "name": problem.name, "summary": problem.summary, "published": dict(problem.published),
            "published_bound": problem.published_bound, "best_known": None, "yardstick": [], "published_labels": {},
            "probe": None,
        }  # fmt: skip
        missing = problem.missing(plan.setting.data)
        if missing:
            self.known |= {"status": "absent", "missing": missing, "origin": problem.origin}
            return
        tell(problem.name)
        try:
            self.instance = problem.make(plan.setting.data)
            self.score = scoring.judge(self.instance)
            self.known["probe"] = scoring.probe(self.instance)
            self.known["best_known"] = best_known.entry(problem.name, self.known["probe"])
            self._score_published()
        except Exception as failure:  # whatever a file or a plugin may do: the others go on
            self.known |= {"status": "failed", "message": told(failure)}
            self.instance = None
            return
        kind = scoring.kind_of(self.instance)
        self.known |= {"status": "made", "kind": kind, "unit": scoring.UNIT[kind], "text": repr(self.instance)}
        self.known["whole"] = kind == scoring.ENERGY and _is_whole(self.instance)

    def _score_published(self) -> None:
        from classicseg import io

        for who, file in self.problem.labels.items():
            labels = io.read_uai_labels(self.plan.setting.data / file)  # type: ignore[operator]  # it is not absent
            self.known["published"][who] = self.score(labels)
            self.known["published_labels"][who] = scoring.hash_of(labels)

    def solved_by(self, workers: dict[str, WorkerProcess]) -> list[Row]:
        """A row for each contender that is installed."""
        if self.instance is None:
            return []
        rows: dict[str, Row] = {}
        names = [name for name in workers if name != YARDSTICK]
        for name in names:  # all at once: no clock runs, and those that must be started take a second
            workers[name].send("open", self.problem.name)
        for name in names:
            rows[name] = row = {"problem": self.problem.name, "contender": name}
            self._reply(row, workers[name].answer)
        active = [name for name, row in rows.items() if "status" not in row]
        for name in active:
            self._first(rows[name], workers[name])
        short = [name for name in active if rows[name]["status"] == "done" and not rows[name]["seconds"]]
        for turn in range(self.plan.repeats if short else 0):
            self.tell(f"{self.problem.name}, round {turn + 1} of {self.plan.repeats}")
            self._yardstick(workers[YARDSTICK])
            at = turn % len(short)
            for name in short[at:] + short[:at]:  # each is first once: who follows whom must not matter
                if rows[name]["status"] == "done":
                    self._again(rows[name], workers[name])
        for name in active:
            if workers[name].is_running:
                self._reply({}, partial(workers[name].ask, "close"))
        self._refute(list(rows.values()))
        return list(rows.values())

    def _refute(self, rows: list[Row]) -> None:
        """Bounds that lie above labels which somebody has found are none."""
        solved = [row for row in rows if row["status"] in ("done", "stopped")]
        least = min((row["score"] for row in solved), default=np.inf)
        for row in solved:
            bound = row["lower_bound"]
            if bound is not None and bound > least + _ROUNDING * max(abs(least), 1.0):
                row |= {"status": "wrong", "message": f"its bound of {bound:.10g} is above an energy of {least:.10g}"}

    def _reply(self, row: Row, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The answer of a worker; where there is none, nothing, and the row gets what went wrong."""
        try:
            reply = ask()
        except EndedError as end:
            row |= {"status": end.kind, "message": str(end)}
            return {}
        if "failed" in reply:
            row |= {"status": "failed", "message": reply["failed"]}
            return {}
        if reply.get("refused"):
            row |= {"status": "refused", "message": reply["refused"]}
            return {}
        return reply

    def _solve(self, row: Row, worker: WorkerProcess, *, watched: bool) -> dict[str, Any]:
        """One run."""
        limit = self.plan.setting.limits.seconds
        seconds = _GRACE * limit + min(_EXTRA, limit)
        return self._reply(row, lambda: worker.ask("solve", watched, seconds=seconds))

    def _first(self, row: Row, worker: WorkerProcess) -> None:
        """The run that is looked at; where it is long it is the only one."""
        self.tell(f"{self.problem.name}: {row['contender']}")
        reply = self._solve(row, worker, watched=True) or _kept(row, worker.moments)
        if not reply:
            return
        try:
            row |= self._scored(reply)
        except InputError as failure:
            row |= {"status": "wrong", "message": str(failure)}
            return
        row["status"] = "stopped" if reply["stopped"] else "done"
        alone = reply["seconds"] > LONG or reply["stopped"] or self.plan.repeats == 0
        row |= {"seconds": [reply["seconds"]] if alone else [], "cpu_seconds": [reply["cpu_seconds"]] if alone else []}

    def _scored(self, reply: dict[str, Any]) -> Row:
        labels = np.asarray(reply["labels"])
        score = self.score(labels)
        bound = reply["lower_bound"]
        row = {
            "score": score,
            "lower_bound": None if bound is None or not np.isfinite(bound) else float(bound),
            "message": reply["message"],
            "labels_sha256": scoring.hash_of(labels),
            "peak_mb": reply["peak_mb"],
            "curve": self._curve(reply["curve"]),
        }
        if self.plan.pictures and (picture := picture_of(labels)):
            row["picture"] = picture
        return row

    def _curve(self, moments: list[tuple[float, Any, float | None]]) -> list[list[float | None]]:
        """Seconds, best score so far, best bound so far."""
        curve, best, bound = [], np.inf, -np.inf
        for seconds, labels, proved in moments:
            if labels is not None:
                best = min(best, self.score(labels))
            bound = max(bound, -np.inf if proved is None else proved)
            curve.append([seconds, best if np.isfinite(best) else None, bound if np.isfinite(bound) else None])
        return curve

    def _again(self, row: Row, worker: WorkerProcess) -> None:
        """A run that counts."""
        reply = self._solve(row, worker, watched=False)
        if reply:
            row["seconds"].append(reply["seconds"])
            row["cpu_seconds"].append(reply["cpu_seconds"])
            row["peak_mb"] = reply["peak_mb"]  # the first one has loaded kernels, too
            if scoring.hash_of(np.asarray(reply["labels"])) != row["labels_sha256"]:
                row["varies"] = True

    def _yardstick(self, worker: WorkerProcess) -> None:
        reply = self._reply({}, lambda: worker.ask("solve"))
        if reply:
            self.known["yardstick"].append(reply["seconds"])


def _kept(row: Row, moments: list[Moment]) -> dict[str, Any]:
    """What stands for the answer of a run that was ended because of the time: the last of what it told before."""
    labelled = [moment for moment in moments if moment[1] is not None]
    if row["status"] != "timed out" or not labelled:
        return {}
    seconds, labels, _ = labelled[-1]
    bounds = [bound for *_, bound in moments if bound is not None]
    return {
        "labels": labels,
        "lower_bound": max(bounds, default=None),
        "message": f"over the limit: it {row['message']}; these are its labels after {seconds:.3g} s",
        "stopped": True,
        "curve": moments,
        "seconds": moments[-1][0],
        "cpu_seconds": None,
        "peak_mb": None,
    }


def _is_whole(crf: Any) -> bool:
    """Whether all energies are integers."""
    arrays = scoring.plain_arrays(crf)
    given = [arrays["unary"], *(arrays[name] for name in ("weights", "cost", "tables", "label_costs"))]
    finite = (array[np.isfinite(array)] for array in given if array is not None)
    return all(np.array_equal(array, np.rint(array)) for array in finite)


def _about(plan: Plan) -> dict[str, Any]:
    packages = [one.install for one in plan.contenders if one.install]
    limits = plan.setting.limits
    return {
        "command": plan.command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": provenance.machine(),
        "versions": provenance.versions((*provenance.LIBRARIES, *packages)),
        "threads": limits.n_threads,
        "time_limit_s": limits.seconds,
        "memory_limit_mb": plan.memory_mb,
        "repeats": plan.repeats,
        "long_s": LONG,
        "load": provenance.load(),
    }

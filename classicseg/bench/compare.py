"""Two runs side by side: what became slower, faster, worse or better, said only where chance does not explain it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.bench.analysis import SOLVED
from classicseg.errors import InputError

Document = dict[str, Any]
FORMAT = "classicseg bench"
FEWEST = 5
"""Runs that a contender must have at a problem, in either document, for its times to be compared."""
FLOOR = 0.02
"""Differences of time within this share are not told: code moves in memory, and machines in their moods."""
NARROW = 0.05
"""An interval of up to this on either side allows to say that nothing has changed; a wider one leaves it undecided."""
_MANY = 6  # problems from which on they are drawn: what differs between them includes what differs between runs
_SAMPLES = 5000  # of the bootstrap
_TAIL = 0.001  # of them on either side, beyond the interval
_SEED = 0  # the same documents give the same verdicts


def read(path: Path) -> Document:
    """A document that an earlier run wrote with ``--json``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as failure:
        raise InputError(f"{path} is no JSON: {failure}") from failure
    if not isinstance(document, dict) or not str(document.get("format", "")).startswith(FORMAT):
        raise InputError(f"{path} is no document of classicseg bench --json")
    return document


def verdicts(old: Document, new: Document) -> list[dict[str, Any]]:
    """What has changed, a row for each contender that can be compared.

    Times are formed into ratios problem by problem, in units of the piece of work that takes its turn in every round,
    so that a faster or slower hour of the machine falls out. The mean of their logarithms is bootstrapped over problems
    (over runs, where problems are few) [1]_; "slower" or "faster" is said where the interval lies beyond 2 %, "equal"
    where it is narrow and does not.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, "An introduction to the bootstrap", Chapman and Hall, 1993.
    """
    pairs = _paired(old, new)
    found = []
    for contender in dict.fromkeys(name for _, name in pairs):
        mine = {problem: pair for (problem, name), pair in pairs.items() if name == contender}
        found.append({"solver": contender} | _of_times(mine, old, new) | _of_scores(mine))
    return found


def self_test(document: Document) -> tuple[int, int]:
    """The even runs of a document against the odd ones: how many contenders get no verdict, and of how many."""
    halves = [_half(document, start) for start in (0, 1)]
    judged = [row for row in verdicts(*halves) if row["time"] != NONE]
    return sum(row["time"] in (EQUAL, UNDECIDED) for row in judged), len(judged)


EQUAL, UNDECIDED, NONE = "equal", "undecided", "too few runs"


def _half(document: Document, start: int) -> Document:
    rows = [row | {"seconds": row.get("seconds", [])[start::2]} for row in document["rows"]]
    problems = [one | {"yardstick": one["yardstick"][start::2]} for one in document["problems"]]
    return document | {"rows": rows, "problems": problems}


def _paired(old: Document, new: Document) -> dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]]:
    before = {(row["problem"], row["contender"]): row for row in old["rows"]}
    return {
        key: (before[key], row)
        for row in new["rows"]
        if (key := (row["problem"], row["contender"])) in before
        and {before[key]["status"], row["status"]} != {"refused"}
    }


def _of_times(mine: dict[str, Any], old: Document, new: Document) -> dict[str, Any]:
    rng = np.random.default_rng(_SEED)
    sticks = [{one["name"]: one["yardstick"] for one in document["problems"]} for document in (old, new)]
    ratios, runs_of = [], []
    for problem, (before, after) in mine.items():
        runs = [before.get("seconds", []), after.get("seconds", []), *(stick.get(problem, []) for stick in sticks)]
        if min(map(len, runs)) < FEWEST:
            continue
        given = [np.asarray(one, float) for one in runs]
        runs_of.append(given)
        ratios.append(float(_log_ratio(given)))
    if not ratios:
        return {"time": NONE, "ratio": "", "interval": ""}
    if len(ratios) >= _MANY:
        samples = np.array(ratios)[rng.integers(len(ratios), size=(_SAMPLES, len(ratios)))]
    else:
        drawn = ([one[rng.integers(one.size, size=(_SAMPLES, one.size))] for one in given] for given in runs_of)
        samples = np.stack([_log_ratio(one) for one in drawn], axis=1)
    means = _trimmed_mean(samples)
    low, high = np.quantile(means, [_TAIL, 1 - _TAIL])
    edge = math.log1p(FLOOR)
    narrow = high - low < 2 * math.log1p(NARROW)
    word = "slower" if low > edge else "faster" if high < -edge else EQUAL if narrow else UNDECIDED
    ratio, interval = math.exp(float(_trimmed_mean(np.array(ratios)))), (math.exp(low), math.exp(high))
    return {"time": word, "ratio": f"{ratio:.3f}", "interval": f"{interval[0]:.3f} to {interval[1]:.3f}"}


def _log_ratio(runs: list[np.ndarray]) -> np.ndarray:
    """New to old, in units of the yardstick; each is the mean of the fastest third of its runs, along the last axis."""
    before, after, stick_before, stick_after = (np.log(_fastest_third(one)) for one in runs)
    ratio: np.ndarray = (after - stick_after) - (before - stick_before)
    return ratio


def _trimmed_mean(ratios: np.ndarray) -> np.ndarray:
    """Over the last axis, without a fifth at either end: one problem that something else disturbed decides nothing."""
    cut = ratios.shape[-1] // 5
    mean: np.ndarray = np.sort(ratios, axis=-1)[..., cut : ratios.shape[-1] - cut].mean(axis=-1)
    return mean


def _fastest_third(runs: np.ndarray) -> np.ndarray:
    kept = np.sort(runs, axis=-1)[..., : -(-runs.shape[-1] // 3)]
    mean: np.ndarray = kept.mean(axis=-1)
    return mean


def _of_scores(mine: dict[str, Any]) -> dict[str, Any]:
    worse: list[str] = []
    better: list[str] = []
    failed: list[str] = []
    for problem, (before, after) in mine.items():
        was, now = before["status"] in SOLVED, after["status"] in SOLVED
        if was and now:
            difference = after["score"] - before["score"]
            if abs(difference) > 1e-7 * max(abs(before["score"]), 1e-9):
                (worse if difference > 0 else better).append(problem)
        elif was != now:
            failed.append(f"{problem}: {before['status']} before, {after['status']} now")
    words = [f"worse at {', '.join(worse)}"] if worse else []
    words += [f"better at {', '.join(better)}"] if better else []
    return {"scores": "; ".join(words + failed) or "the same"}

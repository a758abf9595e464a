"""Documents of runs that never were, for what is made of them."""


def run_of(**more):
    machine = {"processor": "a <b>", "processors_used": 2, "system": "Linux", "python": "3.11"}
    return {
        "command": "classicseg bench", "date": "2026-01-01T00:00:00+00:00", "machine": machine,
        "versions": {"classicseg": "0"}, "threads": 1, "time_limit_s": 2.0, "memory_limit_mb": None,
        "repeats": 3, "long_s": 2.0,
        "load": 0.1,
    } | more  # fmt: skip


def problem_of(name, *, kind="energy", unit="energy", **more):
    return {
        "name": name, "summary": "what it is", "published": {}, "published_bound": None, "best_known": None,
        "yardstick": [1.0] * 3, "published_labels": {}, "probe": 1.0,
        "status": "made", "kind": kind, "unit": unit, "text": "GridCRF(…)", "whole": True,
    } | more  # fmt: skip


def row_of(problem, contender, score, seconds, *, bound=None, **more):
    return {
        "problem": problem, "contender": contender, "status": "done", "message": "ended", "score": score,
        "lower_bound": bound, "labels_sha256": "0" * 64, "peak_mb": 1.0, "curve": [], "seconds": list(seconds),
        "cpu_seconds": list(seconds),
    } | more  # fmt: skip


def document_of(problems, rows, **more):
    return {
        "format": "classicseg bench 1",
        "run": run_of(**more),
        "problems": problems,
        "rows": rows,
        "not_installed": {},
    }

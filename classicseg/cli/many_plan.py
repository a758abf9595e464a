"""What work on many images will take, told before it begins: some of them are tried."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from classicseg.cli.jobs import Job, Jobs, One, listed, sentence
from classicseg.cli.output import report
from classicseg.cli.progress import clock
from classicseg.pipelines.presets import AUTO

_TRIED = 3  # images: the middles of as many parts of a list that is in the order of its sizes
_SAID = {
    "shape": "pixels",
    "n_labels": "labels",
    "preset": "",
    "predicate": "",
    "n_regions": "regions",
    "object_pixels": "pixels of the object",
    "n_iter": "iterations",
}
"""What is said of those that were tried."""


def tell(options: argparse.Namespace, jobs: Jobs, one: One, gate: Any) -> None:
    """Try some of the images, and report."""
    sizes = {job.image: job.image.stat().st_size for job in jobs.todo}
    by_size = sorted(jobs.todo, key=lambda job: sizes[job.image])
    n = len(by_size)
    middles = sorted({(2 * k + 1) * n // (2 * _TRIED) for k in range(_TRIED)}) if n else []
    tried = [_tried(by_size[k], one, gate, again=k == middles[0]) for k in middles]
    beside = [done.get("network_memory", 0.0) for done, _ in tried]
    if n and by_size[-1] is not by_size[middles[-1]]:
        largest, _ = _tried(by_size[-1], one, gate, again=False)  # for its memory
        beside.append(largest.get("network_memory", 0.0))
    right = [_each(done, seconds, gate.n_workers) for done, seconds in tried if "error" not in done]
    seconds = sum(right) / len(right) * n if right else None
    of_workers = min(gate.largest * gate.n_workers, max(gate.largest, gate.share * gate.n_workers))
    done = {
        "images": n + len(jobs.before) + len(jobs.faults),
        "to_do": n,
        "there_before": len(jobs.before),
        "without_partner": {str(path): fault for path, fault in jobs.faults.items()},
        "of_no_image": [str(path) for path in jobs.alone],
        "workers": gate.n_workers,
        "threads": gate.n_threads,
        "memory": round(of_workers + max(beside, default=0.0)),
        "alone_from": gate.share,
        "seconds": seconds,
        "tried": [done for done, _ in tried],
    }
    report(options, done, _text(options, jobs, done))


def _each(done: dict[str, Any], seconds: float, n_workers: int) -> float:
    """What an image adds to the time of all: a network sees one at a time, the rest is done by several workers."""
    alone = min(seconds, done.get("network_seconds", 0.0))
    return alone + (seconds - alone) / n_workers


def _tried(job: Job, one: One, gate: Any, *, again: bool) -> tuple[dict[str, Any], float]:
    """What was done with an image, or its error, and how long it took; `again`: it has loaded kernels before."""
    from classicseg.io.files import suffix_of
    from classicseg.pipelines.many import attempt

    with tempfile.TemporaryDirectory() as folder:
        names = [name for name, value in vars(job.options).items() if value in job.targets]
        own = {name: Path(folder) / f"{name}{suffix_of(getattr(job.options, name))}" for name in names}
        options = argparse.Namespace(**vars(job.options) | own | {"gate": gate, "brief": True})
        if again:
            attempt(lambda: one(options))
        start = time.perf_counter()
        found, error = attempt(lambda: one(options))
        seconds = time.perf_counter() - start
        options.brief = False
        if error is None:
            found, error = attempt(lambda: one(options))
    if error is not None or found is None:
        return {"image": str(job.image), "error": sentence(error or Exception())}, seconds
    done = {name: value for name, value in found[0].items() if name not in names}
    return {"image": str(job.image), **done}, seconds


def _text(options: argparse.Namespace, jobs: Jobs, done: dict[str, Any]) -> str:
    lines = [f"{done['images']} images: {done['to_do']} to do, {done['there_before']} there before"]
    if jobs.faults:
        lines[0] += f", {len(jobs.faults)} without all that belongs to them"
        lines += [f"  {fault}" for fault in jobs.faults.values()]
    if jobs.alone:
        lines.append(f"{len(jobs.alone)} files belong to no image: {listed(jobs.alone)}")
    if done["seconds"] is not None:
        each = "1 thread" if done["threads"] == 1 else f"{done['threads']} threads"
        lines.append(
            f"{done['workers']} at a time on {each} each: about {clock(done['seconds'])}, "
            f"{done['memory'] / 2**20:.3g} MiB of memory"
        )
    if AUTO in (getattr(options, "preset", None), getattr(options, "crf", None)):
        lines.append(f"preset {AUTO} is chosen for each image; of some that were tried:")
    told: list[Any] = []
    for tried in done["tried"]:
        said = [f"{_short(tried[name])} {word}".strip() for name, word in _SAID.items() if tried.get(name) is not None]
        lines.append(f"  {tried['image']}: {tried.get('error') or ', '.join(said)}")
        if "kernels" in tried and tried["kernels"] not in told:
            told.append(tried["kernels"])
            lines += [f"    {kernel}" for kernel in tried["kernels"]]
    return "\n".join(lines)


def _short(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, list) else str(value)

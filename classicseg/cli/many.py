"""What commands do with many images: several at a time, each for itself, with results in folders.

Which images, and what belongs to them by name, is told by :mod:`classicseg.io.batches`. An image that fails is told at
once, and the others are finished: the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from classicseg.cli import many_plan
from classicseg.cli.jobs import Job, Jobs, One, changed, collect, listed, sentence
from classicseg.cli.output import report
from classicseg.cli.progress import Progress
from classicseg.errors import InputError


def add_arguments(parser: argparse.ArgumentParser, partners: str) -> None:
    """Declare how many images are worked on; `partners` is what else each has, for the help."""
    parser.set_defaults(plan=False, partner_suffix="")  # of commands that have no such options
    parser.add_argument("--workers", type=int, metavar="N", help="of many images: how many at a time (default: all"
                        " processors), each on one thread")  # fmt: skip
    parser.add_argument(
        "--skip-existing", action="store_true",
        help="of many images: leave out those whose results are there, as after a run that was ended",
    )  # fmt: skip
    parser.add_argument("--suffix", default=".png", help="of many images: of labels (default: %(default)s)")
    if partners:
        parser.add_argument(
            "--partner-suffix", default="", metavar="END",
            help=f"of many images: what names of {partners} have behind those of images, such as _logits",
        )  # fmt: skip


def add_plan(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Let users ask what it will take; `more` is what else they can ask about, for the help."""
    parser.add_argument(
        "--plan", action="store_true",
        help="of many images: only say how many there are, what has no partner, and what memory and time they take, "
        "from a few that are tried, with their parameters" + more,
    )  # fmt: skip


def are_asked(options: argparse.Namespace) -> bool:
    """Whether a command is to write folders, for several images."""
    if getattr(options, "film", None) is not None or getattr(options, "folder", None) is not None:
        return True
    images = getattr(options, "image", None)
    if not isinstance(images, list):
        return False
    from classicseg.io.batches import are_several, is_folder

    if "folder" in options:  # probabilities of one image stand after it
        return len(images) != 2 or all(is_folder(path) for path in images)
    return are_several(images) or is_folder(options.output) or not options.output.suffix


def run(
    options: argparse.Namespace, one: One, outputs: Mapping[str, str], partners: Mapping[str, Sequence[str]]
) -> int:
    """Work on one image or on many, and return the exit code.

    Parameters
    ----------
    options : argparse.Namespace
    one : callable
        What is done with each.
    outputs : mapping
        What the options of outputs name: files for one image, folders for many.
    partners : mapping
        Options of files that belong to an image, and the suffixes that these may have; folders for many images. What
        is no folder then belongs to all.
    """
    if not options.several:
        if options.plan:
            raise InputError("--plan goes with many images or, where the command has it, with --stream")
        options.image = options.image[0]
        report(options, *one(changed(options, gate=None, brief=False)))
        return 0
    from classicseg.pipelines.many import Gate, workers_for

    jobs = collect(options, outputs, partners)
    n_workers, n_threads = workers_for(len(jobs.todo), options.workers, options.threads)
    gate = Gate(n_workers, n_threads)
    if options.plan:
        many_plan.tell(options, jobs, one, gate)
        return 0
    _prepare(jobs, outputs)
    progress, failed = Progress(len(jobs.todo)), dict(jobs.faults)
    n_done = 0
    for image, fault in jobs.faults.items():
        _tell(options, progress, image, "failed", {"error": fault})
    for job in jobs.before:
        _tell(options, progress, job.image, "skipped", {"output": str(job.targets[0])})
    try:
        for job, done, error in _worked(jobs.todo, one, n_workers, gate, progress):
            if error is None:
                n_done += 1
                _tell(options, progress, job.image, "done", done)
            else:
                failed[job.image] = options.parser.in_options(sentence(error))
                _tell(options, progress, job.image, "failed", {"error": failed[job.image]})
            progress.step()
    except BaseException:
        progress.clear()
        _say_sum(options, jobs, n_done, failed, "; --skip-existing goes on from here")
        raise
    progress.clear()
    _say_sum(options, jobs, n_done, failed, f"; {progress.seconds:.1f} s, {n_done / progress.seconds:.3g} a second")
    return 1 if failed else 0


def admitted(options: argparse.Namespace, nbytes: float) -> contextlib.AbstractContextManager[int | None]:
    """Wait until there is memory for so much beside the other images, and say how many threads to use."""
    if options.gate is None:
        return contextlib.nullcontext(options.threads)
    admission: contextlib.AbstractContextManager[int | None] = options.gate.admit(nbytes)
    return admission


def _prepare(jobs: Jobs, outputs: Mapping[str, str]) -> None:
    """Make the folders, and raise an error now if something could not be written later."""
    from classicseg import io

    for folder in {target.parent for job in jobs.todo for target in job.targets}:
        folder.mkdir(parents=True, exist_ok=True)
    for job in jobs.todo[:1]:
        for name, what in outputs.items():
            if (path := getattr(job.options, name)) is not None:
                io.check_output(path, what)


def _worked(
    jobs: Sequence[Job], one: One, n_workers: int, gate: Any, progress: Progress
) -> Iterator[tuple[Job, dict[str, Any], Exception | None]]:
    """Each image with what was done, or the error that ended it, as they are finished."""
    from classicseg.pipelines.many import attempt
    from classicseg.pipelines.pool import results_of

    def work(job: Job) -> tuple[Job, dict[str, Any], Exception | None]:
        options = changed(job.options, gate=gate, brief=not job.options.json)
        found, error = attempt(lambda: one(options))
        return job, {} if found is None else found[0], error

    shown = warnings.showwarning

    def show(*warning: Any, **more: Any) -> None:
        progress.clear()
        shown(*warning, **more)

    warnings.showwarning = show
    try:
        with contextlib.closing(results_of(work, jobs, n_workers)) as finished:
            for _, result in finished:
                yield result
    finally:
        warnings.showwarning = shown


def _tell(options: argparse.Namespace, progress: Progress, image: Path, status: str, done: Mapping[str, Any]) -> None:
    """Say what became of an image: its error, and a line of JSON if that is wanted."""
    if "error" in done:
        progress.clear()
        error = done["error"]
        options.say(error if str(image) in error else f"{image}: {error}")
    if options.json:
        print(json.dumps({"image": str(image), "status": status, **done}), flush=True)


def _say_sum(options: argparse.Namespace, jobs: Jobs, n_done: int, failed: Mapping[Path, str], more: str) -> None:
    n, before = len(jobs.todo) + len(jobs.before) + len(jobs.faults), ""
    if jobs.before:
        before = f" ({len(jobs.before)} were there before)"
    text = f"{options.output}: {n_done + len(jobs.before)} of {n} done{before}"
    if failed:
        text += f", {len(failed)} failed: {listed(failed)}"
    print(text + more, file=sys.stderr if options.json else sys.stdout, flush=True)

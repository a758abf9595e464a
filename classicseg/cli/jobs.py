"""Which images a command works on, what belongs to each of them, and where its results go."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from classicseg.errors import InputError

if TYPE_CHECKING:
    from classicseg.io.batches import Found

One: TypeAlias = Callable[[argparse.Namespace], tuple[dict[str, Any], str]]
"""Works on the one image that options name, and says what was done: for programs and for people."""
_SUFFIXES = {"images": ".png", "mattes": ".png", "marginals": ".npy", "animations": ".gif", "tables": ".csv"}
_SHOWN = 5  # names in a sentence


class Job(NamedTuple):
    """An image and all that belongs to it."""

    image: Path
    options: argparse.Namespace
    targets: list[Path]


class Jobs(NamedTuple):
    """What is to be done, and what is not."""

    todo: list[Job]
    before: list[Job]
    """Those whose results are there already."""
    faults: dict[Path, str]
    """Images that cannot be worked on, and why."""
    alone: list[Path]
    """Files that belong to no image."""


def collect(options: argparse.Namespace, outputs: Mapping[str, str], partners: Mapping[str, Sequence[str]]) -> Jobs:
    """All that is to be done; an error if results could take the place of what is read, or of each other."""
    from classicseg.io.batches import find_images, find_partners, is_folder

    found = find_images(options.image)
    folders = {name: path for name in outputs if (path := getattr(options, name)) is not None}
    of_others: dict[str, dict[str, Path]] = {}
    faults: dict[str, str] = {}
    alone: list[Path] = []
    given = {name: path for name in partners if (path := getattr(options, name)) is not None}
    for name, path in given.items():
        if not path.exists():
            raise FileNotFoundError(f"no such file or folder: {path}")
        if is_folder(path):
            ending = options.partner_suffix if name == next(iter(partners)) else ""
            of_others[name], wrong, unused = find_partners(found, path, tuple(partners[name]), ending)
            faults |= wrong
            alone += unused
    if len(faults) == len(found):
        raise InputError(f"no image has all that belongs to it: {next(iter(faults.values()))}")
    _check_folders(options, found, folders, list(given.values()))
    jobs = []
    for image, place in found:
        if place in faults:
            continue
        own = {name: files[place] for name, files in of_others.items()}
        ends = {name: _SUFFIXES.get(outputs[name], options.suffix) for name in folders}
        targets = {name: folder / f"{place}{ends[name]}" for name, folder in folders.items()}
        jobs.append(Job(image, changed(options, image=image, **own, **targets), list(targets.values())))
    _check_apart(jobs, [file for files in of_others.values() for file in files.values()])
    before = [job for job in jobs if options.skip_existing and all(path.exists() for path in job.targets)]
    skipped = {job.image for job in before}
    todo = [job for job in jobs if job.image not in skipped]
    return Jobs(todo, before, {image: faults[place] for image, place in found if place in faults}, alone)


def _check_folders(
    options: argparse.Namespace, found: Sequence[Found], folders: Mapping[str, Path], partners: Sequence[Path]
) -> None:
    """Raise an error if a folder of results is a file, or one whose files are read, as they would be next time."""
    from classicseg.io.batches import is_folder

    whole = [path.resolve() for path in (*options.image, *partners) if is_folder(path)]
    beside = {image.resolve().parent for image, _ in found}
    for name, folder in folders.items():
        option = "-o" if name == "output" else f"--{name}"
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is no folder; for many images {option} names one")
        target = folder.resolve()
        within = next((path for path in whole if target == path or path in target.parents), None)
        if target in beside or within is not None:
            raise InputError(f"{folder} is where files are read from; {option} must name a folder of its own")


def _check_apart(jobs: Sequence[Job], others: Sequence[Path]) -> None:
    read = {path.resolve() for path in (*(job.image for job in jobs), *others)}
    written: set[Path] = set()
    for path in (target for job in jobs for target in job.targets):
        if path.resolve() in read:
            raise InputError(f"{path} would be written over a file that is read; give another folder")
        if path in written:
            raise InputError(f"{path} would be written twice; give each output a folder of its own")
        written.add(path)


def listed(paths: Sequence[Path] | Mapping[Path, Any]) -> str:
    """The first names of many."""
    names = [path.name for path in paths]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def sentence(error: Exception) -> str:
    """What an error says; its kind as well, if nobody has raised it on purpose."""
    known = isinstance(error, (ValueError, TypeError, OSError, MemoryError))
    return str(error) if known and str(error) else f"{type(error).__name__}: {error}"


def changed(options: argparse.Namespace, **changes: Any) -> argparse.Namespace:
    """The options with some of them replaced."""
    return argparse.Namespace(**vars(options) | changes)

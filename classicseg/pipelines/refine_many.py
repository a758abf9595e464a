"""Refining many images, several at a time."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import time
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np

from classicseg import inputs, io
from classicseg.errors import InputError, InputTypeError
from classicseg.io.batches import DRAWN, SCORES, Found, are_several, find_images, find_partners, is_folder, stem_of
from classicseg.pipelines import presets
from classicseg.pipelines.many import Gate, attempt, bytes_of_refinement, workers_for
from classicseg.pipelines.pool import results_of
from classicseg.pipelines.presets import Changes, Preset
from classicseg.pipelines.refine import checked, refinement
from classicseg.pipelines.refinement import ChannelAxis, scores_of_one
from classicseg.solvers.run import progress_bar

_OF_ONE = ("independent", "like", "marginals", "origin")
_SUFFIXES = {"mask": DRAWN}  # of what belongs to an image, if they are not those of scores
_END = object()


class ManyOptions(Changes, total=False):
    """What :func:`refine_many` can be told beside what it reads and writes; None is as if not given."""

    label_axis: int
    channel_axis: ChannelAxis
    n_threads: int | None
    suffix: str


@dataclass(frozen=True, eq=False)
class RefinedItem:
    """What :func:`refine_many` has made of one image.

    Attributes
    ----------
    name : str
        That of its file without suffix, behind those of folders within the folder that was given; or its number.
    path : pathlib.Path or None
        Where its labels were written.
    error : Exception or None
        What ended its refinement.
    skipped : bool
        Whether its labels were there before.
    strength : str
        Name of the preset that was chosen or given, as in :class:`Refinement`.
    seconds : float
        To read, refine and write it.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample("nuclei")
    >>> (item,) = cs.refine_many([s.image], [s.probabilities])
    >>> item.name, item.strength
    ('000000', 'firm')
    """

    name: str
    path: Path | None = None
    error: Exception | None = None
    skipped: bool = False
    strength: str = ""
    seconds: float = 0.0
    _labels: np.ndarray | None = field(default=None, repr=False)

    @property
    def labels(self) -> np.ndarray:
        """Labels of the spatial shape, int32, read from their file if they were written; or the error is raised."""
        if self.error is not None:
            raise self.error
        return io.read_labels(self.path) if self._labels is None and self.path is not None else np.asarray(self._labels)


class _Task(NamedTuple):
    """An image and all that belongs to it: arrays, or paths of files."""

    name: str
    parts: dict[str, Any]
    fault: str | None = None


def refine_many(
    images: Any,
    probabilities: Any = None,
    *,
    logits: Any = None,
    unary: Any = None,
    masks: Any = None,
    out: str | os.PathLike[str] | None = None,
    preset: str | Preset = presets.AUTO,
    n_workers: int | None = None,
    skip_existing: bool = False,
    **options: Unpack[ManyOptions],
) -> Iterable[RefinedItem]:
    """Refine many images as :func:`refine` does one, several at a time, each on a thread of its own.

    Few images are in memory at a time: twice as many as there are workers. What is too large for its share of the free
    memory waits, and is refined alone, on all threads. An image that fails keeps its error, and the others are refined.

    Parameters
    ----------
    images : path or iterable
        A folder, whose inner folders are looked into as well, a pattern such as ``"photos/*.jpg"``, or arrays and
        names of files; also from a generator, which is asked for the next one when that is needed.
    probabilities, logits, unary : path or iterable, optional
        Exactly one of them: a folder that has a file for each image, of the same name but for the suffix; or as many
        arrays and names of files as there are images.
    masks : path or iterable, optional
        Pixels that take part, likewise. Pixels of files that are wholly transparent or hold no data take no part
        anyway.
    out : path, optional
        Folder for the labels, which is made if it is not there: pictures of the names of the images, or of their
        numbers; 255 outside of masks. Each file is written as a whole or not at all.
    preset : str or Preset
        As in :func:`refine`; ``"auto"`` chooses for each image.
    n_workers : int, optional
        Images at a time; as many as there are threads to use if not given.
    skip_existing : bool
        Whether to leave out images whose labels are in `out`.
    **options
        All that :func:`refine` can be told but `independent`, `like` and `origin`, and

        n_threads : int
            For each image. Labels do not depend on it.
        suffix : str
            Of files in `out`, ``".png"`` if not given; ``".npy"`` or ``".tif"`` for volumes.

    Returns
    -------
    iterable of RefinedItem
        In the order of the images. With `out` a list, once all is done; without, an iterator, and images are refined
        while it is followed.

    Raises
    ------
    ValueError, TypeError
        If an argument cannot work for any image, there are no images, two of them have the same name, or iterables are
        not equally long. What is wrong with one image is its `error`.
    OSError
        If a folder is not there, or the disk is full.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample("nuclei")
    >>> halves = [(s.image[:, part], s.probabilities[:, :, part]) for part in (slice(128), slice(128, None))]
    >>> images, probabilities = zip(*halves)
    >>> [item.labels.shape for item in cs.refine_many(images, probabilities)]
    [(256, 128), (256, 128)]
    """
    changes: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if "channel_axis" in options:  # for which None is an answer
        changes["channel_axis"] = options["channel_axis"]
    named: dict[str, Any] = {name: changes.pop(name) for name in ("label_axis", "channel_axis") if name in changes}
    n_threads, suffix = changes.pop("n_threads", None), changes.pop("suffix", ".png")
    for name in changes.keys() & set(_OF_ONE):
        raise InputTypeError(f"refine_many has no parameter {name!r}; it is for refine, image by image")
    shown = checked(preset, changes).changes.pop("progress", False)  # type: ignore[arg-type]
    changes.pop("progress", None)
    given = {"probabilities": probabilities, "logits": logits, "unary": unary}
    kinds = [name for name, value in given.items() if value is not None]
    if len(kinds) != 1:
        raise InputTypeError(
            f"exactly one of probabilities, logits and unary must be given, got {' and '.join(kinds) or 'none'}"
        )
    parts = {kinds[0]: given[kinds[0]]} | ({} if masks is None else {"mask": masks})
    skips = inputs.as_flag(skip_existing, "skip_existing")
    folder = None if out is None else _folder(out, suffix, [images, *parts.values()])
    if skips and folder is None:
        raise InputError("skip_existing looks at the files in out, which is not given")
    tasks, n_tasks = _tasks(images, parts)
    n_workers, n_threads = workers_for(n_tasks, n_workers, n_threads)
    how = _How(kinds[0], folder, suffix, skips, {"preset": preset, **named, **changes}, Gate(n_workers, n_threads))
    bar = progress_bar("refine_many", n_tasks) if shown else None  # type: ignore[arg-type]
    found = _followed(results_of(how.work, tasks, n_workers, in_order=True), bar)
    return found if folder is None else list(found)


class _How(NamedTuple):
    """What is done with every image."""

    kind: str
    folder: Path | None
    suffix: str
    skips: bool
    options: dict[str, Any]
    gate: Gate

    def work(self, task: _Task) -> RefinedItem:
        """Refine one."""
        start = time.perf_counter()
        target = None if self.folder is None else self.folder / f"{task.name}{self.suffix}"
        if task.fault is not None:
            return RefinedItem(task.name, error=InputError(task.fault))
        if self.skips and target is not None and target.exists():
            return RefinedItem(task.name, target, skipped=True)
        done, error = attempt(lambda: self._refined(task, target))
        seconds = time.perf_counter() - start
        if done is None:
            return RefinedItem(task.name, error=error, seconds=seconds)
        labels, strength = done
        return RefinedItem(task.name, target, None, False, strength, seconds, labels if target is None else None)

    def _refined(self, task: _Task, target: Path | None) -> tuple[np.ndarray, str]:
        """The labels, which are written if that is wanted, and the strength."""
        image, inside = task.parts["image"], None
        if _is_path(image):
            image, inside = io.read_masked_image(image)
        scores, mask = task.parts[self.kind], task.parts.get("mask")
        scores = io.read_probabilities(scores) if _is_path(scores) else scores
        if mask is not None and _is_path(mask):
            mask = io.read_labels(mask)
        if inside is not None and mask is not None:
            taking_part = inputs.as_mask(mask, inside.shape)
            mask = inside if taking_part is None else inside & taking_part
        mask = inside if mask is None else mask
        axes = self.options.get("label_axis", 0), self.options.get("channel_axis", "infer")
        scores, _ = scores_of_one(image, {self.kind: scores}, *axes)
        shape = np.shape(image)
        spatial = shape[:-1] if len(shape) == scores.ndim else shape
        n_labels = scores.shape[axes[0]] if -scores.ndim <= axes[0] < scores.ndim else 1
        nbytes = bytes_of_refinement(spatial, math.prod(shape) // math.prod(spatial or (1,)), n_labels, scores.size)
        with self.gate.admit(nbytes) as n_threads:
            given = {self.kind: scores, "mask": mask, "n_threads": n_threads, "spacing": _spacing_of(image)}
            found = refinement(image, **given | self.options, marginals=False)
        if target is not None:
            if found.labels.min() < 0 and n_labels > io.VOID:
                raise InputError(f"pixels outside are written as {io.VOID}, which is one of the {n_labels} labels here")
            target.parent.mkdir(parents=True, exist_ok=True)
            outside = found.labels < 0
            held, nodata = np.where(outside, np.int32(io.VOID), found.labels), io.VOID if outside.any() else None
            io.write_labels(target, held, like=image if isinstance(image, io.Raster) else None, nodata=nodata)
        return found.labels, found.strength


def _spacing_of(image: Any) -> Any:
    """That of the file of a scan or a stack; pixels of maps are nearly squares, and ranges are thought of in pixels."""
    profile = image.profile if isinstance(image, io.Raster) else None
    return None if profile is None or hasattr(profile, "crs") else profile.spacing


def _followed(results: Any, bar: Any) -> Iterator[RefinedItem]:
    """The items alone; the bar follows them."""
    with contextlib.closing(results), contextlib.nullcontext() if bar is None else bar:
        for _, item in results:
            yield item
            if bar is not None:
                bar.update()


def _folder(out: Any, suffix: Any, sources: list[Any]) -> Path:
    """Make the folder of results; an error if its files would be among those that are read."""
    folder = io.files.as_path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"out must be the name of a folder, got {folder}")
    for source in (Path(source) for source in sources if _is_path(source)):
        place = source.resolve() if is_folder(source) else source.resolve().parent
        if place == folder.resolve() or (is_folder(source) and place in folder.resolve().parents):
            raise InputError(f"out={str(folder)!r} is where files are read from; it must be a folder of its own")
    folder.mkdir(parents=True, exist_ok=True)
    io.check_output(folder / f"labels{suffix}", "labels")
    return folder


def _tasks(images: Any, parts: dict[str, Any]) -> tuple[Iterator[_Task], int | None]:
    """The images with all that belongs to them, and how many there are if that is known."""
    found: list[Found] | None = None
    if _is_path(images):
        path = Path(images)
        if not are_several([path]):
            raise InputError(f"images must be a folder, a pattern, or a sequence of images, got the name {path}")
        found = find_images([path])
    elif any(_is_path(part) for part in parts.values()):
        names = list(inputs.as_sequence(images, "images", "names of files"))
        if not all(_is_path(name) for name in names):
            raise InputTypeError("images must be names of files if what belongs to them is found by name in a folder")
        found = find_images([Path(name) for name in names])
    faults: dict[str, str] = {}
    rows: dict[str, Iterable[Any]] = {"image": _iterable(images, "images")} if found is None else {}
    for name, part in parts.items():
        if not _is_path(part):
            rows[name] = _iterable(part, name)
            continue
        assert found is not None
        partners, wrong, _ = find_partners(found, Path(part), _SUFFIXES.get(name, SCORES))
        faults |= wrong
        rows[name] = [partners.get(place) for _, place in found]
    if found is not None:
        if len(faults) == len(found):
            raise InputError(f"no image has all that belongs to it: {next(iter(faults.values()))}")
        rows["image"] = [file for file, _ in found]
    lengths = {name: len(row) for name, row in rows.items() if isinstance(row, Sized)}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{n} of {name}" for name, n in lengths.items())
        raise InputError(f"there must be as many of one as of the other, got {listed}")
    places = None if found is None else [place for _, place in found]
    return _zipped(rows, places, faults), min(lengths.values(), default=None)


def _zipped(rows: dict[str, Iterable[Any]], places: list[str] | None, faults: dict[str, str]) -> Iterator[_Task]:
    """One of each, as long as there are; an error if one ends before the others, or a name comes again."""
    met: set[str] = set()
    for i, values in enumerate(itertools.zip_longest(*rows.values(), fillvalue=_END)):
        parts = dict(zip(rows, values, strict=True))
        ended = [name for name, value in parts.items() if value is _END]
        if ended:
            raise InputError(f"there must be as many {', '.join(ended)} as of the others, got {i}")
        image = parts["image"]
        name = places[i] if places is not None else stem_of(Path(image)) if _is_path(image) else f"{i:06}"
        if name in met:
            raise InputError(f"two images are called {name}: names must differ in more than folders and suffixes")
        met.add(name)
        yield _Task(name, parts, faults.get(name))


def _iterable(given: Any, name: str) -> Iterable[Any]:
    try:
        iter(given)
    except TypeError as failure:
        raise InputTypeError(
            f"{name} must be a folder or a sequence, one for each image, got {given!r:.80}"
        ) from failure
    return given


def _is_path(given: Any) -> bool:
    return isinstance(given, (str, os.PathLike))

"""Many images: which files are meant, what belongs to each of them by its name, and where results go."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from classicseg.errors import InputError
from classicseg.io.arrays import PYTORCH
from classicseg.io.files import NIFTI, TIFF, ZARR, suffix_of
from classicseg.io.folders import IMAGES, LABELS

IMAGES_OF_MANY = (*IMAGES, ".webp", *NIFTI, *ZARR)
"""Which files of a folder are images."""
SCORES = (".npy", ".npz", *TIFF, *PYTORCH, ".safetensors", *NIFTI, *ZARR)
"""Which may be what a network says of them."""
DRAWN = (*LABELS, ".gif", ".npz", *NIFTI, *ZARR)
"""Which may be label maps, masks and strokes."""


class Found(NamedTuple):
    """A file of many.

    Attributes
    ----------
    path : pathlib.Path
    place : str
        Its name without suffix; behind those of the folders between it and the folder that was given, if one was.
    """

    path: Path
    place: str


def are_several(given: Sequence[Path]) -> bool:
    """Whether names stand for more than one file: there are several, or the one is a folder or a pattern."""
    return len(given) > 1 or any(is_folder(path) or _is_pattern(path) for path in given)


def is_folder(path: Path) -> bool:
    """Whether a path is a folder of files; those of Zarr are files that look like folders."""
    return path.is_dir() and suffix_of(path) not in ZARR


def find_images(given: Iterable[Path], suffixes: tuple[str, ...] = IMAGES_OF_MANY) -> list[Found]:
    """The files that names, folders and patterns such as ``photos/*.jpg`` stand for, in order.

    Of folders, and of folders within them, those of the `suffixes`, but for hidden ones, which systems leave.

    Raises
    ------
    FileNotFoundError
        If something is not there.
    ValueError
        If a folder has no image, or results of two files would have the same name.
    """
    found: list[Found] = []
    for path in given:
        if is_folder(path):
            inside = _in_folder(path, suffixes)
            if not inside:
                raise InputError(f"{path} has no image ({', '.join(suffixes)})")
            found += inside
        elif _is_pattern(path):
            matching = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
            files = sorted(file for file in matching if not is_folder(file) and not file.name.startswith("."))
            if not files:
                raise FileNotFoundError(f"no file matches {path}")
            found += [Found(file, stem_of(file)) for file in files]
        elif path.exists():
            found.append(Found(path, stem_of(path)))
        else:
            raise FileNotFoundError(f"no such file: {path}")
    first: dict[str, Path] = {}
    found = list(dict.fromkeys(found))  # a file that is meant twice is one
    for file, place in found:
        other = first.setdefault(os.path.normcase(place), file)
        if other is not file:
            hint = "names must differ in more than their suffixes"
            if other.parent != file.parent:
                hint = "give the folder that holds both, whose inner folders are kept, or one folder after the other"
            raise InputError(f"results of {other} and {file} would have the same name, {place}: {hint}")
    return found


def find_partners(
    images: Sequence[Found], folder: Path, suffixes: tuple[str, ...], ending: str = ""
) -> tuple[dict[str, Path], dict[str, str], list[Path]]:
    """What belongs to each image, by its place.

    Parameters
    ----------
    images : sequence of Found
    folder : pathlib.Path
        Where to look, also in folders within.
    suffixes : tuple of str
        Of what may belong to an image.
    ending : str
        What stands after the name of an image in that of its partner, such as ``_logits``; others are left out.

    Returns
    -------
    partners : dict
        By the place of the image.
    faults : dict
        What is wrong with those that have none, or several, a sentence for each.
    alone : list of pathlib.Path
        What belongs to no image.
    """
    if not is_folder(folder):
        raise FileNotFoundError(f"no such folder: {folder}")
    files: dict[str, list[Path]] = {}
    for file, place in _in_folder(folder, suffixes):
        if place.endswith(ending):
            files.setdefault(place.removesuffix(ending), []).append(file)
    partners, faults = {}, {}
    for image, place in images:
        match files.pop(place, []):
            case [file]:
                partners[place] = file
            case []:
                faults[place] = f"{folder} has no {place}{ending} ({', '.join(suffixes)}) for {image}"
            case several:
                names = " and ".join(file.name for file in several)
                faults[place] = f"{folder} must have one file {place}{ending} for {image}, got {names}"
    return partners, faults, [file for left in files.values() for file in left]


def stem_of(path: Path) -> str:
    """The name of a file without its suffix."""
    return path.name[: -len(suffix)] if (suffix := suffix_of(path)) else path.name


def _in_folder(folder: Path, suffixes: tuple[str, ...]) -> list[Found]:
    found = []
    for file in sorted(folder.rglob("*")):
        within = PurePath(file.relative_to(folder))
        hidden = any(part.startswith(".") for part in within.parts)
        inner = any(part.lower().endswith(ZARR) for part in within.parts[:-1])
        if not (hidden or inner or is_folder(file)) and suffix_of(file) in suffixes:
            found.append(Found(file, within.with_name(stem_of(file)).as_posix()))
    return found


def _is_pattern(path: Path) -> bool:
    """Whether a name is a pattern that a shell left to the program; files may have such names, too."""
    return glob.has_magic(str(path)) and not path.exists()

"""Folders of pictures, and of labels that belong to them by name or by a list."""

from __future__ import annotations

import glob
from pathlib import Path

from classicseg.errors import InputError
from classicseg.io.files import TIFF, suffix_of

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", *TIFF, ".npy")
LABELS = (".png", ".bmp", *TIFF, ".npy")


def folders_of(root: Path, split: str | None) -> tuple[Path, Path]:
    """The folders of images and of labels; FileNotFoundError names those that were looked for."""
    if split is None:
        choices = [(root / "images", root / "labels")]
    else:
        choices = [(root / split / "images", root / split / "labels"), (root / split, root / f"{split}_labels")]
    for images, labels in choices:
        if images.is_dir() and labels.is_dir():
            return images, labels
    wanted = " or ".join(f"{images} with {labels}" for images, labels in choices)
    more = "" if split is None else f", nor a list of pairs, {root / split}"
    raise FileNotFoundError(f"no such folders: {wanted}{more}")


def pairs_in(root: Path, split: str | None = None, *, label_suffix: str = "") -> dict[str, tuple[Path, Path]]:
    """The files of a data set by the names of its images, see :func:`matched_in`; ValueError if any has no partner."""
    return _without_faults(*matched_in(root, split, label_suffix=label_suffix))


def matched_in(
    root: Path, split: str | None = None, *, label_suffix: str = ""
) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """The pairs of a data set, and what is wrong with the files that make none, a sentence for each.

    Parameters
    ----------
    root : pathlib.Path
    split : str, optional
        Names folders within, or a file: a list of pairs, with an image, a tab and its labels in each line, from the
        folder of the list.
    label_suffix : str
        See :func:`pairs_of`; not for lists.
    """
    if split is None or not (root / split).is_file():
        return matched(*folders_of(root, split), label_suffix=label_suffix)
    if label_suffix:
        raise InputError(f"label_suffix={label_suffix!r} is for folders; the list {root / split} names its labels")
    return _listed(root / split)


def pairs_of(
    images: Path,
    labels: Path,
    suffixes: tuple[str, ...] = IMAGES,
    label_suffix: str = "",
    more: tuple[str, ...] = (),
) -> dict[str, tuple[Path, Path]]:
    """The files of two folders by their common name without suffix; ValueError if any has no partner, or two.

    Parameters
    ----------
    images, labels : pathlib.Path
        The folders; files in folders within them have the names of these in front.
    suffixes : tuple of str
        Of images.
    label_suffix : str
        What stands after the name of an image in that of its labels, such as ``_mask``; others are left out.
    more : tuple of str
        Suffixes that both may have.
    """
    return _without_faults(*matched(images, labels, suffixes, label_suffix, more))


def _without_faults(pairs: dict[str, tuple[Path, Path]], faults: list[str]) -> dict[str, tuple[Path, Path]]:
    if faults:
        more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
        raise InputError(faults[0] + more)
    return pairs


def matched(
    images: Path,
    labels: Path,
    suffixes: tuple[str, ...] = IMAGES,
    label_suffix: str = "",
    more: tuple[str, ...] = (),
) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """The pairs of two folders, and what is wrong with the files that make none, a sentence for each."""
    of_images, of_labels = _by_name(images, suffixes + more), _by_name(labels, IMAGES + more, label_suffix)
    faults = [] if of_images else [f"{images} has no picture ({', '.join(suffixes)})"]
    for files in (*of_images.values(), *of_labels.values()):
        if len(files) > 1:
            names = " and ".join(file.name for file in files)
            faults.append(f"{files[0].parent} has {names}: names must differ in more than their suffixes")
    for files in of_labels.values():
        faults += [_lossy(file) for file in files if suffix_of(file) not in LABELS + more]
    for mine, others, there in ((of_images, of_labels, labels), (of_labels, of_images, images)):
        faults += [_alone(mine[name][0], there, name) for name in mine if name not in others]
    return {name: (of_images[name][0], of_labels[name][0]) for name in of_images if name in of_labels}, faults


def _alone(file: Path, there: Path, name: str) -> str:
    unread = [path.name for path in sorted(there.glob(f"{glob.escape(name)}.*")) if path.suffix.lower() not in IMAGES]
    hint = f"; {unread[0]} is none of {', '.join(IMAGES)}" if unread else "; every image needs its labels"
    return f"{file} has no partner of the same name in {there}{hint}"


def _lossy(file: Path) -> str:
    return f"{file} cannot be labels: as {file.suffix} changes values at borders; write .png"


def _listed(path: Path) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """The pairs of a list, in its order, and its faults."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as failure:
        raise InputError(f"{path} must be a list of pairs as text in UTF-8 ({failure})") from failure
    pairs: dict[str, tuple[Path, Path]] = {}
    faults: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = [word.strip() for word in line.split("\t")]
        if not line.strip() or words[0].startswith("#"):
            continue
        if len(words) != 2 or not all(words):
            raise InputError(f"line {number} of {path} must be an image, a tab and its labels, got {line!r}")
        image, labels = (path.parent / word for word in words)
        name = Path(words[0]).with_suffix("").as_posix()
        if name in pairs:
            faults.append(f"line {number} of {path} has {words[0]}, a name that another line has but for the suffix")
            continue
        faults += [f"line {number} of {path}: no such file: {file}" for file in (image, labels) if not file.is_file()]
        if labels.suffix.lower() not in LABELS:
            faults.append(_lossy(labels))
        elif image.is_file() and labels.is_file():
            pairs[name] = image, labels
    if not pairs and not faults:
        faults.append(f"{path} names no pair")
    return pairs, faults


def _by_name(folder: Path, suffixes: tuple[str, ...], ending: str = "") -> dict[str, list[Path]]:
    """Files by their name without ending and suffix, in order; hidden ones, which systems leave, do not count."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        place = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in place.parts)
        suffix = suffix_of(file)
        stem = file.name[: len(file.name) - len(suffix)]
        if not hidden and suffix in suffixes and stem.endswith(ending) and file.is_file():
            found.setdefault(place.with_name(stem.removesuffix(ending)).as_posix(), []).append(file)
    return found

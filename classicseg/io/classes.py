"""The list of classes: which label of a file means what."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from classicseg.errors import InputError
from classicseg.io.files import as_path

VOID = 255
"""Label of pixels that are neither learned nor scored, in files of labels and everywhere else: the last of 8 bits."""
_NUMBERED = re.compile(r"(?P<number>[0-9]+)(?P<mark>\s*[:;,=\t]\s*|[.)]\s+|\s+)(?P<name>.*\S)")
_NUMBER_LAST = re.compile(r".*\S\s*[:;,=\t]\s*[0-9]+")
_COLOURED = re.compile(r"(?P<name>.*[^\s,;:])[\s,;:]+(?P<red>\d+)[\s,]+(?P<green>\d+)[\s,]+(?P<blue>\d+)")
_COLOR_FIRST = re.compile(r"\d+[\s,]+\d+[\s,]+\D")  # what follows the first of three numbers
_VOID_NAME = re.compile(r"(void|ignored?|unlabell?ed)(\s*[(\[].*)?", re.IGNORECASE)
_LIKE_VOID = re.compile(r"(void|ignore|unlabell?ed)", re.IGNORECASE)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # as some editors begin files


def read_classes(path: str | os.PathLike[str]) -> tuple[tuple[str, ...], dict[int, int]]:
    """The names of the classes in a file, and which class each label of the files is.

    One class stands in a line, in the order of the labels or with its number before it, as in ``7 road``, ``7: road``
    or ``7,road``. One called void, ignore or unlabelled is no class, and nor is the number 255, unless a line gives it
    a name: ``255 object``. Empty lines count for nothing, nor does what follows a ``#``. Three numbers after the name
    are the colour of the class in label pictures with colours: ``road 128 64 128``.

    Returns
    -------
    classes : tuple of str
    numbers : dict of int to int
        Class, or 255 for void, by label.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a number or a name stands twice, a line can be read in two ways, or there is no class.

    Warns
    -----
    UserWarning
        If a name begins as that of void does, as in ``ignore region``: it is a class.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "classes.txt"
    ...     _ = path.write_text("floor, wall, void".replace(", ", chr(10)))
    ...     io.read_classes(path)
    (('floor', 'wall'), {0: 0, 1: 1, 2: 255})
    """
    source = as_path(path)
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}; it names the classes, one in a line, in the order of labels")
    classes: list[str] = []
    numbers: dict[int, int] = {}
    for number, line in _entries(source):
        name = _without_color(line)[0]
        if number in numbers or not 0 <= number <= VOID:
            raise InputError(f"{source} gives the label {number} twice or out of 0 to {VOID}: {name!r}")
        if _VOID_NAME.fullmatch(name):
            numbers[number] = VOID
            continue
        if name in classes:
            raise InputError(f"{source} gives the name {name!r} twice; each class needs a name of its own")
        if _LIKE_VOID.match(name):
            warnings.warn(
                f"{source}: {name!r} is a class like any other; what is not to be learned is called void", stacklevel=2
            )
        numbers[number] = len(classes)
        classes.append(name)
    if not classes:
        raise InputError(f"{source} names no class")
    return tuple(classes), numbers


def read_colors(path: str | os.PathLike[str]) -> dict[tuple[int, int, int], int]:
    """Label by colour, (red, green, blue), of those lines of a list of classes with one; ValueError if two share it."""
    source = as_path(path)
    colors: dict[tuple[int, int, int], int] = {}
    for number, line in _entries(source):
        name, color = _without_color(line)
        if color is None:
            continue
        if color in colors or max(color) > VOID:
            raise InputError(f"{source} gives the colour {color} twice or out of 0 to {VOID}: {name!r}")
        colors[color] = number
    return colors


def _without_color(line: str) -> tuple[str, tuple[int, int, int] | None]:
    match = _COLOURED.fullmatch(line)
    if match is None:
        return line, None
    return match["name"], (int(match["red"]), int(match["green"]), int(match["blue"]))


def table_of(numbers: Mapping[int, int]) -> np.ndarray:
    """Class by label, (256,) int16: 255 for void, which the label 255 is unless it is a class, and -1 for no class."""
    table = np.full(VOID + 1, -1, np.int16)
    table[VOID] = VOID
    for number, of in numbers.items():
        table[number] = of
    return table


def check_counts(counts: np.ndarray, n_void: int, classes: Sequence[str], what: str) -> None:
    """Refuse labels of which nothing can be learned or scored, and warn of classes without a pixel.

    Parameters
    ----------
    counts : ndarray, (L,), int
        Pixels of each class.
    n_void : int
        Pixels of none.
    classes : sequence of str, L
    what : str
        Whose labels these are.

    Raises
    ------
    ValueError
        If there is one class only, no pixel is of a class, or all that are not void are of the first of several: labels
        of 0 and 255.
    """
    if len(classes) < 2:
        raise InputError(f"{what} must have 2 classes at least, got {classes[0]!r} only; the background is one as well")
    missing = [name for name, count in zip(classes, counts, strict=True) if count == 0]
    if len(missing) == len(classes):
        raise InputError(f"no pixel of any class in {what}: all labels are void ({VOID})")
    if n_void and missing == list(classes[1:]):
        name = "object" if classes[1].isdecimal() else classes[1]
        raise InputError(
            f"labels of {what} are 0 and {VOID} only, and {VOID} is void: there is nothing but {classes[0]!r}. If "
            f"{VOID} means {name!r}, write '{VOID} {name}' in classes.txt, or turn {VOID} into 1"
        )
    if missing:
        warnings.warn(f"no pixel of {', '.join(missing)} in {what}", stacklevel=2)


def _entries(source: Path) -> list[tuple[int, str]]:
    """Number and name of each line."""
    lines = [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in _text(source).splitlines()) if line]
    found = [_NUMBERED.fullmatch(line) for line in lines]
    if (
        lines
        and all(_NUMBER_LAST.fullmatch(line) and not _COLOURED.fullmatch(line) for line in lines)
        and None in found
    ):
        raise InputError(f"{source} must have numbers before names, as in '7 road', got {lines[0]!r}")
    if len(lines) == 1 and "," in _without_color(lines[0])[0] and found[0] is None:
        raise InputError(f"{source} must have one class in a line, got {lines[0]!r}")
    if any(match and _COLOR_FIRST.match(match["name"]) for match in found):
        raise InputError(f"{source} must have colours after names, as in 'road 128 64 128', got {lines[0]!r}")
    entries = []
    for position, (line, match) in enumerate(zip(lines, found, strict=True)):
        if match is None:
            entries.append((position, line))
            continue
        number = int(match["number"])
        if None in found and match["mark"].isspace() and "\t" not in match["mark"] and number != VOID:
            raise InputError(
                f"{source} has lines with and without numbers, so that {line!r} may be a name or the label {number}: "
                f"number all lines, or write '{position}: {line}' or '{number}: {match['name']}'"
            )
        entries.append((number, match["name"]))
    return entries


def _text(source: Path) -> str:
    content = source.read_bytes()
    encoding = "utf-16" if content.startswith(_UTF16) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except ValueError as failure:
        raise InputError(f"{source} must name the classes as text in UTF-8; save it so ({failure})") from failure
    if "\0" in text:
        raise InputError(f"{source} must name the classes as text in UTF-8; it holds bytes of 0")
    return text

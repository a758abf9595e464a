"""Words of a text file, one after the other, with the lines that they stand in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from classicseg.errors import InputError


class Words:
    """The words of a file that are still to be read.

    Parameters
    ----------
    path : Path
    text : str
    """

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        lines = [line.split() for line in text.splitlines()]
        self._words = [word for line in lines for word in line]
        self._ends = np.cumsum([len(line) for line in lines])
        self._next = 0

    def __len__(self) -> int:
        return len(self._words) - self._next

    def fault(self, text: str, back: int = 1) -> InputError:
        """An error that names the file and the line of the word that was taken last, or `back` words before."""
        at = max(0, self._next - back)
        line = int(np.searchsorted(self._ends, at, side="right")) + 1
        return InputError(f"{self._path}, line {min(line, max(1, self._ends.size))}, {text}")

    def take(self, what: str) -> str:
        """The next word."""
        return self._some(1, what)[0]

    def whole_number(self, what: str, least: int, most: int | None = None) -> int:
        """The next word, as a whole number of at least `least`, and at most `most`."""
        return self.whole_numbers(1, what, least, most)[0]

    def whole_numbers(self, count: int, what: str, least: int, most: int | None = None) -> list[int]:
        """The next `count` words, as such numbers."""
        found = []
        for i, word in enumerate(self._some(count, what)):
            if not (word.isascii() and word.lstrip("+-").isdigit() and len(word) <= 18):
                raise self.fault(f"must have {what}, a whole number, got {word[:40]!r}", count - i)
            number = int(word)
            if number < least or (most is not None and number > most):
                limits = f"at least {least}" if most is None else f"{least} to {most}"
                raise self.fault(f"must have {what} of {limits}, got {number}", count - i)
            found.append(number)
        return found

    def numbers(self, count: int, what: str) -> np.ndarray:
        """The next `count` words, as finite numbers of at least 0, (count,) float64."""
        words = self._some(count, what)
        try:
            values = np.array(words, np.float64)
        except ValueError:
            values = np.array([_as_number(word) for word in words])
        wrong = ~((values >= 0) & (values < np.inf))
        if wrong.any():
            at = int(wrong.argmax())
            raise self.fault(f"must have {what}, finite and at least 0, got {words[at][:40]!r}", count - at)
        return values

    def end(self) -> None:
        """Make sure that nothing is left."""
        if len(self):
            self._next += 1
            raise self.fault(f"goes on after its end with {self._words[self._next - 1][:40]!r}")

    def _some(self, count: int, what: str) -> list[str]:
        if count > len(self):
            raise InputError(f"{self._path} ends in line {max(1, self._ends.size)}, where it must have {what}")
        self._next += count
        return self._words[self._next - count : self._next]


def _as_number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return np.nan

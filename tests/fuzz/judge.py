"""What a call may do: return what is documented, the same every time, or raise an error of the library that helps."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import os
import pickle
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np

import classicseg as cs
from classicseg.types import Result
from tests.fuzz.values import Draw, Fresh, dressed, hostile

THREADS = (1, 1, 2, 7)
OWN_WARNINGS = re.compile(
    r"over the labels instead of 1|as resampling with cubic splines|hardly connects pixels|serves up to \d+ features"
    r"|the (values|colours) of image span|truths have no pixel of label|holds NaN at \d+ variables"
)
DOCUMENTED = (FileNotFoundError, PermissionError, ImportError)


@dataclasses.dataclass
class Call:
    """One call of something public.

    Parameters
    ----------
    function : callable
    arguments : dict
        By name, all of them sensible.
    check : callable, optional
        ``check(result, **arguments)`` asserts what holds for every result.
    fixed : tuple of str
        Arguments that stay as they are.
    words : tuple of str
        What else an error may speak of.
    """

    function: Callable[..., Any]
    arguments: dict[str, Any]
    check: Callable[..., None] | None = None
    fixed: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class BrokenPromiseError(Exception):
    """A call did what it must not do."""


def play(name: str, make: Callable[[Draw], Call], seed: int) -> tuple[int, str]:
    """Make the calls of a case; how many, and what came of the first: "returned" or the error's type."""
    draw = Draw(name, seed)
    with _as_many_threads_as_asked_for(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of making the arguments
        cs.set_num_threads(1)
        call = make(draw)
        plain = dict(call.arguments)
        if draw.chance(0.5):
            open_ = [argument for argument in plain if argument not in call.fixed]
            for argument in draw.rng.permutation(open_)[: draw.of((1, 1, 1, 2))].tolist():
                plain[argument] = hostile(draw, argument, plain[argument])
        outcome, value = _call(call, plain)
        first = _photograph(value) if outcome == "returned" else value
        cs.set_num_threads(draw.of(THREADS))
        again, other = _call(call, {argument: dressed(draw, value) for argument, value in plain.items()})
        if again != outcome:
            raise BrokenPromiseError(f"first {outcome} ({value!r:.300}), with equal values {again} ({other!r:.300})")
        if outcome == "returned":
            if difference := _difference(first, other):
                raise BrokenPromiseError(f"a second call with equal values gives another result: {difference}")
            if call.check is not None:
                given = {argument: v.make() if isinstance(v, Fresh) else v for argument, v in plain.items()}
                call.check(value, **given)
    return 2, outcome


def _as_many_threads_as_asked_for() -> Any:
    return mock.patch.multiple("classicseg.machine.threads", _most_at_once=lambda: 1024, _WORK=1)


def _call(call: Call, arguments: dict[str, Any]) -> tuple[str, Any]:
    """What came of one call, and the result or the error."""
    given = {name: value.make() if isinstance(value, Fresh) else value for name, value in arguments.items()}
    before = _bytes_of(given)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call.function(**given)
            if isinstance(result, Iterator):
                result = list(result)
            outcome = "returned"
        except cs.ClassicsegError as error:
            _look_at(error, call, given)
            outcome, result = type(error).__name__, error
        except DOCUMENTED as error:
            outcome, result = type(error).__name__, error
    for warning in caught:
        if not OWN_WARNINGS.search(str(warning.message)):
            raise BrokenPromiseError(
                f"a foreign warning: {warning.category.__name__}: {warning.message} "
                f"({warning.filename}:{warning.lineno})"
            )
    if _bytes_of(given) != before:
        raise BrokenPromiseError("an argument was changed")
    return outcome, result


def _look_at(error: cs.ClassicsegError, call: Call, given: dict[str, Any]) -> None:
    if isinstance(error, cs.BudgetError):
        return  # what is too large may be none of the arguments alone
    text = str(error)
    words = {*given, *inspect.signature(call.function).parameters, *call.words}
    if not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) for word in words):
        raise BrokenPromiseError(f"an error that names no argument: {type(error).__name__}: {text}")


def _bytes_of(value: Any) -> Any:
    """What must not change."""
    if isinstance(value, np.ndarray):
        return None if value.dtype.hasobject else (value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, (list, tuple)):
        return [_bytes_of(part) for part in value]
    if isinstance(value, dict):
        return [(name, _bytes_of(part)) for name, part in value.items()]
    return None


def _photograph(value: Any) -> Any:
    """A copy that later calls cannot change."""
    try:
        return pickle.loads(pickle.dumps(value))
    except Exception:  # not everything that a caller passes, and gets back, can be copied
        return value


def _difference(a: Any, b: Any, where: str = "result") -> str:
    """How two results differ; empty if they do not, but for the time that they took."""
    if type(a) is not type(b):
        return f"{where}: {type(a).__name__} and {type(b).__name__}"
    if isinstance(a, np.ndarray):
        same = a.dtype == b.dtype and a.shape == b.shape and (a.dtype.hasobject or a.tobytes() == b.tobytes())
        return "" if same else f"{where}: {a.dtype} {a.shape} and {b.dtype} {b.shape}: {a!r:.200} and {b!r:.200}"
    if isinstance(a, Result):
        fields = [field.name for field in dataclasses.fields(a)]
        return _first(_difference(getattr(a, f), getattr(b, f), f"{where}.{f}") for f in fields if f != "seconds")
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        fields = [field.name for field in dataclasses.fields(a) if not field.name.startswith("_")]
        return _first(_difference(getattr(a, f), getattr(b, f), f"{where}.{f}") for f in fields if f != "seconds")
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return f"{where}: keys {list(a)} and {list(b)}"
        return _first(_difference(a[key], b[key], f"{where}[{key!r}]") for key in a)
    if isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return f"{where}: {len(a)} and {len(b)} entries"
        return _first(_difference(x, y, f"{where}[{i}]") for i, (x, y) in enumerate(zip(a, b, strict=True)))
    if isinstance(a, (float, np.floating, complex)):
        return "" if a == b or (a != a and b != b) else f"{where}: {a!r} and {b!r}"
    if isinstance(a, (str, int, bytes, bool, enum.Enum, np.generic, type(None))):
        return "" if a == b else f"{where}: {a!r} and {b!r}"
    return ""


def _first(differences: Iterator[str]) -> str:
    return next(filter(None, differences), "")


class Silence:
    """Notices what is written to standard error behind Python's back, as errors in compiled code are."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the process)
        os.dup2(self._file.fileno(), 2)

    def said(self) -> str:
        """What has been written since the last look."""
        if os.fstat(self._file.fileno()).st_size == 0:
            return ""
        self._file.seek(0)
        text = self._file.read().decode(errors="replace")
        self._file.truncate(0)
        self._file.seek(0)
        return text

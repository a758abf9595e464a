"""The errors of the library. Each is also the built-in error that a caller would expect."""

from __future__ import annotations


class ClassicsegError(Exception):
    """Base of all errors that classicseg raises on purpose."""


class InputError(ClassicsegError, ValueError):
    """An argument has a value or a shape that cannot work."""


class InputTypeError(ClassicsegError, TypeError):
    """An argument is of a type or dtype that cannot work."""


class BudgetError(InputError, MemoryError):
    """The work would need more memory than this machine has."""

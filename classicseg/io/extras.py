"""Libraries that not everyone has installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from classicseg.errors import InputError


def extra(module: str, name: str, path: Path) -> Any:
    """A library that a kind of file needs; an error names the extra that brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as failure:
        raise InputError(f"{path} needs {module}, of the extra {name}: pip install {module}") from failure


def is_there(module: str) -> bool:
    """Whether a library is installed."""
    return importlib.util.find_spec(module) is not None

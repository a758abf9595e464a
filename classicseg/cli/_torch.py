"""What the commands that need PyTorch share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from classicseg.errors import InputError


def train_module() -> ModuleType:
    """``classicseg.torch.train``, or one line that says what to install."""
    try:
        from classicseg.torch import train
    except ImportError as failure:
        raise InputError(str(failure)) from None
    return train


_NO_MEMORY = re.compile("out of memory|allocate memory|not enough memory|_ALLOC_FAILED", re.IGNORECASE)
"""In errors of PyTorch, which are RuntimeErrors on the CPU and of several kinds elsewhere."""


@contextmanager
def enough_memory(advice: str) -> Iterator[None]:
    """Turn what PyTorch raises when memory ends into a MemoryError that says in one line what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as failure:
        text = str(failure)
        if not (isinstance(failure, MemoryError) or _NO_MEMORY.search(text)):
            raise
        size = re.search(r"allocate ([\d.]+ ?\w+)", text)
        wanted = f" for {size[1]} more" if size else ""
        raise MemoryError(f"there is not enough memory{wanted}; {advice}") from failure

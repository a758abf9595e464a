"""Answers as texts that are equal only if the answers are, to the bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Answer = Mapping[str, Any]
Problem = Callable[[], Answer]


def told(value: Any) -> str:
    """A text that is equal for equal values only: a digest of an array, the digits of a number."""
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value)).hexdigest()
        return f"{value.dtype.str} {value.shape} {digest}"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {told(part)}" for key, part in value.items())
    if isinstance(value, np.generic):
        value = value.item()
    return repr(value)

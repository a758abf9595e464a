"""What pages show: small images, as bytes."""

from __future__ import annotations

from collections.abc import Callable

DATA: dict[str, Callable[[], bytes]] = {}
"""Functions that make the bytes, by the name that pages use."""

"""Reading pictures of data folders as integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def rgb(path: Path) -> np.ndarray:
    """(H, W, 3) int32."""
    from PIL import Image

    with Image.open(existing(path)) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.int32)


def gray(path: Path) -> np.ndarray:
    """(H, W) int32."""
    from PIL import Image

    with Image.open(existing(path)) as picture:
        return np.asarray(picture, np.int32)


def existing(path: Path) -> Path:
    """The path, or FileNotFoundError."""
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    return path

"""Calls of the modules that lessons are made of, by node."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

LESSONS = Path(__file__).parents[2] / "docs" / "lessons"
sys.path.insert(0, str(LESSONS))

from builder import data as carried  # noqa: E402
from builder import facts, pages, sources  # noqa: E402

__all__ = ["LESSONS", "call", "carried", "facts", "pages", "sources"]


def call(module: str, name: str, *args):
    """Call an entry; returns what it returns, and its arguments afterwards."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed, so WebAssembly cannot be run here")
    given = {
        "module": str(LESSONS / "wasm" / f"{module}.wasm"),
        "frame": str(LESSONS / "frame" / "kernels.js"),
        "name": name,
        "args": [
            {"dtype": str(arg.dtype), "data": arg.reshape(-1).tolist()} if isinstance(arg, np.ndarray) else arg
            for arg in args
        ],
    }
    runner = str(Path(__file__).with_name("runner.mjs"))
    done = subprocess.run([node, runner], input=json.dumps(given), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    arrays = [
        np.array(after, before.dtype).reshape(before.shape) if isinstance(before, np.ndarray) else after
        for before, after in zip(args, answer["arrays"], strict=True)
    ]
    return answer["result"], arrays

"""Open a notebook about a topic: what it says is computed while you move the sliders, and its code can be changed."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from classicseg.errors import InputError
from classicseg.learn.topics import TOPICS, put

SUMMARY = "open a notebook to learn from; without a topic, list them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("topic", nargs="?", help=", ".join(TOPICS))
    parser.add_argument("--image", type=Path, help="a photo to work on instead of the sample")
    parser.add_argument(
        "--folder", type=Path,
        help="where to keep the notebook with what you change in it; one that is there is opened as it is (default: a "
        "folder that is deleted at the end)",
    )  # fmt: skip
    parser.add_argument("--port", type=int, help="of the local server (default: one that is free)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def run(options: argparse.Namespace) -> None:
    """Put a copy of the notebook somewhere and let marimo serve it until it is stopped."""
    if options.topic is None:
        for name, question in TOPICS.items():
            print(f"{name:10}{question}")
        print("\nclassicseg learn TOPIC opens a notebook, --image PHOTO with a photo of your own")
        return
    missing = [name for name in ("marimo", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"notebooks need {' and '.join(missing)}, the extra `learn`: pip install {' '.join(missing)}")
    if options.port is not None:
        _check_port(options.port)
    with contextlib.ExitStack() as at_the_end:
        if options.folder is None:
            folder = Path(at_the_end.enter_context(tempfile.TemporaryDirectory(prefix="classicseg-learn-")))
        else:
            folder = options.folder
        notebook = put(options.topic, folder)
        words = [sys.executable, "-m", "marimo", "--yes", "edit", str(notebook), "--skip-update-check"]
        words += ["--headless"] if options.no_browser else []
        words += [] if options.port is None else ["--port", str(options.port)]
        if options.image is not None:
            from classicseg.learn.pictures import picture

            picture(options.image)  # what is wrong with it is said now
            words += ["--", "--image", str(options.image.resolve())]
        print(f"{notebook}; Ctrl-C ends", flush=True)
        code = _serve(words)
    if code < 0:
        raise KeyboardInterrupt
    if code > 0:
        raise InputError(f"marimo ended with exit code {code}")


def _check_port(port: int) -> None:
    if not 1 <= port <= 65535:
        raise InputError(f"port must be in 1 to 65535, got {port}")
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
        except OSError as failure:
            raise InputError(f"port {port} cannot be opened: {failure.strerror}") from None


def _serve(words: list[str]) -> int:
    """Run marimo until it ends; Ctrl-C and a request to end go to it, so that it can close its kernel."""
    server = subprocess.Popen(words)
    before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                return server.wait()
    finally:
        signal.signal(signal.SIGTERM, before)

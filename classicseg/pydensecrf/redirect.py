"""Run an unmodified program with its imports of pydensecrf answered by classicseg.

Usage: ``python -m classicseg.pydensecrf script.py [arguments]``, or with ``-m package.module`` for the script. Programs
that are started by others, as by pytest or torchrun, find the answer on Python's path:
``PYTHONPATH=$(python -m classicseg.pydensecrf --path) torchrun train.py``.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path

_PACKAGE = "classicseg.pydensecrf"

STAND_IN = Path(__file__).parent / "stand_in"
"""A folder for Python's path that holds a package pydensecrf and its metadata."""

_USAGE = """usage: python -m classicseg.pydensecrf script.py [arguments of the script]
       python -m classicseg.pydensecrf -m package.module [arguments of the module]
       python -m classicseg.pydensecrf --path

Run a program as Python itself does, but answer its imports of pydensecrf, pydensecrf.densecrf, pydensecrf.utils and
pydensecrf.eigen with classicseg; pydensecrf need not be installed. --path prints a folder that does the same for any
program, if it is named in the environment variable PYTHONPATH.
"""


def install() -> None:
    """Answer all further imports of pydensecrf in this process, and in worker processes that inherit its path.

    The version that ``importlib.metadata`` tells is that of the interface.
    """
    sys.modules["pydensecrf"] = importlib.import_module(_PACKAGE)
    for name in ("densecrf", "eigen", "utils"):
        sys.modules[f"pydensecrf.{name}"] = importlib.import_module(f"{_PACKAGE}.{name}")
    if str(STAND_IN) not in sys.path:
        sys.path.insert(1, str(STAND_IN))  # after the folder of the script


def main(arguments: list[str]) -> None:
    """Run a script or module, as Python itself would, with the rest of the `arguments`."""
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(_USAGE)
    elif arguments == ["--path"]:
        sys.stdout.write(f"{STAND_IN}\n")
    elif arguments[:1] == ["-m"] and len(arguments) > 1:
        _prepare(arguments[1:], Path.cwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif not arguments or arguments[0].startswith("-"):
        sys.exit(_USAGE)
    elif not Path(arguments[0]).is_file():
        sys.exit(f"no such script: {arguments[0]}\n\n{_USAGE}")
    else:
        _prepare(arguments, Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


def _prepare(arguments: list[str], folder: Path) -> None:
    """Redirect imports, and leave `sys` as a program in this `folder` would find it."""
    sys.argv = arguments
    if not sys.flags.safe_path:  # in safe mode Python itself leaves the path alone
        sys.path[0] = str(folder)
    install()

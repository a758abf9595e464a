"""Run an unmodified program with its imports of other libraries answered by classicseg.

Usage: ``python -m classicseg.run_as LIBRARY script.py [arguments]``, or with ``-m package.module`` for the script.
Programs that are started by others, as by pytest or torchrun, find the answer on Python's path:
``PYTHONPATH=$(python -m classicseg.run_as LIBRARY --path) torchrun train.py``.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from pathlib import Path

from classicseg import inputs
from classicseg.errors import InputError

LIBRARIES = {
    "pydensecrf": {
        f"pydensecrf{part}": f"classicseg.pydensecrf{part}" for part in ("", ".densecrf", ".eigen", ".utils")
    },
    "pymaxflow": {"maxflow": "classicseg.maxflow", "maxflow.fastmin": "classicseg.maxflow.fastmin"},
    "gco": {"gco": "classicseg.gco", "pygco": "classicseg.gco"},
    "simplecrf": {name: f"classicseg.simplecrf.{name}" for name in ("denseCRF", "denseCRF3D", "maxflow")},
    "numpymaxflow": {"numpymaxflow": "classicseg.numpymaxflow"},
}
"""The modules that programs import, and what answers, by the name of the library."""

_STAND_IN = Path(__file__).parent / "stand_in"
"""For each library a folder for Python's path, which holds its modules and its metadata."""

_USAGE = """usage: python -m classicseg.run_as LIBRARY[,LIBRARY...] script.py [arguments of the script]
       python -m classicseg.run_as LIBRARY[,LIBRARY...] -m package.module [arguments of the module]
       python -m classicseg.run_as LIBRARY[,LIBRARY...] --path

Run a program as Python itself does, but answer its imports of other libraries with classicseg; they need not be
installed. --path prints what does the same for any program, if it is named in the environment variable PYTHONPATH.

LIBRARY      modules that are answered
""" + "".join(f"{name:<13}{', '.join(modules)}\n" for name, modules in LIBRARIES.items())


def install(*libraries: str) -> None:
    """Answer all further imports of these libraries in this process, and in worker processes that inherit its path.

    The versions that ``importlib.metadata`` tells are those of the interfaces.

    Parameters
    ----------
    *libraries : {"pydensecrf", "pymaxflow", "gco", "simplecrf", "numpymaxflow"}

    Raises
    ------
    ValueError
        If a library is not among these, or two have a module of the same name, as pymaxflow and simplecrf do.

    Examples
    --------
    >>> from classicseg.run_as import install
    >>> install("pymaxflow", "simplecrf")
    Traceback (most recent call last):
    classicseg.errors.InputError: pymaxflow and simplecrf both have a module maxflow: name one of them
    >>> install("pymaxflow", "gco")  # doctest: +SKIP
    >>> import maxflow  # doctest: +SKIP
    """
    for folder in _folders(libraries):
        if str(folder) not in sys.path:
            sys.path.insert(1, str(folder))  # after the folder of the script
    for library in libraries:
        for name, answer in LIBRARIES[library].items():
            sys.modules[name] = importlib.import_module(answer)


def _folders(libraries: tuple[str, ...]) -> list[Path]:
    """What Python's path needs, if these go together."""
    claimed: dict[str, str] = {}
    for library in libraries:
        for name in LIBRARIES[inputs.choice(library, "library", tuple(LIBRARIES))]:
            if claimed.setdefault(name, library) != library:
                raise InputError(f"{claimed[name]} and {library} both have a module {name}: name one of them")
    return [_STAND_IN / library for library in libraries]


def main(arguments: list[str]) -> None:
    """Run a script or module, as Python itself would, with the rest of the `arguments`."""
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(_USAGE)
        return
    if len(arguments) < 2:
        sys.exit(_USAGE)
    libraries, program = tuple(arguments[0].split(",")), arguments[1:]
    try:
        folders = _folders(libraries)
    except ValueError as failure:
        sys.exit(f"{failure}\n\n{_USAGE}")
    if program == ["--path"]:
        sys.stdout.write(f"{os.pathsep.join(map(str, folders))}\n")
    elif program[0] == "-m" and len(program) > 1:
        _prepare(libraries, program[1:], Path.cwd())
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    elif program[0].startswith("-"):
        sys.exit(_USAGE)
    elif not Path(program[0]).is_file():
        sys.exit(f"no such script: {program[0]}\n\n{_USAGE}")
    else:
        _prepare(libraries, program, Path(program[0]).resolve().parent)
        runpy.run_path(program[0], run_name="__main__")


def _prepare(libraries: tuple[str, ...], program: list[str], folder: Path) -> None:
    """Redirect imports, and leave `sys` as a program in this `folder` would find it."""
    sys.argv = program
    if not sys.flags.safe_path:  # in safe mode Python itself leaves the path alone
        sys.path[0] = str(folder)
    install(*libraries)

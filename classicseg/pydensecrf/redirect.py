"""Run an unmodified script with its imports of pydensecrf answered by classicseg.

Usage: ``python -m classicseg.pydensecrf script.py [arguments of the script]``
"""

from __future__ import annotations

import importlib
import runpy
import sys
import tempfile
from pathlib import Path

_PACKAGE = "classicseg.pydensecrf"

_USAGE = """usage: python -m classicseg.pydensecrf script.py [arguments of the script]

Run a script as "python script.py" does, but answer its imports of pydensecrf, pydensecrf.densecrf, pydensecrf.utils
and pydensecrf.eigen with classicseg. pydensecrf need not be installed.
"""

_REDIRECT = """import classicseg.pydensecrf

classicseg.pydensecrf.install()
"""


def install() -> None:
    """Answer all further imports of pydensecrf in this process."""
    sys.modules["pydensecrf"] = importlib.import_module(_PACKAGE)
    for name in ("densecrf", "eigen", "utils"):
        sys.modules[f"pydensecrf.{name}"] = importlib.import_module(f"{_PACKAGE}.{name}")


def main(arguments: list[str]) -> None:
    """Run ``arguments[0]`` as a script, as Python itself would, with the rest as its arguments."""
    if not arguments:
        sys.exit(_USAGE)
    script = arguments[0]
    if script in ("-h", "--help"):
        sys.stdout.write(_USAGE)
        return
    if not Path(script).is_file():
        sys.exit(f"no such script: {script}\n\n{_USAGE}")
    install()
    sys.argv = arguments
    first = 0 if sys.flags.safe_path else 1  # Python itself leaves sys.path[0] alone in safe mode
    sys.path[:first] = [str(Path(script).resolve().parent)][:first]
    with tempfile.TemporaryDirectory() as folder:
        # Worker processes that start afresh, not by fork, inherit sys.path but not sys.modules.
        package = Path(folder, "pydensecrf")
        package.mkdir()
        (package / "__init__.py").write_text(_REDIRECT, encoding="utf-8")
        sys.path.insert(first, folder)
        runpy.run_path(script, run_name="__main__")

"""Run an unmodified script with its imports of pydensecrf answered by classicseg.

Usage: ``python -m classicseg.pydensecrf script.py [arguments of the script]``
"""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path

_PACKAGE = "classicseg.adapters.pydensecrf"


def main(arguments: list[str]) -> None:
    """Run ``arguments[0]`` as a script, as Python itself would, with the rest as its arguments."""
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.exit("usage: python -m classicseg.pydensecrf script.py [arguments of the script]")
    script = arguments[0]
    if not Path(script).is_file():
        sys.exit(f"no such script: {script}")
    sys.modules["pydensecrf"] = importlib.import_module(_PACKAGE)
    for name in ("densecrf", "eigen", "utils"):
        sys.modules[f"pydensecrf.{name}"] = importlib.import_module(f"{_PACKAGE}.{name}")
    sys.argv = arguments
    sys.path[0] = str(Path(script).resolve().parent)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])

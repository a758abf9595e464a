"""Importing is cheap: heavy libraries wait until they are needed."""

import subprocess
import sys

import pytest

HEAVY = ("numba", "numpy", "scipy", "skimage", "torch", "matplotlib")


@pytest.mark.parametrize(
    "statement",
    ["import classicseg", "import classicseg; dir(classicseg)", "from classicseg.cli import _parser; _parser()"],
)
def test_nothing_heavy_is_imported(statement):
    code = f"import sys; {statement}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_listing_the_methods_needs_no_numba():
    code = "import sys, classicseg; classicseg.methods(); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

"""Importing is cheap: heavy libraries wait until they are needed."""

import subprocess
import sys

import pytest

HEAVY = ("numba", "numpy", "scipy", "skimage", "torch", "matplotlib")


@pytest.mark.parametrize(
    "statement",
    [
        "import classicseg",
        "import classicseg; dir(classicseg)",
        "from classicseg.cli import _COMMANDS, _parser; _parser(list(_COMMANDS))",
    ],
)
def test_nothing_heavy_is_imported(statement):
    code = f"import sys; {statement}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("room", ["io", "metrics", "plot", "torch"])
def test_rooms_come_when_they_are_asked_for(room):
    code = f"""
import sys
sys.modules["torch"] = None  # which takes long to come
import classicseg as cs
assert not [name for name in ("io", "metrics", "plot", "torch") if f"classicseg.{{name}}" in sys.modules]
try:
    print(cs.{room}.__name__)
except ImportError as failure:
    print(str(failure).split()[0])
assert {room!r} not in cs.__all__
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"classicseg.{room}"


def test_a_name_that_is_not_there_is_an_attribute_error():
    import classicseg

    with pytest.raises(AttributeError, match="nothing"):
        classicseg.nothing  # noqa: B018


def test_listing_the_methods_needs_no_numba():
    code = "import sys, classicseg; classicseg.methods(); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

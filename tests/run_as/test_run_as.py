"""Programs that import other libraries, run unchanged. Real patterns: tests/pydensecrf/test_usage_in_the_wild.py."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

import classicseg
from classicseg.run_as import install, redirect

ROOT = str(Path(classicseg.__file__).parents[1])

CUT = """
import sys
from importlib.metadata import version

import maxflow
from maxflow.fastmin import aexpansion_grid
import pygco

graph = maxflow.Graph[int](2, 1)
nodes = graph.add_nodes(2)
graph.add_edge(nodes[0], nodes[1], 1, 2)
graph.add_tedge(nodes[0], 2, 5)
graph.add_tedge(nodes[1], 9, 4)
print(maxflow.__name__, aexpansion_grid.__module__, pygco.__name__, version("PyMaxflow"), version("gco-wrapper"))
print(graph.maxflow(), sys.argv[1:])
"""
SAYS = ["classicseg.maxflow classicseg.maxflow.fastmin classicseg.gco 1.3.2 3.0.9", "8 ['-v']"]


@pytest.fixture
def as_before():
    """Modules and path are those of before when a test ends."""
    with mock.patch.dict(sys.modules), mock.patch.object(sys, "path", sys.path[:]), mock.patch("sys.argv", sys.argv):
        for name in {name for modules in redirect.LIBRARIES.values() for name in modules}:
            sys.modules.pop(name, None)
        yield


@pytest.mark.parametrize("library", redirect.LIBRARIES)
def test_all_modules_are_answered(as_before, library):
    install(library)
    for name, answer in redirect.LIBRARIES[library].items():
        assert importlib.import_module(name).__name__ == answer


@pytest.mark.parametrize("library", redirect.LIBRARIES)
def test_a_folder_on_the_path_answers_all_modules(as_before, capsys, library):
    redirect.main([library, "--path"])
    sys.path.insert(0, capsys.readouterr().out.strip())
    for name, answer in redirect.LIBRARIES[library].items():
        assert importlib.import_module(name).__name__ == answer


@pytest.mark.slow
def test_a_script_and_a_module_run_as_they_would(tmp_path):
    (tmp_path / "cut.py").write_text(CUT)
    settings = {"capture_output": True, "text": True, "check": True, "cwd": tmp_path}
    environment = os.environ | {"PYTHONPATH": ROOT}
    python = [sys.executable, "-m", "classicseg.run_as", "pymaxflow,gco"]
    done = subprocess.run([*python, "-m", "cut", "-v"], env=environment, **settings)
    assert done.stdout.splitlines() == SAYS
    path = subprocess.run([*python, "--path"], env=environment, **settings).stdout.strip()
    environment["PYTHONPATH"] = os.pathsep.join([path, ROOT])
    done = subprocess.run([sys.executable, "cut.py", "-v"], env=environment, **settings)
    assert done.stdout.splitlines() == SAYS


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "usage"),
        (["pymaxflow"], "usage"),
        (["pymaxflow", "-x"], "usage"),
        (["pymaxflow", "none.py"], "no such script: none.py"),
        (["pymaxflw", "none.py"], "library must be one of"),
        (["simplecrf,pymaxflow", "--path"], "simplecrf and pymaxflow both have a module maxflow"),
    ],
)
def test_wrong_calls_say_so(arguments, says):
    with pytest.raises(SystemExit, match=says):
        redirect.main(arguments)


def test_help_names_all_libraries(capsys):
    redirect.main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in redirect.LIBRARIES)

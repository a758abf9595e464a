"""Every benchmark runs, with tiny inputs: ``pytest -m smoke``."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.test_results import check_document

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
NEEDS = {
    "dense/speed.py": ["pydensecrf"],
    "dense/pruning.py": ["pydensecrf"],
    "dense/accuracy.py": ["pydensecrf"],
    "dense/memory.py": ["pydensecrf"],
    "dense/quality.py": ["pydensecrf"],
    "graph/speed.py": ["maxflow", "gco", "thinqpbo"],
    "graph/trws.py": [],
    "grid/speed.py": ["maxflow", "gco"],
    "grid/memory.py": ["maxflow"],
    "grid/quality.py": [],
    "grid/startup.py": [],
    "grid/stereo.py": ["gco"],
    "grid/strokes.py": [],
    "grid/trws.py": [],
    "split/speed.py": [],
    "suites.py": [],
    "split/quality.py": [],
    "split/streamed.py": [],
    "pipelines/alpha.py": [],
    "pipelines/choose_defaults.py": [],
    "pipelines/cluster.py": ["distributed"],
    "pipelines/cutout.py": [],
    "pipelines/film.py": [],
    "pipelines/many.py": ["pydensecrf"],
    "pipelines/small_quality.py": [],
    "pipelines/small_speed.py": [],
    "pipelines/startup.py": [],
    "pipelines/streamed.py": [],
    "pipelines/streamed_cuts.py": [],
    "pipelines/streamed_messages.py": [],
    "pipelines/streamed_moves.py": [],
    "pipelines/strength.py": [],
    "pipelines/threads.py": [],
    "torch/layer.py": ["torch", "pydensecrf"],
    "torch/losses.py": ["torch", "monai", "kornia"],
    "torch/networks.py": ["torch", "torchvision", "monai"],
    "hybrid/__main__.py": ["torch"],
    "gpu/run": ["torch"],
}
"""The scripts, and the packages without which one has nothing to measure."""


def run(*command, **environment):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "default"} | environment,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_no_script_is_forgotten():
    scripts = {str(f.relative_to(BENCHMARKS)) for f in BENCHMARKS.rglob("*.py") if "__main__" in f.read_text("utf-8")}
    elsewhere = {"render.py", "best_known.py", "compare_checkouts.py", "compare/worker.py", "shared/grid_problems.py"}
    parts = {str(f.relative_to(BENCHMARKS)) for f in (BENCHMARKS / "gpu").glob("*.py")}
    assert scripts - parts == set(NEEDS) - {"gpu/run"} | elsewhere


@pytest.mark.slow
@pytest.mark.smoke
@pytest.mark.parametrize("script", NEEDS)
def test_a_script_runs_with_tiny_inputs(script, tmp_path):
    missing = [name for name in NEEDS[script] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    work = ["--work", tmp_path / "work"] if script.startswith("hybrid") else []
    run(BENCHMARKS / script, "--tiny", "--output", tmp_path / "results", *work)
    files = list((tmp_path / "results").glob("*.json"))
    assert files
    for file in files:
        document = json.loads(file.read_text(encoding="utf-8"))
        check_document(document)
        assert not [row["error"] for row in document["rows"] if "error" in row]


@pytest.mark.slow
@pytest.mark.smoke
def test_nothing_is_written_by_a_trial():
    before = {file: file.stat().st_mtime_ns for file in (BENCHMARKS / "results").iterdir()}
    assert "not written" in run(BENCHMARKS / "grid" / "trws.py", "--tiny")
    assert {file: file.stat().st_mtime_ns for file in (BENCHMARKS / "results").iterdir()} == before


@pytest.mark.slow
@pytest.mark.smoke
def test_a_checkout_equals_itself():
    script = BENCHMARKS / "compare_checkouts.py"
    assert "identical to the bit: " in run(script, ROOT, ROOT, "--only", "grid", "--cases", "icm")
    assert "slower: " in run(script, ROOT, ROOT, "--speed", "--quick", "--cases", "import")

"""Results say what was measured, when and where, and the pages show them as they are."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.shared import records

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
RUN = {"commit", "dirty", "date", "machine", "versions", "threads", "load"}


def check_document(document):
    assert set(document) == {"about", "runs", "rows"}
    assert document["rows"]
    assert {row["run"] for row in document["rows"]} == set(range(len(document["runs"])))
    for run in document["runs"]:
        check_run(run)


def check_run(run):
    assert set(run) == RUN
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", run["date"])
    assert {"processor", "processors_used", "system", "python"} <= set(run["machine"])
    assert all(value is not None for value in run["machine"].values())
    assert run["threads"] is not None
    if run["commit"] != records.UNKNOWN:
        assert run["commit"] == records.NO_GIT or re.fullmatch("[0-9a-f]{40}", run["commit"])
        assert run["dirty"] in ((None,) if run["commit"] == records.NO_GIT else (False, True))
        assert {"classicseg", "numpy", "numba"} <= set(run["versions"])


def run_of(commit, processor="a"):
    machine = {"processor": processor, "processors_used": 2, "system": "Linux", "python": "3.11"}
    return {"commit": commit, "machine": machine}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_row_names_the_run_that_measured_it(file):
    check_document(json.loads(file.read_text(encoding="utf-8")))


def test_what_is_saved_has_that_form(tmp_path):
    run = records.this_run(threads=1)
    records.save("it", [{"case": "a", "ms": 1.0}], run, tmp_path)
    document = json.loads((tmp_path / "it.json").read_text(encoding="utf-8"))
    check_document(document)
    assert document["runs"] == [run]
    assert document["rows"] == [{"run": 0, "case": "a", "ms": 1.0}]


def test_the_check_itself_refuses_a_run_without_a_commit():
    run = records.this_run(threads=1) | {"commit": None}
    with pytest.raises((AssertionError, TypeError)):
        check_run(run)


def test_rows_of_an_earlier_run_keep_their_place_and_their_run(tmp_path):
    old, new = run_of("old"), run_of("new")
    records.save("it", [{"case": "a"}, {"case": "b"}], old, tmp_path)
    records.save("it", [{"case": "c"}, {"case": "a", "ms": 2}], new, tmp_path, key="case")
    document = json.loads((tmp_path / "it.json").read_text(encoding="utf-8"))
    commits = [document["runs"][row["run"]]["commit"] for row in document["rows"]]
    assert [row["case"] for row in document["rows"]] == ["a", "b", "c"]
    assert commits == ["new", "old", "new"]


def test_rows_of_another_processor_are_not_kept(tmp_path):
    records.save("it", [{"case": "a"}], run_of("old", "b"), tmp_path)
    records.save("it", [{"case": "c"}], run_of("new", "a"), tmp_path, key="case")
    document = json.loads((tmp_path / "it.json").read_text(encoding="utf-8"))
    assert [row["case"] for row in document["rows"]] == ["c"]


def test_nothing_is_written_without_a_folder(capsys):
    records.save("it", [{"case": "a"}], run_of("new"), None)
    assert "not written" in capsys.readouterr().out


def test_pages_show_what_the_results_say():
    command = [sys.executable, str(ROOT / "benchmarks" / "render.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_commands_in_the_pages_name_scripts_that_exist():
    pages = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {found for page in pages for found in re.findall(r"benchmarks/[\w/.]*\w", page.read_text(encoding="utf-8"))}
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert len(named) > 10
    assert not missing

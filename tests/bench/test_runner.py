"""Whatever a contender or a file does, it is said, and the rest goes on."""

import contextlib
import json
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from classicseg.bench import html_report
from classicseg.bench.contender import Limits
from classicseg.bench.worker import Setting
from classicseg.bench.worker_process import EndedError, WorkerProcess
from classicseg.cli import main

STRANGE = Path(__file__).parent / "strange.py"
BAD = ("cheapest", "one label", "crashes", "sleeps", "stays away", "compiles", "raises", "is out of range", "lies")


@pytest.fixture(scope="module", autouse=True)
def what_plugins_register():
    """Is gone afterwards."""
    with contextlib.ExitStack() as stack:
        for name in ("solvers.registry", "bench.contender", "bench.problem"):
            stack.enter_context(mock.patch.dict(f"classicseg.{name}._registered"))
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What a run with all that can go wrong has written."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "bad.uai").write_text("MARKOV 2\n2 2\n1\n2 0", encoding="ascii")
    files = {name: folder / f"report.{ending}" for name, ending in (("html", "html"), ("json", "json"), ("csv", "csv"))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("classicseg.bench.runner._EXTRA", 1.0)
        words = ["bench", "strange", "--plugin", str(STRANGE), "--data", str(folder), "--memory-limit", "2000"]
        words += ["--time-limit", "1", "--repeats", "2", *(word for name in BAD for word in ("--solver", name))]
        words += ["--solver", "icm", *(word for name, file in files.items() for word in (f"--{name}", str(file)))]
        assert main(words) == 0
    return {name: file.read_text(encoding="utf-8") for name, file in files.items()}


def rows_of(written, problem):
    return {row["contender"]: row for row in json.loads(written["json"])["rows"] if row["problem"] == problem}


@pytest.mark.slow
@pytest.mark.parametrize("problem", ["strange/small", "strange/again"])
def test_what_went_wrong_is_said_of_whom_it_went_wrong_with(written, problem):
    rows = rows_of(written, problem)
    assert {name: row["status"] for name, row in rows.items()} == {
        "cheapest": "done", "one label": "done", "crashes": "crashed", "sleeps": "timed out", "raises": "failed",
        "is out of range": "wrong", "lies": "wrong", "icm": "done", "stays away": "stopped", "compiles": "done",
    }  # fmt: skip
    assert "exit code 3" in rows["crashes"]["message"]
    assert rows["sleeps"]["message"] == "was ended after 2 s"
    assert rows["stays away"]["message"].startswith("over the limit: it was ended after 2 s; these are its labels")
    assert rows["stays away"]["score"] == rows["cheapest"]["score"]
    assert rows["stays away"]["curve"][-1][1:] == [rows["cheapest"]["score"], -1.0]
    assert "ZeroDivisionError" in rows["raises"]["message"]
    assert "0 to 1" in rows["is out of range"]["message"]
    assert "1000000" in rows["lies"]["message"]
    assert len(rows["icm"]["seconds"]) == len(rows["icm"]["cpu_seconds"]) == 2
    assert rows["icm"]["score"] <= rows["cheapest"]["score"]
    assert rows["icm"]["curve"][-1][1] == rows["icm"]["score"]


@pytest.mark.slow
def test_problems_that_cannot_be_made_are_left_out_with_their_reason(written):
    problems = {one["name"]: one for one in json.loads(written["json"])["problems"]}
    assert problems["strange/malformed"]["status"] == "failed"
    assert "line 4" in problems["strange/malformed"]["message"]
    assert problems["strange/absent"]["missing"] == ["nowhere.bin"]
    assert "the moon" in written["html"]
    assert "line 4" in written["html"]


@pytest.mark.slow
def test_reports_can_be_made_of_the_document_alone(written):
    assert html_report.html(json.loads(written["json"])) == written["html"]
    assert "crashed: its process ended by itself" in written["html"]
    assert len(written["csv"].splitlines()) == 1 + 2 * 10


def test_what_was_done_before_ctrl_c_is_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("CLASSICSEG_DATA", raising=False)

    def stop(self, workers):
        if self.problem.name == "generated/stairs":
            raise KeyboardInterrupt
        return []

    monkeypatch.setattr("classicseg.bench.runner._Problem.solved_by", stop)
    words = ["bench", "potts-5", "stairs", "torus", "--json", str(tmp_path / "run.json")]
    assert main(words) == 130
    document = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in document["problems"]] == ["generated/potts-5"]
    assert document["run"]["stopped"] == "stopped by Ctrl-C after 1 of 3 problems"
    assert "stopped" in capsys.readouterr().err


def test_who_uses_too_much_memory_is_ended():
    worker = WorkerProcess("sleeps", Setting(None, (STRANGE,), Limits(60.0, 1)), memory_mb=1.0)

    def asked():
        worker.ask("open", "strange/small")
        worker.ask("solve", False)

    with pytest.raises(EndedError, match="MB") as ended:
        asked()
    assert ended.value.kind == "memory"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tsukubb"], "did you mean tsukuba"),
        (["--solver", "tws"], "did you mean trws"),
        (["--data", "nowhere"], "--data must be a folder"),
        (["--repeats", "-1"], "--repeats must be at least 0"),
        (["--time-limit", "nan"], "--time-limit must be above 0"),
        (["--compare", "none.json"], "no such file"),
        (["--html", "report.pdf"], ".html"),
        (["--plugin", "none.py"], "no such file"),
        (["score"], "score needs a file"),
        (["mrf", "--quick"], "none of mrf is quick"),
    ],
)
def test_bad_words_are_refused_before_anything_is_run(words, said, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLASSICSEG_DATA", raising=False)
    assert main(["bench", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_plugin_that_cannot_be_run_is_named(tmp_path, capsys):
    file = tmp_path / "broken.py"
    file.write_text("1 / 0", encoding="utf-8")
    assert main(["bench", "list", "--plugin", str(file)]) == 2
    assert "broken.py cannot be run: ZeroDivisionError" in capsys.readouterr().err


def test_all_is_listed_and_what_is_absent_is_skipped_with_its_origin(capsys, monkeypatch):
    monkeypatch.delenv("CLASSICSEG_DATA", raising=False)
    assert main(["bench", "list"]) == 0
    said = capsys.readouterr().out
    assert "uai/Grids_20" in said
    assert "trws+expansion" in said
    assert main(["bench", "mrf", "uai"]) == 0
    said = capsys.readouterr().out
    assert "left out: uai/Grids_20: no uai/Grids_20.uai.xz. Origin: the UAI 2014 competition" in said


def test_labels_are_scored_from_the_command_line(tmp_path, capsys):
    np.savez(tmp_path / "labels.npz", **{"generated/torus": np.zeros(400, int)})
    assert main(["bench", "score", str(tmp_path / "labels.npz")]) == 0
    assert capsys.readouterr().out.startswith("generated/torus: energy ")

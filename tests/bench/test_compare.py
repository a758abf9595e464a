"""Verdicts: none where nothing has changed, and a small change is found."""

import json

import numpy as np
import pytest

from classicseg.bench import compare
from classicseg.errors import InputError
from tests.bench.documents import document_of, problem_of, row_of

SOLVERS = ("a", "b", "c", "d")


def run_of_a_moody_machine(seed, *, slower=1.0, n_problems=10, n_runs=10):
    """Times with noise of 3 %, a fifth of them hit by something else, on a machine that is up to 20 % slower today."""
    rng = np.random.default_rng(seed)
    mood = rng.uniform(1, 1.2)

    def times(usual, n=n_runs):
        noise = np.exp(0.03 * np.abs(rng.standard_normal(n)))
        return (usual * mood * noise * np.where(rng.random(n) < 0.2, rng.uniform(1, 2, n), 1)).tolist()

    problems = [problem_of(f"s/{p}", yardstick=times(0.04)) for p in range(n_problems)]
    rows = []
    for p in range(n_problems):
        for number, solver in enumerate(SOLVERS):
            moved = np.exp(0.005 * rng.standard_normal())  # where code and memory happen to lie
            usual = 0.01 * (p + 1) * (number + 1) * moved * (slower if solver == "b" else 1)
            rows.append(row_of(f"s/{p}", solver, 100.0, times(usual)))
    return document_of(problems, rows)


def words(old, new):
    return {row["solver"]: row["time"] for row in compare.verdicts(old, new)}


def test_equal_code_gets_no_verdict_in_twenty_runs():
    found = [words(run_of_a_moody_machine(2 * i), run_of_a_moody_machine(2 * i + 1)) for i in range(20)]
    verdicts = [verdict for one in found for verdict in one.values()]
    assert set(verdicts) <= {compare.EQUAL, compare.UNDECIDED}
    assert verdicts.count(compare.EQUAL) > 0.9 * len(verdicts)


def test_five_percent_are_found_in_nineteen_of_twenty_runs_and_in_the_right_solver():
    found = 0
    for i in range(20):
        verdict = words(run_of_a_moody_machine(2 * i + 100), run_of_a_moody_machine(2 * i + 101, slower=1.05))
        found += verdict.pop("b") == "slower"
        assert set(verdict.values()) <= {compare.EQUAL, compare.UNDECIDED}
    assert found >= 19


def test_faster_is_told_as_well():
    assert words(run_of_a_moody_machine(1), run_of_a_moody_machine(2, slower=0.9))["b"] == "faster"


def test_few_runs_give_no_verdict():
    old, new = (run_of_a_moody_machine(seed, slower=3.0, n_runs=4) for seed in (1, 2))
    assert set(words(old, new).values()) == {compare.NONE}


def test_a_restless_machine_leaves_it_undecided():
    old, new = (run_of_a_moody_machine(seed, n_problems=6) for seed in (1, 2))
    rng = np.random.default_rng(3)
    for document in (old, new):
        for row in document["rows"]:
            row["seconds"] = (np.array(row["seconds"]) * rng.uniform(1, 4, len(row["seconds"]))).tolist()
    assert compare.UNDECIDED in words(old, new).values()


def test_halves_of_a_run_are_equal():
    assert compare.self_test(run_of_a_moody_machine(3)) == (4, 4)


def test_changed_scores_and_failures_are_told():
    old, new = run_of_a_moody_machine(1, n_runs=1), run_of_a_moody_machine(1, n_runs=1)
    new["rows"][0]["score"] = 101.0
    new["rows"][1]["score"] = 99.0
    new["rows"][2]["status"] = "crashed"
    told = {row["solver"]: row["scores"] for row in compare.verdicts(old, new)}
    assert told == {
        "a": "worse at s/0",
        "b": "better at s/0",
        "c": "s/0: done before, crashed now",
        "d": "the same",
    }


def test_documents_are_read_or_refused(tmp_path):
    file = tmp_path / "old.json"
    with pytest.raises(FileNotFoundError):
        compare.read(file)
    file.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="no JSON"):
        compare.read(file)
    file.write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="no document"):
        compare.read(file)
    file.write_text(json.dumps(run_of_a_moody_machine(0)), encoding="utf-8")
    assert len(compare.read(file)["rows"]) == 40

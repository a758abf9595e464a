"""What is written for benchopt does what its runner asks for."""

import sys
import types

from classicseg.bench import benchopt, catalog


def test_the_three_files_solve_and_score(tmp_path, monkeypatch):
    stand_in = types.ModuleType("benchopt")
    stand_in.BaseObjective = stand_in.BaseDataset = stand_in.BaseSolver = object
    monkeypatch.setitem(sys.modules, "benchopt", stand_in)
    monkeypatch.delenv("CLASSICSEG_DATA", raising=False)
    problems, contenders = [catalog.problems(None)["generated/torus"]], [catalog.contenders()["icm"]]
    made = {}
    for path in benchopt.export(tmp_path / "new", problems, contenders):
        names: dict = {}
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
        made |= {name: names[name] for name in ("Objective", "Dataset", "Solver") if name in names}
    assert made["Dataset"].parameters == {"problem": ["generated/torus"]}
    assert made["Solver"].parameters == {"contender": ["icm"]}
    dataset, objective, solver = (made[name]() for name in ("Dataset", "Objective", "Solver"))
    dataset.problem, solver.contender = "generated/torus", "icm"
    objective.set_data(**dataset.get_data())
    given = objective.get_objective()
    assert solver.skip(**given) == (False, None)
    solver.set_objective(**given)
    solver.run(None)
    found = objective.evaluate_result(**solver.get_result())
    assert found["value"] < objective.evaluate_result(**objective.get_one_result())["value"]

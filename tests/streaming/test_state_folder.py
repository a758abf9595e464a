"""What streamed runs keep on the disk is one run's at a time."""

import pytest

from classicseg.streaming.state_folder import StateFolder

PLAN = {"inputs": "a", "parameters": "b"}


def test_one_run_at_a_time_has_a_state(tmp_path):
    folder = tmp_path / "state"
    state = StateFolder(folder, PLAN)
    with pytest.raises(ValueError, match=r"state is the state of a run that is still going on"):
        StateFolder(folder, PLAN)
    state.save("some", {"n": 3})
    state.close()
    state = StateFolder(folder, PLAN)
    assert state.arrays("some")["n"] == 3
    state.remove()
    state.close()
    assert not folder.exists()


def test_a_state_that_is_refused_is_left_as_it_is(tmp_path):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(ValueError, match="no state of a run"):
        StateFolder(tmp_path, PLAN)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]
    folder = tmp_path / "state"
    StateFolder(folder, PLAN).close()
    with pytest.raises(ValueError, match="with another parameters"):
        StateFolder(folder, {**PLAN, "parameters": "c"})
    StateFolder(folder, PLAN).close()  # nobody holds it


def test_a_run_that_was_killed_before_its_plan_was_written_is_begun_anew(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "lock").touch()
    StateFolder(folder, PLAN).close()
    assert (folder / "plan.json").exists()

"""Runs that were ended and then lost a file of what they know: refused, and begun anew without the folder."""

import shutil

import numpy as np
import pytest

import classicseg as cs
from classicseg.streaming.cut.state import CutState
from classicseg.streaming.messages.state import MessageState
from classicseg.streaming.moves.state import MoveState

UNARY = np.random.default_rng(0).integers(0, 9, (3, 90, 40))
RUNS = {
    "cut": (lambda **given: cs.minimum_cut_streamed(UNARY[:2], 3, **given), CutState, ["codes.bin", "progress.json"]),
    "moves": (
        lambda **given: cs.expansion_streamed(UNARY, 3, **given),
        MoveState,
        ["codes.bin", "labels.bin", "progress.json"],
    ),
    "messages": (
        lambda **given: cs.trws_streamed(UNARY, 3, max_iter=4, **given),
        MessageState,
        ["labels-1.bin", "messages.bin", "weights.bin", "progress.npz"],
    ),
}


class StoppedError(Exception):
    pass


def ended(stream, state, folder, monkeypatch):
    """Leave the folder of a run that was ended early, and return it."""
    count, keep = [0], state.keep

    def stop(self):
        keep(self)
        count[0] += 1
        if count[0] == 3:
            raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(state, "keep", stop)
        with pytest.raises(StoppedError):
            stream(out=folder / "labels.npy", window=20)
    return folder / "labels.npy.state"


CASES = [(kind, name, how) for kind, (*_, names) in RUNS.items() for name in names for how in ("lost", "cut short")]
CASES = [case for case in CASES if case[2] != "lost" or not case[1].startswith("progress")]  # without that none began


@pytest.mark.parametrize(("kind", "name", "how"), CASES)
def test_a_run_that_lost_a_file_is_refused_and_begins_anew_without_the_folder(tmp_path, monkeypatch, kind, name, how):
    stream, state, _ = RUNS[kind]
    folder = ended(stream, state, tmp_path, monkeypatch)
    path = folder / name
    path.unlink() if how == "lost" else path.write_bytes(path.read_bytes()[:-5])
    for _ in range(2):  # the folder is left to whoever tries again
        with pytest.raises(ValueError, match=r"to begin anew") as caught:
            stream(out=tmp_path / "labels.npy", window=20)
        assert name in str(caught.value)
    shutil.rmtree(folder)
    stream(out=tmp_path / "labels.npy", window=20)
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), stream().labels)

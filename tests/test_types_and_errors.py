import dataclasses
import pickle

import numpy as np
import pytest

import classicseg as cs


def test_energy_is_computed_once_when_first_read():
    calls = []
    result = cs.Result(np.zeros((2, 2), np.int32), energy=lambda: calls.append(1) or 5.0)
    assert "energy" not in repr(result)
    assert (result.energy, result.energy) == (5.0, 5.0)
    assert calls == [1]
    assert "energy=5" in repr(result)


def test_gap_needs_a_bound():
    labels = np.zeros(1, np.int32)
    assert cs.Result(labels, energy=3.0).gap is None
    assert cs.Result(labels, energy=3.0, lower_bound=1.0).gap == 2.0
    assert cs.Result(labels).energy is None


def test_results_are_frozen_and_pickle_with_their_energy():
    result = cs.Result(np.zeros(1, np.int32), energy=lambda: 7.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.labels = None
    assert pickle.loads(pickle.dumps(result)).energy == 7.0


def test_errors_are_also_the_built_in_ones():
    assert issubclass(cs.InputError, ValueError)
    assert issubclass(cs.InputTypeError, TypeError)
    assert issubclass(cs.BudgetError, MemoryError)
    assert all(issubclass(e, cs.ClassicsegError) for e in (cs.InputError, cs.InputTypeError, cs.BudgetError))

"""A few cases of everything public; `run.py` plays as many as there is time for."""

import pytest

from tests.fuzz.run import outcome_of
from tests.fuzz.table import CASES, SLOW, missing

SEEDS = range(3)


def test_everything_public_has_a_case():
    assert missing() == []


@pytest.mark.parametrize("name", sorted(set(CASES) - set(SLOW)))
def test_no_call_ends_in_a_crash_a_raw_error_or_a_broken_promise(name):
    faults = {seed: fault for seed in SEEDS if (fault := outcome_of(name, seed)[2])}
    assert faults == {}

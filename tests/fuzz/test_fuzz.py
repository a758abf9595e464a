"""A few cases of everything public; `run.py` plays as many as there is time for."""

import pytest

from tests.fuzz.run import outcome_of
from tests.fuzz.table import CASES, SLOW, missing

SEEDS = range(3)
NAMES = sorted(name for name in set(CASES) - set(SLOW) if not name.startswith("io."))  # damaged files: test_io.py


def test_everything_public_has_a_case():
    assert missing() == []


@pytest.mark.parametrize("name", NAMES)
def test_no_call_ends_in_a_crash_a_raw_error_or_a_broken_promise(name):
    faults = {seed: fault for seed in SEEDS if (fault := outcome_of(name, seed)[2])}
    assert faults == {}

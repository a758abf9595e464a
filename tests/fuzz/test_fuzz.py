"""A few cases of everything public; `run.py` plays as many as there is time for."""

import os
import time

import pytest

import classicseg as cs
from tests.fuzz.run import Worker, outcome_of
from tests.fuzz.table import CASES, missing

SEEDS = range(1)
SLOW = {"warmup", "tune", "Tuned", "sample", "Sample"}
NAMES = sorted(set(CASES) - SLOW)


def test_everything_public_has_a_case():
    assert missing() == []


@pytest.fixture(autouse=True)
def leave_the_number_of_threads():
    yield
    cs.set_num_threads(None)  # a case may have set it


@pytest.mark.parametrize("name", NAMES)
def test_no_call_ends_in_a_crash_a_raw_error_or_a_broken_promise(name):
    faults = {seed: fault for seed in SEEDS if (fault := outcome_of(name, seed)[2])}
    assert faults == {}


def crash(pipe):
    pipe.send("ready")
    pipe.recv()
    os._exit(3)


def hang(pipe):
    pipe.send("ready")
    pipe.recv()
    time.sleep(60)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "fault"), [(crash, "a crash: exit code 3"), (hang, "no end in 0.5 s")])
def test_a_crash_and_a_case_without_an_end_are_findings_and_the_run_goes_on(target, fault):
    worker = Worker(target, limit=0.5)
    try:
        cases = [("palette", 1), ("palette", 2)]
        assert [(name, seed, answer[2]) for name, seed, answer in worker.play(cases)] == [(*c, fault) for c in cases]
    finally:
        worker.end()

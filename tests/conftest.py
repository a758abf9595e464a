"""What all tests share."""

import gc
import signal
import sys
from unittest import mock

import pytest


def pytest_collection_finish():
    """Modules and collected tests stay to the end: looking through them again and again takes a tenth of the time.

    No module calls a kernel as it is imported: all workers would compile it at once, also for tests that are left out.
    """
    modules = [module for name, module in sys.modules.items() if name.startswith("classicseg.kernels.")]
    called = {name for module in modules for name, x in vars(module).items() if getattr(x, "signatures", None)}
    if called:
        raise pytest.UsageError(f"a test module calls kernels as it is imported: {', '.join(sorted(called))}")
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def as_many_threads_as_asked_for():
    """Two and seven threads are compared on any machine, and with little work."""
    with mock.patch.multiple("classicseg.machine.threads", _most_at_once=lambda: 1024, _WORK=1):
        yield


@pytest.fixture
def ctrl_c_is_heard():
    """Also where whoever has started the tests has it ignored, as shells do for what they run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)

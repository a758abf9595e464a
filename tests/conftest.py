"""What all tests share."""

from unittest import mock

import pytest


@pytest.fixture(scope="session", autouse=True)
def as_many_threads_as_asked_for():
    """Two and seven threads are compared on any machine, and with little work."""
    with mock.patch.multiple("classicseg.machine.threads", _most_at_once=lambda: 1024, _WORK=1):
        yield

"""A cluster for all tests of this folder."""

import pytest


@pytest.fixture(scope="session")
def cluster():
    """Two processes, which find their kernels compiled if a test has its answer first."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as both:
        yield both

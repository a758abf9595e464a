"""What pytest leaves out where an optional package is missing, how many threads its workers start, and which examples
Hypothesis draws: the same ones in every run. ``--hypothesis-profile default`` draws new ones.
"""

import importlib.util
import os

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

if "PYTEST_XDIST_WORKER" in os.environ:  # workers side by side would each start a thread for every processor
    os.environ.setdefault("OMP_NUM_THREADS", "1")

collect_ignore_glob = ["classicseg/run_as/stand_in/*"]  # to import it is to redirect imports
collect_ignore_glob += ["classicseg/learn/notebooks/*"]  # they need marimo, and have tests of their own
if importlib.util.find_spec("distributed") is None:
    collect_ignore_glob += ["classicseg/dask/*"]
if importlib.util.find_spec("torch") is None:  # its modules cannot be imported, so their examples cannot be run
    collect_ignore_glob += ["classicseg/monai/block.py", "classicseg/torch/*", "tests/torch/interpreted.py"]
if importlib.util.find_spec("triton") is None:
    collect_ignore_glob += ["classicseg/torch/backends/triton/*"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests come first: what is left at the end is short, and workers end at the same time."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)

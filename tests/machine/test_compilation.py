"""What is compiled, and when: not for each number of labels, and not on the clock of a run."""

import json
import subprocess
import sys

import pytest

from classicseg.kernels.dense.bank import RowLayout
from classicseg.machine.cache import PACKAGE
from classicseg.pipelines.warmup import WIDTHS

RUN_ALL = """
import json, time
import numpy as np
import classicseg as cs
from classicseg.machine.cache import KernelCache

loaded, load = [], KernelCache.load_overload

def slowly(self, signature, context):
    loaded.append(self._name)
    time.sleep(0.005)
    return load(self, signature, context)

KernelCache.load_overload = slowly
noise = np.random.default_rng(0).random((300, 5, 6), np.float32)
image = noise[:3].transpose(1, 2, 0)
made = {
    "grid": lambda n: cs.GridCRF(noise[:n], cs.Potts(0.3)),
    "dense": lambda n: cs.DenseCRF(noise[:n], [cs.GaussianKernel(2, 1), cs.BilateralKernel(image, 2, 0.2, 1)]),
}
found = []
for kind, make in made.items():
    for method in set(cs.methods(make(3))) - {"elimination"}:  # it compiles nothing; its tables would be large here
        options = {"proposals": [np.zeros((5, 6), int)]} if method == "fusion" else {}
        for n in (2, 3, 5, 8, 21, 30) if kind == "grid" else (4, 24, 3, 17, 300):
            energy, before, start = make(n), len(loaded), time.perf_counter()
            result = cs.minimize(energy, method, **options, **({} if method == "fusion" else {"max_iter": 1}))
            seconds = time.perf_counter() - start
            found.append((kind, method, n, loaded[before:], result.seconds, seconds))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def runs():
    """Of each method and number of labels: the kernels that were loaded, and the seconds with and without that."""
    run = subprocess.run([sys.executable, "-c", RUN_ALL], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_grid_kernels_serve_any_number_of_labels(runs):
    assert {(method, n): names for kind, method, n, names, *_ in runs if kind == "grid" and n > 2 and names} == {}


def test_dense_kernels_serve_all_numbers_of_labels_of_one_width(runs):
    later = [run for run in runs if run[0] == "dense" and run[2] not in (4, 24)]
    assert {(method, n): names for _, method, n, names, *_ in later if names} == {}


def test_the_first_run_of_a_method_does_not_count_the_time_to_load_its_kernels(runs):
    first = [(names, own, all_of_it) for *_, names, own, all_of_it in runs if names]
    assert first
    assert all(own <= all_of_it - 0.005 * len(names) for names, own, all_of_it in first)


def test_warming_up_meets_each_width():
    def widths(numbers):
        layouts = [RowLayout.of(n) for n in numbers]
        return {(layout.lanes, layout.head, layout.tail) for layout in layouts}

    assert widths(range(2, 1000)) == widths(WIDTHS)
    assert len(widths(WIDTHS)) == len(WIDTHS)

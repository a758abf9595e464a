"""What is compiled ahead of the first call."""

import json
import subprocess
import sys

import pytest

from classicseg.machine.cache import PACKAGE

AFTERWARDS = """
import json
import numpy as np
import classicseg as cs
from classicseg.machine.cache import KernelCache
from classicseg.pipelines.warmup import graphs

met, load = [], KernelCache.load_overload

def noted(self, signature, context):
    met.append(self._name)
    return load(self, signature, context)

KernelCache.load_overload = noted
rng = np.random.default_rng(1)
graphs(rng.integers(0, 9, (3, 64, 64)))
ahead, found = len(met), {}
edges = rng.integers(0, 90, (200, 2))
edges = edges[edges[:, 0] != edges[:, 1]]
for kind, factor in (("whole", 1), ("real", 0.7)):
    costs, weights = factor * rng.integers(0, 40, (6, 90)), factor * rng.integers(0, 9, len(edges))
    network = cs.FlowNetwork(edges, weights, 2 * weights, source=costs[0], sink=costs[1])
    calls = {
        "FlowNetwork": lambda: (network.solve(), network.residual),
        "graph_cut": lambda: cs.minimize(cs.GraphCRF(costs[:2], edges, cs.Potts(1), weights), "graph_cut"),
        "qpbo": lambda: cs.minimize(cs.GraphCRF(costs[:2], edges, cs.Potts(-1), weights), "qpbo"),
        "trws": lambda: cs.minimize(cs.GraphCRF(costs[:2], edges, cs.Potts(1), weights), "trws", max_iter=2),
        "expansion": lambda: cs.minimize(cs.GraphCRF(costs, edges, cs.Potts(1), weights), "expansion"),
        "expansion, any costs": lambda: cs.minimize(
            cs.GraphCRF(costs, edges, cs.TruncatedQuadratic(1, truncation=5), weights), "expansion"
        ),
        "swap": lambda: cs.minimize(cs.GraphCRF(costs, edges, cs.Potts(1), weights), "swap"),
    }
    for name, call in calls.items():
        before = len(met)
        call()
        found[f"{name}, {kind}"] = met[before:]
print(json.dumps([ahead, found]))
"""


@pytest.fixture(scope="module")
def kernels():
    """How many were prepared ahead, and the names of those that first calls on graphs had to prepare then."""
    run = subprocess.run([sys.executable, "-c", AFTERWARDS], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_first_calls_on_graphs_compile_nothing_after_a_warm_up(kernels):
    ahead, found = kernels
    assert ahead > 10
    assert {name: names for name, names in found.items() if names} == {}

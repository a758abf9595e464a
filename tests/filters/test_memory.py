"""Memory that is asked for before lattices are built, and memory that is used."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import classicseg as cs
from classicseg.filters.building import choose_blur
from classicseg.filters.counting import count_vertices, most_vertices
from classicseg.filters.features import Features
from classicseg.filters.memory import peak_bytes
from classicseg.kernels.dense.linking import merge_stripes
from classicseg.solvers.dense.plan import Plan
from tests.oracles import photo

FREE = "classicseg.machine.memory.available_memory"


def image_of(kind, height, width):
    rng = np.random.default_rng(3)
    if kind == "photo":
        return photo(height, width)
    if kind == "flat":
        return np.full((height, width, 3), 90, np.uint8)
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "scan":
        paper = rng.integers(246, 253, (height, width, 3)).astype(np.uint8)
        ink = rng.random((height // 4 + 1, width // 2 + 1)).repeat(4, 0).repeat(2, 1)[:height, :width] < 0.1
        return np.where(ink[..., None], np.uint8(30), paper)
    return np.clip(photo(height, width)[..., :1] + rng.normal(0, 6, (height, width, 100)), 0, 255).astype(np.float32)


def crf_of(kind, n_labels, height, width, **options):
    unary = np.random.default_rng(4).random((n_labels, height, width), np.float32)
    kernels = [cs.GaussianKernel(3, 3), cs.BilateralKernel(image_of(kind, height, width), 80, 13, 10)]
    return cs.DenseCRF(unary, kernels, **options)


def lattices_of(crf):
    columns = [kernel.columns(crf.shape) for kernel in crf.kernels]
    blurs = [choose_blur(c, crf.quality == "high") for c in columns]
    return [(Features(c, blur), blur) for c, blur in zip(columns, blurs, strict=True)]


def estimate(crf, n_threads=1):
    counts = [count_vertices(*lattice) for lattice in lattices_of(crf)]
    return peak_bytes(crf.n_points, counts, crf.n_labels, n_threads)


PEAK = """
import sys
import numpy as np
import classicseg as cs
from benchmarks.shared.harness import peak_memory
from classicseg.machine.memory import give_back
from tests.filters.test_memory import crf_of, estimate

kind, n_labels, height, width = sys.argv[1], *map(int, sys.argv[2:])
cs.minimize(crf_of(kind, n_labels, height, width), max_iter=2, n_threads=1)  # loads the kernels
crf = crf_of(kind, n_labels, height, width)
expected = estimate(crf)
give_back()
print(expected, peak_memory(lambda: cs.minimize(crf, max_iter=2, n_threads=1)))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no /proc")
@pytest.mark.parametrize(
    ("kind", "n_labels"), [("photo", 2), ("photo", 21), ("flat", 21), ("scan", 2), ("noise", 21), ("bands", 2)]
)
def test_the_estimate_is_near_the_peak(kind, n_labels):
    size = (36, 44) if kind == "bands" else (400, 600)
    command = [sys.executable, "-W", "ignore", "-c", PEAK, kind, *map(str, (n_labels, *size))]
    expected, peak = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert peak / 1.5 < expected < peak * 1.5


@pytest.mark.parametrize("kind", ["photo", "flat", "scan", "noise"])
@pytest.mark.parametrize("size", [(60, 80), (240, 320)])
def test_vertices_are_estimated_well_enough(kind, size):
    crf = crf_of(kind, 2, *size)
    bank, lattices = crf.lattice_bank(1).bank, lattices_of(crf)
    counts = [count_vertices(*lattice) for lattice in lattices]
    true = [
        c._replace(vertices=float(v), duplicates=float(d))
        for c, v, d in zip(counts, bank.vertex[:, 1], bank.duplicate[:, 1], strict=True)
    ]
    most = [most_vertices(*lattice) for lattice in lattices]
    for n_labels in (2, 21):
        expected, right, worst = (peak_bytes(crf.n_points, x, n_labels, 1) for x in (counts, true, most))
        assert right / 1.3 < expected < right * 1.3
        assert expected < worst


@pytest.mark.parametrize("shape", [(1,), (2,), (17,), (5000,), (1, 300), (300, 1), (6, 7, 8), (2, 2, 2, 2)])
def test_any_grid_can_be_sampled(shape):
    features = np.random.default_rng(0).random((2, *shape)).astype(np.float32) * 9
    (lattice,) = lattices_of(cs.DenseCRF(np.zeros((2, *shape)), cs.FeatureKernel(features)))
    count, n = count_vertices(*lattice), features[0].size
    assert 3 <= count.vertices <= 3 * n
    assert 0 <= count.duplicates <= 3 * n


def test_too_large_an_energy_is_refused_before_anything_large_is_made(monkeypatch):
    crf = crf_of("noise", 21, 240, 320)
    needed = estimate(crf)
    monkeypatch.setattr(FREE, lambda: needed / 1.1)
    monkeypatch.setattr("classicseg.filters.bank.build_bank", None)
    tracemalloc.start()
    with pytest.raises(cs.BudgetError, match=r"21 labels at 76800 pixels .* MiB are free .* sigmas, fewer features"):
        cs.minimize(crf)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < needed / 4


def test_where_memory_is_plenty_nothing_is_sampled(monkeypatch):
    crf = crf_of("photo", 2, 20, 30)
    most = peak_bytes(600, [most_vertices(*lattice) for lattice in lattices_of(crf)], 2, 1)
    monkeypatch.setattr("classicseg.filters.memory.count_vertices", None)
    monkeypatch.setattr(FREE, lambda: 2.1 * most)
    crf.lattice_bank(1)
    monkeypatch.setattr(FREE, lambda: 1.9 * most)
    with pytest.raises(TypeError, match="NoneType"):
        crf_of("photo", 2, 20, 30).lattice_bank(1)


@pytest.mark.parametrize("accurate", [False, True])
def test_a_lattice_of_its_own_asks_as_well(accurate, monkeypatch):
    features = np.random.default_rng(0).random((3, 4000)) * 30
    cs.PermutohedralLattice(features[:, ::10], accurate=accurate)  # kernels ask for memory as well when they are loaded
    monkeypatch.setattr(FREE, lambda: 2**16)
    with pytest.raises(cs.BudgetError, match="a lattice of 4000 points would need"):
        cs.PermutohedralLattice(features, accurate=accurate)


def test_many_channels_at_many_vertices_ask_first(monkeypatch):
    lattice = cs.PermutohedralLattice(np.arange(3000.0)[None] * 2)
    values = np.broadcast_to(np.float32(0), (6000, 3000))
    monkeypatch.setattr("classicseg.filters.bank._MANY", 2**20)
    monkeypatch.setattr(FREE, lambda: 2**27)
    with pytest.raises(cs.BudgetError, match=r"6000 values at each of \d+ lattice vertices would need"):
        lattice.filter(values)


def test_matrices_of_labels_ask_for_the_copies_too(monkeypatch):
    unary = np.zeros((1500, 1, 2), np.float32)
    monkeypatch.setattr("classicseg.energies.compatibility.check_memory", lambda nbytes, what: asked.append(nbytes))
    asked = []
    tracemalloc.start()
    cs.DenseCRF(unary, cs.GaussianKernel())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * max(asked)


def test_a_channel_with_long_kernels_asks_for_them(monkeypatch):
    monkeypatch.setattr(FREE, lambda: 50 * 2**24)
    with pytest.raises(cs.BudgetError, match="a channel of the shape"):
        cs.GaussianFilter((2**24 + 1,), sigma=1e7)


def test_merging_finds_the_same_rows_however_many_vertices_are_shared():
    rng = np.random.default_rng(1)
    for most in (40, 3000, 2**40):
        parts = [np.unique(rng.integers(0, most, 700)) for _ in range(9)]
        start = np.cumsum([0, *(p.size for p in parts)]).astype(np.int64)
        row_of, all_ = np.empty(start[-1], np.uint32), np.concatenate(parts)
        table, keys, target, own, own_duplicates = merge_stripes(all_.copy(), start, row_of)
        _, first = np.unique(all_, return_index=True)
        np.testing.assert_array_equal(keys, all_[np.sort(first)])
        rows = np.concatenate([keys, keys[target]])
        np.testing.assert_array_equal(rows[row_of], all_)
        assert own[-1] == keys.size
        assert own_duplicates[-1] == all_.size
        assert 2 * keys.size <= 1 << table.log2_size <= max(16, 5 * keys.size)


@pytest.mark.parametrize("n_labels", [2, 21])
def test_answers_are_the_same_where_only_one_row_array_has_duplicates(n_labels, monkeypatch):
    crf = crf_of("noise", n_labels, 240, 320)
    plan = Plan(crf.lattice_bank(1).bank, crf.lattice_bank(1).gains, crf.costs())
    assert (plan.for_updates()[2].size > 0) == (n_labels == 21)
    answers = []
    for apart in (False, True):
        monkeypatch.setattr("classicseg.solvers.dense.plan.duplicates_cost_more", lambda *args, a=apart: a)
        answers.append(cs.minimize(crf, max_iter=3, n_threads=2).marginals)
    np.testing.assert_array_equal(*answers)

"""How long does a stroke take, once the image has been cut?

    python benchmarks/grid/strokes.py [photo] [volume] [--strokes 100]

"photo": strokes of 40 x 8 and 8 x 40 pixels anywhere in a photo of 4 million pixels (one of the development data,
enlarged to 2000 x 2000, with noise), whose colours were learned by `cutout` before. Half of the strokes are right: they
say what the truth says in their middle. The other half say anything. Each is answered by `GraphCut.set_unary` of a
region and `solve`, and by `Cutout.update`; rows give the median and the 95th percentile, and which share was done
within 10, 30 and 50 ms. "all anew": costs of all pixels given (`set_unary` without a region) and cut, as needed
otherwise. Some answers are compared with those of cuts from nothing; the largest difference of the energies is given,
as a share of the energy.

"volume": 256 x 256 x 256 voxels with a lobed organ in noise. Strokes of 4 x 16 x 8 voxels anywhere; and a region of
16 x 32 x 32 that moves through the organ by (2, 4, 4) voxels at a time, with costs from other noise in it.

PyMaxflow, where it is installed, gets whole numbers: its graph is built once, a stroke is an edge to a terminal, and
its search trees are kept.

The parts can be measured one at a time: rows of the other stay in the file of results.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.folders import DATA
from benchmarks.shared.grid_problems import organ
from benchmarks.shared.harness import arguments
from benchmarks.shared.records import save, this_run

Row = dict[str, Any]
Region = tuple[slice, ...]
Change = tuple[Region, np.ndarray]
"""A region and the new costs there."""
_PHOTO, _STEPS = "106024", 1000.0  # whole numbers for PyMaxflow: a thousandth of a cost is one


@dataclass(frozen=True)
class Stroke:
    region: Region
    label: int


def photo(side: int) -> tuple[cs.Cutout, np.ndarray, np.ndarray]:
    """An image that has been cut, its truth, and the image itself."""
    folder = DATA / "grabcut_scribbles"
    if folder.exists():
        image = np.array(Image.open(folder / f"{_PHOTO}.jpg").convert("RGB"))
        truth = np.array(Image.open(folder / f"{_PHOTO}_gt.png")) > 127
    else:
        sample = cs.sample()
        image, truth = sample.image, sample.truth == 1
    enlarged = np.array(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)).astype(float)
    truth = np.array(Image.fromarray(truth).resize((side, side), Image.Resampling.NEAREST))
    enlarged += np.random.default_rng(0).normal(0, 4, enlarged.shape)
    enlarged = enlarged.clip(0, 255).astype(np.uint8)
    return cs.cutout(enlarged, probable=truth, max_iter=2), truth, enlarged


def strokes_on(truth: np.ndarray, sizes: tuple[tuple[int, ...], ...], n: int) -> list[Stroke]:
    """The first half is right, the second says anything; wherever in the image."""
    rng, strokes = np.random.default_rng(1), []
    for i in range(n):
        size = sizes[int(rng.integers(len(sizes)))]
        starts = [int(rng.integers(length - s + 1)) for length, s in zip(truth.shape, size, strict=True)]
        region = tuple(slice(at, at + s) for at, s in zip(starts, size, strict=True))
        middle = tuple(at + s // 2 for at, s in zip(starts, size, strict=True))
        strokes.append(Stroke(region, int(truth[middle]) if i < n // 2 else int(rng.integers(2))))
    return strokes


def forbidding(crf: cs.GridCRF, stroke: Stroke) -> Change:
    """The other label is forbidden in the region of a stroke."""
    costs = crf.unary[(slice(None), *stroke.region)].copy()
    costs[stroke.label][np.isinf(costs[stroke.label])] = 0  # an earlier stroke said otherwise
    costs[1 - stroke.label] = np.inf
    return stroke.region, costs


def moving(crf: cs.GridCRF, size: tuple[int, ...], step: tuple[int, ...], n: int) -> list[Change]:
    """New noise in a region that moves through the middle, and comes back where it reaches a border."""
    rng, changes = np.random.default_rng(2), []
    room = np.array(crf.shape) - size
    for i in range(n):
        way = np.array(crf.shape) // 4 + i * np.array(step)
        start = np.minimum(way % (2 * room), -way % (2 * room))
        region = tuple(slice(int(at), int(at) + length) for at, length in zip(start, size, strict=True))
        costs = crf.unary[(slice(None), *region)]
        changes.append((region, costs + rng.integers(-40, 41, costs.shape)))
    return changes


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def figures(
    problem: str, method: str, seconds: list[float], all_seconds: float, worst: float | None = None
) -> list[Row]:
    """One row for right strokes, the first half, one for any, and one for all; or one for a region that moves."""
    half = len(seconds) // 2
    parts = {"right": seconds[:half], "any": seconds[half:], "all": seconds}
    rows = []
    for name, part in ({"moving region": seconds} if "moving" in problem else parts).items():
        ms = 1e3 * np.array(part)
        rows.append(
            {
                "case": f"{problem}, {method}, {name}",
                "problem": problem,
                "method": method,
                "strokes": name,
                "number": len(part),
                "median_ms": round(float(np.median(ms)), 2),
                "p95_ms": round(float(np.percentile(ms, 95, method="inverted_cdf")), 2),
                "within_10_ms": round(float((ms <= 10).mean()), 3),
                "within_30_ms": round(float((ms <= 30).mean()), 3),
                "within_50_ms": round(float((ms <= 50).mean()), 3),
                "all_ms": round(1e3 * all_seconds, 1),
            }
            | ({} if worst is None else {"largest_difference_of_energy": float(f"{worst:.2g}")})
        )
        print(rows[-1], flush=True)
    return rows


def by_graph_cut(problem: str, crf: cs.GridCRF, changes: list[Change], every: int) -> list[Row]:
    """A change at a time; `every` so manieth answer is compared with that of a cut from nothing."""
    cut, out = cs.GraphCut(crf), np.zeros(crf.shape, np.int32)
    cut.solve(out=out)
    _answer(cut.copy(), *changes[0], None)  # compiles
    unary = crf.unary.copy()
    seconds, worst = [], 0.0
    for i, (region, costs) in enumerate(changes):
        needed, result = timed(partial(_answer, cut, region, costs, out))
        seconds.append(needed)
        unary[(slice(None), *region)] = costs
        if i % every == every - 1:
            scratch = cs.minimize(cs.GridCRF(unary, crf.compatibility, crf.weights), "graph_cut").energy
            worst = max(worst, abs(result.energy - scratch) / abs(scratch))
    unary[0, ..., :8] = np.inf  # a stroke more
    unary[1, ..., :8] = 0
    return figures(problem, "GraphCut", seconds, timed(partial(_answer, cut, None, unary, None))[0], worst)


def _answer(cut: cs.GraphCut, region: Region | None, costs: np.ndarray, out: np.ndarray | None) -> cs.Result:
    cut.set_unary(costs, region)
    return cut.solve(out=out)


def by_cutout(problem: str, cut: cs.Cutout, image: np.ndarray, strokes: list[Stroke]) -> list[Row]:
    """A stroke at a time, drawn."""
    seconds = []
    for stroke in strokes:
        drawn = np.full([side.stop - side.start for side in stroke.region], stroke.label)
        seconds.append(timed(lambda drawn=drawn, region=stroke.region: cut.update(drawn, region))[0])
    more = np.full(cut.labels.shape, -1)
    more[:8, :40] = 0
    all_seconds, _ = timed(lambda: cs.cutout(image, more, previous=cut, max_iter=1))
    return figures(problem, "Cutout", seconds, all_seconds)


def by_pymaxflow(problem: str, crf: cs.GridCRF, strokes: list[Stroke]) -> list[Row]:
    """Its graph is built once; a stroke is an edge to a terminal that nothing outweighs."""
    import maxflow

    building, (graph, nodes) = timed(partial(_graph, maxflow, crf))
    cutting, _ = timed(graph.maxflow)
    seconds = [timed(partial(_draw, graph, nodes, stroke))[0] for stroke in strokes]
    return figures(problem, "PyMaxflow", seconds, building + cutting)


def _draw(graph: Any, nodes: np.ndarray, stroke: Stroke) -> np.ndarray:
    there = nodes[stroke.region]
    most = np.full(there.shape, 10**8)
    graph.add_grid_tedges(there, most * stroke.label, most * (1 - stroke.label))
    for node in there.reshape(-1).tolist():
        graph.mark_node(node)
    graph.maxflow(reuse_trees=True)
    segments: np.ndarray = graph.get_grid_segments(nodes)
    return segments


def _graph(maxflow: Any, crf: cs.GridCRF) -> tuple[Any, np.ndarray]:
    from classicseg.bench.peers.common import offset_of

    graph = maxflow.GraphInt(crf.n_points, len(crf.directions) * crf.n_points)
    nodes = graph.add_grid_nodes(crf.shape)
    scale = crf.compatibility.matrix(2).max() * _STEPS
    for name in crf.directions:
        offset = offset_of(name, len(crf.shape))
        weights = np.zeros(crf.shape, np.int64)
        ends = tuple(slice(max(0, -step), n - max(0, step)) for step, n in zip(offset, crf.shape, strict=True))
        weights[ends] = np.rint(crf.weights[name] * scale)
        structure = np.zeros((3,) * len(offset), np.int64)
        structure[tuple(1 + step for step in offset)] = 1
        graph.add_grid_edges(nodes, weights=weights, structure=structure, symmetric=True)
    finite = np.where(np.isinf(crf.unary), 1e5, crf.unary)
    unary = np.rint((finite - finite.min(axis=0)) * _STEPS).astype(np.int64)
    graph.add_grid_tedges(nodes, unary[1], unary[0])
    return graph, nodes


def measure_photo(n: int, tiny: bool) -> list[Row]:
    side = 100 if tiny else 2000
    sizes = ((4, 2), (2, 4)) if tiny else ((40, 8), (8, 40))
    cut, truth, image = photo(side)
    strokes, crf = strokes_on(truth, sizes, n), cut.crf
    rows = by_graph_cut(f"photo-{side}", crf, [forbidding(crf, stroke) for stroke in strokes], max(1, n // 4))
    if importlib.util.find_spec("maxflow"):
        rows += by_pymaxflow(f"photo-{side}", crf, strokes[:: max(1, n // 10)])
    return rows + by_cutout(f"photo-{side}", cut, image, strokes)


def measure_volume(n: int, tiny: bool) -> list[Row]:
    side = 16 if tiny else 256
    plain = organ(side)
    crf = cs.GridCRF(plain.unary.astype(np.float64), plain.compatibility, plain.weights)
    truth = cs.minimize(crf, "graph_cut").labels == 1
    strokes = strokes_on(truth, ((2, 3, 2),) if tiny else ((4, 16, 8),), n)
    size, step = ((4, 4, 4), (1, 1, 1)) if tiny else ((16, 32, 32), (2, 4, 4))
    rows = by_graph_cut(f"organ-{side}", crf, [forbidding(crf, stroke) for stroke in strokes], n)
    return rows + by_graph_cut(f"organ-{side}, moving", crf, moving(crf, size, step, n), n)


PARTS = {"photo": measure_photo, "volume": measure_volume}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help="photo, volume; default: both")
    parser.add_argument("--strokes", type=int, default=100)
    options = parser.parse_args()
    run = this_run(threads=cs.get_num_threads(), libraries=["PyMaxflow"])
    n = 8 if options.tiny else options.strokes
    rows = [row for part in options.parts or PARTS for row in PARTS[part](n, options.tiny)]
    save("grid_strokes", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()

"""Networks and energies in files: what was written is read again, and what is malformed is an error with its place."""

import gzip

import numpy as np
import pytest

import classicseg as cs
from classicseg import io
from classicseg.errors import InputError
from classicseg.io.records import TYPES
from tests.solvers.graphs import KINDS, random_graph

RNG = np.random.default_rng(0)
N = 7
PAIRS = np.array([(i, j) for i in range(N) for j in range(i)])[::2]
WHOLE = io.FlowProblem(PAIRS, *RNG.integers(0, 9, (2, len(PAIRS))), *RNG.integers(0, 9, (2, N)))
DIMACS = """c a comment
p max 5 7
n 2 s
n 5 t
a 2 1 5
a 2 3 4
a 1 3 2
c another

a 3 4 9
a 4 5 6
a 2 5 1
a 5 1 8
"""


def flow(problem):
    return cs.FlowNetwork(**problem._asdict()).solve()


def test_a_network_of_dimacs_has_the_flow_that_it_says(tmp_path):
    (tmp_path / "a.max").write_text(DIMACS)
    problem = io.read_flow(tmp_path / "a.max")
    assert problem.edges.tolist() == [[0, 1], [1, 2]]  # of the nodes 1, 3, 4
    assert (problem.source.tolist(), problem.sink.tolist()) == ([6, 4, 0], [1, 0, 6])
    assert flow(problem).flow == 7
    with gzip.open(tmp_path / "a.max.gz", "wt") as file:
        file.write(DIMACS)
    assert flow(io.read_flow(tmp_path / "a.max.gz")).flow == 7
    (tmp_path / "a.max.gz").write_bytes((tmp_path / "a.max.gz").read_bytes()[:-12])
    with pytest.raises(InputError, match=r"a\.max\.gz cannot be read"):
        io.read_flow(tmp_path / "a.max.gz")


@pytest.mark.parametrize("suffix", [".max", ".bbk", ".npz"])
def test_a_network_that_was_written_has_the_same_cut(tmp_path, suffix):
    for dtype in (np.int64, np.uint8, np.float32, np.float64):
        problem = io.FlowProblem(WHOLE.edges, *(array.astype(dtype) for array in WHOLE[1:]))
        io.write_flow(tmp_path / f"a{suffix}", problem)
        found = io.read_flow(tmp_path / f"a{suffix}")
        assert flow(found).flow == flow(problem).flow
        np.testing.assert_array_equal(flow(found).labels, flow(problem).labels)
    real = io.FlowProblem(WHOLE.edges, *(array + 0.25 for array in WHOLE[1:]))
    if suffix == ".max":
        with pytest.raises(InputError, match=r"capacity must be whole numbers .* write \.bbk"):
            io.write_flow(tmp_path / "a.max", real)
    else:
        io.write_flow(tmp_path / f"a{suffix}", real)
        assert flow(io.read_flow(tmp_path / f"a{suffix}")).flow == flow(real).flow


def bbk(dtype="<i4", *, filled=False, header=b"BBQ"):
    """The bytes of a small network: two nodes, the first of which is named twice."""
    code = TYPES.index(dtype)
    ends, arcs = [("node", "<u8"), ("s", dtype), ("t", dtype)], [("i", "<u8"), ("j", "<u8"), ("c", dtype), ("r", dtype)]
    terminals = np.array([(0, 3, 0), (0, 2, 0), (1, 0, 9)], np.dtype(ends, align=filled))
    edges = np.array([(0, 1, 4, 7)], np.dtype(arcs, align=filled))
    return header + bytes([code, code]) + np.array([2, 3, 1], "<u8").tobytes() + terminals.tobytes() + edges.tobytes()


@pytest.mark.parametrize("dtype", TYPES)
def test_all_types_are_read_packed_or_filled_up(tmp_path, dtype):
    for filled in (False, True):
        for header in (b"BBQ", b"BBK"):
            (tmp_path / "a.bbk").write_bytes(bbk(dtype, filled=filled, header=header))
            problem = io.read_flow(tmp_path / "a.bbk")
            assert (problem.source.tolist(), problem.sink.tolist()) == ([5, 0], [0, 9])
            assert problem.capacity.dtype == np.dtype(dtype)
            assert (problem.capacity.tolist(), problem.reverse_capacity.tolist()) == ([4], [7])


def test_terminals_below_0_keep_their_difference(tmp_path):
    content = bytearray(bbk())
    content[29 + 8 : 29 + 12] = np.int32(-9).tobytes()
    (tmp_path / "a.bbk").write_bytes(bytes(content))
    problem = io.read_flow(tmp_path / "a.bbk")
    assert (problem.source - problem.sink).tolist() == [-7, -9]
    assert problem.source.min() == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("p max 5 7", "p min 5 7", "line 2, must be 'p max NODES ARCS'"),
        ("p max 5 7", "c", "line 3, must begin with c, p, n or a"),
        ("n 2 s", "n 9 s", "line 3, must be 'n NODE s' or 'n NODE t'"),
        ("n 5 t", "n 5 s", "line 4, must be 'n NODE s' or 'n NODE t'"),
        ("a 3 4 9", "a 3 4", "line 10, must be 'a FROM TO CAPACITY'"),
        ("a 3 4 9", "a 3 4 x", "line 10, must have whole numbers, got 'x'"),
        ("a 3 4 9", "a 3 4 9.5", "line 10, must have whole numbers, got '9.5'"),
        ("a 3 4 9", "a 3 6 9", "line 10, must join two of the nodes 1 to 5"),
        ("a 3 4 9", "a 3 3 9", "line 10, must join two"),
        ("a 3 4 9", "a 3 4 -9", "line 10, must join two .* at least 0"),
        ("a 3 4 9", "a 3 4 99999999999999999999", "line 10, must have whole numbers"),
        ("a 5 1 8\n", "", "ends in line 12 with 6 of 7 arcs.* truncated"),
        ("n 5 t\n", "", "sink none"),
        ("p max 5 7", "q max 5 7", "line 2, must begin with"),
    ],
)
def test_malformed_networks_of_dimacs_are_errors_with_the_line(tmp_path, old, new, words):
    (tmp_path / "a.max").write_text(DIMACS.replace(old, new))
    with pytest.raises(InputError, match=words):
        io.read_flow(tmp_path / "a.max")


def test_malformed_binary_files_are_errors(tmp_path):
    crf = random_graph(np.random.default_rng(1), "tables", n_labels=2)
    io.write_energy(tmp_path / "a.bq", crf)
    (tmp_path / "a.bbk").write_bytes(bbk())
    for name, read, header in (("a.bbk", io.read_flow, 3), ("a.bq", io.read_energy, 5)):
        content = (tmp_path / name).read_bytes()
        after = header + (2 if name == "a.bbk" else 1)
        changes = {
            b"": "truncated",
            content[:-1]: "truncated or damaged",
            content + b"x": "truncated or damaged",
            content[: after + 5]: "ends where it must have the numbers of its nodes",
            b"x" * len(content): "it begins with",
            content[:header].lower() + content[header:]: "compressed with snappy",
            content[:header] + b"\x63" + content[header + 1 :]: "the code 99 of a type",
            content[:after] + np.uint64(1).tobytes() + content[after + 8 :]: "has the node [0-9]+, but only 0 to 0",
            content[:after] + np.uint64(0).tobytes() + content[after + 8 :]: "has no node",
        }
        for changed, words in changes.items():
            (tmp_path / name).write_bytes(changed)
            with pytest.raises(InputError, match=rf"{name}.*{words}"):
                read(tmp_path / name)


def test_unknown_formats_and_shapes_are_named(tmp_path):
    for name in ("a.txt", "a.max.zip"):
        (tmp_path / name).write_text("")
        with pytest.raises(InputError, match=r"path must end in \.max, .*\.npz, got"):
            io.read_flow(tmp_path / name)
    with pytest.raises(InputError, match=r"path must end in \.bq or \.npz, got .*read_uai"):
        io.read_energy(tmp_path / "a.uai")
    with pytest.raises(FileNotFoundError, match="no such file"):
        io.read_energy(tmp_path / "none.npz")
    with pytest.raises(InputError, match="sink must have shape"):
        io.write_flow(tmp_path / "a.bbk", WHOLE._replace(sink=WHOLE.sink[1:]))
    with pytest.raises(InputError, match="capacity must be at least 0, got -1"):
        io.write_flow(tmp_path / "a.bbk", WHOLE._replace(capacity=np.full(len(PAIRS), -1)))
    half = np.ones(len(PAIRS), np.float16)
    with pytest.raises(InputError, match="numbers must be integers, float32 or float64"):
        io.write_flow(tmp_path / "a.bbk", WHOLE._replace(capacity=half, reverse_capacity=half))
    np.savez(tmp_path / "a.npz", edges=[[0, 1]])
    for read in (io.read_flow, io.read_energy):
        with pytest.raises(InputError, match=r"a\.npz cannot be read"):
            read(tmp_path / "a.npz")
    with pytest.raises(TypeError, match="crf must be a GridCRF or a GraphCRF, got int"):
        io.write_energy(tmp_path / "a.npz", 3)


def equal(one, other):
    assert repr(one) == repr(other)
    for name in ("unary", "mask", "label_costs", "edges", "weights", "edge_tables", "label_counts", "cost"):
        mine, others = getattr(one, name, None), getattr(other, name, None)
        if isinstance(one, cs.GridCRF) and name == "weights":
            assert mine.keys() == others.keys()
            mine, others = ([of[key] for key in sorted(of)] for of in (mine, others))
            assert all(np.array_equal(a, b) for a, b in zip(mine, others, strict=True))
        elif mine is None or others is None:
            assert mine is others
        else:
            np.testing.assert_array_equal(mine, others)
            assert np.asarray(mine).dtype == np.asarray(others).dtype


@pytest.mark.parametrize("kind", KINDS)
def test_energies_of_graphs_come_back(tmp_path, kind):
    crf = random_graph(np.random.default_rng(2), kind, label_costs=None if kind == "ragged" else 2)
    io.write_energy(tmp_path / "a.npz", crf)
    equal(io.read_energy(tmp_path / "a.npz"), crf)


def test_energies_of_grids_come_back(tmp_path):
    unary, mask = RNG.integers(0, 9, (3, 5, 6)), np.ones((5, 6), bool)
    mask[:2, :3] = False
    right, down = RNG.integers(0, 5, (5, 5)), RNG.integers(0, 5, (4, 6))
    for crf in (
        cs.GridCRF(unary, cs.Potts(2)),
        cs.GridCRF(unary.astype(np.float32), cs.TruncatedLinear(2, 3), 1.5, connectivity=8, label_costs=[1, 2, 3]),
        cs.GridCRF(unary, cs.Potts(2.0), 2.0, connectivity=8, spacing=(1, 3)),
        cs.GridCRF(unary, cs.Matrix(RNG.random((3, 3))), {"right": right, "down": down}, mask=mask),
    ):
        io.write_energy(tmp_path / "a.npz", crf)
        equal(io.read_energy(tmp_path / "a.npz"), crf)


@pytest.mark.parametrize("kind", ["potts", "directed", "tables"])
def test_functions_of_two_labels_have_the_same_energies(tmp_path, kind):
    crf = random_graph(np.random.default_rng(3), kind, n_labels=2)
    io.write_energy(tmp_path / "a.bq", crf)
    found = io.read_energy(tmp_path / "a.bq")
    for number in range(2**5):
        labels = [number >> i & 1 for i in range(5)]
        assert found.energy(labels) == crf.energy(labels)
    for wrong in (random_graph(np.random.default_rng(3), kind), cs.GridCRF(np.zeros((2, 3)), cs.Potts(1))):
        with pytest.raises(InputError, match=r"two labels for each node.*write \.npz"):
            io.write_energy(tmp_path / "a.bq", wrong)
    with pytest.raises(InputError, match="no label costs"):
        io.write_energy(tmp_path / "a.bq", random_graph(np.random.default_rng(3), kind, n_labels=2, label_costs=1))

"""Networks for maximum flows in files: DIMACS, the binary files of Jensen et al., and NumPy's.

The text format is that of the first DIMACS challenge: ``p max N M``, ``n ID s``, ``n ID t`` and ``a FROM TO CAPACITY``,
nodes counted from 1. The binary one, ``.bbk``, is that of the instances of P. M. Jensen, N. Jeppesen, A. B. Dahl and
V. A. Dahl, "Review of serial and parallel min-cut/max-flow algorithms for computer vision", IEEE TPAMI 45(2), 2023.
doi:10.1109/TPAMI.2022.3170096
"""

from __future__ import annotations

import gzip
import lzma
import os
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.io.files import as_path, replacing
from classicseg.io.records import Records, type_code

_OPENERS: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
_BBK = (b"BBQ", b"BBK")  # what its authors write, and what it is called
_LARGEST = 2**53  # of whole numbers that float64 holds
_FORMATS = ".max, .max.gz, .max.xz, .bbk or .npz"


class FlowProblem(NamedTuple):
    """A network, as ``cs.FlowNetwork(**problem._asdict())`` takes it.

    Attributes
    ----------
    edges : ndarray, (E, 2), int64
        Nodes, 0 to N - 1.
    capacity, reverse_capacity : ndarray, (E,)
        From the first node of an edge to its second, and back.
    source, sink : ndarray, (N,)
        From the source to each node, and from each node to the sink.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> from classicseg import io
    >>> problem = io.FlowProblem(*map(np.array, ([[0, 1]], [4], [0], [5, 0], [0, 9])))
    >>> cs.FlowNetwork(**problem._asdict()).solve().flow
    4
    """

    edges: np.ndarray
    capacity: np.ndarray
    reverse_capacity: np.ndarray
    source: np.ndarray
    sink: np.ndarray


def read_flow(path: str | os.PathLike[str]) -> FlowProblem:
    r"""Read a network for maximum flows.

    Parameters
    ----------
    path : path
        ``.max`` of DIMACS, also compressed as ``.max.gz`` or ``.max.xz``; ``.bbk``, not compressed; ``.npz`` of
        :func:`write_flow`.

    Returns
    -------
    FlowProblem
        In DIMACS files the source and the sink are nodes like others, which are left out here: those after them are
        counted one less. Arcs into the source and out of the sink carry no flow and are left out, one from the source
        to the sink leads over the first node.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not of one of these formats, or truncated; of text the number of the line is said.

    Examples
    --------
    >>> import tempfile, pathlib, classicseg as cs
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "small.max"
    ...     _ = path.write_text("p max 4 3\nn 1 s\nn 4 t\na 1 2 5\na 2 3 4\na 3 4 9\n")
    ...     problem = io.read_flow(path)
    >>> cs.FlowNetwork(**problem._asdict()).solve().flow
    4
    """
    source = as_path(path)
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}")
    kind = _kind(source)
    try:
        if kind == ".max":
            with _OPENERS.get(source.suffix.lower(), Path.open)(source, "rt", encoding="ascii") as file:
                return _of_dimacs(source, file.read().splitlines())
        if kind == ".bbk":
            return _of_bbk(Records(source, source.read_bytes()))
        with np.load(source, allow_pickle=False) as arrays:
            problem = FlowProblem(*(arrays[name] for name in FlowProblem._fields))
    except (InputError, PermissionError):
        raise
    except (OSError, EOFError, KeyError, ValueError, lzma.LZMAError, zlib.error) as failure:
        raise InputError(f"{source} cannot be read as a network: {failure}") from failure
    return _checked(problem, f"{source}: ")


def write_flow(path: str | os.PathLike[str], problem: FlowProblem) -> None:
    """Write a network for maximum flows.

    Parameters
    ----------
    path : path
        ``.max`` of DIMACS, for whole numbers, where the source is the last node but one and the sink the last;
        ``.bbk``; or ``.npz``.
    problem : FlowProblem
        Capacities of at least 0; infinite ones only as ``.npz`` or as ``.bbk``.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the format cannot hold the numbers or is unknown, or shapes do not fit.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> problem = io.FlowProblem(*map(np.array, ([[0, 1]], [4], [0], [5, 0], [0, 9])))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "small.bbk"
    ...     io.write_flow(path, problem)
    ...     io.read_flow(path).capacity.tolist()
    [4]
    """
    target = as_path(path)
    kind = _kind(target)
    checked = _checked(FlowProblem(*problem), "")
    if kind == ".max" and target.suffix.lower() in _OPENERS:
        raise InputError(f"path must end in .max, .bbk or .npz to be written, got {target}")
    content = _as_dimacs(checked) if kind == ".max" else _as_bbk(checked) if kind == ".bbk" else b""
    with replacing(target) as temporary, temporary.open("wb") as file:
        if kind == ".npz":
            np.savez_compressed(file, **checked._asdict())
        else:
            file.write(content)


def _kind(path: Path) -> str:
    name = path.name.lower()
    for suffix in _OPENERS:
        name = name.removesuffix(suffix) if name.endswith(f".max{suffix}") else name
    kind = Path(name).suffix
    if kind not in (".max", ".bbk", ".npz"):
        raise InputError(f"path must end in {_FORMATS}, got {path}")
    return kind


def _checked(problem: FlowProblem, where: str) -> FlowProblem:
    """The same as exact arrays, or an error."""
    source, sink, forward, backward = (
        inputs.read(getattr(problem, name), f"{where}{name}", booleans=False)
        for name in ("source", "sink", "capacity", "reverse_capacity")
    )
    if source.ndim != 1 or source.size == 0:
        raise InputError(f"{where}source must have shape (N,), one number for each node, got {source.shape}")
    edges = inputs.as_edges(problem.edges, source.size).astype(np.int64)
    for name, array, n in (
        ("sink", sink, source.size), ("capacity", forward, len(edges)), ("reverse_capacity", backward, len(edges)),
    ):  # fmt: skip
        if array.shape != (n,):
            raise InputError(f"{where}{name} must have shape {(n,)}, got {array.shape}")
    for name, array in (("source", source), ("sink", sink), ("capacity", forward), ("reverse_capacity", backward)):
        if not (array >= 0).all():
            raise InputError(f"{where}{name} must be at least 0, got {array[~(array >= 0)][0]}")
    return FlowProblem(edges, forward, backward, source, sink)


# --- DIMACS -------------------------------------------------------------------------------------------------------


def _of_dimacs(path: Path, lines: list[str]) -> FlowProblem:
    n_nodes, n_arcs, ends = 0, 0, {"s": 0, "t": 0}
    numbers, arcs = [], []

    def fault(number: int, text: str) -> InputError:
        return InputError(f"{path}, line {number}, {text}")

    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0] == "c":
            continue
        if words[0] == "a":
            if n_nodes == 0 or len(words) != 4:
                raise fault(
                    number, f"must be 'a FROM TO CAPACITY' after the line 'p max NODES ARCS', got {line[:60]!r}"
                )
            numbers.append(number)
            arcs += words[1:]
        elif words[0] == "p" and n_nodes == 0:
            if len(words) != 4 or words[1] != "max" or not all(word.isdigit() for word in words[2:]):
                raise fault(number, f"must be 'p max NODES ARCS', got {line[:60]!r}")
            n_nodes, n_arcs = int(words[2]), int(words[3])
        elif words[0] == "n" and n_nodes > 0:
            is_known = len(words) == 3 and words[1].isdigit() and words[2] in ends
            if not is_known or not 1 <= int(words[1]) <= n_nodes or ends[words[2]] != 0:
                raise fault(number, f"must be 'n NODE s' or 'n NODE t', once each, got {line[:60]!r}")
            ends[words[2]] = int(words[1])
        else:
            raise fault(number, f"must begin with c, p, n or a, in this order, got {line[:60]!r}")
    if len(numbers) != n_arcs or 0 in ends.values() or ends["s"] == ends["t"]:
        raise InputError(
            f"{path} ends in line {len(lines)} with {len(numbers)} of {n_arcs} arcs, source {ends['s'] or 'none'} and "
            f"sink {ends['t'] or 'none'}: it is truncated, or no network"
        )
    if n_nodes < 3:
        raise InputError(f"{path} has no node between its source and its sink")
    table = _arcs(path, numbers, arcs)
    wrong = (
        ((table[:, :2] < 1) | (table[:, :2] > n_nodes)).any(axis=1) | (table[:, 0] == table[:, 1]) | (table[:, 2] < 0)
    )
    if wrong.any():
        at = int(wrong.argmax())
        line = lines[numbers[at] - 1]
        raise fault(
            numbers[at], f"must join two of the nodes 1 to {n_nodes} by a capacity of at least 0, got {line[:60]!r}"
        )
    return _without_ends(table, n_nodes, ends["s"], ends["t"])


def _arcs(path: Path, numbers: list[int], words: list[str]) -> np.ndarray:
    """Whole numbers (M, 3) of all arcs."""
    try:
        return np.array(words, np.int64).reshape(-1, 3) if words else np.zeros((0, 3), np.int64)
    except (ValueError, OverflowError):
        for i, word in enumerate(words):
            if not (word.isascii() and word.lstrip("+-").isdigit() and len(word) <= 18):
                text = f"must have whole numbers, got {word[:40]!r}"
                raise InputError(f"{path}, line {numbers[i // 3]}, {text}") from None
        raise


def _without_ends(table: np.ndarray, n_nodes: int, source: int, sink: int) -> FlowProblem:
    """The network of arcs between nodes counted from 1, two of which are its ends."""
    ids = np.full(n_nodes + 1, -1)
    rest = np.setdiff1d(np.arange(1, n_nodes + 1), (source, sink))
    ids[rest] = np.arange(rest.size)
    tails, heads, capacity = table.T
    terminals = np.zeros((2, rest.size), np.int64)
    for row, own, others in ((0, tails == source, heads), (1, heads == sink, tails)):
        inner = own & (ids[others] >= 0)
        np.add.at(terminals[row], ids[others[inner]], capacity[inner])
    terminals[:, 0] += capacity[(tails == source) & (heads == sink)].sum()
    between = (ids[tails] >= 0) & (ids[heads] >= 0)
    edges = np.stack([ids[tails[between]], ids[heads[between]]], axis=1)
    return FlowProblem(edges, capacity[between], np.zeros(len(edges), np.int64), *terminals)


def _as_dimacs(problem: FlowProblem) -> bytes:
    for name in ("capacity", "reverse_capacity", "source", "sink"):
        array = getattr(problem, name)
        if not ((array == np.floor(array)) & (array < _LARGEST)).all():
            raise InputError(f"{name} must be whole numbers below 2**53 for .max; write .bbk or .npz")
    n, (first, second) = problem.source.size, problem.edges.T + 1
    nodes = np.arange(1, n + 1)
    parts = [
        (np.full(n, n + 1), nodes, problem.source),
        (nodes, np.full(n, n + 2), problem.sink),
        (first, second, problem.capacity),
        (second, first, problem.reverse_capacity),
    ]
    table = np.concatenate(
        [np.stack([tails, heads, of.astype(np.int64)], axis=1)[of > 0] for tails, heads, of in parts]
    )
    lines = [
        f"p max {n + 2} {len(table)}",
        f"n {n + 1} s",
        f"n {n + 2} t",
        *(f"a {tail} {head} {capacity}" for tail, head, capacity in table.tolist()),
    ]
    return ("\n".join(lines) + "\n").encode("ascii")


# --- the binary files of Jensen et al. ----------------------------------------------------------------------------


def _of_bbk(records: Records) -> FlowProblem:
    records.header(_BBK, ".bbk")
    dtype, of_terminals = records.dtype(), records.dtype()
    n, n_terminals, n_edges = records.counts(3, "the numbers of its nodes and arcs")
    if n == 0:
        raise records.fault("has no node")
    ends, arcs = records.tables(
        (n_terminals, [("node", "<u8"), ("source", of_terminals), ("sink", of_terminals)]),
        (n_edges, [("i", "<u8"), ("j", "<u8"), ("capacity", dtype), ("reverse", dtype)]),
    )
    for nodes in (ends["node"], arcs["i"], arcs["j"]):
        if nodes.size and nodes.max() >= n:
            raise records.fault(f"has the node {nodes.max()}, but only 0 to {n - 1} exist")
    terminals = np.zeros((2, n), np.float64 if of_terminals.kind == "f" else np.int64)
    for row, name in enumerate(("source", "sink")):
        np.add.at(terminals[row], ends["node"].astype(np.int64), ends[name].astype(terminals.dtype))
    edges = np.stack([arcs["i"], arcs["j"]], axis=1).astype(np.int64)
    lowered = terminals - np.minimum(terminals.min(axis=0), 0)  # only their difference tells how to cut
    return FlowProblem(edges, arcs["capacity"].copy(), arcs["reverse"].copy(), *lowered)


def _as_bbk(problem: FlowProblem) -> bytes:
    dtype = np.result_type(problem.capacity, problem.reverse_capacity).newbyteorder("<")
    of_terminals = np.result_type(problem.source, problem.sink).newbyteorder("<")
    kept = np.flatnonzero((problem.source != 0) | (problem.sink != 0))
    ends = np.zeros(kept.size, [("node", "<u8"), ("source", of_terminals), ("sink", of_terminals)])
    ends["node"], ends["source"], ends["sink"] = kept, problem.source[kept], problem.sink[kept]
    arcs = np.zeros(len(problem.edges), [("i", "<u8"), ("j", "<u8"), ("capacity", dtype), ("reverse", dtype)])
    arcs["i"], arcs["j"] = problem.edges.T
    arcs["capacity"], arcs["reverse"] = problem.capacity, problem.reverse_capacity
    counts = np.array([problem.source.size, len(ends), len(arcs)], "<u8")
    codes = bytes([type_code(dtype), type_code(of_terminals)])
    return _BBK[0] + codes + counts.tobytes() + ends.tobytes() + arcs.tobytes()

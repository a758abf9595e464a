"""Energies in files: quadratic pseudo-Boolean ones of Jensen et al., and all of ours in files of NumPy."""

from __future__ import annotations

import dataclasses
import os
import zlib
from typing import Any

import numpy as np

from classicseg.energies import compatibility as kinds
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError, InputTypeError
from classicseg.io.files import as_path, replacing, suffix_of
from classicseg.io.records import Records, type_code

_BQ = (b"BQPBO",)
_FORMATS = (".bq", ".npz")
_KINDS: dict[str, Any] = {cls.__name__: cls for cls in (
    kinds.Potts, kinds.TruncatedLinear, kinds.TruncatedQuadratic, kinds.Diagonal, kinds.Matrix,
)}  # fmt: skip


def read_energy(path: str | os.PathLike[str]) -> GridCRF | GraphCRF:
    """Read an energy.

    Parameters
    ----------
    path : path
        ``.npz`` of :func:`write_energy`, or ``.bq``, not compressed: terms of two labels in the layout of [1]_.

    Returns
    -------
    GridCRF or GraphCRF

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not of this format, truncated, or holds no energy that can be.

    References
    ----------
    .. [1] P. M. Jensen, N. Jeppesen, A. B. Dahl, V. A. Dahl, "Review of serial and parallel min-cut/max-flow algorithms
       for computer vision", IEEE TPAMI 45(2), 2023. doi:10.1109/TPAMI.2022.3170096

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, classicseg as cs
    >>> from classicseg import io
    >>> crf = cs.GridCRF(np.arange(12).reshape(2, 2, 3) % 5, cs.Potts(2), label_costs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "grid.npz"
    ...     io.write_energy(path, crf)
    ...     io.read_energy(path)
    GridCRF(2 labels, 2x3 pixels, 4 neighbours, Potts, label costs)
    """
    source = as_path(path)
    if suffix_of(source) not in _FORMATS:
        raise InputError(f"path must end in {' or '.join(_FORMATS)}, got {source}; read_uai reads .uai")
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}")
    try:
        if suffix_of(source) == ".bq":
            return _of_bq(Records(source, source.read_bytes()))
        with np.load(source, allow_pickle=False) as arrays:
            return _of_arrays({name: arrays[name] for name in arrays.files})
    except InputError as failure:
        raise InputError(f"{source}: {failure}" if str(source) not in str(failure) else str(failure)) from failure
    except (OSError, EOFError, KeyError, ValueError, TypeError, zlib.error) as failure:
        if isinstance(failure, PermissionError):
            raise
        raise InputError(f"{source} cannot be read as an energy: {failure}") from failure


def write_energy(path: str | os.PathLike[str], crf: GridCRF | GraphCRF) -> None:
    """Write an energy, with all that it has.

    Parameters
    ----------
    path : path
        ``.npz``; or ``.bq`` for a GraphCRF of two labels without label costs, mask and forbidden labels.
    crf : GridCRF or GraphCRF

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the format is another one, or cannot hold the energy.
    TypeError
        If it is neither a GridCRF nor a GraphCRF.

    Examples
    --------
    >>> import tempfile, pathlib, classicseg as cs
    >>> from classicseg import io
    >>> crf = cs.GraphCRF([[0, 1], [2, 0]], [[0, 1]], tables=[[[0, 3], [1, 0]]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "two.bq"
    ...     io.write_energy(path, crf)
    ...     io.read_energy(path).energy([1, 0]), crf.energy([1, 0])
    (4.0, 4.0)
    """
    if not isinstance(crf, GridCRF | GraphCRF):
        raise InputTypeError(f"crf must be a GridCRF or a GraphCRF, got {type(crf).__name__}")
    target = as_path(path)
    if suffix_of(target) not in _FORMATS:
        raise InputError(f"path must end in {' or '.join(_FORMATS)}, got {target}; write_uai writes .uai")
    content = _as_bq(crf) if suffix_of(target) == ".bq" else b""
    with replacing(target) as temporary, temporary.open("wb") as file:
        if content:
            file.write(content)
        else:
            np.savez_compressed(file, **_as_arrays(crf))


# --- files of NumPy -----------------------------------------------------------------------------------------------


def _as_arrays(crf: GridCRF | GraphCRF) -> dict[str, Any]:
    """All that makes an energy, by name."""
    arrays: dict[str, Any] = {"energy": type(crf).__name__, "unary": crf.unary}
    for name in ("mask", "label_costs"):
        if getattr(crf, name) is not None:
            arrays[name] = getattr(crf, name)
    if crf.compatibility is not None:
        arrays["compatibility"] = type(crf.compatibility).__name__
        for field in dataclasses.fields(crf.compatibility):
            arrays[f"compatibility.{field.name}"] = getattr(crf.compatibility, field.name)
    if isinstance(crf, GridCRF):
        arrays["connectivity"] = crf.connectivity
        singles = [weights for weights in crf.flat_weights.values() if weights.size == 1]
        if len(singles) == len(crf.flat_weights) and len({float(weights[0]) for weights in singles}) == 1:
            arrays["weight"] = singles[0][0]  # one for all edges
        else:
            arrays |= {f"weights.{name}": np.asarray(weights) for name, weights in crf.weights.items()}
        return arrays
    arrays["edges"] = crf.edges
    for name in ("label_counts", "weights", "edge_tables"):
        if getattr(crf, name) is not None:
            arrays[name] = getattr(crf, name)
    return arrays


def _of_arrays(arrays: dict[str, np.ndarray]) -> GridCRF | GraphCRF:
    kind, unary = str(arrays["energy"]), arrays["unary"]
    more: dict[str, Any] = {name: arrays[name] for name in ("mask", "label_costs") if name in arrays}
    shared = None
    if "compatibility" in arrays:
        fields = {name.partition(".")[2]: a for name, a in arrays.items() if name.startswith("compatibility.")}
        shared = _KINDS[str(arrays["compatibility"])](**{name: a if a.ndim else a.item() for name, a in fields.items()})
    if kind == "GridCRF":
        by_name = {name.partition(".")[2]: a for name, a in arrays.items() if name.startswith("weights.")}
        weights: Any = by_name or arrays["weight"].item()
        return GridCRF(unary, shared, weights, connectivity=int(arrays["connectivity"]), **more)
    if kind != "GraphCRF":
        raise InputError(f"energy must be that of a GridCRF or a GraphCRF, got {kind[:40]!r}")
    given: Any = unary
    if "label_counts" in arrays:
        given = np.empty(unary.shape[1], object)
        for node, count in enumerate(arrays["label_counts"].tolist()):
            given[node] = unary[:count, node]
    if shared is not None:
        return GraphCRF(given, arrays["edges"], shared, arrays["weights"], **more)
    tables: Any = arrays["edge_tables"]
    if "label_counts" in arrays:
        counts = arrays["label_counts"]
        pairs = counts[arrays["edges"]].tolist()
        tables = [table[:first, :second] for table, (first, second) in zip(tables, pairs, strict=True)]
    return GraphCRF(given, arrays["edges"], tables=tables, **more)


# --- quadratic pseudo-Boolean functions ---------------------------------------------------------------------------


def _of_bq(records: Records) -> GraphCRF:
    records.header(_BQ, ".bq")
    dtype = records.dtype()
    n, n_unary, n_pairs = records.counts(3, "the numbers of its nodes and terms")
    if n == 0:
        raise records.fault("has no node")
    single, pairs = records.tables(
        (n_unary, [("node", "<u8"), ("e0", dtype), ("e1", dtype)]),
        (n_pairs, [("i", "<u8"), ("j", "<u8"), *((name, dtype) for name in ("e00", "e01", "e10", "e11"))]),
    )
    for nodes in (single["node"], pairs["i"], pairs["j"]):
        if nodes.size and nodes.max() >= n:
            raise records.fault(f"has the node {nodes.max()}, but only 0 to {n - 1} exist")
    unary = np.zeros((2, n))
    for label in range(2):
        np.add.at(unary[label], single["node"].astype(np.int64), single[f"e{label}"].astype(np.float64))
    tables = np.stack([pairs[name].astype(np.float64) for name in ("e00", "e01", "e10", "e11")], axis=1)
    return GraphCRF(unary, np.stack([pairs["i"], pairs["j"]], axis=1).astype(np.int64), tables=tables.reshape(-1, 2, 2))


def _as_bq(crf: GridCRF | GraphCRF) -> bytes:
    if not isinstance(crf, GraphCRF) or crf.n_labels != 2 or crf.label_counts is not None:
        raise InputError(f"a .bq holds a GraphCRF of two labels for each node, got {crf!r}; write .npz")
    tables = crf.tables() if crf.edge_tables is None else crf.edge_tables
    given = [crf.unary, tables, *([] if crf.weights is None else [crf.weights])]
    if crf.label_costs is not None or crf.mask is not None or not all(np.isfinite(array).all() for array in given):
        raise InputError("a .bq holds no label costs, no mask and nothing infinite; write .npz")
    dtype = np.dtype("<f8")
    single = np.zeros(crf.shape[0], [("node", "<u8"), ("e0", dtype), ("e1", dtype)])
    single["node"], single["e0"], single["e1"] = np.arange(crf.shape[0]), *crf.unary
    names = ("e00", "e01", "e10", "e11")
    pairs = np.zeros(len(crf.edges), [("i", "<u8"), ("j", "<u8"), *((name, dtype) for name in names)])
    pairs["i"], pairs["j"] = crf.edges.T
    for name, values in zip(names, tables.reshape(-1, 4).T, strict=True):
        pairs[name] = values
    counts = np.array([crf.shape[0], len(single), len(pairs)], "<u8")
    return _BQ[0] + bytes([type_code(dtype)]) + counts.tobytes() + single.tobytes() + pairs.tobytes()

"""Energies in the text format of the UAI competitions: factors of probabilities, evidence, and best labellings.

A factor is a table of numbers of at least 0, whose costs are ``-log``. Files may be compressed, as .gz or .xz.
"""

from __future__ import annotations

import gzip
import lzma
import math
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.graph_crf import GraphCRF
from classicseg.errors import InputError, InputTypeError
from classicseg.io.files import as_path, replacing
from classicseg.io.words import Words

_KINDS = ("MARKOV", "BAYES")
_FAR = 700.0  # exp of so much is a number still, and so is that of its negative
_OPENERS: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}


def read_uai(path: str | os.PathLike[str], *, evidence: str | os.PathLike[str] | None = None) -> GraphCRF:
    """Read an energy: factors of one or two variables.

    Parameters
    ----------
    path : path
        ``.uai``, of the kind MARKOV or BAYES, or the same compressed, ``.uai.xz`` or ``.uai.gz``.
    evidence : path, optional
        A file of variables whose values are known, ``.evid``: their other labels are forbidden.

    Returns
    -------
    GraphCRF
        With a table for each pair of variables. Its energy is minus the logarithm of the product of all factors;
        what has the probability 0 is forbidden.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not of this format, says the number of the line; or has factors of more variables.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "two.uai"
    ...     _ = path.write_text("MARKOV 2 2 2 2 1 0 2 0 1 2 0.5 0.25 4 1 0 0.5 1")
    ...     crf = io.read_uai(path)
    >>> crf, crf.unary[:, 0].round(3).tolist(), crf.energy([0, 1])
    (GraphCRF(2 labels, 2 nodes, 1 edges, tables), [0.693, 1.386], inf)
    """
    words = _words(path)
    kind = words.take("MARKOV or BAYES")
    if kind.upper() not in _KINDS:
        raise words.fault(f"must begin with MARKOV or BAYES, got {kind[:40]!r}")
    sizes = words.whole_numbers(words.whole_number("the number of variables", 1), "a number of labels", 1)
    scopes = []
    for _ in range(words.whole_number("the number of factors", 0)):
        count = words.whole_number("the number of variables of a factor", 0)
        if count > 2:
            raise words.fault(f"has a factor of {count} variables; a GraphCRF serves those of one or two")
        scope = words.whole_numbers(count, "a variable", 0, len(sizes) - 1)
        if len(set(scope)) < count:
            raise words.fault(f"has a factor of the variable {scope[0]} and itself")
        scopes.append(scope)
    costs = [np.zeros(size) for size in sizes]
    edges, tables = [], []
    for scope in scopes:
        shape = tuple(sizes[variable] for variable in scope)
        table = _costs_of_factor(words, shape)
        if len(scope) == 2:
            edges.append(scope)
            tables.append(table)
        else:
            costs[scope[0] if scope else 0] += table  # a factor of none is a number that all labels have
    words.end()
    if evidence is not None:
        for variable, label in read_uai_evidence(evidence).items():
            if variable >= len(sizes) or label >= sizes[variable]:
                raise InputError(f"evidence gives variable {variable} the value {label}, but {path} has no such value")
            costs[variable][np.arange(sizes[variable]) != label] = np.inf
    for variable, cost in enumerate(costs):
        if np.isinf(cost).all():
            raise InputError(f"{path} leaves no value of variable {variable} that has a probability")
    return _energy_of(costs, edges, tables)


def _costs_of_factor(words: Words, shape: tuple[int, ...]) -> np.ndarray:
    """The costs of the next factor, which is of this shape."""
    size = words.whole_number("the size of a factor", 0)
    if size != math.prod(shape):
        raise words.fault(f"says that a factor has {size} numbers, but its variables have {math.prod(shape)} values")
    factor = words.numbers(size, "a number of a factor")
    with np.errstate(divide="ignore"):
        costs: np.ndarray = -np.log(factor).reshape(shape)
    if np.isinf(costs).all():
        raise words.fault("has a factor that is 0 everywhere: it leaves no labelling")
    return costs + 0.0  # no -0.0


def _energy_of(costs: list[np.ndarray], edges: list[list[int]], tables: list[np.ndarray]) -> GraphCRF:
    ends = np.array(edges, np.int64).reshape(-1, 2)
    n = costs[0].size
    if n > 1 and all(cost.size == n for cost in costs):
        return GraphCRF(np.stack(costs, axis=1), ends, tables=np.array(tables).reshape(-1, n, n))
    rows = np.empty(len(costs), object)
    for node, cost in enumerate(costs):
        rows[node] = cost
    return GraphCRF(rows, ends, tables=tables)


def write_uai(path: str | os.PathLike[str], crf: GraphCRF) -> None:
    """Write an energy as factors, for solvers that read the format of the UAI competitions.

    Parameters
    ----------
    path : path
        Usually ``.uai``.
    crf : GraphCRF
        Without label costs. A factor is ``exp(-cost)``; where that would be no number, all costs of a factor are
        lowered or raised alike, which changes all energies by the same amount.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the energy has label costs, or costs of a factor that differ by more than 700, which no factor can hold.
    TypeError
        If it is no GraphCRF.

    Examples
    --------
    >>> import tempfile, pathlib, classicseg as cs
    >>> from classicseg import io
    >>> crf = cs.GraphCRF([[0, 1], [2, 0]], [[0, 1]], cs.Potts(3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "two.uai"
    ...     io.write_uai(path, crf)
    ...     round(io.read_uai(path).energy([1, 0]), 9), crf.energy([1, 0])
    (6.0, 6.0)
    """
    if not isinstance(crf, GraphCRF):
        raise InputTypeError(f"crf must be a GraphCRF, got {type(crf).__name__}")
    if crf.label_costs is not None:
        raise InputError("crf has label costs, which factors of one or two variables cannot hold")
    counts = [crf.n_labels] * crf.shape[0] if crf.label_counts is None else crf.label_counts.tolist()
    lines = ["MARKOV", str(len(counts)), " ".join(map(str, counts)), str(len(counts) + len(crf.edges))]
    lines += [f"1 {node}" for node in range(len(counts))]
    lines += [f"2 {first} {second}" for first, second in crf.edges.tolist()]
    for node, count in enumerate(counts):
        lines += _factor(crf.unary[:count, node].astype(np.float64), f"unary of node {node}")
    given = crf.tables() if crf.edge_tables is None else crf.edge_tables
    if crf.weights is not None:
        given = np.where(np.isinf(crf.weights)[:, None, None] & (given > 0), np.inf, given)
    for (first, second), table in zip(crf.edges.tolist(), given, strict=True):
        lines += _factor(table[: counts[first], : counts[second]], f"table of the nodes {first} and {second}")
    with replacing(as_path(path)) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii")


def _factor(costs: np.ndarray, what: str) -> Iterator[str]:
    finite = costs[np.isfinite(costs)]
    if np.ptp(finite) > _FAR:
        raise InputError(f"crf has costs that differ by {np.ptp(finite):g} in the {what}; factors hold up to {_FAR:g}")
    shift = 0.0 if np.abs(finite).max() <= _FAR else float(finite.min())
    yield f"{costs.size}"
    yield from (" ".join(map(repr, row)) for row in np.exp(-(costs - shift)).reshape(len(costs), -1).tolist())


def read_uai_evidence(path: str | os.PathLike[str]) -> dict[int, int]:
    """Read which variables are known, and their values.

    Parameters
    ----------
    path : path
        ``.uai.evid``: the number of variables, then pairs of a variable and its value, with or without a 1 before,
        the number of samples.

    Returns
    -------
    dict of int to int

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not of this format, says the number of the line.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "two.uai.evid"
    ...     _ = path.write_text("2  7 0  9 1")
    ...     io.read_uai_evidence(path)
    {7: 0, 9: 1}
    """
    words = _words(path)
    if len(words) == 0:
        return {}
    if len(words) % 2 == 0 and words.whole_number("the number of samples", 1) > 1:
        raise words.fault("holds several samples; the evidence of one is read")
    count = words.whole_number("the number of known variables", 0)
    found: dict[int, int] = {}
    for _ in range(count):
        variable = words.whole_number("a variable", 0)
        value = words.whole_number("a value", 0)
        if found.setdefault(variable, value) != value:
            raise words.fault(f"gives the variable {variable} two values")
    words.end()
    return found


def read_uai_labels(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a labelling, as published for the problems of the UAI competitions.

    Parameters
    ----------
    path : path
        ``.uai.MAP`` or ``.MPE``: the word, the number of variables, then the value of each.

    Returns
    -------
    ndarray, (N,), int32

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not of this format, says the number of the line.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "two.uai.MAP"
    ...     io.write_uai_labels(path, [1, 0])
    ...     io.read_uai_labels(path).tolist()
    [1, 0]
    """
    words = _words(path)
    kind = words.take("MAP or MPE")
    if kind.upper() not in ("MAP", "MPE"):
        raise words.fault(f"must begin with MAP or MPE, got {kind[:40]!r}")
    values = words.whole_numbers(words.whole_number("the number of variables", 0), "a value", 0, 2**31 - 1)
    words.end()
    return np.array(values, np.int32)


def write_uai_labels(path: str | os.PathLike[str], labels: ArrayLike) -> None:
    """Write a labelling as those of the UAI competitions are.

    Parameters
    ----------
    path : path
        Usually ``.uai.MAP``.
    labels : array_like of int, (N,)

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the labels are not of one axis, or negative.
    TypeError
        If they are no integers.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "two.uai.MAP"
    ...     io.write_uai_labels(path, [0, 1])
    ...     path.read_text().split()
    ['MAP', '2', '0', '1']
    """
    checked = inputs.as_labels(labels, None, 2**31)
    if checked.ndim != 1:
        raise InputError(f"labels must have one axis, got shape {checked.shape}")
    with replacing(as_path(path)) as temporary:
        temporary.write_text(f"MAP\n{checked.size} {' '.join(map(str, checked.tolist()))}\n", encoding="ascii")


def _words(path: str | os.PathLike[str]) -> Words:
    source = as_path(path)
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}")
    opener = _OPENERS.get(source.suffix.lower(), Path.open)
    try:
        with opener(source, "rt", encoding="utf-8") as file:
            return Words(source, file.read())
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError, zlib.error) as failure:
        if isinstance(failure, PermissionError):
            raise
        raise InputError(f"{source} cannot be read as text: {failure}") from failure

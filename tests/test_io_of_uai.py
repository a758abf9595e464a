import gzip
import lzma

import numpy as np
import pytest

import classicseg as cs
from classicseg import io
from tests.solvers.graphs import KINDS, every_labelling, random_graph

SMALL = """MARKOV
3
2 3 2
4
1 0
2 0 1
2 2 1
0

2
 0.5 0.25
6
 1 2 4
 0 1 1
6
 1 1 1
 1 0.5 1
1
 2
"""


def written(folder, text, name="problem.uai"):
    path = folder / name
    path.write_text(text)
    return path


def test_the_energy_is_minus_the_logarithm_of_the_product_of_all_factors(tmp_path):
    crf = io.read_uai(written(tmp_path, SMALL))
    assert repr(crf) == "GraphCRF(up to 3 labels, 3 nodes, 2 edges, tables)"
    assert crf.energy([0, 2, 1]) == pytest.approx(-np.log(0.5 * 4 * 1 * 2))
    assert crf.energy([1, 1, 1]) == pytest.approx(-np.log(0.25 * 1 * 0.5 * 2))
    assert crf.energy([1, 0, 1]) == np.inf


@pytest.mark.parametrize(("suffix", "opener"), [("xz", lzma.open), ("gz", gzip.open)])
def test_files_may_be_compressed(tmp_path, suffix, opener):
    path = tmp_path / f"problem.uai.{suffix}"
    with opener(path, "wt") as file:
        file.write(SMALL)
    assert io.read_uai(path).n_labels == 3
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(cs.InputError, match="cannot be read as text"):
        io.read_uai(path)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_is_read_again(tmp_path, kind):
    crf = random_graph(np.random.default_rng(1), kind, n=4)
    io.write_uai(tmp_path / "x.uai", crf)
    again = io.read_uai(tmp_path / "x.uai")
    assert again.edges.tolist() == np.sort(crf.edges, axis=1).tolist()
    for labels, energy in zip(*every_labelling(crf), strict=True):
        assert again.energy(labels) == pytest.approx(energy, rel=1e-12, abs=1e-12)


def test_infinite_weights_and_single_labels_are_written(tmp_path):
    tied = cs.GraphCRF([[0, 1, 4], [1, 3, 0]], [[0, 1], [1, 2]], cs.Potts(2), [np.inf, 1])
    io.write_uai(tmp_path / "x.uai", tied)
    again = io.read_uai(tmp_path / "x.uai")
    assert again.energy([0, 1, 1]) == np.inf
    assert again.energy([1, 1, 0]) == pytest.approx(tied.energy([1, 1, 0]))
    single = written(tmp_path, "MARKOV 2 1 1 2 1 1 2 0 1 1 0.5 1 0.25")
    assert io.read_uai(single).energy([0, 0]) == pytest.approx(-np.log(0.125))


def test_far_costs_are_shifted_and_those_too_far_apart_refused(tmp_path):
    far = cs.GraphCRF([[1000.0, 0], [1002, 0]], [], cs.Potts())
    io.write_uai(tmp_path / "x.uai", far)
    again = io.read_uai(tmp_path / "x.uai")
    assert again.energy([1, 0]) - again.energy([0, 0]) == pytest.approx(2)
    with pytest.raises(cs.InputError, match="differ by 1000 in the unary of node 1"):
        io.write_uai(tmp_path / "y.uai", cs.GraphCRF([[0, 0], [0, 1000]], [], cs.Potts()))
    with pytest.raises(cs.InputError, match="label costs"):
        io.write_uai(tmp_path / "y.uai", cs.GraphCRF([[0, 0], [0, 1]], [], cs.Potts(), label_costs=1))
    with pytest.raises(cs.InputTypeError, match="crf must be a GraphCRF"):
        io.write_uai(tmp_path / "y.uai", 3)


def test_evidence_leaves_known_variables_one_label(tmp_path):
    path = written(tmp_path, SMALL)
    for text in ("2 0 1 1 2", "1\n2 0 1 1 2\n"):
        evidence = written(tmp_path, text, "problem.uai.evid")
        assert io.read_uai_evidence(evidence) == {0: 1, 1: 2}
        crf = io.read_uai(path, evidence=evidence)
        assert np.isfinite(crf.energy([1, 2, 0]))
        assert crf.energy([0, 2, 0]) == np.inf
    assert io.read_uai_evidence(written(tmp_path, "0", "none.evid")) == {}
    assert io.read_uai_evidence(written(tmp_path, "", "none.evid")) == {}
    for text, fault in (
        ("1 9 0", "evidence gives variable 9 the value 0"),
        ("1 0 2", "evidence gives variable 0 the value 2"),
        ("2 0 1", "ends in line 1, where it must have a variable"),
        ("2 0 1 0 0", "line 1, gives the variable 0 two values"),
        ("2 2 0 0 1 1", "holds several samples"),
    ):
        with pytest.raises(cs.InputError, match=fault):
            io.read_uai(path, evidence=written(tmp_path, text, "wrong.evid"))


def test_labellings_are_written_and_read(tmp_path):
    io.write_uai_labels(tmp_path / "x.MAP", [3, 0, 12])
    found = io.read_uai_labels(tmp_path / "x.MAP")
    assert found.tolist() == [3, 0, 12]
    assert found.dtype == np.int32
    assert io.read_uai_labels(written(tmp_path, "MPE 2 1 1")).tolist() == [1, 1]
    for text, fault in (("MAP 2 1", "ends in line 1"), ("x 1", "must begin with MAP"), ("MAP 1 -1", "at least 0|0 to")):
        with pytest.raises(cs.InputError, match=fault):
            io.read_uai_labels(written(tmp_path, text))
    for labels in ([[1]], [-1]):
        with pytest.raises(cs.InputError, match="labels must"):
            io.write_uai_labels(tmp_path / "x.MAP", labels)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("MARKOV", "MARKUP", "line 1, must begin with MARKOV or BAYES, got 'MARKUP'"),
        ("2 3 2\n", "2 3 x\n", "line 3, must have a number of labels, a whole number, got 'x'"),
        ("2 3 2\n", "2 0 2\n", "line 3, must have a number of labels of at least 1, got 0"),
        ("\n3\n", "\n999999999999\n", "ends in line 1., where it must have a number of labels"),
        ("\n3\n", "\n9999999999999999999999\n", "line 2, must have the number of variables, a whole number"),
        ("2 0 1\n", "3 0 1 2\n", "line 6, has a factor of 3 variables; a GraphCRF serves"),
        ("2 0 1\n", "2 0 3\n", "line 6, must have a variable of 0 to 2, got 3"),
        ("2 0 1\n", "2 1 1\n", "line 6, has a factor of the variable 1 and itself"),
        ("0.5 0.25", "0.5 0.2x", "line 11, must have a number of a factor, finite and at least 0, got '0.2x'"),
        ("0.5 0.25", "0.5 -1", "line 11, must have a number of a factor, finite and at least 0, got '-1'"),
        ("0.5 0.25", "0.5 inf", "line 11, must have .* got 'inf'"),
        ("0.5 0.25", "0 0", "line 11, has a factor that is 0 everywhere"),
        ("6\n 1 2", "5\n 1 2", "line 12, says that a factor has 5 numbers, but its variables have 6 values"),
        ("1\n 2\n", "1\n", "ends in line 18, where it must have a number of a factor"),
        ("1\n 2\n", "1\n 2\n 7\n", "line 20, goes on after its end with '7'"),
    ],
)
def test_faults_are_named_with_their_lines(tmp_path, old, new, fault):
    text = SMALL.replace(old, new)
    assert text != SMALL
    with pytest.raises(cs.InputError, match=fault):
        io.read_uai(written(tmp_path, text))


def test_every_truncated_file_is_an_error_of_the_library(tmp_path):
    for end in range(len(SMALL) - 2):
        with pytest.raises(cs.InputError, match=r"line|begin"):
            io.read_uai(written(tmp_path, SMALL[:end]))


def test_what_cannot_be_satisfied_or_found_is_said(tmp_path):
    twice = "MARKOV 1 2 2 1 0 1 0 2 0 1 2 1 0"
    with pytest.raises(cs.InputError, match="leaves no value of variable 0"):
        io.read_uai(written(tmp_path, twice))
    with pytest.raises(FileNotFoundError):
        io.read_uai(tmp_path / "nowhere.uai")
    binary = tmp_path / "binary.uai"
    binary.write_bytes(bytes(range(256)))
    with pytest.raises(cs.InputError, match="cannot be read as text"):
        io.read_uai(binary)

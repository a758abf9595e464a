"""Scores are those of the energies and of the slow twins, and labels that do not fit are refused."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest

import classicseg as cs
from classicseg import io
from classicseg.bench import best_known, catalog, scores, scoring
from classicseg.bench.suites import dense, generated, mrf, regions
from classicseg.errors import InputError
from classicseg.reference import graph

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.parametrize("name", generated.MAKERS)
def test_the_energy_is_that_of_the_object_and_of_the_twin(name):
    crf = generated.MAKERS[name][0]()
    counts = getattr(crf, "label_counts", None)
    most = crf.n_labels if counts is None else counts
    labels = np.random.default_rng(1).integers(0, most, crf.shape)
    assert scoring.judge(crf)(labels) == pytest.approx(crf.energy(labels), rel=1e-12)
    arrays = scoring.plain_arrays(crf)
    tables = arrays["tables"]
    if tables is None:
        tables = arrays["weights"][:, None, None] * arrays["cost"]
    edges = [(i, j, table) for (i, j), table in zip(arrays["edges"].tolist(), tables, strict=True)]
    assert graph.energy(labels.ravel(), arrays["unary"], edges) == pytest.approx(crf.energy(labels), rel=1e-12)


def test_what_is_outside_of_a_mask_costs_nothing_here_either():
    rng = np.random.default_rng(0)
    mask = rng.random((5, 6)) > 0.3
    unary = rng.integers(0, 9, (3, 5, 6))
    grid = cs.GridCRF(unary, cs.Potts(2), label_costs=[1, 2, 4], mask=mask)
    labels = np.where(mask, rng.integers(0, 2, mask.shape), -1)
    assert scoring.judge(grid)(labels) == grid.energy(labels)
    assert scoring.judge(cs.GraphCRF.from_grid(grid))(labels.ravel()) == grid.energy(labels)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (np.zeros((2, 3), int), "shape"),
        (np.zeros((2, 2)), "integers"),
        (np.full((2, 2), 2), "0 to 1"),
        (np.full((2, 2), -1), "0 to 1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, match):
    crf = cs.GridCRF(np.zeros((2, 2, 2)), cs.Potts(1))
    with pytest.raises(InputError, match=match):
        scoring.judge(crf)(labels)


def test_what_is_no_problem_is_refused():
    with pytest.raises(TypeError, match="ndarray"):
        scoring.judge(np.zeros(3))


def test_covering_is_the_best_overlap_weighted_by_area():
    human = np.array([[0, 0, 1, 1]])
    assert scoring.covering(human + 5, human) == 1
    assert scoring.covering(np.array([[0, 0, 0, 1]]), human) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert scoring.covering(np.zeros((1, 4), int), human) == 0.5


def test_equal_labels_have_equal_hashes_whatever_their_dtype():
    labels = np.arange(6).reshape(2, 3)
    assert scoring.hash_of(labels) == scoring.hash_of(np.asfortranarray(labels.astype(np.uint8)))
    assert scoring.hash_of(labels) != scoring.hash_of(labels.reshape(3, 2))


def test_labels_of_strangers_are_scored(tmp_path):
    file = tmp_path / "labels.npz"
    crf = generated.MAKERS["cut-4"][0]()
    labels = crf.unary.argmin(axis=0)
    np.savez(file, **{"generated/cut-4": labels})
    first, second = scores.of_file(file, None)
    assert f"energy {crf.energy(labels):.0f}" in first
    assert scoring.hash_of(labels) in second


def test_files_of_strangers_may_be_anything(tmp_path):
    file = tmp_path / "labels.npz"
    with pytest.raises(FileNotFoundError):
        list(scores.of_file(file, None))
    file.write_bytes(b"no zip")
    with pytest.raises(InputError, match="npz"):
        list(scores.of_file(file, None))
    np.savez(file, **{"generated/cut4": np.zeros(3, int)})
    with pytest.raises(InputError, match="did you mean generated/cut-4"):
        list(scores.of_file(file, None))
    np.savez(file, **{"generated/cut-4": np.zeros(3, int)})
    with pytest.raises(InputError, match="generated/cut-4: labels must have the shape"):
        list(scores.of_file(file, None))
    np.savez(file, **{"generated/cut-4": np.array([{}], object)})
    with pytest.raises(InputError, match="npz"):
        list(scores.of_file(file, None))
    np.savez(file, **{"mrf/tsukuba": np.zeros((2, 2), int)})
    with pytest.raises(FileNotFoundError, match="Middlebury"):
        list(scores.of_file(file, None))


def test_the_table_of_best_energies_keeps_the_lower_ones_and_who_found_them():
    from tests.bench.documents import document_of, problem_of, row_of

    rows = [row_of("a/b", "x", 10.0, [1], bound=7.0), row_of("a/b", "y", 9.0, [1], bound=8.0)]
    table = best_known.merged({}, document_of([problem_of("a/b")], rows))
    assert (table["a/b"]["energy"], table["a/b"]["who"]) == (9.0, "y")
    with mock.patch.object(best_known, "table", return_value=table):
        assert best_known.entry("a/b", 1.0) == table["a/b"]
        assert best_known.entry("a/b", 1.01) is None  # another problem
        assert best_known.entry("a/c", 1.0) is None
    assert (table["a/b"]["lower_bound"], table["a/b"]["bound_by"]) == (8.0, "y")
    published = problem_of("a/b", published={"MAP": 5.0}, published_labels={"MAP": "1" * 64})
    assert best_known.merged(table, document_of([published], []))["a/b"]["labels_sha256"] == "1" * 64
    again = best_known.merged(table, document_of([problem_of("a/b")], [row_of("a/b", "z", 9.0, [1])], command="z"))
    assert again == table


def test_published_labellings_of_the_uai_competition_are_worth_what_is_said():
    if not (DATA / "uai").is_dir():
        pytest.skip("the research data are not in $CLASSICSEG_DATA")
    known = {"Grids_20": -10766.365, "Grids_18": -12966.651}
    for name, energy in known.items():
        crf = io.read_uai(DATA / "uai" / f"{name}.uai.xz")
        labels = io.read_uai_labels(DATA / "uai" / f"{name}.uai.MAP")
        assert scoring.judge(crf)(labels) == pytest.approx(energy, abs=1e-3)


def test_the_stereo_pair_of_the_study_is_rebuilt_to_the_integer():
    if not (DATA / "mrf").is_dir():
        pytest.skip("the research data are not in $CLASSICSEG_DATA")
    tsukuba = mrf.tsukuba(DATA)
    cheapest = tsukuba.unary.argmin(axis=0)
    assert scoring.judge(tsukuba)(cheapest) == tsukuba.energy(cheapest)


def test_a_refinement_is_scored_by_its_truth_and_regions_by_what_people_drew():
    task = dense.nuclei(None)
    perfect = np.where(task.truth == 255, 0, task.truth)
    assert scoring.judge(task)(perfect) == 0
    assert 0 < scoring.judge(task)(task.unary.argmin(axis=0)) < 100
    assert scoring.judge(task)(1 - perfect) > 90
    cup = regions.cup(None)
    assert scoring.judge(cup)(cup.humans[0]) == pytest.approx(0)
    assert scoring.probe(task) is None


def test_every_problem_says_what_it_is_and_where_its_files_come_from():
    known = [one for make, _ in catalog.suites().values() for one in make(None)]
    assert {one.suite for one in known} == set(catalog.suites())
    assert len({one.name for one in known}) == len(known)
    for problem in known:
        assert problem.summary
        assert not problem.files or problem.origin
        assert not (problem.quick and problem.files)
        assert problem.missing(None) == list(problem.files)

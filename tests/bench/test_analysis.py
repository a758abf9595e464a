"""Gaps, times and rankings are what their definitions say."""

import numpy as np
import pytest

from classicseg.bench import analysis, compare, html_report, text_reports
from tests.bench.documents import document_of, problem_of, row_of


def two_problems():
    rows = [
        row_of(
            "a/x", "fast", 101.0, [1.0, 3.0, 2.0], curve=[[1.0, 150.0, None], [2.0, 101.0, None], [4.0, 101.0, None]]
        ),
        row_of("a/x", "exact", 100.0, [8.0], bound=99.5),
        row_of("a/y", "fast", 50.0, [1.0]),
        row_of("a/y", "exact", None, [], status="timed out"),
        row_of("a/y", "picky", None, [], status="refused"),
        row_of("a/x", "picky", 100.0, [4.0]),
    ]
    return document_of([problem_of("a/x"), problem_of("a/y")], rows)


def test_the_time_to_a_gap_is_that_of_the_median_run():
    row = two_problems()["rows"][0]
    assert analysis.seconds_of(row) == 2.0
    assert analysis.seconds_to(row, 100.0, 0.01) == 1.0  # half way, as in the run that was looked at
    assert analysis.seconds_to(row, 100.0, 0.001) is None
    assert analysis.seconds_to(row, 100.0, 0.5) == 0.5


def test_the_best_and_the_bound_come_from_everywhere():
    document = two_problems()
    problem = document["problems"][0]
    assert analysis.best_score(document, problem) == (100.0, "exact")
    assert analysis.best_bound(document, problem) == (99.5, "exact")
    assert analysis.is_proven(document, problem)  # of whole numbers
    assert not analysis.is_proven(document, problem | {"whole": False})
    assert analysis.best_score(document, problem | {"published": {"MAP": 98.0}}) == (98.0, "MAP")


def test_profiles_are_shares_of_problems_within_a_ratio_of_the_fastest():
    times = {"x": {"a": 1.0, "b": 2.0}, "y": {"a": 10.0, "b": 1.0}, "z": {"a": 1.0}, "w": {}}
    assert analysis.profile(times, "a") == [(1.0, 0.25), (1.0, 0.5), (10.0, 0.75)]
    assert analysis.profile(times, "b") == [(1.0, 0.25), (2.0, 0.5)]


def test_the_area_is_one_for_the_first_everywhere_and_nothing_for_who_never_arrives():
    assert analysis.area([(1.0, 1.0)]) == 1
    assert analysis.area([]) == 0
    assert analysis.area([(analysis.WIDEST, 1.0)]) == pytest.approx(0)
    assert analysis.area([(analysis.WIDEST**0.5, 1.0)]) == pytest.approx(0.5)


def test_the_ranking_counts_what_a_solver_refuses_and_says_so():
    ranked = {one["contender"]: one for one in analysis.ranking(two_problems())}
    assert ranked["fast"]["arrived"] == {"1 %": 2, "0.1 %": 1, "0": 1}
    assert (ranked["picky"]["accepted"], ranked["picky"]["of"]) == (1, 2)
    assert ranked["picky"]["accepted_score"] > ranked["picky"]["score"] > 0
    assert [one["score"] for one in analysis.ranking(two_problems())] == sorted(
        (one["score"] for one in ranked.values()), reverse=True
    )


def test_reports_hold_what_there_is_and_escape_it():
    document = two_problems()
    document["problems"][0]["summary"] = "<script>alert(1)</script> | a"
    document["problems"].append(problem_of("a/z", status="absent", missing=["f.png"], origin="far <away>"))
    document["rows"][0]["message"] = "</td>"
    document["rows"][0]["picture"] = "data:image/png;base64,AAAA"
    document["rows"][1]["picture"] = "https://example.org/x.png"
    document["not_installed"] = {"peer": "package"}
    page = html_report.html(document)
    assert "alert(1)</script>" not in page
    assert "&lt;script&gt;" in page
    assert "example.org" not in page
    assert "data:image/png;base64,AAAA" in page
    assert "http" not in page.replace("http-equiv", "")
    for text in (page, text_reports.markdown(document), text_reports.summary(document)):
        assert "exact" in text
        assert "f.png" in text
        assert "pip install package" in text
    lines = text_reports.csv_text(document).splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("problem,contender,status")


def test_verdicts_are_shown_by_all_reports():
    verdicts = compare.verdicts(two_problems(), two_problems())
    assert {row["solver"] for row in verdicts} == {"fast", "exact", "picky"}
    for text in (
        html_report.html(two_problems(), verdicts),
        text_reports.markdown(two_problems(), verdicts),
        text_reports.summary(two_problems(), verdicts),
    ):
        assert text.count("too few runs") == 3


def test_reports_of_nothing_are_reports():
    empty = document_of([], [])
    assert "0 problems" in html_report.html(empty)
    assert text_reports.markdown(empty)
    assert text_reports.csv_text(empty).strip() == ""


def test_numbers_are_written_so_that_they_can_be_told_apart():
    assert text_reports.number(369218.0) == "369218"
    assert text_reports.number(-10766.36513) == "-10766.36513"
    assert [text_reports.percent(x) for x in (0.0, 0.002, 12.3)] == ["0", "0.002 %", "12 %"]
    assert [text_reports.seconds(x) for x in (None, 0.00123, 2.5)] == ["", "1.23 ms", "2.5 s"]
    assert np.isfinite(analysis.gap(1.0, 0.0))

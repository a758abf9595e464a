"""The report in a real browser: nothing is loaded, nothing is wider than a phone, columns sort."""

import pytest

from classicseg.bench import html_report
from tests.bench.test_analysis import two_problems
from tests.lessons.browser import chromium

pytestmark = pytest.mark.slow


def test_the_page_fits_and_sorts_and_loads_nothing(tmp_path):
    page = tmp_path / "report.html"
    document = two_problems()
    document["rows"][0]["message"] = "<img src=x onerror=alert(1)> " + "very long " * 30
    page.write_text(html_report.html(document), encoding="utf-8")
    with chromium() as window:
        for width in (1300, 390):
            window.open(page, width)
            assert not window.overflows()
            assert window.complaints() == []
        times = "return [...document.querySelectorAll('#p0 tbody tr')].map(row => row.cells[4].textContent)"
        window.run("document.querySelectorAll('#p0 th')[4].click()")
        assert window.run(times) == ["2 s", "4 s", "8 s"]
        window.run("document.querySelectorAll('#p0 th')[4].click()")
        assert window.run(times) == ["8 s", "4 s", "2 s"]

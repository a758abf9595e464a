"""The built pages in a browser without a network: ``CLASSICSEG_SITE=docs/_build pytest tests/lessons/test_site.py``.

With ``CLASSICSEG_SCREENSHOTS=FOLDER`` what was seen is kept there.
"""

import os
import re
from pathlib import Path

import pytest

from tests.lessons.browser import chromium

SITE = Path(os.environ.get("CLASSICSEG_SITE", "docs/_build"))
KEPT = os.environ.get("CLASSICSEG_SCREENSHOTS")
SLIDER = "auto_examples/1_dense/plot_01_before_after"
PAGES = [
    "index", "use", "learn", "dense-crf", "grid-crf", "how-it-works", "recipes", "split-and-merge", "benchmarks",
    "reference/energies", "reference/torch-layer", "reference/command-line", "auto_examples/index", SLIDER,
    "auto_twins/plot_05_trws",
]  # fmt: skip

pytestmark = pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="CLASSICSEG_SITE is no folder of pages")


@pytest.fixture(scope="module")
def window():
    with chromium() as opened:
        yield opened


def show(window, page, width):
    size = {"width": width, "height": 1400, "deviceScaleFactor": 1, "mobile": width < 600}
    window.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    window.driver.get((SITE / f"{page}.html").resolve().as_uri())
    if KEPT:
        Path(KEPT).mkdir(parents=True, exist_ok=True)
        window.driver.save_screenshot(str(Path(KEPT) / f"{page.replace('/', '-')}-{width}.png"))


@pytest.mark.parametrize("width", [1300, 390])
@pytest.mark.parametrize("page", PAGES)
def test_pages_fit_and_complain_of_nothing(window, page, width):
    show(window, page, width)
    assert window.complaints() == []
    assert window.run("return document.documentElement.scrollWidth") <= width
    wide = "return [...document.querySelectorAll('pre')].filter(p => p.scrollWidth > p.clientWidth + 1).length"
    assert window.run(wide) == 0, "code is wider than its box"
    broken = "return [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert window.run(broken) == []


def test_the_slider_follows_its_control(window):
    show(window, SLIDER, 1300)
    move = "const e = document.querySelector('figure input[type=range]'); e.value = 20;"
    window.run(move + "e.dispatchEvent(new Event('input', {bubbles: true}));")
    found = window.run("return document.querySelector('figure input').parentNode.getAttribute('style')")
    assert "20%" in found


def test_pages_name_no_file_of_elsewhere():
    for page in SITE.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        found = re.findall(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//[^"]+"', text)
        found += re.findall(r'<link[^>]+rel="stylesheet"[^>]+href="(?:https?:)?//[^"]+"', text)
        assert found == [], page

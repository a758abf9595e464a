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
PAGES = [page.relative_to(SITE).with_suffix("").as_posix() for page in sorted(SITE.rglob("*.html"))]
PAGES = [page for page in PAGES if page not in ("genindex", "search") and not page.startswith("_")]
FAINT = r"""
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const color = numbers(getComputedStyle(e).backgroundColor);
      if ((color[3] ?? 1) > 0.5) return light(color);
    }
    return 1;
  };
  const says = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim().length > 1);
  return [...document.querySelectorAll("main :is(p, li, td, th, figcaption, strong, span, a, h1, h2, h3, math)")]
    .filter((e) => says(e) || e.localName === "math")
    .filter((e) => e.getClientRects().length && !e.closest("pre, button, canvas, [aria-hidden=true]"))
    .map((e) => [e.textContent.trim().slice(0, 40), light(numbers(getComputedStyle(e).color)), ground(e)])
    .map(([text, a, b]) => [text, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)])
    .filter(([text, contrast]) => contrast < 4.4);
"""
"""Texts that hardly stand out from what is behind them."""

pytestmark = pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="CLASSICSEG_SITE is no folder of pages")


@pytest.fixture(scope="module")
def window():
    with chromium() as opened:
        yield opened


def show(window, page, width, theme="light"):
    scheme = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    size = {"width": width, "height": 1400, "deviceScaleFactor": 1, "mobile": width < 600}
    window.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    window.driver.get((SITE / f"{page}.html").resolve().as_uri())
    if KEPT:
        Path(KEPT).mkdir(parents=True, exist_ok=True)
        window.driver.save_screenshot(str(Path(KEPT) / f"{page.replace('/', '-')}-{width}.png"))


@pytest.mark.parametrize(("width", "theme"), [(1300, "dark"), (390, "light")])
@pytest.mark.parametrize("page", PAGES)
def test_pages_fit_can_be_read_and_complain_of_nothing(window, page, width, theme):
    show(window, page, width, theme)
    assert window.complaints() == []
    assert window.run("return document.documentElement.scrollWidth") <= width
    wide = "return [...document.querySelectorAll('pre')].filter(p => p.scrollWidth > p.clientWidth + 1).length"
    assert window.run(wide) == 0, "code is wider than its box"
    broken = "return [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert window.run(broken) == []
    assert window.run(FAINT) == []


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

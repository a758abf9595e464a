"""The examples of the pages, as they are written."""

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

DOCS = Path(__file__).parents[3] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the package is installed without its pages")


def run(page):
    code = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec("\n".join(code), names)
    return names


def test_the_example_runs_and_learns():
    names = run("torch.md")
    assert names["loss"].item() < 0.6
    assert (names["labels"] == names["truth"]).float().mean() > 0.8


def test_training_on_a_photo_helps_where_it_was_not_seen():
    names = run("torch-training.md")
    assert names["losses"][-1] < 0.5 * names["losses"][0]
    assert (round(100 * names["before"]), round(100 * names["after"])) == (83, 94)  # as the page says

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


def test_the_lesson_on_networks_learns():
    history = run("networks.md")["history"]
    assert history[-1] < 0.8 * history[0]


def test_the_lesson_on_losses_has_its_arithmetic_right():
    names = run("losses.md")
    assert names["logits"].grad.isfinite().all()
    found = [round(float(total), 1) for totals in names["totals"].values() for total in totals]
    assert found == [2164.5, 361.2, 86.6, 177.0, 0.7, 60.7]


def test_training_on_a_photo_helps_where_it_was_not_seen():
    names = run("torch-training.md")
    assert names["losses"][-1] < 0.5 * names["losses"][0]
    assert 100 * names["before"] == pytest.approx(83, abs=0.5)  # as the page says
    assert 100 * names["after"] == pytest.approx(94, abs=0.5)


def test_the_page_on_training_runs():
    names = run("training.md")
    assert names["report"].history[-1].loss < names["report"].history[0].loss
    assert names["tuned"].score >= names["tuned"].unrefined_score

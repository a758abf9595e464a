"""The example of the page, as it is written."""

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

PAGE = Path(__file__).parents[3] / "docs" / "torch.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the package is installed without its pages")
def test_the_example_runs_and_learns():
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(example, names)
    assert names["loss"].item() < 0.6
    assert (names["labels"] == names["truth"]).float().mean() > 0.8


@pytest.mark.parametrize("name", ["networks.md", "losses.md"])
def test_lessons_run(name):
    page = PAGE.with_name(name)
    if not page.exists():
        pytest.skip("the package is installed without its pages")
    names = {}
    for example in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(example, names)
    if name == "networks.md":
        assert names["history"][-1] < 0.8 * names["history"][0]
    else:
        assert names["logits"].grad.isfinite().all()
        found = [round(float(total), 1) for totals in names["totals"].values() for total in totals]
        assert found == [2164.5, 361.2, 86.6, 177.0, 0.7, 60.7]


def test_the_page_on_training_runs():
    page = PAGE.with_name("training.md")
    if not page.exists():
        pytest.skip("the package is installed without its pages")
    names = {}
    for example in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(example, names)
    assert names["report"].history[-1].loss < names["report"].history[0].loss
    assert names["tuned"].score >= names["tuned"].unrefined_score

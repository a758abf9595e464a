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

"""The Python code of the lessons runs as it stands, from top to bottom."""

import contextlib
import io
import re
from pathlib import Path

import pytest

import classicseg

DOCS = Path(classicseg.__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ["split-and-merge.md"])
def test_lessons_run(name):
    if not (DOCS / name).is_file():
        pytest.skip("the package is installed without its sources")
    code = "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.S))
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, name, "exec"), {})
    assert "regions" in said.getvalue()


def test_pictures_of_lessons_are_there():
    for page in DOCS.glob("*.md"):
        for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (DOCS / picture).is_file(), f"{page.name}: {picture}"

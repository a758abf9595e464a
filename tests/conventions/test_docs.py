"""Pages: their examples run and their links lead somewhere."""

import doctest
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [page for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))] if page.exists()]
WRITTEN_BY_SPHINX = {"reference.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_examples_run(page):
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.testfile(str(page), module_relative=False, optionflags=options).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target) and target not in WRITTEN_BY_SPHINX:
            assert (page.parent / target).exists(), target


def test_the_table_of_solvers_is_that_of_the_registry():
    page = ROOT / "docs" / "grid-crf.md"
    if not page.exists():
        pytest.skip("the package is installed without its documentation")
    script = importlib.util.spec_from_file_location("make_solver_table", page.with_name("make_solver_table.py"))
    module = importlib.util.module_from_spec(script)
    script.loader.exec_module(module)
    assert module.table() in page.read_text(encoding="utf-8")

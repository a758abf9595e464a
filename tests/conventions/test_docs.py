"""Pages: their examples run, their commands can be parsed, and their links lead somewhere."""

import contextlib
import doctest
import importlib.util
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest

import classicseg
import classicseg.cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN_BY_SPHINX = ("reference/",)
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
SLOW_PAGES = {
    "README.md",
    "add-a-predicate.md",
    "files.md",
    "recipes.md",
    "split-and-merge.md",
    "torch-training.md",
    "torch.md",
    "training.md",
}
HAS_TORCH = importlib.util.find_spec("torch") is not None
HAS_DASK = importlib.util.find_spec("distributed") is not None

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the package is installed without its pages")


class Count(NamedTuple):
    """How many examples a page has."""

    python: int
    """Blocks of Python; a session with >>> is one, too."""
    bash: int = 0
    """Blocks of commands."""


NONE = Count(0)
EXAMPLES = {
    "CONTRIBUTING.md": Count(0, 1),
    "README.md": Count(7, 5),
    "add-a-predicate.md": Count(1),
    "add-a-solver.md": Count(2),
    "coming-from-gco.md": Count(4, 1),
    "coming-from-opencv.md": Count(2, 1),
    "bench.md": Count(2, 3),
    "coming-from-pydensecrf.md": Count(5, 2),
    "coming-from-pymaxflow.md": Count(5, 1),
    "cutout.md": Count(8, 1),
    "dense-crf.md": Count(7, 3),
    "files.md": Count(6, 3),
    "graph-crf.md": Count(9),
    "grid-crf.md": Count(12, 3),
    "hybrid.md": Count(0, 1),
    "how-it-works.md": Count(1),
    "index.md": Count(1),
    "losses.md": Count(2),
    "masks.md": Count(3, 1),
    "networks.md": Count(2),
    "recipes.md": Count(12, 2),
    "split-and-merge.md": Count(11, 4),
    "torch-training.md": Count(4),
    "torch.md": Count(2),
    "training.md": Count(5, 1),
}
"""All pages with examples. A page that gains or loses one is entered here anew."""


def learns_from_the_image(names):
    assert names["loss"].item() < 0.6
    assert (names["labels"] == names["truth"]).float().mean() > 0.8


def lowers_the_loss(names):
    assert names["history"][-1] < 0.8 * names["history"][0]


def has_its_arithmetic_right(names):
    assert names["logits"].grad.isfinite().all()
    found = [round(float(total), 1) for totals in names["totals"].values() for total in totals]
    assert found == [2164.5, 361.2, 86.6, 177.0, 0.7, 60.7]


def helps_where_it_was_not_trained(names):
    assert names["losses"][-1] < 0.5 * names["losses"][0]
    assert 100 * names["before"] == pytest.approx(83, abs=0.5)  # as the page says
    assert 100 * names["after"] == pytest.approx(94, abs=0.5)


def fits_and_tunes(names):
    assert names["report"].history[-1].loss < names["report"].history[0].loss
    assert names["tuned"].score >= names["tuned"].unrefined_score
    assert names["sure"].parameters["temperature"] == names["sure"].temperature


def gives_whole_objects(names):
    cup = names["truth"] == 1
    for found in (names["masks"][0], names["mask"]):
        assert (found == 1)[cup].mean() > 0.95
        assert (found == 1)[names["truth"] == 0].mean() < 0.05
    assert (names["segmentation"] == (names["scan"] > 600)).mean() > 0.99
    organ, known = names["organ"], names["known"].millilitres[1]
    assert abs(organ.millilitres[1] / known - 1) < 0.05
    assert organ.hd95[1] <= 3  # a slice
    inside, cover = names["has_data"], names["truth_of_map"]
    true = [(cover == label)[inside].sum() * 0.01 for label in range(3)]
    assert names["hectares"] == pytest.approx(true, rel=0.01)


CLAIMS = {
    "recipes.md": gives_whole_objects,
    "torch.md": learns_from_the_image,
    "networks.md": lowers_the_loss,
    "losses.md": has_its_arithmetic_right,
    "torch-training.md": helps_where_it_was_not_trained,
    "training.md": fits_and_tunes,
}
"""What pages say of their results."""


def blocks(text, language):
    """Fenced blocks, each with the number of its first line."""
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield text.count("\n", 0, found.start(1)), found[1]


def prose(text):
    """What stands outside of blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)


def missing_libraries(code):
    """Those of the extras for files that a block needs and that are not there."""
    return [
        name
        for name in ("nibabel", "rasterio", "zarr")
        if re.search(rf"\bimport {name}\b", code) and not importlib.util.find_spec(name)
    ]


def needs_torch(code):
    return re.search(r"\bimport torch\b|classicseg\.torch\b", code) is not None


def cannot_run(code):
    """Whether an optional package is missing."""
    return (needs_torch(code) and not HAS_TORCH) or ("classicseg.dask" in code and not HAS_DASK)


def run_python(page, found):
    """Run blocks of a page one after the other in one namespace; return it, and how many ran."""
    names, n_ran = {"__name__": "__main__"}, 0
    for line, code in found:
        if cannot_run(code):
            continue
        if code.startswith(">>>"):
            run_session(code, names, page, line)
        else:
            exec(compile("\n" * line + code, str(page), "exec"), names)
        n_ran += 1
    return names, n_ran


def run_session(code, names, page, line):
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    session = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), line)
    assert session.examples
    session.globs = names  # the parser made a copy
    said = []
    doctest.DocTestRunner(optionflags=options).run(session, out=said.append, clear_globs=False)
    assert not said, "".join(said)


def commands(text):
    """Commands of a page: all lines of its blocks of bash, and those within its sentences."""
    lines = [line for _, block in blocks(text, "bash") for line in block.splitlines()]
    lines += re.findall(r"`((?:classicseg|python|pip|pytest) [^`]+)`", prose(text))
    for line in lines:
        words = shlex.split(line, comments=True)
        while "&&" in words:
            yield words[: words.index("&&")]
            words = words[words.index("&&") + 1 :]
        if words:
            yield words


def check_command(words):
    """Parse the arguments of ``classicseg``; look for the modules and files that Python is to run."""
    program, arguments = words[0], words[1:]
    if program == "classicseg":
        with mock.patch(f"classicseg.cli.{arguments[0]}.run", return_value=None):
            assert classicseg.cli.main(arguments) == 0
    elif program == "python" and arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1]) or arguments[1] in ("sphinx", "build"), arguments[1]
    elif program == "python":
        assert (ROOT / arguments[0]).exists(), arguments[0]
    else:
        assert program in ("pip", "pytest", "cd", "git", "export") or (ROOT / program).is_file(), program


@pytest.fixture
def a_place_of_its_own(tmp_path, monkeypatch):
    """Pages write into an empty folder; what they register or redirect is gone afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in ("pydensecrf", "pydensecrf.densecrf", "pydensecrf.eigen", "pydensecrf.utils"):
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name))
    registers = ("solvers.registry", "bench.contender", "bench.problem")
    with contextlib.ExitStack() as stack:
        for name in registers:
            stack.enter_context(mock.patch.dict(f"classicseg.{name}._registered"))
        yield


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow) if page.name in SLOW_PAGES else page for page in PAGES],
    ids=lambda page: page.name,
)
def test_examples_run(page, a_place_of_its_own):
    found = list(blocks(page.read_text(encoding="utf-8"), "python"))
    if found and needs_torch(found[0][1]):  # what follows goes on from there
        pytest.importorskip("torch")
    for name in missing_libraries("".join(code for _, code in found)):
        pytest.skip(f"needs {name}")
    left_out = sum(cannot_run(code) for _, code in found)
    names, n_ran = run_python(page, found)
    assert n_ran + left_out == EXAMPLES.get(page.name, NONE).python
    if page.name in CLAIMS:
        CLAIMS[page.name](names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_can_be_parsed(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where outputs can be written
    text = page.read_text(encoding="utf-8")
    for words in commands(text):
        check_command(words)
    assert len(list(blocks(text, "bash"))) == EXAMPLES.get(page.name, NONE).bash


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_are_written_so_that_they_are_found(page):
    text = page.read_text(encoding="utf-8")
    for language, code in re.findall(r"^ *```([^\n]*)\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
        assert language in ("python", "bash", "text") or language.startswith("{")
        assert language == "python" or ">>>" not in code
    assert not re.search(r"^ *>>>|^    (classicseg|python|import|from) ", prose(text), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target) and not target.startswith(WRITTEN_BY_SPHINX):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_the_text_exist(page):
    places = "|".join(path.name for path in ROOT.iterdir() if path.is_dir())
    for path in re.findall(rf"`((?:{places})/[\w./-]*)`", page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists() or path.startswith("docs/_build/"), path


def test_chapters_are_markdown_for_github_and_more_on_the_site():
    text = """
![a disc](pictures/4_networks/plot_01_checkerboard_001.png)

*Two ways ([the script](gallery/4_networks/plot_01_checkerboard.py)),
of two.*

See [all](gallery/), [a twin](twins/plot_05_trws.py) and [a lesson](lessons/pages/cut.html).

<!-- {toctree}
:hidden:

masks
-->
"""
    assert (
        script("chapters").on_the_site(text)
        == """
```{figure} /auto_examples/4_networks/images/sphx_glr_plot_01_checkerboard_001.png
:alt: a disc

Two ways ([the script](auto_examples/4_networks/plot_01_checkerboard.rst)),
of two.
```

See [all](auto_examples/index.rst), [a twin](auto_twins/plot_05_trws.rst) and <a href="lessons/cut.html">a lesson</a>.

```{toctree}
:hidden:

masks
```
"""
    )


@pytest.mark.parametrize("page", [page for page in PAGES if page != DOCS / "index.md"], ids=lambda page: page.name)
def test_pages_show_no_directive_of_sphinx_as_code(page):
    assert re.findall(r"^```\{(?!include)", page.read_text(encoding="utf-8"), re.MULTILINE) == []


def test_the_map_shows_all_rooms_and_their_imports():
    draw = script("make_map")
    assert draw.rooms() == draw.ROOMS.keys() | draw.BELOW_ALL | draw.OLD_NAMES
    assert draw.PICTURE.read_text(encoding="utf-8") == draw.svg(), "run docs/make_map.py"


def test_the_table_of_examples_names_no_page_that_is_gone():
    names = {page.name for page in PAGES}
    assert EXAMPLES.keys() | CLAIMS.keys() <= names


def test_the_table_of_solvers_is_that_of_the_registry():
    assert script("make_solver_table").table() in (DOCS / "grid-crf.md").read_text(encoding="utf-8")


def script(name):
    """A script of the pages as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_readers_are_told_to_install_can_be_installed():
    """Extras are no answer: the package is not on PyPI, and readers of an error are not in its checkout."""
    sources = [*PAGES, *ROOT.glob("classicseg/**/*.py")]
    assert [path.name for path in sources if "classicseg[" in path.read_text(encoding="utf-8")] == []


SCRIPTS = sorted([*DOCS.glob("gallery/*/plot_*.py"), *DOCS.glob("twins/plot_*.py")])
CC0 = {"chelsea"}
"""Images of scikit-image that are CC0 and come with it, without a download."""


def test_the_gallery_has_a_page_for_each_twin_and_its_images_are_free():
    twins = {path.stem for path in (ROOT / "classicseg" / "reference").glob("*.py")} - {"__init__"}
    text = {path: path.read_text(encoding="utf-8") for path in SCRIPTS}
    shown = {twin for twin in twins for path in DOCS.glob("twins/*.py") if f"reference/{twin}.py" in text[path]}
    assert shown == twins
    assert len(SCRIPTS) - len(twins) >= 20
    for path, code in text.items():
        compile(code, str(path), "exec")
        assert set(re.findall(r"skimage\.data\.(\w+)", code)) <= CC0, path.name
        assert "plt.subplots" in code or "plot." in code, f"{path.name} draws nothing"


def formulas():
    """All formulas of pages and scripts, as (page, formula, whether it stands alone)."""
    for page in PAGES:
        for block, line in re.findall(
            r"\$\$(.+?)\$\$|(?<![$\\`])\$([^$\n`]+)\$", prose(page.read_text("utf-8")), re.DOTALL
        ):
            yield page, block or line, bool(block)
    for path in SCRIPTS:
        text = path.read_text(encoding="utf-8")
        yield from ((path, found, False) for found in re.findall(r":math:`([^`]+)`", text))
        yield from ((path, found, True) for found in re.findall(r"\.\. math::\s+(.+?)\n\n", text, re.DOTALL))


def test_formulas_can_be_read():
    pytest.importorskip("latex2mathml")
    pytest.importorskip("sphinx")
    mathml, found = script("mathml").mathml, list(formulas())
    assert len(found) > 50
    for page, formula, alone in found:
        assert mathml(formula, alone).startswith("<math"), page.name
    assert "<mi>l&#x02032;</mi>" in mathml("l'", False)
    assert "mspace" in mathml(r"\log p", False)
    assert "mspace" not in mathml(r"\min_k p", False)
    with pytest.raises(ValueError, match="unknown"):
        mathml(r"\nosuchcommand x", False)


def test_the_reference_has_a_place_for_everything_public(monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("distributed")
    monkeypatch.syspath_prepend(DOCS)
    pages = script("reference_pages").pages()
    text = "\n".join(pages.values())
    rooms = {"io", "metrics", "plot", "torch"}
    missing = [name for name in classicseg.__all__ if name not in rooms and f":: classicseg.{name}\n" not in text]
    assert missing == []
    for name in ("classicseg.torch.DenseCRF", "classicseg.torch.networks.UNet", "classicseg.torch.losses.DiceLoss"):
        assert f":: {name}\n" in text
    assert ".. option:: --logits" in pages["command-line"]
    assert "classicseg.pydensecrf.densecrf" in pages["drop-ins"]

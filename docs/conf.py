"""Configuration of the documentation: ``python -m sphinx -W -b html docs docs/_build``.

The reference is written from the list of public names, ``classicseg/__init__.pyi``, so no name can be missing.
"""

import ast
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "lessons")]

from builder.pages import write_pages  # noqa: E402

import classicseg  # noqa: E402

project = "classicseg"
author = "the classicseg developers"
copyright = author  # noqa: A001 (the name that Sphinx reads)
version = release = classicseg.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"), "doi": ("https://doi.org/%s", "doi:%s")}
exclude_patterns = ["_build", "sample"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {"navigation_with_keys": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
suppress_warnings = ["myst.header"]  # the included table page starts at its own level


def reference() -> str:
    """One section for each module that exports public names, in the order of the stub."""
    stub = ast.parse((HERE.parent / "classicseg" / "__init__.pyi").read_text(encoding="utf-8"))
    lines = ["# Reference", "", "Everything is imported from `classicseg`; modules are named to find the code.", ""]
    for statement in stub.body:
        if not isinstance(statement, ast.ImportFrom):
            continue
        module = f"classicseg.{statement.module}"
        lines += [f"## {module}", "", "```{eval-rst}"]
        for name in sorted(alias.name for alias in statement.names):
            thing = getattr(classicseg, name)
            if isinstance(thing, type):
                members = "" if issubclass(thing, Exception) else "   :members:\n   :inherited-members:\n"
                lines += [f".. autoclass:: classicseg.{name}", members]
            elif callable(thing):
                lines += [f".. autofunction:: classicseg.{name}", ""]
            else:
                lines += [f".. py:data:: classicseg.{name}", "", f"   See :mod:`{module}`.", ""]
        lines += ["```", ""]
    return "\n".join(lines)


def escape_stars(app, what, name, thing, options, lines):
    """Shapes such as (L, *spatial) are no emphasis."""
    for i, line in enumerate(lines):
        parts = line.split("``")
        parts[::2] = [re.sub(r"(?<![\w*\\])\*(?=(spatial|shape)\b)", r"\\*", part) for part in parts[::2]]
        lines[i] = "``".join(parts)


def setup(app):
    """Write the reference before Sphinx looks for pages."""
    app.connect("autodoc-process-docstring", escape_stars, priority=900)  # after numpydoc
    app.connect("build-finished", lambda app, failure: failure or write_pages(Path(app.outdir) / "lessons"))
    page = HERE / "reference.md"
    text = reference()
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")
    return {"parallel_read_safe": True}

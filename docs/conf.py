"""Configuration of the documentation: ``python -m sphinx -W -b html docs docs/_build``.

The reference is written from the public names (``reference_pages.py``), chapters are plain Markdown (``chapters.py``),
formulas become MathML (``mathml.py``), and the scripts of ``gallery/`` and ``twins/`` are run: they draw all their
figures.
"""

import importlib.util
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE), str(HERE / "lessons")]

import landing_pictures  # noqa: E402
import make_split_pictures  # noqa: E402
import reference_pages  # noqa: E402
from builder.pages import write_pages  # noqa: E402
from sphinx_gallery.sorting import FileNameSortKey  # noqa: E402

import classicseg  # noqa: E402

project = "classicseg"
author = "the classicseg developers"
copyright = author  # noqa: A001 (the name that Sphinx reads)
version = release = classicseg.__version__

extensions = [
    "chapters",
    "mathml",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.extlinks",
    "sphinx_gallery.gen_gallery",
]
html_math_renderer = "mathml"
smartquotes_action = "qe"  # two dashes begin an option
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"), "doi": ("https://doi.org/%s", "doi:%s")}
exclude_patterns = ["_build", "gallery", "sample", "twins"]
html_theme = "pydata_sphinx_theme"
html_title = f"classicseg {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "show_nav_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_context = {"default_mode": "auto"}
html_sidebars = {"index": []}
html_show_sourcelink = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
suppress_warnings = ["myst.header", "config.cache"]  # the included table page starts at its own level

sphinx_gallery_conf = {
    "examples_dirs": ["gallery", "twins"],
    "gallery_dirs": ["auto_examples", "auto_twins"],
    "filename_pattern": "/plot_",
    "within_subsection_order": FileNameSortKey,
    "copyfile_regex": r".*\.rst",
    "capture_repr": ("_repr_html_",),
    "image_scrapers": ("matplotlib",),
    "matplotlib_animations": False,
    "reset_modules": ("matplotlib", "quiet.hide_compile_notice"),
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,  # its tables would fetch scripts
    "download_all_examples": False,
    "min_reported_time": 5,
    "abort_on_example_error": False,
    "thumbnail_size": (400, 280),
    "parallel": 2 if importlib.util.find_spec("joblib") else False,
}


def escape_stars(app, what, name, thing, options, lines):
    """Shapes such as (L, *spatial) are no emphasis."""
    for i, line in enumerate(lines):
        parts = line.split("``")
        parts[::2] = [re.sub(r"(?<![\w*\\])\*(?=(spatial|shape|smaller)\b)", r"\\*", part) for part in parts[::2]]
        lines[i] = "``".join(parts)


def setup(app):
    """Write the reference before Sphinx looks for pages."""
    app.connect("autodoc-process-docstring", escape_stars, priority=900)  # after numpydoc
    app.connect("build-finished", lambda app, failure: failure or write_pages(Path(app.outdir) / "lessons"))
    reference_pages.write(HERE / "reference")
    landing_pictures.write(HERE / "_static" / "landing")
    make_split_pictures.main()
    return {"parallel_read_safe": True}

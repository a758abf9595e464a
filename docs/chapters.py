"""Chapters are plain Markdown, good to read on GitHub; here is what becomes of them on the site.

There, a picture with a line in italics below is a figure, pictures of gallery scripts are those that this build has
drawn, links to scripts lead to their pages, and comments that hold a table of contents are one. ``python
docs/chapters.py`` puts the pictures of the last build where GitHub finds them.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
FIGURE = re.compile(r"^!\[(?P<alt>[^\]]*)\]\((?P<path>[^)]+)\)\n\n\*(?P<caption>(?!\*)[^*]+)\*$", re.MULTILINE)
DRAWN = re.compile(r"pictures/(?P<part>\d_\w+)/(?P<script>plot_\w+)_(?P<number>\d{3})\.png")
LINKS = {
    r"\]\(gallery/\)": "](auto_examples/index.rst)",
    r"\]\(gallery/(\w+/plot_\w+)\.py\)": r"](auto_examples/\1.rst)",
    r"\]\(twins/(plot_\w+)\.py\)": r"](auto_twins/\1.rst)",
    r"\[([^\]]+)\]\((lessons/)?pages/(\w+\.html)\)": r'<a href="\2\3">\1</a>',
    r"<!-- (\{toctree\}.*?)-->": r"```\1```",
}
WIDEST = 900  # pixels of a picture for GitHub, whose pages are about as wide


def drawn(found: re.Match[str]) -> str:
    """Where the build puts the picture of a gallery script."""
    return f"/auto_examples/{found['part']}/images/sphx_glr_{found['script']}_{found['number']}.png"


def figure(found: re.Match[str]) -> str:
    path = DRAWN.sub(drawn, found["path"])
    return f"```{{figure}} {path}\n:alt: {' '.join(found['alt'].split())}\n\n{found['caption']}\n```"


def on_the_site(text: str) -> str:
    """The Markdown of a chapter for Sphinx."""
    text = FIGURE.sub(figure, text)
    for link, page in LINKS.items():
        text = re.sub(link, page, text, flags=re.DOTALL)
    return text


def setup(app):
    app.connect("source-read", lambda app, name, source: source.__setitem__(0, on_the_site(source[0])))
    return {"parallel_read_safe": True}


def main() -> None:
    """Copy the pictures that chapters show from the last build, smaller and with a palette."""
    from PIL import Image

    for page in HERE.glob("*.md"):
        for found in DRAWN.finditer(page.read_text(encoding="utf-8")):
            source, target = HERE / drawn(found)[1:], HERE / found[0]
            if not source.is_file():
                sys.exit(f"{source} is not there; build the site first: .ci/docs")
            target.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.open(source).convert("RGB")
            picture.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
            picture.quantize(256).save(target, optimize=True)


if __name__ == "__main__":
    main()

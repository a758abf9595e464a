"""Pages: one file each, with style, script, kernels and data inside, so that they open from anywhere."""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from pathlib import Path

from builder.data import DATA
from builder.sources import LESSONS, MODULES

MOST_BYTES = 300_000
"""Of a page."""


def outline() -> list[dict[str, str]]:
    """The lessons in their order: name, question, summary, data, and the module of kernels of those that have one."""
    return json.loads((LESSONS / "pages" / "outline.json").read_text(encoding="utf-8"))


def write_pages(folder: Path) -> list[Path]:
    """Write all pages into a `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    lessons, written = outline(), []
    for i, lesson in enumerate(lessons):
        path = folder / f"{lesson['name']}.html"
        path.write_text(_page(lessons, i), encoding="utf-8")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(f"{path.name} has {size} bytes, more than {MOST_BYTES}")
        written.append(path)
    return written


def _page(lessons: list[dict[str, str]], i: int) -> str:
    lesson = lessons[i]
    name, frame, pages = lesson["name"], LESSONS / "frame", LESSONS / "pages"
    module = lesson.get("module")
    scripts = [
        *([frame / "kernels.js"] if module else []),
        frame / "frame.js",
        *(pages / f for f in lesson.get("scripts", [])),
        pages / f"{name}.js",
    ]
    data = [(module, (MODULES / f"{module}.wasm").read_bytes())] if module else []
    data += [(key, DATA[key]()) for key in lesson.get("data", [])]
    parts = {
        "title": html.escape(lesson["title"]),
        "summary": html.escape(lesson["summary"]),
        "style": (frame / "frame.css").read_text(encoding="utf-8"),
        "neighbours": _links(lessons, i),
        "body": _with_code((pages / f"{name}.html").read_text(encoding="utf-8")),
        "source": _source(lesson),
        "data": "\n".join(_carried(key, content) for key, content in data),
        "script": "\n".join(_inlined(path) for path in scripts),
    }
    page = (frame / "frame.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


def _with_code(body: str) -> str:
    """A body in which each <pre data-code="FILE FUNCTION ..."> shows these functions, as they run in the page."""

    def shown(match: re.Match[str]) -> str:
        file, *names = match[1].split()
        text = (LESSONS / "pages" / file).read_text(encoding="utf-8")
        code = "\n\n".join(_function(text, name) for name in names)
        return f"<pre><code>{html.escape(code)}</code></pre>"

    return re.sub(r'<pre data-code="([^"]+)"></pre>', shown, body)


def _function(text: str, name: str) -> str:
    """A function of a module of JavaScript, with the comment above it."""
    found = re.search(rf"((?://[^\n]*\n)*)export (function {name}\b.*?^}}$)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"there is no function {name} to be shown")
    return found[1] + found[2]


def _source(lesson: dict[str, str]) -> str:
    """Where the numbers of a page come from, in a sentence."""
    ours = '<a href="../index.html">classicseg</a>'
    if "module" in lesson:
        return (
            f"Its numbers come from <em>classicseg/kernels/{lesson['kernels']}</em>, the kernels of {ours} themselves, "
            "compiled by Numba and LLVM for WebAssembly."
        )
    return f"Its numbers come from formulas that tests hold against <em>classicseg/{lesson['equals']}</em> of {ours}."


def _links(lessons: list[dict[str, str]], i: int) -> str:
    before = [(lessons[i - 1], "← {}")] if i > 0 else []
    after = [(lessons[i + 1], "{} →")] if i + 1 < len(lessons) else []
    return " ".join(f'<a href="{o["name"]}.html">{t.format(html.escape(o["short"]))}</a>' for o, t in before + after)


def _carried(name: str, content: bytes) -> str:
    packed = base64.b64encode(zlib.compress(content, 9)).decode()
    return f'<script type="application/octet-stream" id="data-{name}">{packed}</script>'


def _inlined(path: Path) -> str:
    """A module of JavaScript as a part of one script: without its imports and exports."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^import [^;]*;\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^export ", "", text, flags=re.MULTILINE).replace("</script", "<\\/script")

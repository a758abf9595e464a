"""Draw the rooms of the package and who imports whom: ``python docs/make_map.py`` writes ``pictures/map.svg``.

The arrows are those of the imports in the sources. Where a longer way leads to the same room, the direct arrow is left
out; so are arrows to ``errors`` and ``types``, which everything imports.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1] / "classicseg"
PICTURE = Path(__file__).parent / "pictures" / "map.svg"

ROOMS = {  # name: (column, row, what it holds)
    "simplecrf": (0, 0, "SimpleCRF's interface"),
    "monai": (1, 0, "for pipelines of MONAI"),
    "cli": (2, 0, "the command classicseg"),
    "numpymaxflow": (3, 1, "numpymaxflow's interface"),
    "maxflow": (4, 0, "PyMaxflow's interface"),
    "bench": (5, 1, "solvers compared"),
    "gco": (5, 0, "gco-wrapper's interface"),
    "pydensecrf": (0, 1, "pydensecrf's interface"),
    "torch": (1, 1, "layer, losses, networks"),
    "run_as": (0, 2, "scripts unchanged"),
    "streaming": (2, 1, "larger than memory"),
    "pipelines": (2, 2, "refine, cutout, tune"),
    "dask": (3, 0, "workers of a cluster"),
    "data": (4, 2, "samples"),
    "learn": (4, 1, "notebooks"),
    "solvers": (1, 2, "how it is found"),
    "splitmerge": (2, 3, "regions by a rule"),
    "metrics": (3, 2, "IoU, boundary F"),
    "io": (4, 3, "reading and writing"),
    "energies": (1, 3, "what is wanted"),
    "plot": (4, 4, "overlays, animations"),
    "filters": (1, 4, "Gaussian filters"),
    "reference": (0, 4, "slow twins, NumPy only"),
    "kernels": (1.5, 5, "compiled loops"),
    "inputs": (3, 5, "checks what users pass"),
    "machine": (2.25, 6, "compiler, threads, SIMD"),
}
BELOW_ALL = {"errors", "types"}
OLD_NAMES = {"adapters"}

COLUMN, ROW, WIDTH, HEIGHT = 170, 88, 152, 48
STYLE = """
    rect { fill: #eef3f8; stroke: #4a6785; rx: 6px }
    text { fill: #1b2733; font: 11px sans-serif; text-anchor: middle }
    .name { font: bold 14px monospace }
    line { stroke: #4a6785; stroke-width: 1.4 }
    marker path { fill: #4a6785 }
    @media (prefers-color-scheme: dark) {
      rect { fill: #22303d; stroke: #8fb0d0 }
      text { fill: #e6edf3 }
      line { stroke: #8fb0d0 }
      marker path { fill: #8fb0d0 }
    }
"""


def rooms() -> set[str]:
    """Top-level modules and packages."""
    found = {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()}
    return found | {path.stem for path in ROOT.glob("*.py")} - {"__init__", "__main__"}


def imports() -> dict[str, set[str]]:
    """Which rooms each room imports, wherever in its files the import stands."""
    known = rooms()
    found: dict[str, set[str]] = {room: set() for room in known}
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).with_suffix("").parts[0]
        if room not in known or "notebooks" in path.parts:  # what users run is above all rooms
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            parts = [name.split(".") for name in names if name.startswith("classicseg.")]
            found[room] |= {part[1] for part in parts} & known - {room}
    return found


def arrows() -> list[tuple[str, str]]:
    """The imports, without those that a longer way implies."""
    found = imports()
    direct = {room: found[room] & ROOMS.keys() for room in ROOMS}

    def reached(room: str) -> set[str]:
        return direct[room].union(*(reached(other) for other in direct[room]))

    return [
        (room, other)
        for room in ROOMS
        for other in sorted(direct[room])
        if not any(other in reached(between) for between in direct[room])
    ]


def middle(room: str) -> tuple[float, float]:
    """The middle of a box."""
    column, row, _ = ROOMS[room]
    return 90 + column * COLUMN, 34 + row * ROW


def svg() -> str:
    """The picture."""
    n_columns, n_rows = (max(place[axis] for place in ROOMS.values()) for axis in (0, 1))
    width, height = 180 + n_columns * COLUMN, 68 + n_rows * ROW
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img">',
        "  <title>The rooms of classicseg; an arrow means: imports</title>",
        f"  <style>{STYLE}  </style>",
        '  <defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
        '    <path d="M0,0 L8,4 L0,8 z"/></marker></defs>',
    ]
    for room, other in arrows():
        (x0, y0), (x1, y1) = middle(room), middle(other)
        shift = max(-0.4, min(0.4, (x1 - x0) / (3 * COLUMN))) * WIDTH  # arrows start and end apart from each other
        ends = f'x1="{x0 + shift:.0f}" y1="{y0 + HEIGHT / 2:.0f}" x2="{x1 - shift:.0f}" y2="{y1 - HEIGHT / 2:.0f}"'
        lines.append(f'  <line {ends} marker-end="url(#tip)"/>')
    for room, (_, _, holds) in ROOMS.items():
        x, y = middle(room)
        lines += [
            f'  <rect x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}"/>',
            f'  <text class="name" x="{x:g}" y="{y - 3:g}">{room}</text>',
            f'  <text x="{x:g}" y="{y + 14:g}">{holds}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(svg(), encoding="utf-8")

"""The looks of the report, and the script that sorts its tables."""

from __future__ import annotations

STYLE = """
:root { --ground: #fff; --text: #1b2733; --soft: #5a6b7b; --line: #d5dde5; --raised: #f4f7fa; --link: #0b5cad;
  --c0: #0072b2; --c1: #d55e00; --c2: #008a66; --c3: #b8578f; --c4: #a87400; --c5: #2f8fc4; --c6: #1b2733 }
@media (prefers-color-scheme: dark) {
  :root { --ground: #12181f; --text: #e6edf3; --soft: #9fb0c0; --line: #33414f; --raised: #1b242d; --link: #7cc0ff;
    --c0: #4aa3df; --c1: #ff8b3d; --c2: #2cc79a; --c3: #e393c3; --c4: #e6a82e; --c5: #8fd0f5; --c6: #e6edf3 }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 1200px; margin: 0 auto; padding: 16px }
h1 { font-size: 1.7rem; margin: .5rem 0 }
h2 { font-size: 1.35rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem }
h3 { font-size: 1.1rem; margin: 2rem 0 .4rem }
p, ul { margin: .5rem 0; max-width: 80ch; overflow-wrap: anywhere }
ul { padding-left: 1.2rem }
a { color: var(--link) }
code { font-size: .85em; background: var(--raised); border-radius: 3px; padding: .1em .3em; overflow-wrap: anywhere }
.about { color: var(--soft); font-size: .85rem }
.wide { overflow-x: auto; margin: .8rem 0; border: 1px solid var(--line); border-radius: 6px;
  max-width: 100%; width: fit-content }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap }
td:last-child:not(.number) { white-space: normal; min-width: 24ch }
tbody tr:last-child td { border-bottom: 0 }
th { background: var(--raised); cursor: pointer; position: sticky; top: 0; user-select: none }
th[aria-sort=ascending]::after { content: " \\25B2"; font-size: .7em }
th[aria-sort=descending]::after { content: " \\25BC"; font-size: .7em }
.number { text-align: right }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 12px }
figure { margin: .6rem 0; max-width: 600px }
.figures figure { margin: 0 }
figcaption { color: var(--soft); font-size: .85rem }
svg { display: block; width: 100%; height: auto }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif }
svg .left, svg .end { text-anchor: end } svg .below { text-anchor: middle } svg .name { fill: var(--text) }
svg .grid { stroke: var(--line); stroke-width: 1 } svg .zero { stroke: var(--soft); stroke-width: 1.2 }
svg path { fill: none; stroke: currentColor; stroke-width: 1.8 }
svg .mark { fill: currentColor; stroke: currentColor; stroke-width: 1.2 }
.swatch { display: inline-block; width: 28px; height: 12px; margin-right: .4em; vertical-align: middle }
.c0 { color: var(--c0) } .c1 { color: var(--c1) } .c2 { color: var(--c2) } .c3 { color: var(--c3) }
.c4 { color: var(--c4) } .c5 { color: var(--c5) } .c6 { color: var(--c6) }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none; padding: 0; font-size: .85rem }
.pictures { display: flex; flex-wrap: wrap; gap: 10px }
.pictures figure { max-width: min(200px, calc(50% - 5px)); margin: 0 }
img { max-width: 100%; image-rendering: pixelated; border: 1px solid var(--line); display: block }
details { margin: .6rem 0; font-size: .85rem; color: var(--soft) }
summary { cursor: pointer }
@media (max-width: 600px) { td:last-child:not(.number) { min-width: 48ch } }
"""

SCRIPT = """
"use strict";
const units = {ms: 1e-3, s: 1, MB: 1, "%": 1};
const key = text => {
  const found = text.match(/^([-+]?[\\d.]+(?:e[-+]?\\d+)?)(?: (ms|s|MB|%))?$/);
  return found ? Number(found[1]) * (units[found[2]] ?? 1) : text;
};
const before = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
  : (a === "") - (b === "") || (typeof a === "number" ? -1 : typeof b === "number" ? 1 : a < b ? -1 : a > b ? 1 : 0);
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  const sort = head => {
    const at = head.cellIndex, up = head.ariaSort !== "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    const keys = new Map(rows.map(row => [row, key(row.cells[at].textContent.trim())]));
    rows.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      return x === "" || y === "" ? (x === "") - (y === "") : (up ? 1 : -1) * before(x, y);
    });
    table.tBodies[0].append(...rows);
  };
  for (const head of heads) {
    head.tabIndex = 0;
    head.addEventListener("click", () => sort(head));
    head.addEventListener("keydown", event => { if (event.key === "Enter") sort(head); });
  }
}
document.documentElement.dataset.ready = "true";
"""
"""A click on the head of a column sorts by it: numbers as numbers, times by their units, what is empty last."""

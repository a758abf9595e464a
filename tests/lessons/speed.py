"""How long lessons take to answer in a headless Chromium: ``python -m tests.lessons.speed [lesson ...]`` prints it.

The time is that of the script: from a control that moves to the last pixel drawn, without the wait for the next frame
of the screen; on a clock, and in seconds of the processor, which other work on the machine hardly changes. A lesson
should answer within 50 ms for 256 x 256 pixels, and within 16 ms while one drags for 128 x 128. (Regions are found in
64 x 64 pixels at most, and drawn larger.)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.lessons.browser import chromium
from tests.lessons.modules import pages

CONTROLS = {
    "regions": {"limit": (20, 60), "step": (1, 6), "level": (60, 200)},
    "energies": {"lambda": (1, 8), "term": (4, 90)},
    "cut": {"lambda": (1, 8)},
    "grid": {"lambda": (2, 12)},
    "dense": {"weight": (2, 8), "sigma": (10, 30), "color": (8, 20)},
    "lattice": {"near": (3, 9), "sigma": (8, 20), "color": (14, 30)},
    "messages": {"lambda": (1, 8), "glue": (1, 8), "sweeps": (1, 16)},
}
"""Of each lesson, what is moved, and between which values."""

SIDES = (128, 256)
MOVES = 24

_DRAG = """
const [name, low, high, moves, done] = arguments;
const input = document.querySelector(`input[data-state=${name}]`);
const real = window.requestAnimationFrame, times = [];
let busy = 0;
const timed = (work) => (...args) => {
  const start = performance.now();
  work(...args);
  busy += performance.now() - start;
};
window.requestAnimationFrame = (work) => real(timed(work));
const move = (k) => {
  busy = 0;
  input.value = low + ((high - low) * ((k * 7) % moves)) / moves;
  timed(() => input.dispatchEvent(new Event("input", {bubbles: true})))();
  real(() => real(() => setTimeout(() => {
    times.push(busy);
    if (k + 1 < moves) return move(k + 1);
    window.requestAnimationFrame = real;
    input.dispatchEvent(new Event("change", {bubbles: true}));
    done(times);
  })));
};
move(0);
"""


def photograph(side: int, path: Path) -> Path:
    """The sample, as a square of `side` pixels, as a file."""
    from PIL import Image

    from classicseg import data

    Image.fromarray(data.sample().image).resize((side, side)).save(path)
    return path


def processor_ms(window) -> float:
    """What scripts of the page have used of the processor so far."""
    metrics = window.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return 1000 * next(metric["value"] for metric in metrics if metric["name"] == "ScriptDuration")


def measure(window, folder: Path, name: str, side: int | None) -> list[tuple[str, str, float, float, float]]:
    """Rows of the table: size of the picture, control, best and median time and that of the processor, in ms."""
    window.open(folder / f"{name}.html", 1300)
    window.driver.set_script_timeout(120)
    if side is not None and window.run("return document.querySelector('input[type=file]') !== null"):
        file = photograph(side, folder / f"{side}.png")
        window.driver.find_element("css selector", "input[type=file]").send_keys(str(file))
        window.run("return new Promise(done => setTimeout(done, 1500))")
    canvas = window.run("const c = document.querySelector('canvas'); return c ? `${c.width} x ${c.height}` : 'drawn'")
    rows = []
    for control, (low, high) in CONTROLS[name].items():
        window.driver.execute_async_script(_DRAG, control, low, high, MOVES)  # code is compiled while it runs
        before = processor_ms(window)
        times = window.driver.execute_async_script(_DRAG, control, low, high, MOVES)
        spent = (processor_ms(window) - before) / MOVES
        rows.append((canvas, control, min(times), float(np.median(times)), spent))
    return rows


def main(names: list[str]) -> None:
    """Measure the lessons of these names, all if there are none."""
    with tempfile.TemporaryDirectory() as place, chromium() as window:
        window.driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        folder = Path(place)
        pages.write_pages(folder)
        print(f"{'lesson':10}{'picture':>12}{'control':>10}{'best':>9}{'median':>9}{'processor':>11}  ms")
        for name in names or CONTROLS:
            seen = set()
            for side in (None, *SIDES):
                rows = measure(window, folder, name, side)
                if rows[0][0] in seen:  # the page makes larger pictures smaller
                    continue
                seen.add(rows[0][0])
                for canvas, control, *times in rows:
                    print(f"{name:10}{canvas:>12}{control:>10}" + "{:9.1f}{:9.1f}{:11.1f}".format(*times), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""How well does `cutout` find objects from strokes and from boxes, against GrabCut of OpenCV with the same input?

    python benchmarks/pipelines/cutout.py [strokes] [drawn] [box] [--pictures FOLDER]

Strokes: 9 photos of the GrabCut set and of BSDS with two sets of strokes each. Drawn: other strokes, made from the
truth (see shared/drawing.py), a few short ones and more that are longer, on 31 photos of horses, people, polyps and of
the GrabCut set; defaults that suit one set of strokes by chance do not suit both. Boxes: 13 photos of the GrabCut set.
OpenCV, where it is installed, gets 5 rounds, its usual number, and 10, which is our default; pixels without a stroke
start as "probably background", which serves it better than "probably object". IoU of the object and share of wrong
pixels, over pixels of known truth. Both use all threads there are.

Inputs can be measured one at a time: rows of the others stay in the file of results.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.drawing import drawn
from benchmarks.shared.folders import DATA
from benchmarks.shared.harness import arguments, milliseconds
from benchmarks.shared.records import save, this_run
from classicseg import plot

UNKNOWN = 128


@dataclass(frozen=True)
class Case:
    name: str
    image: np.ndarray
    truth: np.ndarray
    """255 object, 0 background, 128 not scored."""
    scribbles: np.ndarray | None = None
    box: tuple[int, int, int, int] | None = None


def strokes() -> Iterator[Case]:
    for file in sorted((DATA / "grabcut_scribbles").glob("*_gt.png")):
        name = file.name.removesuffix("_gt.png")
        image = _pixels(file.with_name(f"{name}.jpg"), "RGB")
        for k in (1, 2):
            drawn = _pixels(file.with_name(f"{name}_scribble{k}.png"))
            yield Case(f"{name}-{k}", image, _pixels(file), np.select([drawn == 1, drawn == 2], [1, 0], -1))


def boxes() -> Iterator[Case]:
    folder = DATA / "mrf" / "grabcut"
    for file in sorted((folder / "bboxes").glob("*.txt")):
        x0, y0, x1, y1 = map(int, file.read_text(encoding="ascii").split())
        truth = np.where(_pixels(folder / "seg_GT" / f"{file.stem}.bmp", "L") > 127, 255, 0)
        yield Case(file.stem, _pixels(folder / "imgs" / f"{file.stem}.jpg", "RGB"), truth, box=(y0, x0, y1, x1))


def strokes_from_truth() -> Iterator[Case]:
    for name, image, truth in _photos():
        for k, (n, length, width) in enumerate((((2, 1), 0.12, 5.0), ((3, 3), 0.25, 4.0)), 1):
            yield Case(f"{name}-{k}", image, truth, drawn(truth > 127, n=n, length=length, width=width, seed=k))


def _photos() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, image and truth, 0 or 255."""
    for file in sorted((DATA / "horses").glob("*_gt.png")):
        name = file.name.removesuffix("_gt.png")
        yield name, _pixels(file.with_name(f"{name}.png"), "RGB"), _pixels(file, "L")
    folder = DATA / "mrf" / "grabcut"
    for file in sorted((folder / "seg_GT").glob("*.bmp")):
        yield file.stem, _pixels(folder / "imgs" / f"{file.stem}.jpg", "RGB"), _pixels(file, "L")
    for file in sorted((DATA / "fashion_ccp").glob("*_gt.png")):
        name = file.name.removesuffix("_gt.png")
        people = np.where(_pixels(file)[::2, ::2] > 0, 255, 0)
        yield f"person {name}", np.ascontiguousarray(_pixels(file.with_name(f"{name}.jpg"), "RGB")[::2, ::2]), people
    for file in sorted((DATA / "kvasir_polyp").glob("*_gt.png")):
        name = file.name.removesuffix("_gt.png")
        yield f"polyp {name[:9]}", _pixels(file.with_name(f"{name}.jpg"), "RGB"), _pixels(file, "L")


def bundled() -> Iterator[Case]:
    """The cup of the sample of the library."""
    sample = cs.sample()
    image = np.ascontiguousarray(sample.image[::3, ::3])
    labels = sample.truth[::3, ::3]
    truth = np.where(labels == sample.ignore_label, UNKNOWN, np.where(labels == 1, 255, 0))
    ys, xs = np.nonzero(truth == 255)
    yield Case("coffee", image, truth, box=(int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1))


def ours(case: Case, **options: Any) -> np.ndarray:
    return cs.cutout(case.image, case.scribbles, box=case.box, **options).mask


def opencv(case: Case, rounds: int) -> np.ndarray:
    import cv2

    mask = np.full(case.truth.shape, cv2.GC_BGD, np.uint8)
    if case.box is not None:
        y0, x0, y1, x1 = case.box
        mask[y0:y1, x0:x1] = cv2.GC_PR_FGD
    else:
        mask[case.scribbles == -1] = cv2.GC_PR_BGD
        mask[case.scribbles == 1] = cv2.GC_FGD
    cv2.setRNGSeed(0)
    cv2.grabCut(case.image, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)


METHODS: dict[str, Callable[[Case], np.ndarray]] = {
    "cutout": ours,
    "cutout, 1 round": lambda case: ours(case, max_iter=1),
    "cutout, histograms": lambda case: ours(case, colors="histogram"),
}
if importlib.util.find_spec("cv2"):
    METHODS |= {
        "OpenCV, 5 rounds": lambda case: opencv(case, 5),
        "OpenCV, 10 rounds": lambda case: opencv(case, 10),
    }
INPUTS: dict[str, Callable[[], Iterator[Case]]] = {"strokes": strokes, "drawn": strokes_from_truth, "box": boxes}


def score(mask: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """IoU of the object and share of wrong pixels."""
    known = truth != UNKNOWN
    found, real = mask[known], truth[known] == 255
    return float((found & real).sum() / (found | real).sum()), float((found != real).mean())


def measure(what: str, cases: list[Case], pictures: Path | None) -> list[dict[str, Any]]:
    if not cases:
        print(f"{what}: skipped, no such data here")
        return []
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in METHODS}
    names = []
    for method in METHODS.values():
        method(cases[0])  # compiles
    for case in cases:
        names.append(case.name)
        masks = {}
        for name, method in METHODS.items():
            start = time.perf_counter()
            masks[name] = method(case)
            runs[name].append((*score(masks[name], case.truth), time.perf_counter() - start))
        print(f"{what} {case.name:14}", {name: round(r[-1][0], 3) for name, r in runs.items()}, flush=True)
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(case, masks)).save(pictures / f"{what}-{case.name}.png")
    rows = []
    for name, scores in runs.items():
        iou, wrong, seconds = map(np.array, zip(*scores, strict=True))
        rows.append(
            {
                "case": f"{what}, {name}",
                "input": what,
                "method": name,
                "images": len(names),
                "mean_iou": round(float(iou.mean()), 4),
                "median_iou": round(float(np.median(iou)), 4),
                "below_55_percent": int((iou < 0.55).sum()),
                "worst_iou": round(float(iou.min()), 4),
                "wrong_percent": round(100 * float(wrong.mean()), 2),
                "median_ms": milliseconds(seconds.tolist()),
                "iou": dict(zip(names, iou.round(4).tolist(), strict=True)),
            }
        )
        print({key: value for key, value in rows[-1].items() if key != "iou"})
    return rows


def picture(case: Case, masks: dict[str, np.ndarray]) -> np.ndarray:
    """The input, the truth, ours and OpenCV's, or ours after 1 round."""
    given = case.image.copy()
    if case.scribbles is not None:
        given[case.scribbles == 1], given[case.scribbles == 0] = (255, 0, 0), (0, 0, 255)
    else:
        y0, x0, y1, x1 = case.box or (0, 0, 0, 0)
        frame = np.zeros(case.truth.shape, bool)
        frame[y0:y1, x0:x1] = True
        frame[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] = False
        given[frame] = (255, 0, 0)
    views = [(case.truth == 255), masks["cutout"], masks.get("OpenCV, 5 rounds", masks["cutout, 1 round"])]
    return plot.tile([given, *(plot.overlay(case.image, view.astype(int)) for view in views)], columns=2)


def _pixels(file: Path, mode: str | None = None) -> np.ndarray:
    with Image.open(file) as image:
        return np.array(image if mode is None else image.convert(mode))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("inputs", nargs="*", metavar="input", help=f"{', '.join(INPUTS)}; default: all")
    parser.add_argument("--pictures", type=Path, help="folder for a picture of every image")
    options = parser.parse_args()
    run = this_run(threads=cs.get_num_threads(), libraries=["opencv-python-headless"])
    inputs = {"box": bundled()} if options.tiny else {name: INPUTS[name]() for name in options.inputs or INPUTS}
    rows = [row for what, cases in inputs.items() for row in measure(what, list(cases), options.pictures)]
    if rows:
        save("pipelines_cutout", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()

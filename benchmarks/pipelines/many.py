"""How many images a second does the command refine, and does it keep the processors busy?

    python benchmarks/pipelines/many.py [--images 500] [--rounds 1]

A folder is generated: photos as JPEG, with probabilities of 5 labels of their size as float32 in .npy. Each contender
is a command of its own, start of Python included, that reads them all and writes labels as PNG: `classicseg refine`
with one worker and with two, and a pool of as many processes that call pydensecrf2, as scripts for folders do. Both
have the parameters of pydensecrf's README and 10 updates; the preset that chooses itself is timed as well. The share of
the processors is the CPU time of a command by its wall time and its workers.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured


from benchmarks.shared.folders import ROOT
from benchmarks.shared.harness import arguments, needs, process_times, ratio
from benchmarks.shared.records import save, this_run
from classicseg.bench.suites.fields import costs, picture

SHAPE, TINY = (240, 320), (48, 64)
LABELS, KINDS = 5, 8
PEER = "pydensecrf2"


def make(folder: Path, n: int, shape: tuple[int, int]) -> None:
    """Photos and probabilities: a few that are computed, rolled by other steps each time."""
    for name in ("images", "probabilities"):
        (folder / name).mkdir()
    for i in range(n):
        image, unary = picture(shape, i % KINDS), costs(LABELS, shape, i % KINDS)
        probabilities = np.exp(-unary)
        probabilities /= probabilities.sum(axis=0)
        step = 7 * (i // KINDS)
        Image.fromarray(np.roll(image, step, axis=1)).save(folder / "images" / f"{i:04}.jpg", quality=90)
        np.save(folder / "probabilities" / f"{i:04}.npy", np.roll(probabilities, step, axis=2))


def refine_with_pydensecrf(task: tuple[Path, Path, Path]) -> None:
    """What a worker of the pool does with an image."""
    import pydensecrf.densecrf as dcrf
    from pydensecrf.utils import unary_from_softmax

    photo, scores, target = task
    image, p = np.array(Image.open(photo)), np.load(scores)
    crf = dcrf.DenseCRF2D(image.shape[1], image.shape[0], len(p))
    crf.setUnaryEnergy(unary_from_softmax(p))
    crf.addPairwiseGaussian(sxy=3, compat=3)
    crf.addPairwiseBilateral(sxy=80, srgb=13, rgbim=image, compat=10)
    labels = np.argmax(crf.inference(10), axis=0).reshape(image.shape[:2])
    Image.fromarray(labels.astype(np.uint8)).save(target)


def pool(folder: Path, out: Path, n_processes: int) -> None:
    """The whole command of the other side."""
    out.mkdir()
    tasks = [
        (photo, folder / "probabilities" / f"{photo.stem}.npy", out / f"{photo.stem}.png")
        for photo in sorted((folder / "images").iterdir())
    ]
    with multiprocessing.Pool(n_processes) as processes:
        processes.map(refine_with_pydensecrf, tasks, chunksize=4)
        processes.close()
        processes.join()  # or their times would not count


def main() -> None:
    if sys.argv[1:2] == ["pool"]:
        pool(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
        return
    parser = arguments(__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    needs("pydensecrf")
    n, rounds = (6, 1) if options.tiny else (options.images, options.rounds)
    limits = ("CLASSICSEG_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in limits}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = this_run(threads="1 for each image", libraries=("pydensecrf2", "pillow"))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder, n, TINY if options.tiny else SHAPE)

        def classicseg(workers: int, preset: str, out: Path) -> list[str]:
            given = ["--probabilities", str(folder / "probabilities"), "--preset", preset, "-o", str(out)]
            how = ["--workers", str(workers), "--threads", "1"]
            return [sys.executable, "-m", "classicseg", "refine", str(folder / "images"), *given, *how]

        def peer(workers: int, _: str, out: Path) -> list[str]:
            return [sys.executable, str(Path(__file__).resolve()), "pool", str(folder), str(out), str(workers)]

        contenders = [
            (f"{name}, {workers} at a time", command, workers, preset)
            for name, command, preset in (
                ("classicseg", classicseg, "pydensecrf"),
                ("classicseg, preset auto", classicseg, "auto"),
                (PEER, peer, ""),
            )
            for workers in (1, 2)
        ]
        process_times(classicseg(1, "pydensecrf", folder / "warm"), environment)  # loads kernels, and files into memory
        process_times(classicseg(1, "auto", folder / "warmer"), environment)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in contenders}
        for turn in range(rounds):
            for i, (name, command, workers, preset) in enumerate(contenders):
                cpu, wall, _ = process_times(command(workers, preset, folder / f"out_{turn}_{i}"), environment)
                times[name].append((cpu, wall))
                print(f"{name}: {n / wall:.2f} a second, {cpu / wall / workers:.2f} of its processors", flush=True)
    rows = [
        {
            "case": name,
            "images": n,
            "workers": workers,
            "images_a_second": round(n / statistics.median(wall for _, wall in times[name]), 3),
            "cpu_ms_an_image": round(1e3 * statistics.median(cpu for cpu, _ in times[name]) / n, 2),
            "share_of_processors": round(statistics.median(cpu / wall / workers for cpu, wall in times[name]), 3),
            "times_faster_than_peer": ratio(
                [wall for _, wall in times[f"{PEER}, {workers} at a time"]], [wall for _, wall in times[name]]
            ),
        }
        for name, _, workers, _ in contenders
    ]
    save("pipelines_many", rows, run, options.output)


if __name__ == "__main__":
    main()

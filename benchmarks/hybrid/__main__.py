"""What does a CRF add to a trained network? Networks trained on real images, then everything that can follow them.

    python benchmarks/hybrid [--problems camvid nuclei satellite] [--networks unet …] [--seeds 0 1 2] [--effort 3]
                             [--work FOLDER]

Needs PyTorch. Runs for the better part of an hour on one core, with more seeds or effort for longer; a run that was
stopped goes on where it was. Networks, records of images and pictures go to the work folder, scores to
results/hybrid_*.json after each network. Pictures whose licence allows it go to docs/pictures.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

from benchmarks.shared.folders import ROOT
from benchmarks.shared.harness import arguments, needs
from benchmarks.shared.records import Row, document, this_run, write

needs("torch")

import numpy as np
import torch

from benchmarks.hybrid import contenders, pictures, scoring
from benchmarks.hybrid.problems import NETWORKS, PROBLEMS, TINY, Fold, Problem

PICTURES = ROOT / "docs" / "pictures"


def main() -> None:
    """Run what is asked for and is not there yet."""
    parser = arguments(__doc__)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS)
    parser.add_argument("--effort", type=int, default=1, help="times as many epochs; results get a name of their own")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--work", type=Path, default=Path("hybrid-work"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    about = this_run(threads=1, libraries=["torch"])
    problems = [TINY] if options.tiny else [with_effort(PROBLEMS[name], options.effort) for name in options.problems]
    for seed in options.seeds:
        for problem in problems:
            folds = problem.folds()
            for network in problem.networks if options.networks is None else options.networks:
                for fold in folds:
                    folder = options.work / problem.name / network / f"seed{seed}" / fold.name
                    run(problem, fold, network, seed, folder, about)
                rows = summaries(problem, folds, options.work)
                if options.output is not None:
                    classes = {"classes": list(folds[0].test.classes)}
                    write(options.output / f"hybrid_{problem.name}.json", document(rows, classes))


def with_effort(problem: Problem, times: int) -> Problem:
    """The same with networks that are trained for longer."""
    if times == 1:
        return problem
    settings = replace(problem.settings, n_epochs=times * problem.settings.n_epochs)
    return replace(problem, name=f"{problem.name}_x{times}", settings=settings)


def run(problem: Problem, fold: Fold, network: str, seed: int, folder: Path, about: dict[str, Any]) -> None:
    """Train, choose and test one network on one fold, and leave ``records.json``."""
    target = folder / "records.json"
    if target.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    start = time.process_time()
    model = contenders.train_network(problem, fold, network, problem.width(network), seed, folder)
    log(folder, "network trained", start)
    chosen_file = folder / "chosen.json"
    if not chosen_file.exists():
        write(chosen_file, contenders.tune(fold, model, problem.budget))
    chosen = json.loads(chosen_file.read_text(encoding="utf-8"))
    log(folder, "parameters chosen", start)
    longer = contenders.train_longer(problem, fold, model, seed, folder)
    rnn = contenders.train_rnn(problem, fold, model, chosen["dense"], seed, folder)
    log(folder, "trained with the CRF", start)
    records: dict[str, list[Row]] = {}
    labels: dict[str, np.ndarray] = {}
    for i in range(len(fold.test)):
        image, truth = fold.test[i]
        answers = contenders.labels_of(image, model, longer, rnn, chosen)
        for method, (answer, seconds) in answers.items():
            records.setdefault(method, []).append(scoring.record(answer, truth, len(fold.test.classes), seconds))
            labels[f"{method}_{i}"] = answer.astype(np.uint8)
    np.savez_compressed(folder / "labels.npz", **labels)
    write(target, {"run": about, "chosen": chosen, "records": records})
    pictures.write_cases(fold, records, labels, folder)
    log(folder, "tested", start)


def summaries(problem: Problem, folds: list[Fold], work: Path) -> list[tuple[dict[str, Any], Row]]:
    """Scores of all networks for which all folds of a seed are there, each with the run that tested it last."""
    rows = []
    gallery = (PICTURES if problem.free else work) / f"hybrid-{problem.name}.png"
    for network in problem.networks:
        seeds, runs = [], []
        for folder in sorted((work / problem.name / network).glob("seed*")):
            files = [folder / fold.name / "records.json" for fold in folds]
            if all(file.exists() for file in files):
                seeds.append(int(folder.name.removeprefix("seed")))
                runs.append([json.loads(file.read_text(encoding="utf-8")) for file in files])
        if not runs:
            continue
        if network == "unet":
            folders = [work / problem.name / network / f"seed{seeds[0]}" / fold.name for fold in folds]
            pictures.write_gallery(folds, runs[0], folders, gallery)
        by_method = {
            method: [[r for fold in one for r in fold["records"][method]] for one in runs]
            for method in contenders.METHODS
            if method in runs[0][0]["records"]
        }
        row = {
            "network": network,
            "width": problem.width(network),
            "seeds": seeds,
            "n_images": len(by_method["network"][0]),
            "chosen": [[fold["chosen"] for fold in one] for one in runs],
            "methods": {name: scoring.summary(x, by_method["network"]) for name, x in by_method.items()},
        }
        rows.append((max((fold["run"] for one in runs for fold in one), key=lambda about: about["date"]), row))
    return rows


def log(folder: Path, what: str, start: float) -> None:
    """One line for whoever looks in later."""
    print(
        f"{time.strftime('%H:%M:%S')} {'/'.join(folder.parts[-4:])}: {what}, {time.process_time() - start:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()

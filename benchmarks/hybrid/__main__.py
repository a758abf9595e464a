"""What does a CRF add to a trained network? Networks trained on real images, then everything that can follow them.

    python benchmarks/hybrid [--problems camvid nuclei satellite] [--networks unet …] [--seeds 0 1 2] [--effort 3]
                             [--work FOLDER]

Needs PyTorch. Runs for the better part of an hour on one core, with more seeds or effort for longer; a run that was
stopped goes on where it was. Networks, records of images and pictures go to the work folder, scores to
results/hybrid_*.json after each network. Pictures whose licence allows it go to docs/pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import contenders
import pictures
import scoring
from harness import RESULTS, machine
from problems import NETWORKS, PROBLEMS, Fold, Problem

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


def main() -> None:
    """Run what is asked for and is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS)
    parser.add_argument("--effort", type=int, default=1, help="times as many epochs; results get a name of their own")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--work", type=Path, default=Path("hybrid-work"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed in options.seeds:
        for name in options.problems:
            problem = with_effort(PROBLEMS[name], options.effort)
            folds = problem.folds()
            for network in problem.networks if options.networks is None else options.networks:
                for fold in folds:
                    run(problem, fold, network, seed, options.work / problem.name / network / f"seed{seed}" / fold.name)
                write_summary(problem, folds, options.work, options.results)


def with_effort(problem: Problem, times: int) -> Problem:
    """The same with networks that are trained for longer."""
    if times == 1:
        return problem
    settings = replace(problem.settings, n_epochs=times * problem.settings.n_epochs)
    return replace(problem, name=f"{problem.name}_x{times}", settings=settings)


def run(problem: Problem, fold: Fold, network: str, seed: int, folder: Path) -> None:
    """Train, choose and test one network on one fold, and leave ``records.json``."""
    target = folder / "records.json"
    if target.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    start = time.process_time()
    model = contenders.train_network(problem, fold, network, NETWORKS[network], seed, folder)
    log(folder, "network trained", start)
    chosen_file = folder / "chosen.json"
    if not chosen_file.exists():
        write(chosen_file, contenders.tune(fold, model))
    chosen = json.loads(chosen_file.read_text(encoding="utf-8"))
    log(folder, "parameters chosen", start)
    longer = contenders.train_longer(problem, fold, model, seed, folder)
    rnn = contenders.train_rnn(problem, fold, model, chosen["dense"], seed, folder)
    log(folder, "trained with the CRF", start)
    records: dict[str, list[dict[str, Any]]] = {method: [] for method in contenders.METHODS}
    labels: dict[str, np.ndarray] = {}
    for i in range(len(fold.test)):
        image, truth = fold.test[i]
        answers = contenders.labels_of(image, model, longer, rnn, chosen)
        for method, (answer, seconds) in answers.items():
            records[method].append(scoring.record(answer, truth, len(fold.test.classes), seconds))
            labels[f"{method}_{i}"] = answer.astype(np.uint8)
    np.savez_compressed(folder / "labels.npz", **labels)
    write(target, {"chosen": chosen, "records": records})
    pictures.write_cases(fold, records, labels, folder)
    log(folder, "tested", start)


def write_summary(problem: Problem, folds: list[Fold], work: Path, results: Path) -> None:
    """Scores of all networks for which all folds of a seed are there."""
    table: dict[str, Any] = {}
    gallery = (PICTURES if problem.free else work) / f"hybrid-{problem.name}.png"
    for network in NETWORKS:
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
            method: [[r for fold in run for r in fold["records"][method]] for run in runs]
            for method in contenders.METHODS
        }
        table[network] = {
            "width": NETWORKS[network],
            "seeds": seeds,
            "n_images": len(by_method["network"][0]),
            "chosen": [[fold["chosen"] for fold in run] for run in runs],
            "methods": {name: scoring.summary(x, by_method["network"]) for name, x in by_method.items()},
        }
    content = {"machine": machine(), "classes": list(folds[0].test.classes), "networks": table}
    write(results / f"hybrid_{problem.name}.json", content)


def write(path: Path, content: Any) -> None:
    """A file of JSON that is whole or not there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def log(folder: Path, what: str, start: float) -> None:
    """One line for whoever looks in later."""
    print(
        f"{time.strftime('%H:%M:%S')} {'/'.join(folder.parts[-4:])}: {what}, {time.process_time() - start:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()

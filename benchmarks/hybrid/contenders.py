"""What comes behind the network: nothing, dense CRFs, a grid CRF, a CRF trained with the network."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax

import classicseg as cs
import classicseg.torch as ct
from benchmarks.hybrid.problems import OPTIONS, Fold, Problem
from classicseg import metrics
from classicseg.pipelines import presets
from classicseg.torch import train

GRID_STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
METHODS = ("network", "default", "small", "pydensecrf", "tuned", "grid", "longer", "rnn")
"""All, of which "small" can only follow networks with logits of a fraction of the size."""
Labels = Callable[[np.ndarray], tuple[np.ndarray, float]]
"""From an image to labels, and the CPU seconds that they took beyond the network's."""


def train_network(problem: Problem, fold: Fold, network: str, width: float, seed: int, folder: Path) -> train.Model:
    """The network, or what a run before has left of it."""
    target = folder / "model.pt"
    if target.exists():
        return train.Model.load(target)
    model = train.Model(network, fold.training.classes, width=width, seed=seed, **OPTIONS.get(network, {}))
    settings = replace(problem.settings, seed=seed)
    train.fit(
        model, fold.training, fold.validation, settings=settings, checkpoint=folder / "network.ckpt", progress=True
    )
    model.save(target)
    return model


def train_longer(problem: Problem, fold: Fold, model: train.Model, seed: int, folder: Path) -> torch.nn.Module:
    """The network alone, trained for as long as the CRF is trained with it."""
    longer = copy.deepcopy(model)
    settings = replace(problem.tuning, seed=seed)
    train.fit(longer, fold.training, fold.validation, settings=settings, checkpoint=folder / "longer.ckpt")
    return longer


def train_rnn(
    problem: Problem, fold: Fold, model: train.Model, parameters: Mapping[str, Any], seed: int, folder: Path
) -> torch.nn.Module:
    """Network and CRF trained end to end, from the tuned parameters."""
    kernels = [
        ct.GaussianKernel(parameters["sigma"], parameters["weight"]),
        ct.BilateralKernel(parameters["bilateral_sigma"], parameters["color_sigma"], parameters["bilateral_weight"]),
    ]
    n_iter = parameters["max_iter"]
    crf = ct.DenseCRF(len(model.classes), kernels, n_iter=min(5, n_iter))
    both = ct.CRFasRNN(copy.deepcopy(model), crf, n_iter_eval=n_iter)
    settings = replace(problem.tuning, seed=seed)
    train.fit(both, fold.training, fold.validation, settings=settings, checkpoint=folder / "rnn.ckpt")
    return both


def tune(fold: Fold, model: train.Model, budget: int) -> dict[str, Any]:
    """Parameters of the dense and the grid CRF, chosen on the validation images."""
    pairs = [fold.validation[i] for i in range(len(fold.validation))]
    images, truths = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    logits = [model.predict(image) for image in images]
    tuned = cs.tune(
        images,
        [softmax(x, axis=0) for x in logits],
        truths,
        budget=budget,
        ignore_label=train.VOID,
        n_threads=1,
    )

    def grid_score(strength: float) -> float:
        counts = [
            metrics.confusion_matrix(grid(image, x, strength), truth, len(x), ignore_label=train.VOID)
            for image, x, truth in zip(images, logits, truths, strict=True)
        ]
        return metrics.scores_of(np.sum(counts, axis=0)).mean_iou

    grid_scores = [grid_score(strength) for strength in GRID_STRENGTHS]
    return {
        "dense": explicit(tuned.parameters, images[0].shape[:2]),
        "dense_score": tuned.score,
        "default_score": tuned.default_score,
        "network_score": tuned.unrefined_score,
        "grid": GRID_STRENGTHS[int(np.argmax(grid_scores))],
        "grid_score": max(grid_scores),
    }


def explicit(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """All parameters as numbers, also if a preset won; those of firm for the choice that has none of its own."""
    if "preset" not in parameters:
        return dict(parameters)
    name = parameters["preset"]
    preset = presets.find("firm" if name == presets.AUTO else name)
    unit = float(np.sqrt(np.prod(shape))) if preset.relative else 1.0
    return {
        "sigma": unit * preset.sigma,
        "weight": preset.weight,
        "bilateral_sigma": unit * preset.bilateral_sigma,
        "color_sigma": preset.color_sigma,
        "bilateral_weight": preset.bilateral_weight,
        "max_iter": preset.max_iter,
    }


def grid(image: np.ndarray, logits: np.ndarray, strength: float) -> np.ndarray:
    """Labels of a grid CRF of 8 neighbours whose edges follow the contrast, by alpha-expansion."""
    weights = {name: strength * w for name, w in cs.contrast_weights(image).items()}
    crf = cs.GridCRF(cs.unary_from_logits(logits), cs.Potts(1), weights)
    return cs.minimize(crf, "expansion", n_threads=1).labels


def labels_of(
    image: np.ndarray,
    model: train.Model,
    longer: torch.nn.Module,
    rnn: torch.nn.Module,
    chosen: Mapping[str, Any],
) -> dict[str, tuple[np.ndarray, float]]:
    """Labels of all contenders and the CPU seconds of each, that of the network included."""
    logits, spent = _timed(lambda: model.predict(image))
    small = small_logits(model, image)
    calls: dict[str, Callable[[], np.ndarray]] = {
        "network": lambda: logits.argmax(0),
        "default": lambda: cs.refine(image, logits=logits, n_threads=1),
        "pydensecrf": lambda: cs.refine(image, logits=logits, preset="pydensecrf", n_threads=1),
        "tuned": lambda: cs.refine(image, logits=logits, n_threads=1, **chosen["dense"]),
        "grid": lambda: grid(image, logits, chosen["grid"]),
    }
    if small is not None:
        calls["small"] = lambda: cs.refine(image, logits=small, n_threads=1)
    answers = {}
    for name, call in calls.items():
        labels, seconds = _timed(call)
        answers[name] = (labels, seconds + spent)
    answers["longer"] = _timed(lambda: train.predict(longer, image).argmax(0))
    answers["rnn"] = _timed(lambda: train.predict(rnn, image).argmax(0))
    return answers


def small_logits(model: train.Model, image: np.ndarray) -> np.ndarray | None:
    """Logits as a dilated network has them before it enlarges them; of other networks None."""
    head = getattr(model.network, "head", None)
    if head is None:
        return None
    kept: list[torch.Tensor] = []
    hook = head.register_forward_hook(lambda module, given, found: kept.append(found))
    try:
        model.predict(image)
    finally:
        hook.remove()
    return kept[-1][0].numpy()


def _timed(call: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    start = time.process_time()
    result = call()
    return result, time.process_time() - start

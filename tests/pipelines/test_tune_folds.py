"""What a search on other images promises for those that were held out."""

import numpy as np
import pytest

import classicseg as cs
from classicseg.pipelines import tune as module
from tests.oracles import costs, photo, softmax

SHAPES = ((20, 24), (22, 20), (18, 26), (20, 20), (24, 18))


@pytest.fixture(scope="module")
def data():
    images = [photo(*shape, seed=i) for i, shape in enumerate(SHAPES)]
    probabilities = [softmax(-costs(3, shape, seed=i)) for i, shape in enumerate(SHAPES)]
    truths = [cs.refine(image, p, preset="irnet") for image, p in zip(images, probabilities, strict=True)]
    return images, probabilities, truths


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["miou", "boundary"])
def test_held_out_images_are_never_searched(data, metric):
    tuned = cs.tune(*data, metric=metric, budget=12, folds=2, rng=3)
    parameters = {}
    for fold in range(2):
        others = [[x for i, x in enumerate(values) if i % 2 != fold] for values in data]
        best = cs.tune(*others, metric=metric, budget=12, rng=3).parameters
        parameters.update({i: best for i in range(len(SHAPES)) if i % 2 == fold})
    labels = [cs.refine(data[0][i], data[1][i], **parameters[i]) for i in range(len(SHAPES))]
    if metric == "miou":
        counts = [cs.confusion_matrix(x, truth, 3) for x, truth in zip(labels, data[2], strict=True)]
        wanted = cs.scores_of(sum(counts)).mean_iou
    else:
        wanted = np.mean([cs.boundary_f_score(x, truth, 3) for x, truth in zip(labels, data[2], strict=True)])
    assert tuned.held_out_score == pytest.approx(wanted, abs=1e-12)


def test_folds_leave_the_parameters_alone(data):
    plain, folded = cs.tune(*data, budget=8), cs.tune(*data, budget=8, folds=5)
    assert plain.parameters == folded.parameters
    assert plain.history == folded.history
    assert plain.held_out_score is None


@pytest.mark.slow
def test_what_is_known_of_an_image_is_not_computed_again(data, monkeypatch):
    calls = []

    def counted(image, probabilities, **parameters):
        calls.append((image.shape, tuple(sorted(parameters.items()))))
        return refine(image, probabilities, **parameters)

    refine = module.refine
    monkeypatch.setattr(module, "refine", counted)
    cs.tune(*data, budget=15, folds=5)
    assert len(calls) == len(set(calls))
    assert len(calls) < 15 * (5 + 5 * 4) / 2  # of a search on all and five on four images each


@pytest.mark.slow
def test_a_generator_gives_the_same_stream_to_all_searches(data):
    first, second = (cs.tune(*data, budget=9, folds=2, rng=np.random.default_rng(5)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("folds", "word"), [(1, "at least 2"), (6, "at most the number of images, 5"), (2.0, "whole")])
def test_folds_are_checked(data, folds, word):
    with pytest.raises((ValueError, TypeError), match=word):
        cs.tune(*data, folds=folds)

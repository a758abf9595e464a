import importlib.util

import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError, InputTypeError
from tests.oracles import softmax

SEARCHES = ["random", pytest.param("tpe", marks=pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None, reason="optuna is not installed"))]  # fmt: skip


def problem(n=2, size=(28, 36)):
    """Coloured blobs whose probabilities are noisy."""
    rng = np.random.default_rng(0)
    images, probabilities, truths = [], [], []
    for _ in range(n):
        truth = np.kron(rng.integers(0, 3, (2, 2)), np.ones((size[0] // 2, size[1] // 2), int))
        images.append(np.clip(80 * truth[..., None] + rng.normal(30, 8, (*truth.shape, 3)), 0, 255).astype(np.uint8))
        probabilities.append(softmax(1.2 * np.eye(3)[truth].transpose(2, 0, 1) + rng.normal(0, 1, (3, *truth.shape))))
        truth[:2] = 255
        truths.append(truth)
    return images, probabilities, truths


@pytest.mark.slow
@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("metric", ["miou", "boundary"])
def test_the_result_is_the_best_of_what_was_tried_and_what_it_says(search, metric):
    images, probabilities, truths = problem()
    tuned = cs.tune(*problem(), metric=metric, budget=14, search=search, ignore_label=255, tolerance=1)
    assert len(tuned.history) == 14
    assert tuned.score == max(trial.score for trial in tuned.history)
    assert tuned.score >= tuned.default_score
    assert tuned.score > tuned.unrefined_score
    labels = [cs.refine(i, p, **tuned.parameters) for i, p in zip(images, probabilities, strict=True)]
    if metric == "miou":
        counts = [cs.confusion_matrix(x, t, 3, ignore_label=255) for x, t in zip(labels, truths, strict=True)]
        assert cs.scores_of(sum(counts)).mean_iou == tuned.score
    else:
        pairs = zip(labels, truths, strict=True)
        each = [cs.boundary_f_score(x, t, 3, tolerance=1, ignore_label=255) for x, t in pairs]
        assert np.mean(each) == tuned.score


@pytest.mark.parametrize("search", SEARCHES)
def test_a_seed_fixes_the_search(search):
    first, second, other = (cs.tune(*problem(1), budget=14, ignore_label=255, search=search, rng=s) for s in (3, 3, 4))
    assert first == second
    assert first.history != other.history


def test_a_small_budget_tries_the_presets():
    tuned = cs.tune(*problem(1), budget=2, ignore_label=255)
    assert [dict(trial.parameters) for trial in tuned.history] == [{"preset": n} for n in ("auto", "default")]


def test_colours_are_in_the_units_of_the_image():
    images, probabilities, truths = problem(1)
    same = cs.tune([images[0] / 255.0], probabilities, truths, budget=14, ignore_label=255)
    eight = cs.tune(images, probabilities, truths, budget=14, ignore_label=255)
    for a, b in zip(same.history[5:], eight.history[5:], strict=True):
        if "preset" not in a.parameters:
            assert a.parameters["color_sigma"] == pytest.approx(b.parameters["color_sigma"] / 255, rel=1e-3)


def test_nothing_is_modified():
    images, probabilities, truths = problem(1)
    for array in (images[0], probabilities[0], truths[0]):
        array.setflags(write=False)
    cs.tune(images, probabilities, truths, budget=6, ignore_label=255)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"metric": "dice"}, "metric"),
        ({"search": "grid"}, "search"),
        ({"budget": 0}, "budget"),
        ({"images": []}, "as many"),
        ({"truths": [np.zeros((3, 3), int)]}, "truths"),
        ({"truths": [np.full((28, 36), None)]}, r"truths\[0\]"),
        ({"truths": [np.full((28, 36), 9)]}, "truths"),
        ({"probabilities": [np.full((3, 40, 40), 1 / 3)]}, "truths"),
    ],
)
def test_wrong_input_is_named(change, word):
    arguments = dict(zip(("images", "probabilities", "truths"), problem(1), strict=True))
    with pytest.raises((InputError, cs.InputTypeError), match=word):
        cs.tune(**{**arguments, **change}, ignore_label=255)


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(InputError, match=r"needs optuna: pip install optuna$"):
        cs.tune(*problem(1), budget=9, search="tpe", ignore_label=255)


def flattened(image, probabilities, strength=1.0, labels="all", *, seen=None):
    """Labels of probabilities that are moved towards those of the whole image."""
    if seen is not None:
        seen.append((strength, labels))
    mean = probabilities.mean((1, 2), keepdims=True)
    return (probabilities + (strength - 1) * mean)[: 3 if labels == "all" else 2].argmax(0)


SPACE = {"strength": (0.1, 10.0), "labels": ["all", "two"]}


@pytest.mark.parametrize("search", SEARCHES)
def test_any_crf_can_be_tuned(search):
    seen = []
    images, probabilities, truths = problem()

    def crf(image, p, **parameters):
        return flattened(image, p, **parameters, seen=seen)

    options = {"space": SPACE, "budget": 20, "search": search, "ignore_label": 255}
    tuned = cs.tune(*problem(), crf=crf, **options)
    assert tuned == cs.tune(*problem(), crf=flattened, **options)
    assert len(tuned.history) == 20
    assert tuned.history[0].parameters == {}
    assert {labels for _, labels in seen} == {"all", "two"}
    assert all(0.1 <= strength <= 10 for strength, _ in seen)
    labels = [flattened(i, p, **tuned.parameters) for i, p in zip(images, probabilities, strict=True)]
    counts = [cs.confusion_matrix(x, t, 3, ignore_label=255) for x, t in zip(labels, truths, strict=True)]
    assert cs.scores_of(sum(counts)).mean_iou == tuned.score
    assert tuned.default_score == tuned.unrefined_score  # a strength of 1 changes nothing


def test_refine_can_be_tuned_in_another_space():
    tuned = cs.tune(*problem(1), space={"max_iter": [1, 2], "weight": (1, 5)}, budget=6, ignore_label=255)
    assert all(set(trial.parameters) == {"max_iter", "weight"} for trial in tuned.history[1:])
    only_lists = cs.tune(*problem(1), space={"max_iter": [1, 2, 3]}, budget=12, ignore_label=255)
    assert {trial.parameters["max_iter"] for trial in only_lists.history[1:]} == {1, 2, 3}


def test_values_that_are_equal_but_differ_are_told_apart():
    def upside_down(image, probabilities, a=None):
        labels = probabilities.argmax(0)
        return labels.max() - labels if a is True else labels

    tuned = cs.tune(*problem(1), crf=upside_down, space={"a": [1, True]}, budget=12, ignore_label=255)
    scores = {repr(trial.parameters.get("a")): trial.score for trial in tuned.history}
    assert scores["1"] == scores["None"] > scores["True"]


def test_parameters_stay_in_their_range():
    seen = []

    def crf(image, probabilities, a=0.99997):
        seen.append(a)
        return probabilities.argmax(0)

    cs.tune(*problem(1), crf=crf, space={"a": (np.float32(0.99996), np.float64(0.99999))}, budget=6, ignore_label=255)
    assert len(seen) > 1
    assert all(np.float32(0.99996) <= a <= 0.99999 for a in seen)


def test_images_are_sequences():
    with pytest.raises(InputTypeError, match="images must be a sequence of arrays, got None"):
        cs.tune(None, [], [])
    with pytest.raises(InputTypeError, match="probabilities must be a sequence of arrays, got array"):
        cs.tune([], np.array(2), [])


@pytest.mark.parametrize(
    ("image", "kind", "message"),
    [
        (np.full((4, 5), np.nan), InputError, r"images\[1\] must be finite in float32, got nan"),
        (np.full((4, 5), 1e300), InputError, r"images\[1\] must be finite in float32, got 1e\+300"),
        (np.full((4, 5), "a"), InputTypeError, r"images\[1\] must hold real numbers"),
        (np.ma.masked_equal(np.eye(4, 5), 1), InputError, r"images\[1\] has masked entries"),
        (np.eye(3), InputError, r"image of shape \(3, 3\) does not fit probabilities\[1\]"),
    ],
)
def test_an_image_that_refine_cannot_use_is_named_before_any_work(image, kind, message):
    fine, p, truth = np.eye(4, 5), np.full((2, 4, 5), 0.5), np.zeros((4, 5), int)
    with pytest.raises(kind, match=message):
        cs.tune([fine, image], [p, p], [truth, truth], budget=1)


@pytest.mark.parametrize("image", [np.full((4, 5), 7), np.eye(4, 5) * 1e-300, np.eye(4, 5).astype("u8") * 2**63])
def test_images_without_contrast_or_of_huge_numbers_are_tuned(image):
    p, truth = np.full((2, 4, 5), 0.5), np.zeros((4, 5), int)
    with pytest.warns(UserWarning, match="truths have no pixel of label 1"):
        assert cs.tune([image], [p], [truth], budget=1).score == 1


def test_truths_of_0_and_255_leave_nothing_to_be_scored():
    p, truth = np.full((2, 4, 5), 0.5), np.zeros((4, 5), int)
    truth[:2] = 255
    with pytest.raises(InputError, match=r"truths hold 0 and 255 only.*pass truth == 255"):
        cs.tune([np.eye(4, 5)], [p], [truth], ignore_label=255, budget=1)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"crf": "dense", "space": SPACE}, InputTypeError, "crf must be callable, got str"),
        ({"crf": flattened}, InputTypeError, "space must be given with crf"),
        ({"space": {}}, InputTypeError, "space must be a mapping"),
        ({"space": [1, 2]}, InputTypeError, "space must be a mapping"),
        ({"space": {"weight": (0, 1)}}, InputError, r"space\['weight'\] must be a pair 0 < low < high"),
        ({"space": {"weight": (1, 2, 3)}}, InputError, "must be a pair"),
        ({"space": {"weight": ("a", "b")}}, InputError, "must be a pair"),
        ({"space": {"weight": "abc"}}, InputError, "must be a pair"),
        ({"space": {"weight": []}}, InputError, "must be a pair"),
        ({"space": {"weight": [[1, 2], [3, 4]]}}, InputTypeError, "must list numbers, words, tuples or the like"),
        ({"space": {"weight": [([1],), 2]}}, InputTypeError, "must list numbers, words, tuples or the like"),
        ({"space": {1: [1, 2]}}, InputTypeError, "space must be a mapping of names"),
        ({"space": {"bogus": (1, 2)}}, InputTypeError, "space must name parameters of refine, got 'bogus'; known are"),
        ({"space": {"wieght": (1, 2)}}, InputTypeError, "got 'wieght'; did you mean 'weight'"),
        (
            {"crf": flattened, "space": {"bogus": (1, 2)}},
            InputTypeError,
            "space names 'bogus', but the CRF cannot be called with it",
        ),
        ({"rng": -1}, InputError, "rng must be None, a seed of at least 0"),
        ({"rng": "x"}, InputTypeError, "rng must be None, a seed"),
        ({"crf": lambda image, p, **_: p.argmax(0)[1:], "space": SPACE}, InputError, "labels of crf must have shape"),
        ({"crf": lambda image, p, **_: p.argmax(0) + 1, "space": SPACE}, InputError, "labels of crf must be 0 to 2"),
        ({"crf": lambda image, p, **_: p[0], "space": SPACE}, InputTypeError, "labels of crf must hold integers"),
    ],
)
def test_wrong_crfs_and_spaces_are_named(options, kind, message):
    with pytest.raises(kind, match=message):
        cs.tune(*problem(1), **options, budget=2, ignore_label=255)

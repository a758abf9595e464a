"""The temperature of a network: found by its likelihood, and applied wherever refine goes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import classicseg as cs
from classicseg.errors import InputError, InputTypeError
from classicseg.pipelines.temperature import HIGHEST, LOWEST, best_temperature, slope_and_curvature
from tests.oracles import softmax

SHAPE = (30, 36)


def problem(factor=1.0, n=2):
    """Images, logits that are `factor` times those that the truth was drawn from, and truths."""
    rng = np.random.default_rng(4)
    images, logits, truths = [], [], []
    for _ in range(n):
        scores = 1.5 * rng.normal(size=(3, *SHAPE))
        drawn = (softmax(scores).cumsum(0) < rng.random(SHAPE)).sum(0)
        images.append((60 * drawn[..., None] + rng.integers(0, 30, (*SHAPE, 3))).astype(np.uint8))
        logits.append((factor * scores).astype(np.float32))
        truths.append(drawn.clip(0, 2))
    return images, logits, truths


def loss(logits, truths, temperature):
    """Negative log-likelihood."""
    total = 0.0
    for scores, truth in zip(logits, truths, strict=True):
        p = softmax(scores.astype(np.float64) / temperature)
        total -= np.log(np.take_along_axis(p, truth[None], 0)).sum()
    return total


def fitted(logits, truths, **options):
    images = problem(n=len(truths))[0]
    return cs.tune(images, truths=truths, logits=logits, budget=1, calibrate=True, **options)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_it_is_that_of_the_greatest_likelihood(factor):
    _, logits, truths = problem(factor)
    found = fitted(logits, truths).temperature
    best = minimize_scalar(lambda t: loss(logits, truths, np.exp(t)), bounds=(-3, 3), method="bounded").x
    assert found == pytest.approx(np.exp(best), rel=2e-3)
    assert found == pytest.approx(factor, rel=0.1)


@given(st.integers(0, 10**6), st.floats(0.05, 20))
def test_the_derivatives_are_those_of_the_likelihood(seed, sharpness):
    rng = np.random.default_rng(seed)
    costs, truth = rng.normal(0, 2, (3, 7)), rng.integers(0, 3, 7)

    def value(at):
        return -np.log(np.take_along_axis(softmax(-at * costs), truth[None], 0)).sum()

    slope, curvature = slope_and_curvature(costs.astype(np.float32), truth, sharpness)
    step = 1e-4 * sharpness
    assert slope == pytest.approx((value(sharpness + step) - value(sharpness - step)) / (2 * step), abs=2e-3)
    assert curvature >= 0


def test_networks_that_are_always_right_or_wrong_or_know_nothing_have_a_temperature():
    truth = np.array([0, 1])
    right = np.where(np.eye(2) > 0, 0, 5).astype(np.float32)
    assert LOWEST <= best_temperature(lambda s: slope_and_curvature(right, truth, s)) < 0.1
    assert best_temperature(lambda s: slope_and_curvature(right[::-1], truth, s)) == pytest.approx(HIGHEST, rel=1e-3)
    assert LOWEST <= best_temperature(lambda s: slope_and_curvature(0 * right, truth, s)) <= HIGHEST


def test_forbidden_labels_say_nothing_where_they_are_true():
    _, logits, truths = problem()
    holes = [x.copy() for x in logits]
    holes[0][0, 0] = holes[1][2, :, 3] = -np.inf
    truths[0][0], truths[1][:, 3] = 1, 0
    assert np.isfinite(fitted(holes, truths).temperature)
    hit = [x.copy() for x in truths]
    hit[0][0, :4] = 0  # forbidden there
    void = [x.copy() for x in truths]
    void[0][0, :4] = 255
    assert fitted(holes, hit).temperature == fitted(holes, void, ignore_label=255).temperature


def test_void_and_masked_pixels_do_not_count():
    _, logits, truths = problem()
    inside = np.zeros(SHAPE, bool)
    inside[4:20, 6:30] = True
    void = [np.where(inside, truth, 255) for truth in truths]
    wild = [np.where(inside, x, 50 * x) for x in logits]
    wanted = fitted(logits, void, ignore_label=255).temperature
    assert fitted(wild, truths, masks=[inside, inside]).temperature == wanted
    assert fitted(logits, truths).temperature != wanted


def test_probabilities_have_that_of_their_logits_and_small_ones_that_of_enlarged_ones():
    images, logits, truths = problem(2.0)
    probabilities = [softmax(x) for x in logits]
    of_logits = fitted(logits, truths).temperature
    assert cs.tune(images, probabilities, truths, budget=1, calibrate=True).temperature == pytest.approx(
        of_logits, rel=0.02
    )
    small = [x[:, ::3, ::3] for x in logits]
    large = [-cs.DenseCRF(cs.unary_from_logits(x), [], shape=SHAPE).grid.full() for x in small]
    assert fitted(small, truths).temperature == pytest.approx(fitted(large, truths).temperature, rel=1e-3)


@pytest.mark.parametrize("kind", ["logits", "probabilities", "unary"])
@pytest.mark.parametrize("step", [1, 3])
def test_refine_applies_it(kind, step):
    images, logits, _ = problem(n=1)
    scores = logits[0][:, ::step, ::step]
    given = {"logits": scores, "probabilities": softmax(scores), "unary": cs.unary_from_logits(scores)}[kind]
    cooler = cs.refinement(images[0], logits=scores / np.float32(2.5), preset="irnet")
    found = cs.refinement(images[0], **{kind: given}, preset="irnet", temperature=2.5)
    np.testing.assert_allclose(found.marginals, cooler.marginals, atol=2e-4)
    crf = cs.refinement_crf(images[0], **{kind: given}, preset="irnet", temperature=2.5)
    np.testing.assert_allclose(cs.minimize(crf, max_iter=10).marginals, found.marginals, atol=1e-5)


def test_films_and_masks_that_overlap_apply_it():
    images, logits, _ = problem(n=1)
    frame = cs.Refiner(temperature=2.5, preset="irnet")(images[0], logits=logits[0])
    np.testing.assert_array_equal(frame, cs.Refiner(preset="irnet")(images[0], logits=logits[0] / np.float32(2.5)))
    masks = cs.refine(images[0], logits=logits[0], independent=True, preset="irnet", temperature=2.5)
    cooler = cs.refine(images[0], logits=logits[0] / np.float32(2.5), independent=True, preset="irnet")
    assert (masks != cooler).mean() < 1e-3


def test_what_was_tuned_carries_it_and_it_calibrates():
    images, logits, truths = problem(4.0)
    tuned = fitted(logits, truths, folds=2)
    assert tuned.parameters["temperature"] == tuned.temperature > 3
    assert cs.tune(images, truths=truths, logits=logits, budget=1).temperature is None
    before, after = (
        np.mean([
            cs.scores(x.argmax(0), t, probabilities=softmax(x / s)).calibration_error
            for x, t in zip(logits, truths, strict=True)
        ])
        for s in (1.0, tuned.temperature)
    )  # fmt: skip
    assert after < 0.3 * before
    labels = [cs.refine(i, logits=x, **tuned.parameters) for i, x in zip(images, logits, strict=True)]
    counts = [cs.confusion_matrix(x, t, 3) for x, t in zip(labels, truths, strict=True)]
    assert cs.scores_of(sum(counts)).mean_iou == tuned.score


def test_other_crfs_get_it_if_they_take_it():
    images, logits, truths = problem(2.0)

    def colder(image, scores, bias=0.0, temperature=1.0):
        seen.append(temperature)
        return (scores / temperature).argmax(0)

    seen = []
    tuned = cs.tune(images, truths=truths, logits=logits, crf=colder, space={"bias": [0, 1]}, budget=2, calibrate=True)
    assert set(seen) == {tuned.temperature}
    with pytest.raises(InputTypeError, match="temperature"):
        cs.tune(images, truths=truths, logits=logits, crf=lambda i, s, a=1: s, space={"a": [1]}, calibrate=True)
    with pytest.raises(InputError, match="space must not name 'temperature'"):
        cs.tune(images, truths=truths, logits=logits, space={"temperature": (0.5, 2)}, calibrate=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"logits": None}, "probabilities and logits"),
        ({"probabilities": problem()[1]}, "exactly one of"),
        ({"truths": None}, "truths must be given"),
        ({"calibrate": 1}, "calibrate must be True or False"),
        ({"calibrat": True}, "did you mean"),
        ({"logits": [np.full((3, *SHAPE), np.nan)] * 2}, r"logits\[0\]"),
    ],
)
def test_errors_name_the_argument(arguments, words):
    images, logits, truths = problem()
    with pytest.raises((InputError, InputTypeError), match=words):
        cs.tune(**{"images": images, "logits": logits, "truths": truths} | arguments)


@pytest.mark.parametrize("temperature", [0, -1, np.nan, 1e4, [1, 2], "warm"])
def test_temperatures_that_cannot_be_are_refused(temperature):
    images, logits, _ = problem(n=1)
    for call in (cs.refine, cs.Refiner(temperature=temperature)):
        with pytest.raises((InputError, InputTypeError), match="temperature"):
            call(images[0], logits=logits[0], **({"temperature": temperature} if call is cs.refine else {}))

"""Streamed refinement gives the labels of the run in memory, to the bit, whatever the windows are."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import classicseg as cs
from classicseg.pipelines import strength
from classicseg.solvers.dense import sampled
from classicseg.solvers.dense.active import MOST_DIFFER
from classicseg.solvers.dense.prospects import contest
from classicseg.streaming import raster
from classicseg.streaming.refine import lattices as stream_lattices
from classicseg.streaming.refine import run as stream_run
from classicseg.streaming.refine import strength as stream_strength
from classicseg.streaming.refine.costs import Costs, Factors
from tests.strategies.streams import problems

SAMPLE = cs.sample("nuclei")
SMALL = np.log(SAMPLE.probabilities[:, ::3, ::3])
OPTIONS = {"preset": "default", "max_iter": 4, "exact": True}
ROW_OUTSIDE = (
    SAMPLE.image[:3, :1],
    {"probabilities": SAMPLE.probabilities[:, :3, :1], "mask": np.array([[True], [False], [True]]), "quality": "fast"},
)


@settings(max_examples=25, deadline=None)
@given(
    problems(),
    st.sampled_from((None, 1, 2, 5)),
    st.sampled_from((1, 17, 2**16)),
    st.sampled_from((5, 2**22)),
    st.sampled_from((1, 2)),
)
def test_labels_are_those_of_the_run_in_memory(problem, window, at_once, large_step, n_threads):
    image, options = problem
    expected = cs.refine(image, **options, exact=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster, "_AT_ONCE", at_once)
        patch.setattr(raster, "_LARGE_STEP", large_step)
        labels = cs.refine_streamed(image, **options, exact=True, window=window, n_threads=n_threads)
    np.testing.assert_array_equal(labels, expected)


@st.composite
def parts_of_the_sample(draw, lowest):
    """A part of the sample, its scores more or less sure, with labels that can win nowhere, and what goes with them.

    The `lowest` logits are those of these labels: near -30 they have nothing of a pixel, near -7 a share.
    """
    top, left, height, width = (draw(st.integers(*ends)) for ends in ((0, 90), (0, 90), (30, 160), (30, 160)))
    part = np.s_[..., top : top + height, left : left + width]
    logits = np.log(SAMPLE.probabilities)[part] * np.float32(draw(st.sampled_from((0.5, 1, 3, 12))))
    n_lost = draw(st.sampled_from((0, 1, 2)))
    few = n_lost == 0 and draw(st.booleans())
    if n_lost:
        lost = np.full((n_lost, *logits.shape[1:]), lowest, np.float32)
        logits = np.concatenate([np.maximum(logits, -1 if lowest > -9 else -12), lost])
    options = {"logits": logits[:, ::2, ::2] if few else logits}
    image = np.moveaxis(np.moveaxis(SAMPLE.image, -1, 0)[part], 0, -1)
    if draw(st.booleans()):
        mask = np.add.outer(np.arange(image.shape[0]), np.arange(image.shape[1])) % 31 > draw(st.integers(0, 20))
        options["mask"] = mask
    options["preset"] = draw(st.sampled_from(("auto", "default", "strong", "conservative")))
    options["max_iter"] = draw(st.sampled_from((2, 3, 5, 10)))
    return image, options


@settings(max_examples=40, deadline=None)
@given(problems(), st.floats(0.1, 30), st.sampled_from((5, 2**16)))
@example(ROW_OUTSIDE, 1.0, 5)
def test_the_strength_is_that_which_is_chosen_in_memory(problem, factor, at_once):
    """By the same numbers: evidence, and the colours and the mask of the small picture."""
    image, options = problem
    kind = next(name for name in ("probabilities", "logits", "unary") if name in options)
    if kind != "probabilities":
        options[kind] = gaussian_filter(options[kind], (0, *[2] * (options[kind].ndim - 1))) * np.float32(factor)
    options = {name: value for name, value in options.items() if name not in ("preset", "max_iter")}
    seen = []

    def choose_by(evidence, thinned, changes, n_threads):
        seen.append((evidence, thinned(), changes))
        return "gentle"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strength, "choose_by", choose_by)
        patch.setattr(stream_strength, "choose_by", choose_by)
        patch.setattr(raster, "_AT_ONCE", at_once)
        cs.refinement_crf(image, **options)
        cs.refine_streamed(image, **options, n_threads=2, max_iter=0)
    (one, small, changes), (other, streamed, named) = seen
    for part in (field.name for field in dataclasses.fields(one)):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part), err_msg=part)
    for part in ("channels", "unit", "spacing", "side", "mask"):
        np.testing.assert_array_equal(getattr(small, part), getattr(streamed, part), err_msg=part)
    assert small.channels.dtype == streamed.channels.dtype
    assert {**named, "max_iter": 0} == {**changes, "max_iter": 0}


WINDOWS = st.sampled_from((None, 1, 6)), st.sampled_from((100, 2**16)), st.sampled_from((1, 2))


@settings(max_examples=30, deadline=None)
@given(parts_of_the_sample(-30.0), *WINDOWS)
def test_labels_are_those_of_the_run_that_works_only_where_it_matters(problem, window, at_once, n_threads):
    check_labels_in_windows(problem, window, at_once, n_threads)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(parts_of_the_sample(-7.0), *WINDOWS)
def test_labels_are_those_of_the_run_in_which_others_have_a_share(problem, window, at_once, n_threads):
    check_labels_in_windows(problem, window, at_once, n_threads)


def check_labels_in_windows(problem, window, at_once, n_threads):
    image, options = problem
    expected = cs.refine(image, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster, "_AT_ONCE", at_once)
        labels = cs.refine_streamed(image, **options, window=window, n_threads=n_threads)
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize(
    ("factor", "more", "what"), [(3, 0, "settled"), (1, 0, "refused"), (3, 1, "left out"), (0.01, 0, "all active")]
)
def test_what_pruning_does_is_done_while_streaming(monkeypatch, factor, more, what):
    """Blocks settle, and labels are then those of the settled run, which are others than those of all work."""
    found = []

    def spied(*arguments, update=stream_run.update_active, **named):
        found.append(update(*arguments, **named))
        return found[-1]

    monkeypatch.setattr(stream_run, "update_active", spied)
    logits = np.concatenate([SMALL * np.float32(factor), np.full((more, *SMALL.shape[1:]), -60, np.float32)])
    options = {"logits": logits, "preset": "default"}
    result = cs.refinement(SAMPLE.image, **options, marginals=False)
    labels = cs.refine_streamed(SAMPLE.image, **options, window=16)
    np.testing.assert_array_equal(labels, result.labels)
    (doubt,) = found
    assert doubt.settled == (what != "all active")
    if what in ("settled", "left out"):
        assert result.may_differ == doubt.doubtful > 0
    else:
        assert result.may_differ is None
    assert (doubt.doubtful > MOST_DIFFER) == (what == "refused")


@pytest.mark.parametrize("masked", [False, True])
def test_scores_that_sum_to_1_nowhere_are_divided_by_their_sums(masked):
    """Also where a window sums to nearly 1, as long as another one does not."""
    p = SAMPLE.probabilities * np.float32(0.4)
    p[:, :100] *= 2.4
    p[:, 150, 3] = 0
    options = {"preset": "strong", "max_iter": 3}
    if masked:
        options["mask"] = np.add.outer(np.arange(256), np.arange(256)) % 71 > 9
    with pytest.warns(UserWarning, match="divided by their sums"):
        expected = cs.refine(SAMPLE.image, p, **options)
    with pytest.warns(UserWarning, match="divided by their sums"):
        labels = cs.refine_streamed(SAMPLE.image, p, window=9, **options)
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("axis", [1, 2])
def test_scores_that_sum_to_1_along_another_axis_are_refused(axis):
    image, p = np.zeros((12, 12, 3), np.uint8), np.full((12, 12, 12), 0.2)
    p[(slice(None),) * axis + (0,)] = 1 - 11 * 0.2 / 11
    p /= p.sum(axis=axis, keepdims=True)
    with pytest.raises(ValueError, match="label_axis=0 does not fit") as expected:
        cs.refine(image, p)
    with pytest.raises(ValueError, match="label_axis=0 does not fit") as failure:
        cs.refine_streamed(image, p, window=5)
    assert str(failure.value) == str(expected.value)


def test_a_single_pixel_in_a_stripe_has_the_costs_of_many():
    """NumPy sums the labels of one pixel in another order than those of several."""
    logits = np.random.default_rng(0).standard_normal((21, 17, 1)) * 4
    costs = Costs(raster.Planes(logits, 0, "logits"), "logits", Factors())
    each = [costs.of(logits[:, i : i + 1], None) for i in range(17)]
    np.testing.assert_array_equal(np.concatenate(each, axis=1), cs.unary_from_logits(logits))


@pytest.fixture
def few_are_many(monkeypatch):
    """Images of any size are sampled, however small the sample is, and whatever comes out."""
    for name, value in {"_FEWEST": 0, "_CROWDED": 0, "MOST_DIFFER": np.inf, "_SAMPLES": (700,)}.items():
        monkeypatch.setattr(sampled, name, value)
    monkeypatch.setattr("classicseg.solvers.dense.streamed_sample.MOST_DIFFER", np.inf)
    monkeypatch.setattr("classicseg.solvers.dense.mean_field.MOST_DIFFER", np.inf)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("more", [0, 1])
def test_a_sample_gives_the_labels_of_the_same_sample_in_memory(few_are_many, masked, small, more):
    """With a label that cannot win, but has a share of each pixel, as well."""
    logits = SMALL if small else np.log(SAMPLE.probabilities)
    logits = np.maximum(logits, -1)
    logits = np.concatenate([logits, np.full((more, *logits.shape[1:]), -6)]).astype(np.float32)
    options = {**OPTIONS, "logits": logits, "exact": False}
    if masked:
        options["mask"] = np.add.outer(np.arange(256), np.arange(256)) % 71 > 9
    left = contest(cs.refinement_crf(SAMPLE.image, logits=logits, preset="default").inside, 4, 1)
    assert left.alive.size == 2
    assert (left.rest is not None) == (more > 0)
    result = cs.refinement(SAMPLE.image, **options, marginals=False)
    assert result.may_differ > 0
    labels = cs.refine_streamed(SAMPLE.image, **options, window=7, n_threads=2)
    np.testing.assert_array_equal(labels, result.labels)
    assert (labels != cs.refine(SAMPLE.image, **{**options, "exact": True})).any()


def test_a_second_sample_is_drawn_of_all_labels(few_are_many, monkeypatch):
    """After a first one that was not enough, where a label can win nowhere."""
    n_solved = [0]

    def updated(*arguments, update=sampled._updated):
        n_solved[0] += 1
        return update(*arguments)._replace(differ=n_solved[0] % 2)

    for name, value in {"_updated": updated, "_SAMPLES": (500, 700), "MOST_DIFFER": 1e-3, "_NEARLY": np.inf}.items():
        monkeypatch.setattr(sampled, name, value)
    logits = np.concatenate([np.full((1, *SMALL.shape[1:]), -60, np.float32), SMALL])
    options = {"logits": logits, "preset": "default"}
    labels = cs.refine_streamed(SAMPLE.image, **options)
    np.testing.assert_array_equal(labels, cs.refine(SAMPLE.image, **options))
    assert n_solved == [4]
    assert labels.max() == 2


def test_one_label_that_can_win_does(few_are_many):
    logits = np.stack([np.zeros((256, 256)), np.full((256, 256), -40)])
    mask = np.eye(256, dtype=bool)
    labels = cs.refine_streamed(SAMPLE.image, logits=logits, mask=mask, preset="default")
    np.testing.assert_array_equal(labels, cs.refine(SAMPLE.image, logits=logits, mask=mask, preset="default"))


@pytest.mark.parametrize("preset", ["default", "pydensecrf", "strong"])
@pytest.mark.parametrize("quality", ["fast", "high"])
def test_a_plan_knows_how_many_vertices_there_will_be(monkeypatch, preset, quality):
    image = np.concatenate([SAMPLE.image, SAMPLE.image[::-1]])
    met = []

    def counted(*arguments, meet_all=stream_lattices.meet_all):
        met.extend(meet_all(*arguments))
        return met

    monkeypatch.setattr(stream_lattices, "meet_all", counted)
    options = {"unary": np.eye(2)[:, :, np.newaxis], "preset": preset, "quality": quality, "exact": True}
    plan = cs.plan_streamed(image, **options)
    cs.refine_streamed(image, **options, max_iter=0)
    assert 0.6 < plan.n_vertices / sum(vertices.keys.size for vertices in met) < 1.7


@pytest.mark.slow
def test_a_plan_knows_how_much_memory_it_takes(tmp_path):
    """In a process of its own; what it takes in memory for an image of a million pixels is mostly that of vertices."""
    program = """if True:
        import sys, numpy as np, classicseg as cs
        from benchmarks.shared.harness import peak_memory
        s = cs.sample("nuclei")
        options = {"preset": "pydensecrf", "max_iter": 3, "n_threads": 2}
        cs.refine_streamed(s.image, s.probabilities, **options)
        rng = np.random.default_rng(0)
        image = np.tile(s.image, (4, 4, 1))
        image = np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
        plan = cs.plan_streamed(image, s.probabilities, **options)
        print(plan.memory / peak_memory(lambda: cs.refine_streamed(image, s.probabilities, out=sys.argv[1], **options)))
        """
    command = [sys.executable, "-c", program, tmp_path / "labels.npy"]
    for _ in range(2):  # the first one may compile, which takes memory as well
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert 0.8 < float(done.stdout) < 3.5

import functools
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.kernels.regions import predicates as kernel_side
from classicseg.splitmerge import homogeneity, program
from classicseg.splitmerge.homogeneity import as_homogeneity
from classicseg.splitmerge.program import compiled
from classicseg.splitmerge.statistics import histogram_edges


def test_both_sides_mean_the_same_by_their_codes():
    names = ("AND", "OR", "RANGE", "STD", "MEAN", "RATIO", "HISTOGRAM", "OTSU", "CUSTOM")
    for name in names:
        assert getattr(kernel_side, name) == getattr(homogeneity, name)


def test_what_each_looks_at():
    flat, step = np.full((8, 1), 5.0), np.array([[0.0]] * 4 + [[100.0]] * 4)
    noisy = np.array([[0.0], [100.0]] * 4)
    for predicate in (cs.Range(9), cs.StdDev(9), cs.OtsuSeparability(contrast=9)):
        assert predicate.holds([flat])
        assert not predicate.holds([noisy])
    for predicate in (cs.MeanDifference(9), cs.VarianceRatio(2), cs.HistogramDistance(9)):
        assert predicate.holds([noisy[:4], noisy[4:]])  # equal parts, however noisy
        assert not predicate.holds([step[:4], step[4:]])
    same_mean = [np.full((8, 1), 50.0), noisy]
    assert cs.MeanDifference(9).holds(same_mean)
    assert not cs.HistogramDistance(9).holds(same_mean)


def test_every_channel_has_to_pass():
    values = np.zeros((4, 2))
    values[:2, 1] = 50
    assert cs.Range(60).holds([values])
    assert not cs.Range(40).holds([values])


def test_combinations():
    yes, no, part = cs.Range(200), cs.Range(1), [np.array([[0.0], [100.0]])]
    for a, b in ((yes, no), (no, yes), (yes, yes), (no, no)):
        assert (a & b).holds(part) == (a.holds(part) and b.holds(part))
        assert (a | b).holds(part) == (a.holds(part) or b.holds(part))
    assert (yes & no).monotone
    assert not (yes & cs.StdDev(2)).monotone
    mixed = cs.HistogramDistance(5, bins=8) & (cs.OtsuSeparability(bins=32) | cs.Custom(lambda r: True, bins=4))
    assert mixed.bins == 32
    assert mixed.first.bins == 32
    assert repr(cs.Range(2) & (cs.StdDev(1) | cs.Range(3))) == (
        "Range(threshold=2.0) & (StdDev(threshold=1.0) | Range(threshold=3.0))"
    )
    with pytest.raises(cs.InputError, match="at most 30 terms"):
        functools.reduce(operator.and_, [cs.Range(1)] * 40)


def test_numbers_and_functions_stand_for_predicates():
    assert as_homogeneity(24) == cs.Range(24)
    assert as_homogeneity(np.float32(2)) == cs.Range(2)

    def own(region):
        return region.count < 5

    assert as_homogeneity(own) == cs.Custom(own)
    assert (cs.Range(3) & own).holds([np.zeros((4, 1))])


@pytest.mark.slow
def test_functions_are_compiled_once_and_see_all_statistics():
    def own(region):
        mean = region.sum[0] / region.count
        variance = region.sum_squares[0] / region.count - mean * mean
        peak = region.histogram[0].max() / region.count
        return region.max[0] - region.min[0] <= 30 and variance <= 50 and peak >= 0.2

    predicate = cs.Custom(own, bins=8)
    image = np.random.default_rng(3).integers(0, 60, (24, 30)).astype(np.uint8)
    pixels = image.reshape(-1, 1)
    once, twice = (compiled(predicate, pixels, histogram_edges(pixels, 8)) for _ in range(2))
    assert once.predicate.addresses.tolist() == twice.predicate.addresses.tolist()
    labels = cs.split_and_merge(image, predicate)
    for label in range(1, labels.max() + 1):
        region = image[labels == label][:, None]
        assert predicate.holds([region], pixels) or len(region) == 1


@pytest.mark.filterwarnings("ignore:the values of image span only")
@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["a", "b", "c", "&", "|"]), min_size=1, max_size=9), st.integers(0, 2**31))
def test_programs_give_what_the_objects_give(tokens, seed):
    """Random postfix expressions, on two pixels that are one leaf if the predicate holds."""
    names = {"a": cs.Range(10), "b": cs.StdDev(4), "c": cs.MeanDifference(6)}
    stack = []
    for token in tokens:
        if token in names:
            stack.append(names[token])
        elif len(stack) > 1:
            second, first = stack.pop(), stack.pop()
            stack.append(first & second if token == "&" else first | second)
    if not stack:
        return
    values = np.random.default_rng(seed).integers(0, 16, (1, 2))
    parts = [values[:, :1].reshape(1, 1), values[:, 1:].reshape(1, 1)]
    assert (cs.split_and_merge(values, stack[-1], merge=None).max() == 1) == stack[-1].holds(parts)


def test_functions_that_mean_the_same_are_compiled_once(monkeypatch):
    program._compile.cache_clear()
    monkeypatch.setitem(globals(), "LIMIT", 50)
    image = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3

    def segment(t):
        return cs.split_and_merge(image, lambda q: q.max[0] - q.min[0] < min(t, LIMIT)).max()  # noqa: F821

    def n_compiled():
        return program._compile.cache_info().misses

    fine = segment(20)
    assert segment(20) == fine
    assert n_compiled() == 1
    coarse = segment(90)
    assert coarse < fine
    assert n_compiled() == 2
    monkeypatch.setitem(globals(), "LIMIT", 20)
    assert segment(90) == fine
    assert n_compiled() == 3
    assert program._meaning(lambda q, t=1: t) != program._meaning(lambda q, t=1.0: t)
    assert program._exactly((0.0, (1,))) != program._exactly((-0.0, (1,)))
    unhashable = functools.partial(operator.eq, [])
    assert program._meaning(unhashable) is unhashable

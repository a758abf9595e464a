"""The two ways through the kernels give the same labels, see classicseg/splitmerge/engine.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.splitmerge import any_predicate, gray_range
from classicseg.splitmerge.plan import make_plan
from tests.oracles import photo
from tests.splitmerge.test_split_merge import picture


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 2**32 - 1), st.data())
def test_they_agree_to_the_last_label(height, width, seed, data):
    image = picture((height, width), 1, seed, data.draw(st.sampled_from(["u1", "f4", "f8"])))[..., 0]
    plan = make_plan(
        image,
        data.draw(st.integers(1, 60)),
        min_size=data.draw(st.integers(1, 4)),
        max_depth=data.draw(st.sampled_from([None, None, 0, 3])),
        channel_axis=None,
        merge=data.draw(st.sampled_from(["fast", None])),
    )
    assert gray_range.can_run(plan)
    np.testing.assert_array_equal(gray_range.run(plan, 2), any_predicate.run(plan, 2))


def test_they_agree_where_the_last_block_is_one_pixel():
    rng = np.random.default_rng(0)
    for _ in range(200):
        plan = make_plan(rng.integers(0, 60, (5, 7)).astype(np.uint8), cs.Range(30))
        np.testing.assert_array_equal(gray_range.run(plan, 1), any_predicate.run(plan, 1))


def test_they_agree_on_an_image_of_several_groups_of_tiles():
    plan = make_plan(photo(1100, 620, 5, channels=1)[..., 0], cs.Range(20))
    assert gray_range.can_run(plan)
    np.testing.assert_array_equal(gray_range.run(plan, 1), any_predicate.run(plan, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"homogeneity": cs.StdDev(9)},
        {"homogeneity": cs.Range(9) & cs.Range(8)},
        {"merge_homogeneity": cs.Range(8)},
        {"merge": "best_first"},
        {"connectivity": 2},
        {"min_area": 2},
        {"mask": np.eye(6, 7, dtype=bool)},
        {"image": np.zeros((6, 7, 3), np.uint8)},
        {"image": np.zeros((6, 7, 5), np.uint8)},
    ],
)
def test_only_plain_problems_take_the_fast_one(change):
    plain = {"image": np.zeros((6, 7), np.uint8), "homogeneity": cs.Range(9)}
    assert gray_range.can_run(make_plan(**plain))
    assert not gray_range.can_run(make_plan(**{**plain, **change}))

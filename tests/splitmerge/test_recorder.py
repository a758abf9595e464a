import numpy as np
import pytest

import classicseg as cs
from tests.oracles import photo, same_partition


@pytest.fixture(scope="module")
def recorded():
    image = photo(45, 70, channels=1)[..., 0]
    return image, cs.record_split_and_merge(image, 30)


def test_recording_changes_nothing(recorded):
    image, result = recorded
    np.testing.assert_array_equal(result.labels, cs.split_and_merge(image, 30))


def test_the_replay_ends_where_the_segmentation_does(recorded):
    image, result = recorded
    record = result.record
    assert same_partition(record.leaves, cs.split_and_merge(image, 30, merge=None))
    np.testing.assert_array_equal(record.labels_after(0), record.leaves)
    assert same_partition(record.labels_after(len(record.merges)), result.labels)
    counts = [len(np.unique(record.labels_after(n))) for n in (0, 1, 10)]
    assert counts == [counts[0], counts[0] - 1, counts[0] - 10]


def test_blocks_of_each_depth_cover_the_image_and_end_in_the_leaves(recorded):
    image, result = recorded
    record = result.record
    for depth in range(record.depth + 1):
        covered = np.zeros(record.shape, int)
        for y, x, side in record.blocks_at(depth).tolist():
            covered[y : y + side, x : x + side] += 1
        assert (covered == 1).all()
    expected = cs.quadtree(image, 30)
    assert sorted(map(tuple, record.blocks_at(record.depth).tolist())) == sorted(map(tuple, expected.tolist()))
    assert record.tested[0].tolist() == [0, 0, 128]


def test_steps_in_words(recorded):
    _, result = recorded
    steps = list(result.record.steps())
    assert steps[0] == ("split", (0, 0, 128))
    kinds = [kind for kind, _ in steps]
    assert kinds.count("leaf") == result.record.leaves.max() + 1
    assert kinds.count("merge") == kinds.count("leaf") - result.n_regions


def test_masks_volumes_and_single_blocks():
    mask = np.ones((5, 6), bool)
    mask[2, 3] = False
    record = cs.record_split_and_merge(np.zeros((5, 6)), 1, mask=mask).record
    assert record.labels_after(len(record.merges))[2, 3] == -1
    assert cs.record_split_and_merge(np.zeros((1, 1)), 1).record.depth == 0
    volume = cs.record_split_and_merge(np.arange(60).reshape(3, 4, 5), 3).record
    assert volume.tested.shape[1] == 4


def test_bad_input_is_told(recorded):
    _, result = recorded
    with pytest.raises(cs.InputError, match="n_merges must be at most"):
        result.record.labels_after(10**6)
    with pytest.raises(cs.InputError, match="depth"):
        result.record.blocks_at(-1)

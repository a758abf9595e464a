"""Where labels of streamed runs go."""

import errno
import re

import numpy as np
import pytest

import classicseg as cs

COSTS = np.random.default_rng(0).integers(0, 20, (3, 12, 10)).astype(np.float32)
IMAGE = np.random.default_rng(1).integers(0, 256, (12, 10, 3)).astype(np.uint8)
RUNS = {
    "the bands that are done are": lambda **options: cs.minimum_cut_streamed(COSTS[:2], 3, **options),
    "what is done is": lambda **options: cs.expansion_streamed(COSTS, 3, **options),
    "the updates that are done are": lambda **options: cs.refine_streamed(IMAGE, unary=COSTS, max_iter=1, **options),
}


class Full:
    """An array on a disk that is full."""

    shape, dtype = (12, 10), np.dtype(np.int32)

    def __setitem__(self, window, labels):
        raise OSError(errno.ENOSPC, "No space left on device", "labels")


@pytest.mark.parametrize("what", RUNS)
def test_a_full_disk_is_told_with_where_the_rest_is_kept(tmp_path, what):
    folder = tmp_path / "state"
    with pytest.raises(OSError, match=re.escape(f"No space left on device; {what} kept in {folder}")) as told:
        RUNS[what](out=Full(), state=folder)
    assert told.value.errno == errno.ENOSPC
    assert told.value.filename == "labels"
    labels = np.zeros((12, 10), np.int32)
    RUNS[what](out=labels, state=folder)  # goes on from there
    assert not folder.exists()

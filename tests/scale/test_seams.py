"""Cells that several blocks share have one number."""

import numpy as np
import pytest
import scipy

pytest.importorskip("dask.array", reason="needs Dask: python -m pip install -e '.[scale]'")

import dask.array as da

from minunet import scale


def assert_same_cells(labels, truth):
    """Raise unless the numbers are 1, 2, ..., n, one for each of the true n."""
    pairs = np.unique(np.stack([labels.ravel(), truth.ravel()]), axis=1)
    assert labels.max() == truth.max() == len(np.unique(truth[truth > 0]))
    assert len(pairs.T) == len(np.unique(truth)) == len(np.unique(labels))


@pytest.mark.parametrize("chunks", [(13, 29), (97, 1), (50, 130), ((1, 96), (100, 30))])
def test_random_cells(rng, chunks):
    cell = rng.random((97, 130)) < 0.55
    labels = scale.label_cells(da.from_array(cell, chunks=chunks)).compute()
    assert labels.dtype == np.int32 and not labels[~cell].any()
    assert_same_cells(labels, scipy.ndimage.label(cell)[0])


def test_a_cell_over_four_blocks_and_others_beside_it():
    cell = np.zeros((8, 8), bool)
    cell[3:5, 3:5] = cell[0, :3] = cell[7, 7] = True
    labels = scale.label_cells(da.from_array(cell, chunks=(4, 4))).compute()
    assert len(np.unique(labels[3:5, 3:5])) == 1
    assert_same_cells(labels, scipy.ndimage.label(cell)[0])


def test_cells_that_meet_only_far_away(rng):
    """Two arms in one block are one cell through three other blocks."""
    cell = np.zeros((9, 9), bool)
    cell[1, 1:] = cell[7, 1:] = cell[1:8, 8] = True
    labels = scale.label_cells(da.from_array(cell, chunks=(9, 4))).compute()
    assert labels.max() == 1 and (labels == cell).all()


def test_corners_do_not_touch_and_background_has_no_number():
    cell = np.eye(4, dtype=bool)
    assert scale.label_cells(da.from_array(cell, chunks=(2, 2))).max().compute() == 4
    assert scale.label_cells(da.zeros((5, 7), bool, chunks=3)).max().compute() == 0

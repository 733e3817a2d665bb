"""weights.png: near cells have different colours, and the picture is there."""

import numpy as np
import pytest
from PIL import Image

from minunet import weight_map
from minunet.data import Sample, synthetic_cells
from minunet.plot_weights import NEAR, coloured, plot_weight_map


def test_cells_that_touch_differ_and_background_is_black():
    _, instances = synthetic_cells(np.random.default_rng(0), 150, 200)
    colours = coloured(instances).astype(int)
    assert colours.shape == (150, 200, 3) and not colours[instances == 0].any()
    left, right = instances[:, :-NEAR], instances[:, NEAR:]
    near = (left != right) & (left > 0) & (right > 0)
    assert near.sum() > 100
    differ = (colours[:, :-NEAR] != colours[:, NEAR:]).any(axis=2)
    assert differ[near].all()
    for number in np.unique(instances):
        assert len(np.unique(colours[instances == number], axis=0)) == 1


def test_without_background_no_cell_is_black():
    colours = coloured(np.array([[4, 4, 9, 9]]))
    assert colours.any(axis=2).all() and (colours[0, 0] != colours[0, 3]).any()


@pytest.mark.parametrize("told_apart", [True, False])
def test_the_picture(tmp_path, told_apart):
    image, instances = synthetic_cells(np.random.default_rng(1), 60, 80)
    sample = Sample("a", image[None], (instances > 0).astype(np.uint8), instances if told_apart else None)
    plot_weight_map(sample, weight_map(instances), tmp_path / "weights.png")
    with Image.open(tmp_path / "weights.png") as picture:
        assert picture.width > 1000 and len(np.unique(np.array(picture).reshape(-1, 4), axis=0)) > 100

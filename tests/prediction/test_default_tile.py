"""The tile that predict takes by itself: few tiles, nearly equal, none larger than it must be."""

import math

import numpy as np
import pytest

from minunet import InputError, init_unet, predict
from minunet.network.sizes import LARGEST_TILE, output_size
from minunet.prediction.plan import LARGEST, default_tile, output_windows
from minunet.prediction.rotations import versions


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_it_covers_any_length_in_as_few_equal_parts_as_the_largest_allows(depth):
    step = 2**depth
    for length in range(1, 1700, 7):
        height, width = default_tile((length, 3), depth)
        assert output_size(width, depth) < 2 * step + 4
        output = output_size(height, depth) // step * step  # tiles lie a multiple of the step apart
        parts = math.ceil(length / output)
        assert output <= LARGEST and parts == math.ceil(length / LARGEST)
        assert output - math.ceil(length / parts) < step


def test_an_image_of_512_pixels_is_one_tile_and_one_of_513_is_two():
    (version,) = versions(1, (512, 513))
    windows = list(output_windows([(version, default_tile((512, 513), 4))], 4))
    assert [(top, left) for _, _, top, left, _, _ in windows] == [(0, 0), (0, 272)]


def test_a_tile_beyond_any_memory_is_refused():
    params = init_unet(np.random.default_rng(0), base_channels=1, depth=1)
    with pytest.raises(InputError, match="tile must be at most 65,536 pixels, got 1000000; leave it out"):
        predict(params, np.zeros((20, 20)), tile=(44, 1_000_000))
    assert LARGEST_TILE == 65_536

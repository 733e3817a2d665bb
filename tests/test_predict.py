"""Overlap-tile: every pixel as if the network had seen the whole mirrored image at once."""

import numpy as np
import pytest

from minunet import init_unet, predict, unet_forward
from minunet.data import mirror_pad
from minunet.errors import InputError
from minunet.shapes import border, smallest_input_size


def by_definition(params, image):
    """One forward pass over the image with mirrored margins, as large as they must be."""
    depth = len(params["encode"])
    H, W = image.shape[-2:]
    height, width = (smallest_input_size(n, depth) for n in (H, W))
    margin = border(depth) // 2
    x = mirror_pad(image, margin, height - H - margin, margin, width - W - margin)
    logits, _ = unet_forward(params, x[None])
    exp = np.exp(logits[0, :, :H, :W])
    return exp / exp.sum(axis=0)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (37, 64), (40, 23), (90, 41)])
@pytest.mark.parametrize("tile", [None, 44, 52, (60, 44)])
def test_tiles_equal_one_shot(small_unet, rng, size, tile):
    image = rng.standard_normal((1, *size))
    probabilities = predict(small_unet, image, tile)
    assert probabilities.shape == (3, *size)
    np.testing.assert_allclose(probabilities, by_definition(small_unet, image), rtol=1e-10)


def test_a_large_image_is_split_into_tiles_by_itself(rng):
    params = init_unet(rng, base_channels=2, depth=1)
    image = rng.standard_normal((600, 40)).astype(np.float32)
    np.testing.assert_allclose(predict(params, image), by_definition(params, image[None]), atol=1e-5)


def test_probabilities_sum_to_one_in_the_dtype_of_the_network(rng):
    params = init_unet(rng, in_channels=2, num_classes=4, base_channels=2, depth=1)
    probabilities = predict(params, rng.standard_normal((2, 20, 31)))
    assert probabilities.shape == (4, 20, 31)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-6)


def test_a_plain_plane_is_an_image_of_one_channel(small_unet, rng):
    image = rng.standard_normal((30, 21))
    np.testing.assert_array_equal(predict(small_unet, image), predict(small_unet, image[None]))


@pytest.mark.parametrize("rotations", [4, 8])
def test_averaging_over_rotations_turns_with_the_image(small_unet, rng, rotations):
    image = rng.standard_normal((25, 38))
    turned = predict(small_unet, np.rot90(image), rotations=rotations)
    np.testing.assert_allclose(turned, np.rot90(predict(small_unet, image, rotations=rotations), axes=(1, 2)))


def test_four_rotations_are_the_mean_over_quarter_turns(small_unet, rng):
    image = rng.standard_normal((16, 20))
    turns = [np.rot90(predict(small_unet, np.rot90(image, k)), -k, axes=(1, 2)) for k in range(4)]
    np.testing.assert_allclose(predict(small_unet, image, rotations=4), np.mean(turns, axis=0))


def test_eight_rotations_do_not_care_about_a_mirror_and_four_do(small_unet, rng):
    image = rng.standard_normal((16, 20))
    by_eight, by_four = (
        [predict(small_unet, image, rotations=n), predict(small_unet, image[:, ::-1], rotations=n)[..., ::-1]]
        for n in (8, 4)
    )
    np.testing.assert_allclose(*by_eight)
    assert not np.allclose(*by_four)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tile": 43}, "input size 43 does not fit depth 2; the smallest valid size is 44"),
        ({"tile": (44, 44, 44)}, "tile must be one size or (height, width)"),
        ({"rotations": 3}, "rotations must be 1, 4 (quarter turns) or 8 (and mirrored), got 3"),
        ({"image": np.zeros((3, 20, 20))}, "image must have shape (H, W) or (1, H, W) for this network"),
        ({"image": np.zeros((0, 20))}, "got (1, 0, 20)"),
        ({"image": np.full((20, 20), np.nan)}, "image must be finite, got NaN or infinity in 400 values"),
    ],
)
def test_what_cannot_be_predicted_is_said(small_unet, change, message):
    with pytest.raises(InputError) as error:
        predict(small_unet, **{"image": np.zeros((20, 20)), **change})
    assert message in str(error.value)


def test_a_tile_whose_output_is_smaller_than_its_step_names_the_smallest(rng):
    params = init_unet(rng, base_channels=1, depth=4)
    with pytest.raises(InputError, match="got tile 188 with 4; the smallest tile is 204"):
        predict(params, np.zeros((20, 20)), tile=188)
    assert predict(params, np.zeros((20, 20)), tile=204).shape == (2, 20, 20)

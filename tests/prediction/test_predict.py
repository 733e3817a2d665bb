"""Overlap-tile: every pixel as if the network had seen the whole mirrored image at once."""

import sys
import tracemalloc

import numpy as np
import pytest
import scipy.ndimage

import minunet
from minunet import Network, Normalisation, init_unet, load_network, predict, to_device
from minunet.backend import map_tree
from minunet.data import Sample, fit_normalisation, mirror_pad, normalise, synthetic_cells
from minunet.errors import InputError
from minunet.network.sizes import border, smallest_input_size
from minunet.prediction.checks import SLICE, check_image


def by_definition(params, image):
    """One forward pass over the image with mirrored margins, as large as they must be."""
    depth = len(params["encode"])
    H, W = image.shape[-2:]
    height, width = (smallest_input_size(n, depth) for n in (H, W))
    margin = border(depth) // 2
    x = mirror_pad(image, margin, height - H - margin, margin, width - W - margin)
    logits, _ = minunet.unet_forward(params, x[None])
    exp = np.exp(logits[0, :, :H, :W])
    return exp / exp.sum(axis=0)


def seven_by_definition(params, image):
    """Turn the mirrored plane about its centre by sevenths of a turn, predict, turn back; the mean over the seven."""
    size = np.array(image.shape[1:])
    pad = 3 * max(size) + 60
    plane = mirror_pad(image[0], pad, pad, pad, pad)
    positions = np.mgrid[: size[0], : size[1]].reshape(2, -1) - (size[:, None] - 1) / 2  # from the centre
    total = 0
    for angle in 2 * np.pi * np.arange(7) / 7:
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned_size = np.ceil(abs(turn) @ size - 1e-9).astype(int)
        middle = (turned_size[:, None] - 1) / 2
        margin = 40  # more than the border, and a multiple of 2**depth
        grid = np.indices(turned_size + 2 * margin).reshape(2, -1) - margin - middle
        seen = scipy.ndimage.map_coordinates(plane, turn.T @ grid + (size[:, None] - 1) / 2 + pad, order=3)
        p = by_definition(params, seen.reshape(1, *(turned_size + 2 * margin)))
        back = [scipy.ndimage.map_coordinates(k, turn @ positions + middle + margin, order=1) for k in p]
        total = total + np.stack(back).reshape(-1, *size) / 7
    return total


SIZES = [(1, 1), (3, 26), (21, 30), (26, 9), (42, 17)]  # smaller than the border, thin, and more than a tile


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tile", [None, 44, 52, (60, 44)])
def test_tiles_equal_one_shot(small_unet, rng, size, tile):
    image = rng.standard_normal((1, *size))
    probabilities = minunet.predict(small_unet, image, tile)
    assert probabilities.shape == (3, *size)
    np.testing.assert_allclose(probabilities, by_definition(small_unet, image), rtol=1e-10)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("tile", [100, (108, 132)])
def test_tiles_pool_the_same_windows_where_outputs_are_no_multiples_of_the_pooling(rng, tile):
    params = init_unet(rng, base_channels=2, depth=3, dtype=np.float64)  # outputs are 12, 20 and 44 pixels, not 8 k
    image = rng.standard_normal((1, 50, 61))
    np.testing.assert_allclose(minunet.predict(params, image, tile), by_definition(params, image), rtol=1e-10)


@pytest.mark.parametrize("rotations", [4, 8])
@pytest.mark.parametrize("size", SIZES[:-1])
def test_the_tile_does_not_matter_to_symmetries(small_unet, rng, size, rotations):
    image = rng.standard_normal(size)
    expected = predict(small_unet, image, rotations=rotations)
    for tile in (52, (60, 44)):
        np.testing.assert_allclose(predict(small_unet, image, tile, rotations), expected, rtol=1e-10)


@pytest.mark.parametrize("size", SIZES[:-1])
@pytest.mark.parametrize("tile", [None, 52, (60, 44)])
def test_seven_rotations_are_the_mean_by_definition_for_every_tile(small_unet, rng, size, tile):
    image = rng.standard_normal((1, *size))
    probabilities = predict(small_unet, image, tile, rotations=7)
    np.testing.assert_allclose(probabilities, seven_by_definition(small_unet, image), rtol=0, atol=1e-7)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-12)


@pytest.mark.parametrize("rotations", [1, 4, 7, 8])
def test_the_tile_does_not_matter_in_float32(rng, rotations):
    params = init_unet(rng, base_channels=4, depth=2)
    image = rng.standard_normal((45, 70)).astype(np.float32)
    tiles = [predict(params, image, tile, rotations) for tile in (None, 60, (76, 68))]
    np.testing.assert_allclose(tiles[1], tiles[0], rtol=0, atol=1e-4)
    np.testing.assert_allclose(tiles[2], tiles[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("rotations", [1, 7])
def test_a_file_is_read_and_written_by_slices(small_unet, rng, tmp_path, rotations):
    grey = rng.integers(0, 256, (50, 61)).astype(np.uint8)
    normalisation = {"mean": np.float32([90]), "std": np.float32([40])}
    expected = predict(small_unet, normalise(grey[None], normalisation), rotations=rotations)
    shape = {"dtype": np.uint8, "mode": "w+", "shape": grey.shape}
    file, out = np.memmap(tmp_path / "grey", **shape), np.memmap(tmp_path / "p", "f4", "w+", shape=(3, *grey.shape))
    file[:] = grey
    out[:] = np.nan
    result = predict(small_unet, file, 52, rotations, normalisation=normalisation, out=out)
    assert result is out
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(
        predict(small_unet, OnlySlices(file), 52, normalisation=normalisation).shape, out.shape
    )


class OnlySlices:
    """An array of a file format that knows plain slices only, and counts the values it gives."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.largest = array, array.shape, array.dtype, 0

    def __getitem__(self, key):
        assert all(part is ... or isinstance(part, slice) for part in key)
        part = self.array[key]
        self.largest = max(self.largest, part.size)
        return part


@pytest.mark.slow
@pytest.mark.parametrize("rotations, sizes", [(1, (1100, 1600)), (7, (450, 640))])
def test_memory_does_not_grow_with_the_image(tmp_path, rng, rotations, sizes):
    params = init_unet(rng, base_channels=1, depth=1)
    peaks = []
    for n in (sizes[0], *sizes):  # the first one imports what it needs
        image = np.memmap(tmp_path / "image", np.float16, "w+", shape=(n, n))
        out = np.memmap(tmp_path / "out", np.float32, "w+", shape=(2, n, n))
        tracemalloc.start()
        predict(params, image, 144, rotations, out=out)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.05 * peaks[1]


@pytest.mark.parametrize(("rotations", "side"), [(1, 44), (4, 44), (7, 2**0.5 * 44 + 2 * 16 + 2)])
def test_no_more_of_a_file_is_read_at_once_than_a_tile_needs(rng, rotations, side):
    params = init_unet(rng, base_channels=1, depth=1)
    file = OnlySlices(rng.integers(-5, 6, (60, 300)).astype(np.int8))
    predict(params, file, 44, rotations)
    assert 44 <= file.largest <= side**2


def test_a_file_is_checked_band_by_band(small_unet, rng):
    file = OnlySlices(rng.standard_normal((1500, 2000)).astype(np.float16))
    check_image(small_unet, file)
    assert 1500 * 2000 / 3 < file.largest <= SLICE
    file.array[[0, 700, 1499], [3, 4, 1999]] = np.nan, np.inf, np.nan
    with pytest.raises(InputError, match="in 3 values"):
        check_image(small_unet, file)


@pytest.mark.parametrize("rotations", [1, 7])
def test_the_progress_bar_counts_the_tiles(small_unet, monkeypatch, rotations):
    bars = []

    class Bar:
        def __init__(self, total, **options):
            self.total, self.count = total, 0
            bars.append(self)

        __enter__, __exit__ = lambda self: self, lambda self, *error: None

        def update(self):
            self.count += 1

    monkeypatch.setattr(sys.modules[predict.__module__], "ProgressBar", Bar)
    predict(small_unet, np.zeros((20, 25)), 52, rotations, progress=True)
    (bar,) = bars
    assert bar.count == bar.total >= 6 * rotations  # an output is 12 pixels wide


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
        ({"tile": 44.0}, "tile must be one size or (height, width), got 44.0; the smallest is 44"),
        ({"tile": "44"}, "tile must be one size or (height, width), got '44'"),
        ({"tile": True}, "tile must be one size or (height, width), got True"),
        ({"tile": 8}, "got 8; to average over 8 versions of the image write rotations=8"),
        ({"tile": 1}, "got 1; to average over 1 versions of the image write rotations=1"),
        (
            {"rotations": 3},
            "rotations must be 1 (none), 4 (quarter turns), 7 (sevenths of a turn) or 8",
        ),
        ({"rotations": 8.0}, "rotations must be 1 (none), 4 (quarter turns), 7 (sevenths of a turn) or 8"),
        ({"rotations": True}, "mirrored too), got True; 1 is quickest"),
        ({"image": np.zeros((3, 20, 20))}, "image must have shape (H, W) or (1, H, W) for this network"),
        ({"image": np.zeros((0, 20))}, "got (1, 0, 20)"),
        ({"image": np.full((20, 20), np.nan)}, "image must be finite, got NaN or infinity in 400 values"),
        ({"image": np.full((20, 20), 1j)}, "image must hold numbers, got complex128"),
        ({"normalisation": {"mean": np.zeros(3), "std": np.ones(3)}}, "expected an image (C, H, W) with 3 channels"),
        ({"normalisation": {"mean": np.zeros(1), "std": np.zeros(1)}}, "finite means and a std above 0"),
        ({"normalisation": "image"}, "expected images with contrast, got a standard deviation of 0"),
        ({"normalisation": {}}, 'for each image by its own numbers write "image"'),
        ({"normalisation": "dataset"}, "normalisation must be a Normalisation"),
        ({"out": np.zeros((2, 20, 20))}, "out must be an array of floats (3, 20, 20), got float64 (2, 20, 20)"),
        ({"out": np.zeros((3, 20, 20), int)}, "out must be an array of floats (3, 20, 20), got int64 (3, 20, 20)"),
        ({"out": np.broadcast_to(0.0, (3, 20, 20))}, "out must be writeable, got a read-only array"),
    ],
)
def test_what_cannot_be_predicted_is_said(small_unet, change, message):
    with pytest.raises(InputError) as error:
        predict(small_unet, **{"image": np.zeros((20, 20)), **change})
    assert message in str(error.value)


@pytest.mark.parametrize(
    "change", [{"tile": 43}, {"rotations": 3}, {"normalisation": {"mean": np.zeros(3), "std": np.ones(3)}}, {"nan": 1}]
)
def test_bad_input_is_found_before_anything_is_written(small_unet, change):
    image, out = np.zeros((200, 60)), np.full((3, 200, 60), 7.0)
    if change.pop("nan", False):
        image[-1, -1] = np.nan
    with pytest.raises(InputError):
        predict(small_unet, image, out=out, **change)
    assert (out == 7).all()


def test_a_tile_whose_output_is_smaller_than_its_step_names_the_smallest(rng):
    params = init_unet(rng, base_channels=1, depth=4)
    with pytest.raises(InputError, match="got tile 188 with 4; the smallest tile is 204"):
        predict(params, np.zeros((20, 20)), tile=188)
    assert predict(params, np.zeros((20, 20)), tile=204).shape == (2, 20, 20)


@pytest.fixture
def dim_cells():
    """Return an image of a camera that the bundled network does not know, (1, 100, 90), and its labels."""
    image, instances = synthetic_cells(np.random.default_rng(99), 100, 90)
    return 400 * image[None] + 1000, instances > 0


def wrong(probabilities, labels):
    return np.mean(probabilities.argmax(axis=0) != labels)


def test_grey_values_from_0_to_1_are_known_from_normalised_ones(small_unet, rng, recwarn):
    image, _ = synthetic_cells(rng, 70, 80)  # float32, from 0 to 1
    eight_bits = np.round(255 * image)
    dark = np.round(9 * image).astype(np.uint8)
    for raw in (image, eight_bits / 255, (eight_bits / 65535).astype(np.float32), dark, dark.astype(float)):
        with pytest.warns(UserWarning, match="expected a mean near 0, got only values from"):
            predict(small_unet, raw, 60)
    recwarn.clear()
    normalised = normalise(image[None], "image")
    brighter = normalised[:, 10:40, 20:50] - normalised.min()  # all of it above the mean of the training images
    for other in (normalised, -normalised, brighter, brighter / brighter.max(), np.zeros((70, 80)), np.ones((70, 80))):
        predict(small_unet, other, 60)
    assert not recwarn.list


def test_a_network_normalises_as_it_was_trained(dim_cells):
    image, labels = dim_cells
    network = load_network("cells")
    assert wrong(predict(network, image), labels) < 0.08
    with pytest.warns(UserWarning, match="expected a mean near 0, got"):
        assert wrong(predict(network.params, image), labels) > 0.3  # what parameters alone make of raw grey values
    for normalisation in ("image", network.normalisation, Normalisation("image")):
        found = predict(network.params, image, normalisation=normalisation)
        np.testing.assert_array_equal(found, predict(network, image))


def test_the_numbers_of_a_data_set_are_the_networks_own(small_unet, rng):
    normalisation = fit_normalisation([Sample("a", rng.normal(90, 40, (1, 50, 60)), np.zeros((50, 60)), None)])
    image = rng.normal(60, 40, (30, 41))
    expected = predict(small_unet, normalise(image[None], normalisation))
    np.testing.assert_array_equal(predict(Network(small_unet, normalisation), image), expected)
    numbers = {"mean": normalisation.mean, "std": normalisation.std}  # no limits; none is reached here
    np.testing.assert_array_equal(predict(small_unet, image, normalisation=numbers), expected)
    by_itself = predict(Network(small_unet, normalisation), image, normalisation="image")
    np.testing.assert_array_equal(by_itself, predict(Network(small_unet, Normalisation("image")), image))
    assert np.abs(by_itself - expected).max() > 1e-3


def test_an_image_in_a_file_is_normalised_by_all_of_itself(small_unet, rng):
    image = rng.integers(0, 256, (90, 70)).astype(np.uint8)
    image[:40] //= 4  # so that a tile alone would have other numbers
    network = Network(small_unet, Normalisation("image"))
    expected = predict(small_unet, normalise(image[None], "image"))
    np.testing.assert_allclose(predict(network, OnlySlices(image), 52), expected, rtol=1e-6)


@pytest.mark.gpu
def test_a_network_moves_to_the_gpu_as_a_whole(small_unet, rng):
    network = Network(small_unet, Normalisation("dataset", np.float32([3]), np.float32([2])))
    image = rng.standard_normal((20, 25))
    np.testing.assert_allclose(predict(to_device(network, "gpu"), image), predict(network, image), rtol=1e-10)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("cells", "got 'cells'; load_network reads one from a path"),
        ({"weight": 1}, "got a dict"),
        (None, "got a NoneType"),
        (Network({"weight": 1}, Normalisation("image")), "got a dict"),
    ],
)
def test_what_is_no_network_is_told(network, message):
    with pytest.raises(InputError, match=r"network must be a Network, as from minunet\.load_network") as error:
        predict(network, np.zeros((20, 20)))
    assert message in str(error.value)


def test_what_holds_a_network_is_told_where(small_unet):
    class Holder:
        network = Network(small_unet, Normalisation("image"))

    with pytest.raises(InputError, match=r"got a Holder; take its \.network"):
        predict(Holder(), np.zeros((20, 20)))


def test_weights_beyond_what_their_numbers_hold_are_told_not_predicted(small_unet, rng):
    params = map_tree(lambda x: np.full_like(x, 1e200), small_unet)
    with pytest.raises(InputError, match="must give finite numbers, got NaN: its weights, or the image's values"):
        predict(params, rng.standard_normal((20, 20)))

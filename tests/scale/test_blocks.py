"""Prediction of Dask arrays: equal to that of the whole image, whatever the chunks and the scheduler."""

import numpy as np
import pytest

from minunet import Network, Normalisation, init_unet, load_network, predict
from minunet.data import synthetic_cells
from minunet.errors import InputError

pytest.importorskip("dask.array", reason="needs Dask: python -m pip install -e '.[scale]'")

import dask.array as da

from minunet import scale
from minunet.scale import grey_values


def in_float64(rng, in_channels, num_classes, depth):
    return init_unet(rng, in_channels, num_classes, base_channels=4, depth=depth, dtype=np.float64)


@pytest.mark.parametrize(
    ("depth", "shape", "chunks"),
    [
        (1, (1, 101, 77), (1, 37, 29)),
        (2, (2, 150, 212), (1, 37, 61)),
        (2, (9, 7), (3, 3)),  # smaller than the border
        (3, (133, 101), (64, 101)),  # from depth 3 on the margins of the two sides differ
        (1, (1, 1, 40), (1, 1, 7)),
    ],
)
def test_blocks_equal_the_whole_image(rng, depth, shape, chunks):
    network = in_float64(rng, 1 if len(shape) == 2 else shape[0], 3, depth)
    image = rng.standard_normal(shape)
    lazy = scale.predict(network, da.from_array(image, chunks=chunks))
    assert lazy.shape == (3, *shape[-2:]) and lazy.dtype == np.float64
    np.testing.assert_allclose(lazy.compute(scheduler="threads"), predict(network, image), rtol=0, atol=1e-12)


def test_one_tile_or_another(rng):
    network, image = in_float64(rng, 1, 2, 2), rng.standard_normal((90, 140))
    lazy = scale.predict(network, da.from_array(image, chunks=(90, 140)), tile=(76, 108))
    np.testing.assert_allclose(lazy.compute(), predict(network, image), rtol=0, atol=1e-12)


def test_the_network_that_comes_along_in_float32():
    image, _ = synthetic_cells(np.random.default_rng(3), 150, 210)
    whole = predict(load_network("cells"), image)
    lazy = scale.predict(load_network("cells"), da.from_array(image, chunks=(61, 210)))
    assert np.abs(lazy.compute() - whole).max() < 1e-5  # as two tiles of `predict` differ: by rounding
    assert np.median(np.abs(lazy.compute() - whole)) < 1e-7


def test_any_number_of_grey_values_and_normalisations(rng):
    params, image = in_float64(rng, 1, 2, 1), rng.integers(0, 19, (1, 60, 50)).astype(np.uint16)
    lazy = da.from_array(image, chunks=(1, 25, 25))
    with pytest.warns(UserWarning, match="expected a mean near 0, got only values from 0 to 18"):
        expected = predict(params, image)
    with pytest.warns(UserWarning, match="expected a mean near 0, got values of type uint16") as raised:
        np.testing.assert_allclose(scale.predict(params, lazy), expected, atol=1e-12)
    assert raised[0].filename == __file__
    for normalisation in ("image", {"mean": np.array([9.0]), "std": np.array([5.5])}):
        expected = predict(params, image, normalisation=normalisation)
        np.testing.assert_allclose(scale.predict(params, lazy, normalisation=normalisation), expected, atol=1e-12)
    network = Network(params, Normalisation("image"))
    np.testing.assert_allclose(scale.predict(network, lazy), predict(network, image), atol=1e-12)


def test_numbers_of_a_large_image_are_those_of_some_rows_and_columns(rng, monkeypatch):
    image = rng.standard_normal((1, 90, 70)).astype(np.float32)
    monkeypatch.setattr(grey_values, "ENOUGH", 90 * 70 / 8)
    numbers = grey_values.numbers_of(da.from_array(image, chunks=(1, 11, 70)))
    np.testing.assert_allclose(numbers.mean, image[:, ::3, ::3].mean(axis=(1, 2)), rtol=1e-5)


def test_nothing_is_read_before_it_is_asked_for(rng):
    class Unread:
        shape, dtype, ndim = (1, 64, 64), np.dtype(float), 3

        def __getitem__(self, index):
            raise AssertionError("read")

    image = da.from_array(Unread(), chunks=(1, 32, 32), meta=np.empty((0, 0, 0)))
    lazy = scale.predict(in_float64(rng, 1, 2, 1), image)
    with pytest.raises(AssertionError, match="read"):
        lazy.compute()


def test_nan_is_named_by_its_block(rng):
    image = np.zeros((100, 120))
    image[70, 110] = np.nan
    lazy = scale.predict(in_float64(rng, 1, 2, 1), da.from_array(image, chunks=(40, 40)))
    assert np.isfinite(lazy[:, :40, :40].compute()).all()
    with pytest.raises(InputError, match="NaN or infinity in 1 values in or near the block that begins at row 40, col"):
        lazy.compute(scheduler="sync")


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        ((3, 20, 20), float, r"image must have shape \(H, W\) or \(1, H, W\) for this network, got \(3, 20, 20\)"),
        ((2, 2, 20, 20), float, "image must have shape"),
        ((0, 20), float, "image must have shape"),
        ((20, 20), complex, "image must hold numbers"),
    ],
)
def test_an_image_that_does_not_fit_is_refused_at_once(rng, shape, dtype, words):
    with pytest.raises(InputError, match=words):
        scale.predict(in_float64(rng, 1, 2, 1), da.zeros(shape, dtype=dtype))


def test_a_tile_that_is_too_small(rng):
    with pytest.raises(InputError, match="tile must be at least 18 pixels, got 8"):
        scale.predict(in_float64(rng, 1, 2, 1), da.zeros((20, 20)), tile=8)

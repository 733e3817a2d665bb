"""Networks by name or path, and what a stranger sees of them."""

import numpy as np
import pytest

from minunet import InputError, Network, Normalisation, flatten, load_network, save_network
from minunet.network.trained import BUNDLED


def test_the_bundled_network_says_how_it_normalises():
    network = load_network("cells")
    assert network.normalisation == Normalisation("image")
    assert sum(x.size for x in flatten(network.params).values()) == 481_762
    for name, x in flatten(load_network(BUNDLED["cells"]).params).items():
        np.testing.assert_array_equal(x, flatten(network.params)[name])


@pytest.mark.parametrize("as_path", [str, lambda path: path])
def test_a_network_is_stored_and_loaded_by_its_path(tmp_path, small_unet, as_path):
    normalisation = Normalisation("dataset", *(np.float32([x]) for x in (3, 2, -1, 9)))
    save_network(as_path(tmp_path / "mine.npz"), Network(small_unet, normalisation))
    network = load_network(as_path(tmp_path / "mine.npz"))
    assert network.normalisation == normalisation
    for name, x in flatten(small_unet).items():
        np.testing.assert_array_equal(flatten(network.params)[name], x)


def test_the_word_image_is_stored_too(tmp_path, small_unet):
    save_network(tmp_path / "mine.npz", Network(small_unet, "image"))
    assert load_network(tmp_path / "mine.npz").normalisation == Normalisation("image")


@pytest.mark.parametrize("name", ["cell", "runs/nothing/checkpoint.npz"])
def test_an_unknown_name_is_told(name):
    with pytest.raises(InputError, match=f"expected cells, which comes .*, found no file {name}; `minunet train`"):
        load_network(name)


def test_a_network_shows_its_size_and_not_its_numbers(small_unet):
    network = Network(small_unet, Normalisation("image"))
    expected = "Network(1 in, 3 classes, 2 base channels, depth 2, 1,889 parameters, normalisation by image)"
    assert repr(network) == expected

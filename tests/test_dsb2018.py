"""The nuclei of dsb2018: many mask files an image, and every error that the reader explains."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minunet import InputError
from minunet.data import load_data, read_dsb2018

REAL = Path(__file__).parents[2] / "shared" / "data" / "dsb2018"


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def nucleus(y, x, size=(20, 24)):
    array = np.zeros(size, np.uint8)
    array[y : y + 6, x : x + 5] = 255
    return array


def nuclei_folder(path, count=5):
    """Each image: a lone nucleus, two that touch, and one that shares a pixel with a third."""
    rng = np.random.default_rng(0)
    for i in range(count):
        grey = rng.integers(0, 256, (20, 24), np.uint8)
        opaque = np.full_like(grey, 255)
        save(path / f"id{i}" / "images" / f"id{i}.png", np.dstack([grey, grey, grey, opaque]))
        for k, (y, x) in enumerate([(1, 1), (1, 10), (1, 15), (10, 3), (15, 7)]):
            save(path / f"id{i}" / "masks" / f"m{k}.png", nucleus(y, x))
    return path


@pytest.mark.parametrize("inside", ["", "stage1_train"])
def test_nuclei(tmp_path, inside):
    nuclei_folder(tmp_path / inside)
    dataset = load_data(f"dsb2018:{tmp_path}")
    assert dataset.name == "dsb2018"
    assert [s.name for s in dataset.train] == ["id0", "id1", "id2", "id3"] and dataset.validation[0].name == "id4"
    sample = dataset.train[0]
    assert sample.image.shape == (1, 20, 24) and sample.known is None  # grey in four channels is one channel
    instances = sample.instances
    np.testing.assert_array_equal(instances == 1, nucleus(1, 1) > 0)
    np.testing.assert_array_equal(instances == 2, nucleus(1, 10) > 0)
    assert (instances[1:7, 15] == 0).all() and (instances[1:7, 16:20] == 3).all()  # the second of equal ones gives way
    assert instances[15, 7] == 0  # claimed by both 4 and 5
    np.testing.assert_array_equal(sample.labels, instances > 0)


def test_errors(tmp_path):
    with pytest.raises(InputError, match=r"one a nucleus, found no folder .*nowhere; check the path"):
        read_dsb2018(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"expected at least 2 folders ID .*, found 0; check"):
        read_dsb2018(tmp_path)
    nuclei_folder(tmp_path, count=2)
    save(tmp_path / "id1" / "masks" / "m9.png", nucleus(2, 2))
    with pytest.raises(InputError, match=r"m9.png: expected masks that do not overlap, got 20 pixels .* in m0"):
        read_dsb2018(tmp_path)
    save(tmp_path / "id1" / "masks" / "m9.png", nucleus(2, 2, (20, 25)))
    with pytest.raises(InputError, match=r"m9.png: expected a mask of 20x24 like its image, got 20x25; redo"):
        read_dsb2018(tmp_path)
    for path in (tmp_path / "id0" / "masks").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"id0: expected one image and its masks, found 1 and 0; add them"):
        read_dsb2018(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="the nuclei of dsb2018 are not here")
def test_real_nuclei():
    dataset = read_dsb2018(REAL)
    assert len(dataset.train) == 60 and len(dataset.validation) == 20
    assert all(sample.image.shape == (1, 256, 256) for sample in dataset.train)
    assert np.mean([len(np.unique(sample.instances)) - 1 for sample in dataset.train]) == pytest.approx(39, abs=4)

"""The nuclei of the Data Science Bowl: many mask files per image, whose nuclei may touch but hardly overlap."""

import numpy as np
import pytest
from PIL import Image

from minunet.data import load_data, read_dsb2018
from minunet.data.readers.dsb2018 import LAYOUT
from minunet.errors import InputError


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path)


def nucleus(top, bottom, left, right, shape=(20, 24)):
    mask = np.zeros(shape, np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


LONE, LEFT, RIGHT = nucleus(14, 18, 3, 9), nucleus(2, 12, 2, 8), nucleus(2, 12, 8, 16)


def image_folder(folder, name, *masks, channels=(4,)):
    image = np.random.default_rng(0).integers(0, 200, (*masks[0].shape, 1), np.uint8)
    image = np.repeat(image, 4, axis=2)
    image[..., 3] = 255  # opaque, as in the public data
    image = image[..., : channels[0]] if channels else image[..., 0]
    save(folder / name / "images" / f"{name}.png", image)
    for number, mask in enumerate(masks):
        save(folder / name / "masks" / f"nucleus{number}.png", mask)
    return image


@pytest.mark.parametrize("parent", [".", "stage1_train"])
def test_images_and_their_nuclei(tmp_path, parent):
    for name in "dbca":
        image = image_folder(tmp_path / parent, name, LEFT, RIGHT, LONE)
    (tmp_path / parent / "__MACOSX").mkdir()
    dataset = load_data(f"dsb2018:{tmp_path}")
    assert [s.name for s in dataset.train] == list("abc") and [s.name for s in dataset.validation] == ["d"]
    sample = dataset.train[0]
    np.testing.assert_array_equal(sample.image, image[None, ..., 0])  # grey in four channels: one is left
    expected = LEFT // 255 + 2 * (RIGHT // 255) + 3 * (LONE // 255)
    expected[2:12, 8] = 0  # the larger of two that touch gives way
    np.testing.assert_array_equal(sample.instances, expected)
    np.testing.assert_array_equal(sample.labels, expected > 0)
    assert sample.known is None and sample.labels.dtype == np.uint8 and sample.instances.dtype == np.int32


@pytest.mark.parametrize("count, held_out", [(2, 1), (7, 1), (8, 2)])
def test_the_last_quarter_is_held_out_and_sizes_may_differ(tmp_path, count, held_out):
    for number in range(count):
        image_folder(tmp_path, f"im{number}", nucleus(2, 8, 2, 8, shape=(20 + number, 24)))
    dataset = read_dsb2018(tmp_path)
    assert len(dataset.validation) == held_out and len(dataset.train) == count - held_out
    assert dataset.train[0].image.shape == (1, 20, 24) and dataset.validation[-1].image.shape == (1, 19 + count, 24)


def test_an_empty_mask_is_no_nucleus(tmp_path):
    for name in "ab":
        image_folder(tmp_path, name, nucleus(0, 0, 0, 0), LONE)
    assert np.count_nonzero(np.unique(read_dsb2018(tmp_path).train[0].instances)) == 1


def test_a_mask_of_ones_is_a_nucleus(tmp_path):
    for name in "ab":
        image_folder(tmp_path, name, LONE // 255, LEFT)
    np.testing.assert_array_equal(read_dsb2018(tmp_path).train[0].labels, (LONE > 0) | (LEFT > 0))


def test_a_small_overlap_becomes_background(tmp_path):
    smaller = np.maximum(nucleus(2, 9, 8, 14), nucleus(5, 7, 7, 8))  # 44 pixels, 2 of them in LEFT as well
    for name in "ab":
        image_folder(tmp_path, name, LEFT, smaller)
    sample = read_dsb2018(tmp_path).train[0]
    assert not sample.instances[5:7, 7].any()
    assert len(np.unique(sample.instances)) == 3


def test_overlapping_masks_are_both_named(tmp_path):
    image_folder(tmp_path, "a", LONE, LEFT)
    image_folder(tmp_path, "b", LONE, LEFT, nucleus(11, 14, 5, 11))
    message = r"got 3 pixels in both nucleus1.png \(60 pixels\) and nucleus2.png \(18\); remove one of them"
    with pytest.raises(InputError, match=message):
        read_dsb2018(tmp_path)


def test_folder_errors(tmp_path):
    with pytest.raises(InputError, match=rf"expected a folder with {LAYOUT.replace('*', '.')}.* no folder .*nowhere;"):
        read_dsb2018(tmp_path / "nowhere")
    with pytest.raises(InputError, match="found no folder with images in it; check the path"):
        read_dsb2018(tmp_path)
    image_folder(tmp_path, "a", LONE)
    with pytest.raises(InputError, match=r"dsb2018: expected at least 2 images with truth, .*, got 1; add more"):
        read_dsb2018(tmp_path)
    image_folder(tmp_path, "b", LONE)
    save(tmp_path / "b" / "masks" / "more.png", nucleus(2, 4, 2, 4, shape=(20, 23)))
    with pytest.raises(InputError, match=r"more.png: expected a mask of 20x24 like its image, got 20x23; redo"):
        read_dsb2018(tmp_path)
    for path in (tmp_path / "b" / "masks").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"b: expected masks/\*.png, one per nucleus, found none; add them"):
        read_dsb2018(tmp_path)
    (tmp_path / "b" / "images" / "b.png").rename(tmp_path / "b" / "images" / "c.png")
    with pytest.raises(InputError, match=r"b.png: expected an image file, found none; check the path"):
        read_dsb2018(tmp_path)


def test_images_of_mixed_channels(tmp_path):
    image_folder(tmp_path, "a", LONE)
    image_folder(tmp_path, "b", LONE)
    save(tmp_path / "b" / "images" / "b.png", np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8))
    with pytest.raises(InputError, match="same number of channels, got 1 in a and 3 in b; convert all"):
        read_dsb2018(tmp_path)


@pytest.mark.slow
def test_real_nuclei(real_data):
    dataset = read_dsb2018(real_data("dsb2018"))
    assert len(dataset.train) == 60 and len(dataset.validation) == 20
    samples = dataset.train + dataset.validation
    assert all(sample.image.shape == (1, 256, 256) for sample in samples)
    assert sum(np.count_nonzero(np.unique(sample.instances)) for sample in samples) == 3149  # as many as mask files

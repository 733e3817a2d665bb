"""Your own folder of images and masks, and every error message of its reader."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import minunet
from minunet.data import load_data, read_folder
from minunet.data.readers.image_files import read_image
from minunet.errors import InputError


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, array)
    else:
        Image.fromarray(np.asarray(array)).save(path)


def mask(*cells, size=(20, 20)):
    """A mask with a cell of 6x4 pixels at each (y, x, value)."""
    array = np.zeros(size, np.uint8)
    for y, x, value in cells:
        array[y : y + 6, x : x + 4] = value
    return array


def image_folder(path, masks, channels=()):
    rng = np.random.default_rng(0)
    for i, array in enumerate(masks):
        save(path / "images" / f"im{i}.png", rng.integers(0, 256, (*array.shape, *channels), np.uint8))
        save(path / "masks" / f"im{i}.tif", array)
    return path


def test_folder_of_binary_masks(tmp_path):
    image_folder(tmp_path, [mask((2, 2, 255), (10, 12, 255))] * 12, channels=(3,))
    dataset = load_data(f"folder:{tmp_path}")
    assert dataset.name == "folder" and [s.name for s in dataset.validation] == ["im8", "im9"]  # sorted as text
    sample = dataset.train[0]
    assert sample.image.shape == (3, 20, 20) and sample.instances is None
    np.testing.assert_array_equal(sample.labels, mask((2, 2, 1), (10, 12, 1)))


def test_folder_of_instance_masks(tmp_path):
    touching, lone = mask((2, 2, 7), (2, 6, 9), (12, 6, 3)), mask((5, 5, 4))
    dataset = read_folder(image_folder(tmp_path, [touching, lone, touching]), labels="instances")
    sample, (held_out,) = dataset.train[0], dataset.validation
    expected = mask((2, 2, 7), (2, 6, 9), (12, 6, 3))
    expected[2:8, 6] = 0  # of equal cells the one with the larger label gives way
    np.testing.assert_array_equal(sample.instances, expected)
    np.testing.assert_array_equal(sample.labels, expected > 0)
    np.testing.assert_array_equal(sample.uncut, touching)
    np.testing.assert_array_equal(dataset.train[1].instances, lone)  # a single cell, beside instance masks
    assert held_out.name == "im2"


def test_labels_beyond_31_bits_stay_apart(tmp_path):
    cells = mask((2, 2, 1), (10, 12, 2)).astype(np.uint32)
    image_folder(tmp_path, [cells * 2**31 - (cells > 1)] * 2)  # 2^31 and 2^32 - 1
    sample = read_folder(tmp_path, labels="instances").train[0]
    np.testing.assert_array_equal(sample.instances, cells)
    np.testing.assert_array_equal(sample.labels, cells > 0)


def test_folder_errors(tmp_path):
    with pytest.raises(InputError, match="expected the folders images and masks, found no images; create"):
        read_folder(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match="images: expected image files, found none; put the images there"):
        read_folder(tmp_path)
    save(tmp_path / "images" / "a.png", mask())
    with pytest.raises(InputError, match="found no masks; create"):
        read_folder(tmp_path)
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match=f"found no images; name the folder that holds both, {tmp_path}$"):
        read_folder(tmp_path / "images")
    save(tmp_path / "masks" / "a.png", mask())
    with pytest.raises(InputError, match="expected at least 2 images, one of them to hold out, got 1; put more"):
        read_folder(tmp_path)
    save(tmp_path / "images" / "b.png", mask())
    with pytest.raises(InputError, match=r"a mask for every image, found none for b.png; add b.png"):
        read_folder(tmp_path)
    save(tmp_path / "masks" / "b.png", mask(size=(20, 21)))
    with pytest.raises(InputError, match="b: expected a mask of 20x20 like its image, got 20x21; redo"):
        read_folder(tmp_path)
    (tmp_path / "masks" / "b.png").unlink()
    save(tmp_path / "masks" / "b.jpg", mask())
    with pytest.raises(InputError, match=r"b.jpg: expected a mask with exact values, got JPEG.* save it as PNG"):
        read_folder(tmp_path)
    save(tmp_path / "masks" / "a.tif", mask())
    with pytest.raises(InputError, match=r"one file per name, got a.png and a.tif; rename one"):
        read_folder(tmp_path)


def test_folders_that_are_nearly_right(tmp_path):
    folder = image_folder(tmp_path / "data", [mask((2, 2, 255))] * 3)
    with pytest.raises(InputError, match=r"got the file .*im0.png; name the folder that holds them"):
        read_folder(folder / "images" / "im0.png")
    (folder / "masks").rename(folder / "other")
    (folder / "other").rename(folder / "Masks")
    if not (folder / "masks").exists():  # otherwise the disk does not tell them apart, nor does the reader
        with pytest.raises(InputError, match=f"found no masks; rename {folder / 'Masks'} to masks$"):
            read_folder(folder)


def test_masks_whose_names_have_more_than_those_of_their_images(tmp_path):
    folder = image_folder(tmp_path, [mask((2, 2, 255))] * 12)  # im1 is in im10
    for path in (folder / "masks").iterdir():
        path.rename(path.with_stem(f"{path.stem}_mask"))
    with pytest.raises(InputError) as caught:
        read_folder(folder)
    assert str(caught.value) == (
        f"{folder / 'masks'}: expected a mask for every image, found none for im0.png and 11 more of 12; rename "
        "im0_mask.tif to im0.tif, and so all: names must be equal"
    )
    for path in (folder / "masks").iterdir():
        path.rename(path.with_stem(path.stem.removesuffix("_mask")))
    (folder / "masks" / "im1.tif").rename(folder / "masks" / "GT im1.tif")
    with pytest.raises(InputError, match=r"found none for im1.png; rename GT im1.tif to im1.tif: names must be equal"):
        read_folder(folder)
    (folder / "masks" / "GT im1.tif").unlink()  # im10.tif has its image, and is no candidate
    (folder / "masks" / "im3.tif").unlink()
    with pytest.raises(InputError, match=r"none for im1.png and 1 more of 12; add im1.png, or rename its mask"):
        read_folder(folder)


def test_masks_without_an_image_are_counted(tmp_path):
    folder = image_folder(tmp_path, [mask((2, 2, 255))] * 4)
    (folder / "images" / "im0.png").unlink()
    (folder / "images" / "im2.png").unlink()
    with pytest.warns(UserWarning, match="left out: 2 of 4 masks, without an image of the same name, such as im0.tif$"):
        assert len(load_data(f"folder:{folder}").train) == 1


def test_a_stack_in_place_of_images(tmp_path):
    stack = np.stack([mask((2, 2, 255))] * 5)
    for kind in ("images", "masks"):
        save(tmp_path / kind / "s.tif", stack)
    split = "save each page in a file of its own, as Stacks in minunet/cli/README.md shows"
    with pytest.raises(
        InputError, match=f"at least 2 images, one of them to hold out, got 1, a stack of 5 pages; {split}"
    ):
        read_folder(tmp_path)
    with pytest.raises(InputError, match=f"s.tif: expected one image, got 5 pages; {split}"):
        read_folder(tmp_path, hold_out="0")
    guide = (Path(minunet.__file__).parent / "cli" / "README.md").read_text("utf-8")
    snippet = guide.partition("**Stacks.**")[2].partition("```python\n")[2].partition("```")[0]
    assert snippet.count('"stack.tif"') == snippet.count("images/stack_") == 1
    here = {'"stack.tif"': repr(str(tmp_path / "images" / "s.tif")), "images/stack_": f"{tmp_path.as_posix()}/page_"}
    for theirs, ours in here.items():
        snippet = snippet.replace(theirs, ours)
    exec(snippet, {})
    pages = sorted(tmp_path.glob("page_*.tif"))
    assert len(pages) == 5
    np.testing.assert_array_equal(read_image(pages[4])[0], stack[4])


def test_folder_of_mixed_channels(tmp_path):
    image_folder(tmp_path, [mask()] * 2, channels=(3,))
    save(tmp_path / "images" / "im1.png", mask())
    with pytest.raises(InputError, match="same number of channels, got 3 in im0 and 1 in im1; convert all"):
        read_folder(tmp_path)

"""Photographs that are stored turned, with masks that may have been drawn on either side."""

import warnings

import numpy as np
import pytest
from PIL import Image

from minunet.data import load_data
from minunet.errors import InputError

QUARTER = 6  # stored turned by a quarter


def save(path, height, width, orientation=None, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros((height, width), np.uint8)
    array[2:9, 3:8] = 255
    if orientation is not None:
        more["exif"] = Image.Exif()
        more["exif"][274] = orientation
        if path.suffix == ".tif":
            more = {"tiffinfo": {274: orientation}}
    Image.fromarray(array).save(path, **more)


def pair(folder, name, kind="jpg", size=(20, 20), mask_size=(20, 20), orientation=QUARTER, of_mask=None):
    save(folder / "images" / f"{name}.{kind}", *size, orientation)
    save(folder / "masks" / f"{name}.png", *mask_size, of_mask)


def warnings_of(data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_data(data)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
def test_images_turned_by_their_tag_are_told_once(tmp_path, kind):
    for name in "abc":
        pair(tmp_path, name, kind)
    pair(tmp_path, "d", orientation=None)
    (line,) = warnings_of(f"folder:{tmp_path}")
    assert line == (
        f"{tmp_path / 'images' / 'a'}.{kind}: turned upright, as its orientation tag (EXIF) says, and its mask not: "
        "check that the mask is drawn on the image as it is shown, not as it is stored; and so in 2 more"
    )


@pytest.mark.parametrize(("orientation", "of_mask"), [(None, None), (1, None), (QUARTER, QUARTER), (0, None)])
def test_what_is_turned_with_its_mask_or_not_at_all_is_no_reason_to_warn(tmp_path, orientation, of_mask):
    for name in "ab":
        pair(tmp_path, name, orientation=orientation, of_mask=of_mask)
    assert warnings_of(f"folder:{tmp_path}") == []


def test_a_mask_that_alone_is_turned_is_told(tmp_path):
    for name in "ab":
        pair(tmp_path, name, orientation=None, of_mask=3)
    (line,) = warnings_of(f"folder:{tmp_path}")
    assert "a.png: turned upright" in line and "and its image not" in line


def test_a_size_that_fits_the_image_as_it_is_stored_names_the_tag(tmp_path):
    for name in "ab":
        pair(tmp_path, name, size=(20, 30), mask_size=(20, 30))
    with pytest.raises(InputError) as caught:
        load_data(f"folder:{tmp_path}")
    assert str(caught.value) == (
        "a: expected a mask of 30x20 like its image, got 20x30: the orientation tag (EXIF) of a.jpg turns it; save "
        "it without that tag, or redo the mask on the image as it is shown"
    )
    for name in "ab":
        pair(tmp_path, name, size=(20, 30), mask_size=(20, 31))
    with pytest.raises(InputError, match="got 20x31; redo the mask at the size of the image"):
        load_data(f"folder:{tmp_path}")
    for name in "ab":
        pair(tmp_path, name, size=(20, 30), mask_size=(30, 20), orientation=3)  # upside down: the size stays
    with pytest.raises(InputError, match="got 30x20; redo the mask at the size of the image"):
        load_data(f"folder:{tmp_path}")


def test_the_nuclei_of_a_turned_image(tmp_path):
    for name in "ab":
        save(tmp_path / name / "images" / f"{name}.png", 20, 20, QUARTER)
        save(tmp_path / name / "masks" / "n.png", 20, 20)
    (line,) = warnings_of(f"dsb2018:{tmp_path}")
    assert line.startswith(str(tmp_path / "a" / "images" / "a.png") + ": turned upright") and line.endswith("in 1 more")

"""Pixels of no class: neither learnt nor measured, however the masks store them."""

import numpy as np
import pytest
from PIL import Image

from minunet.data import load_data, loss_weights, read_folder
from minunet.data.sample import absent_classes, check_classes
from minunet.errors import InputError

VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (224, 224, 192)]  # the last is void
VOID = 3
H, W = 20, 24


def numbers(i):
    """Return a mask of classes 0, 1, 2, with a border of void around the object."""
    mask = np.zeros((H, W), np.uint8)
    mask[3:15, 4 : 18 + i] = VOID
    mask[4:14, 5 : 17 + i] = 1
    mask[6:9, 7:12] = 2
    return mask


def in_palette(mask):
    image = Image.fromarray(mask)
    image.putpalette([part for colour in VOC for part in colour])
    return image


@pytest.fixture
def folder(tmp_path):
    def write(images):
        rng = np.random.default_rng(0)
        for part in ("images", "masks"):
            (tmp_path / part).mkdir(exist_ok=True)
        for i, image in enumerate(images):
            Image.fromarray(rng.integers(0, 256, (H, W), np.uint8)).save(tmp_path / "images" / f"im{i}.png")
            image.save(tmp_path / "masks" / f"im{i}.png")
        return tmp_path

    return write


STORED = {
    "numbers": (lambda mask: Image.fromarray(mask), "3", "0,1,2"),
    "numbers of a palette": (in_palette, "3", "#000000,#800000,#008000"),
    "colours of a palette": (in_palette, "#e0e0c0", "#000000,#800000,#008000"),
    "colours": (lambda mask: Image.fromarray(np.array(VOC, np.uint8)[mask]), "#E0E0C0", "#000000,#008000,#800000"),
}


@pytest.mark.parametrize("kind", STORED)
def test_void_is_not_known_and_no_class(folder, kind):
    store, void, classes = STORED[kind]
    path = folder([store(numbers(i)) for i in range(3)])
    dataset = load_data(f"folder:{path}", labels="classes", void=void)
    assert (dataset.num_classes, dataset.classes) == (3, classes)
    assert dataset.void == ("3" if kind == "numbers" else "#e0e0c0")
    assert f"; {void} is void (10.4 % of pixels): not learnt, not measured" in dataset.note
    order = [0, 2, 1, 0] if kind == "colours" else [0, 1, 2, 0]
    for i, sample in enumerate(dataset.train + dataset.validation):
        np.testing.assert_array_equal(sample.known, numbers(i) != VOID)
        np.testing.assert_array_equal(sample.labels, np.array(order)[numbers(i)])
        assert sample.labels.dtype == np.uint8
    (weights, _) = loss_weights(dataset.train)
    np.testing.assert_array_equal(weights, numbers(0) != VOID)
    again = load_data(f"folder:{path}", classes=dataset.classes, void=dataset.void)  # as a run that goes on
    np.testing.assert_array_equal(again.train[0].known, dataset.train[0].known)


def test_a_mask_without_void_is_known_everywhere_and_one_without_objects_keeps_the_palette(folder):
    path = folder([in_palette(mask) for mask in (numbers(0), np.zeros((H, W), np.uint8), numbers(1))])
    dataset = read_folder(path, classes="0,1,2", void="3")  # the second mask has grey values only, so no colours
    assert dataset.classes == "#000000,#800000,#008000"
    assert dataset.train[1].known is None and not dataset.train[1].labels.any()
    assert read_folder(path, labels="classes").classes == "#000000,#800000,#008000,#e0e0c0"


def test_two_values_beside_void_are_background_and_cell(folder):
    planes = [np.array([10, 200, 200, 99], np.uint8)[numbers(i)] for i in range(2)]
    dataset = read_folder(folder(map(Image.fromarray, planes)), void="99")
    np.testing.assert_array_equal(dataset.train[0].labels, planes[0] == 200)
    np.testing.assert_array_equal(dataset.train[0].known, planes[0] != 99)
    cells, known = (np.mean([test(plane) for plane in planes]) for test in ((lambda x: x == 200), (lambda x: x != 99)))
    assert dataset.note.startswith(f"200 is cell ({100 * cells / known:.3g} % of pixels), 10 background; ")


def test_a_class_that_only_void_pixels_could_have_is_absent(folder):
    full = np.where(numbers(0) == VOID, VOID, 1).astype(np.uint8)
    dataset = read_folder(folder([Image.fromarray(full), Image.fromarray(numbers(0))]), classes="0,1,2", void="3")
    assert absent_classes(dataset) == [0, 2]
    with pytest.raises(InputError, match="got only cell"):
        check_classes(dataset)


def test_instances_without_the_value_that_is_void_are_read(folder):
    path = folder([Image.fromarray(numbers(i)) for i in range(2)])
    assert read_folder(path, labels="instances", void="9").train[0].known is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"void": "3", "classes": "0,1,2,3"}, "void must be values of no class, got 3, which is among classes"),
        ({"void": "void", "labels": "classes"}, "such as 255, or colours such as #e0e0c0, got 'void'; check"),
        ({"void": "3", "labels": "instances"}, "void=3 is for masks of classes, and binary ones, got instances"),
        ({"void": "0,1,2,3", "labels": "classes"}, "mask of im0: expected pixels that are known, got void alone"),
        ({"classes": "0,1,2"}, r"got also 1 value: 3 \(10.2 % of pixels\); .* void=3 leaves out what is of no class"),
        ({}, "; void=VALUE leaves out a value of no class"),
    ],
)
def test_what_cannot_be_void_is_refused_and_what_may_be_is_offered(folder, options, message):
    with pytest.raises(InputError, match=message):
        read_folder(folder([Image.fromarray(numbers(i)) for i in range(2)]), **options)


def test_a_number_needs_one_palette(folder):
    rgb = [Image.fromarray(np.array(VOC, np.uint8)[numbers(i)]) for i in range(2)]
    with pytest.raises(InputError, match=r"void must be colours like #e0e0c0, .* got 3; name the colour"):
        read_folder(folder(rgb), labels="classes", void="3")
    with pytest.raises(InputError, match="void=3 is for folder:, got isbi; leave it out"):
        load_data("isbi:x", void="3")

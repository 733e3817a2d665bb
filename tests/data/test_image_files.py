"""Images, stacks and masks as arrays, and the message for files that cannot be read; `test_odd_images.py` goes on."""

import struct

import numpy as np
import pytest
from PIL import Image

from minunet.data import read_image, read_labels, read_pages, read_stack
from minunet.errors import InputError

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)
OPAQUE = np.full_like(GREY, 255)
COLOUR = np.stack([GREY, GREY + 50, 200 - GREY])  # (3, 3, 4)


def channels_last(*planes):
    return np.stack(planes, axis=-1)


def saved(tmp_path, array, name="a.png"):
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(tmp_path / name)
    return tmp_path / name


def pages(tmp_path, *arrays, **options):
    images = [Image.fromarray(array) for array in arrays]
    images[0].save(tmp_path / "stack.tif", save_all=True, append_images=images[1:], **options)
    return tmp_path / "stack.tif"


@pytest.mark.parametrize(
    "array, name, expected",
    [
        (GREY, "a.png", GREY[None]),
        (GREY.astype(np.uint16) * 5000, "a.png", GREY[None] * 5000.0),
        (GREY.astype(np.uint16) * 5000, "a.tif", GREY[None] * 5000.0),
        (GREY.astype(np.int32) * 100_000, "a.tif", GREY[None] * 100_000.0),
        (GREY.astype(np.float32) - 0.5, "a.tif", GREY[None] - 0.5),
        (GREY > 5, "a.png", 255.0 * (GREY > 5)[None]),
        (channels_last(*COLOUR), "a.png", COLOUR),
        (channels_last(*COLOUR, OPAQUE), "a.png", COLOUR),
        (channels_last(GREY, GREY, GREY), "a.png", GREY[None]),
        (channels_last(GREY, GREY, GREY, OPAQUE), "a.png", GREY[None]),
        (channels_last(GREY, OPAQUE), "a.png", GREY[None]),
    ],
    ids="L I;16 I;16-tif I F 1 RGB RGBA grey-RGB grey-RGBA LA".split(),
)
def test_modes(tmp_path, array, name, expected):
    image = read_image(saved(tmp_path, array, name))
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, expected)


def palette_image():
    image = Image.fromarray(GREY % 3).convert("P")
    image = Image.frombytes("P", image.size, (GREY % 3).tobytes())
    image.putpalette([0, 0, 0, 255, 0, 0, 9, 99, 199])
    return image


def test_a_palette_gives_colours_and_a_mask_its_numbers(tmp_path):
    path = saved(tmp_path, palette_image())
    colours = np.array([[0, 0, 0], [255, 0, 0], [9, 99, 199]])
    np.testing.assert_array_equal(read_image(path), colours[GREY % 3].transpose(2, 0, 1))
    np.testing.assert_array_equal(read_labels(path), GREY % 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_labels(tmp_path, dtype):
    labels = read_labels(saved(tmp_path, GREY.astype(dtype), "a.tif"))
    np.testing.assert_array_equal(labels, GREY)
    assert labels.dtype.kind in "iu"


def test_stack_and_pages(tmp_path):
    path = pages(tmp_path, GREY, GREY + 1)
    np.testing.assert_array_equal(read_stack(path), [GREY, GREY + 1])
    assert read_stack(saved(tmp_path, GREY, "one.tif")).shape == (1, 3, 4)
    assert [name for name, _ in read_pages(path)] == ["stack_000", "stack_001"]
    ((name, image),) = read_pages(saved(tmp_path, GREY, "b.png"))
    assert name == "b" and image.shape == (1, 3, 4) and image.dtype == np.float32
    with pytest.raises(InputError, match="expected one image, got 2 pages; save each page"):
        read_image(path)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_stacks_of_odd_size_and_either_depth(tmp_path, rng, dtype, compression):
    planes = rng.integers(0, np.iinfo(dtype).max + 1, (3, 520, 696)).astype(dtype)
    path = pages(tmp_path, *planes, compression=compression)
    stack = read_stack(path)
    assert stack.dtype == dtype
    np.testing.assert_array_equal(stack, planes)
    np.testing.assert_array_equal([image[0] for _, image in read_pages(path)], planes)


@pytest.mark.parametrize("order", "<>")
def test_sixteen_bits_in_either_byte_order(tmp_path, order):
    values = np.array([[0, 1, 255], [256, 1000, 65535]], np.uint16)
    tags = [(256, 3), (257, 2), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, 2), (279, 12)]
    data = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 20) + values.astype(f"{order}u2").tobytes()
    entries = [struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags]
    path = tmp_path / "a.tif"
    path.write_bytes(data + struct.pack(f"{order}H", len(tags)) + b"".join(entries) + bytes(4))
    np.testing.assert_array_equal(read_image(path), values[None])
    np.testing.assert_array_equal(read_labels(path), values)


def test_bad_stacks(tmp_path):
    with pytest.raises(InputError, match="expected pages of one size, got 3x4 and 4x3; save each size"):
        read_stack(pages(tmp_path, GREY, GREY.T.copy()))
    with pytest.raises(InputError, match="expected grey pages, got 3 channels; convert"):
        read_stack(saved(tmp_path, channels_last(*COLOUR), "c.tif"))


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(InputError, match="expected an image file, found none; check the path"):
        read_image(tmp_path / "a.png")
    with pytest.raises(InputError, match="found a folder; check the path"):
        read_image(tmp_path)
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(InputError, match="expected an image, got a file of another kind, which is not read; open it"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "lzw.tif"])
@pytest.mark.parametrize("keep", [0.05, 0.5, 0.9])
def test_truncated_files(tmp_path, name, keep):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    options = {"compression": "tiff_lzw"} if name == "lzw.tif" else {}
    path = tmp_path / name
    Image.fromarray(noise).save(path, **options)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(InputError, match=f"{name}: expected an image, got a damaged .*; open it in a viewer"):
        read_image(path)


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}], ids=["raw", "lzw"])
def test_a_truncated_stack_never_loses_pages_silently(tmp_path, options):
    path, refused = pages(tmp_path, *np.eye(8, dtype=np.uint8).reshape(4, 4, 4), **options), 0
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        try:
            assert len(read_stack(path)) == 4  # only padding was cut off
        except InputError:
            refused += 1
    assert refused > 0.9 * len(whole) / 3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_values(tmp_path, value):
    array = GREY.astype(np.float32)
    array[1, 1:3] = value
    with pytest.raises(InputError, match="expected finite grey values, got NaN or infinity in 2 pixels; replace them"):
        read_image(saved(tmp_path, array, "a.tif"))


def test_unusable_masks(tmp_path):
    with pytest.raises(InputError, match="expected a grey mask, got colours; save one number per pixel"):
        read_labels(saved(tmp_path, channels_last(*COLOUR)))
    with pytest.raises(InputError, match="expected whole numbers in a mask, got fractions; save it as 8 or 16 bits"):
        read_labels(saved(tmp_path, GREY + np.float32(0.5), "a.tif"))

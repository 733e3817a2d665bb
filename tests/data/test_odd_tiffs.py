"""One small TIFF of every odd kind that people bring: its values are read, or one line gives the right reason."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
import tifffile
from odd_files import COLOUR, LABELS, raw_tiff, tiff
from PIL import Image

from minunet.data import read_image, read_labels, read_pages, read_stack
from minunet.data.readers.image_files import each_page
from minunet.data.readers.page_sizes import page_sizes
from minunet.errors import InputError

SAMPLES = "int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64".split()


@pytest.mark.parametrize("dtype", SAMPLES)
@pytest.mark.parametrize(
    "options", [{}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}], ids=["", "MM", "Big"]
)
def test_every_sample_format_in_either_byte_order(tmp_path, dtype, options):
    array = np.array([[0, 1, 100], [99, 7, 12]], dtype)
    if dtype.startswith(("i", "f")):
        array -= 12
    path = tiff(tmp_path / "a.tif", array, **options)
    np.testing.assert_array_equal(read_image(path), array[None])
    np.testing.assert_array_equal(read_labels(path), array)


def test_labels_beyond_31_bits_stay_positive(tmp_path):
    labels = np.array([[0, 2**31, 2**32 - 1]], np.uint32)
    np.testing.assert_array_equal(read_labels(tiff(tmp_path / "a.tif", labels)), labels)


@pytest.mark.parametrize("compression", ["deflate", "lzma", "packbits"])
def test_compressions_that_need_no_other_package(tmp_path, compression):
    array = LABELS.astype(np.uint16)
    if compression == "packbits":  # every row of 8 bytes as one run of literal bytes
        data = b"".join(b"\x07" + row.astype("<u2").tobytes() for row in array)
        path = raw_tiff(tmp_path / "a.tif", data, array.shape, [(258, 16), (259, 32773)])
    else:
        path = tiff(tmp_path / "a.tif", array, compression=compression, predictor=compression == "deflate")
    np.testing.assert_array_equal(read_labels(path), array)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_lzw_by_libtiff(tmp_path, dtype):
    Image.fromarray(LABELS.astype(dtype)).save(tmp_path / "a.tif", compression="tiff_lzw")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), LABELS.astype(dtype))


@pytest.mark.parametrize("compression", ["jpeg", "group4"])
def test_jpeg_and_ccitt_by_libtiff(tmp_path, compression):
    array = np.tile(np.uint8([[0, 255]]), (16, 8)).repeat(2, axis=1)
    options = {"quality": 100} if compression == "jpeg" else {}
    Image.fromarray(array if options else array > 0).save(tmp_path / "a.tif", compression=compression, **options)
    np.testing.assert_allclose(read_image(tmp_path / "a.tif"), array[None], atol=2)


def test_a_compression_that_needs_imagecodecs_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    path = raw_tiff(tmp_path / "a.tif", bytes(24), (2, 4), [(258, 16), (259, 34712), (262, 2), (277, 3)])
    with pytest.raises(InputError, match=r'without .* imagecodecs, got .* JPEG_?2000.*pip install "minunet\[codecs\]"'):
        read_image(path)


def test_colours_that_pillow_would_change_are_refused(tmp_path):
    path = raw_tiff(tmp_path / "a.tif", bytes(96), (3, 4), [(258, 16), (262, 5), (277, 4)])
    with pytest.raises(InputError, match=r"8 bits of a kind of colour other than RGB, got SEPARATED.*; save it as RGB"):
        read_image(path)


@pytest.mark.parametrize(
    ("tags", "words"),
    [([(278, 1), (259, 8)], "lacks some of its strips"), ([(284, (1, 1, 1))], "a wrong tag PlanarConfiguration")],
)
def test_a_page_that_contradicts_itself_is_damaged(tmp_path, tags, words):
    path = raw_tiff(tmp_path / "a.tif", bytes(12), (3, 4), tags)
    with pytest.raises(InputError, match=f"a damaged one .page 1 of 1 .*{words}"):
        read_image(path)


def test_parts_that_are_missing_are_said(tmp_path):
    path = tiff(tmp_path / "a.tif", np.full((32, 16), 7, np.uint8), tile=(16, 16))
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        counts = file.pages[0].tags["TileByteCounts"]
    data[counts.valueoffset : counts.valueoffset + 2] = bytes(2)
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="left out: parts of page 1, which are not in the file and read as 0"):
        np.testing.assert_array_equal(read_image(path)[0], np.repeat([0, 7], 16)[:, None].repeat(16, 1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_white_is_zero_is_inverted_in_every_depth(tmp_path, dtype):
    array = LABELS.astype(dtype)
    path = tiff(tmp_path / "a.tif", array, photometric="miniswhite")
    np.testing.assert_array_equal(read_labels(path), np.iinfo(dtype).max - array)


@pytest.mark.parametrize("white", [0, 1])
def test_one_bit_becomes_0_and_255(tmp_path, white):
    data = np.packbits(LABELS > 4, axis=1).tobytes()
    path = raw_tiff(tmp_path / "a.tif", data, LABELS.shape, [(258, 1), (262, white)])
    np.testing.assert_array_equal(read_labels(path), 255 * ((LABELS > 4) == white))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_in_either_planar_configuration(tmp_path, planar, dtype):
    array = COLOUR.astype(dtype)
    stored = array if planar == "contig" else array.transpose(2, 0, 1)
    path = tiff(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)
    np.testing.assert_array_equal(read_image(path), array.transpose(2, 0, 1))


@pytest.mark.parametrize("shift", [0, 8], ids=["16 bits", "8 bits"])
def test_a_palette_of_a_tiff(tmp_path, shift):
    colours = np.arange(768, dtype=np.uint16).reshape(256, 3).T // 3 * [[1], [2], [1]] % 256 << shift
    index = LABELS.astype(np.uint8)
    path = tiff(tmp_path / "a.tif", index, photometric="palette", colormap=colours)
    np.testing.assert_array_equal(read_image(path), (colours >> shift)[:, index])
    np.testing.assert_array_equal(read_labels(path), index)


def test_a_palette_of_two_colours(tmp_path):
    is_cell = LABELS > 4
    data = np.packbits(is_cell, axis=1).tobytes() + np.array([9, 1, 2, 30, 4, 5], "<u2").tobytes()
    tags = [(258, 1), (262, 3), (279, 3), (320, (3, 6, 11))]
    path = raw_tiff(tmp_path / "a.tif", data, LABELS.shape, tags)
    colours = np.array([[9, 1], [2, 30], [4, 5]])  # (3, 2)
    np.testing.assert_array_equal(read_image(path), colours[:, is_cell.astype(int)])
    np.testing.assert_array_equal(read_labels(path), is_cell)


VOLUME = np.arange(60, dtype=np.uint16).reshape(5, 3, 4)


WORDS = b"ImageJ=1.53\nimages=5\nslices=5\n\0"
STACKS = {
    "ImageJ": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "ImageDepth": {"volumetric": True, "tile": (1, 16, 16), "metadata": None},
    "OME": {"ome": True, "metadata": {"axes": "ZYX"}},
    "pages": {"metadata": None},
}


def imagej_in_one_directory(path):
    """Write VOLUME as ImageJ writes stacks of more than 4 GB: a directory for the first plane only."""
    words = (2, len(WORDS), 8 + VOLUME.nbytes)
    return raw_tiff(path, VOLUME.tobytes() + WORDS, (3, 4), [(258, 16), (270, words), (279, 24)])


@pytest.mark.parametrize("kind", [*STACKS, "one directory"])
def test_stacks_give_all_their_planes(tmp_path, kind):
    path = tmp_path / ("a.ome.tif" if kind == "OME" else "a.tif")
    if kind in STACKS:
        tiff(path, VOLUME, photometric="minisblack", **STACKS[kind])
    else:
        imagej_in_one_directory(path)
    np.testing.assert_array_equal(read_stack(path), VOLUME)
    assert [name for name, _ in read_pages(path)] == [f"{path.stem}_{i:03d}" for i in range(5)]


def test_a_cut_off_stack_in_one_directory_is_damaged(tmp_path):
    path = imagej_in_one_directory(tmp_path / "a.tif")
    path.write_bytes(path.read_bytes().replace(b"images=5\nslices=5\n", b"images=50\nslices=50"))
    with pytest.raises(InputError, match="a damaged one"):
        read_stack(path)


def test_a_blank_page_is_named(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(3):
            file.write(LABELS.astype(np.uint16), metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tag = file.pages[1].tags[279]
    data[tag.offset + 8 : tag.offset + 12] = bytes(4)  # a strip of no bytes
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(InputError, match="expected an image on every page, got none on page 2 of 3; remove"):
        read_stack(tmp_path / "a.tif")


def test_libtiff_writes_no_lines_of_its_own(tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format="TIFF", compression="tiff_lzw")
    data = bytearray(buffer.getvalue())
    data[2000:2100] = bytes([255] * 100)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(InputError, match="a damaged one"):
        read_image(tmp_path / "a.tif")
    assert capfd.readouterr().err == ""


def test_a_page_of_few_pixels_but_many_bytes_is_refused_unless_it_is_wanted(tmp_path, monkeypatch):
    """A gigapixel is not the only way to fill the memory: four samples of eight bytes each do, too."""
    monkeypatch.setattr("minunet.data.readers.tiff.MOST_BYTES", 31 * 30)
    values = np.random.default_rng(0).standard_normal((5, 6, 4))
    tifffile.imwrite(tmp_path / "deep.tif", values, photometric="rgb", extrasamples=["unspecified"])
    with pytest.raises(InputError, match=r"pixels of 4 bytes, since .*, got 30 of 32 bytes on page 1 of 1; if you"):
        read_image(tmp_path / "deep.tif")
    with pytest.warns(UserWarning, match="left out: an extra sample of each pixel"):
        image = read_image(tmp_path / "deep.tif", any_size=True)
    np.testing.assert_array_equal(image, values[..., :3].transpose(2, 0, 1).astype(np.float32))


@pytest.mark.parametrize("step", [1, 2], ids=["of the same size", "smaller"])
def test_images_within_a_page_are_no_pages(tmp_path, step):
    """Files of tifftools have such images. tifffile makes a series of those of one size, which was read as a stack."""
    values = np.random.default_rng(0).integers(0, 255, (2, 16, 16), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(values[0], photometric="minisblack", subifds=1, metadata=None)
        file.write(values[1, ::step, ::step], photometric="minisblack", subfiletype=step - 1, metadata=None)
    with pytest.warns(UserWarning, match="left out: the images within page 1 of 1, such as smaller versions"):
        image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image, values[:1].astype(np.float32))
    assert [size.shape for size in page_sizes(tmp_path / "a.tif")] == [(1, 16, 16)]


def test_one_page_at_a_time_is_in_memory(tmp_path):
    stack = np.random.default_rng(0).integers(0, 60000, (5, 600, 800), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    read = [page.sum() for page in each_page(tmp_path / "stack.tif")]  # which loads what is needed for it
    np.testing.assert_array_equal(read, stack.sum(axis=(1, 2)))
    tracemalloc.start()
    try:
        for page in each_page(tmp_path / "stack.tif"):
            assert tracemalloc.get_traced_memory()[0] < 1.5 * page.nbytes
            del page  # before the next one is read
        assert tracemalloc.get_traced_memory()[1] < 3.5 * stack[0].nbytes
    finally:
        tracemalloc.stop()


def test_a_tag_of_a_wrong_type_is_said_in_one_line(tmp_path):
    """The kind of colour as text: the byte 1, which a terminal cannot show."""
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), np.uint8), photometric="minisblack")
    content = (tmp_path / "a.tif").read_bytes()
    number, text = (struct.pack("<HHI", 262, kind, 1) for kind in (3, 2))
    assert content.count(number) == 1
    (tmp_path / "a.tif").write_bytes(content.replace(number, text))
    with pytest.raises(InputError, match=r"expected grey values or colours, got '\\x01' on page 1 of 1"):
        read_image(tmp_path / "a.tif")

"""One small file of every odd kind that people bring: its values are read, or one line gives the right reason.

The files are written here: TIFF by tifffile or byte by byte, PNG byte by byte, the others by Pillow.
"""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from minunet.data import read_image, read_labels, read_pages, read_stack
from minunet.errors import InputError

LABELS = np.array([[0, 1, 255, 256], [299, 3, 2, 1], [7, 7, 0, 5]])  # (3, 4)
SMALL = LABELS % 4  # fit in 2 bits
COLOUR = np.stack([LABELS, LABELS[::-1], LABELS + 60000], axis=-1)  # (3, 4, 3), 16 bits
DEEP_ALPHA = np.full((3, 4, 1), 65535)
UPRIGHT = {  # orientation: what a viewer shows of the stored array
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: np.rot90,
}


def tiff(path, array, **options):
    tifffile.imwrite(path, array, **options)
    return path


def png(path, rows, bits, kind, extra=()):
    """Write rows of bytes as a PNG: `kind` is 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha."""
    H, width = len(rows), 8 * len(rows[0]) // (bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind])
    parts = [(b"IHDR", struct.pack(">2I5B", width, H, bits, kind, 0, 0, 0)), *extra]
    parts += [(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(b)) + name + b + struct.pack(">I", zlib.crc32(name + b)) for name, b in parts]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def png16(path, samples, kind, **options):
    return png(path, [row.astype(">u2").tobytes() for row in samples], 16, kind, **options)


def raw_tiff(path, data, shape, more=()):
    """Write data as a TIFF with one strip; `more` are tags (number, value, or type and count and value) besides."""
    H, W = shape
    tags = {256: W, 257: H, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: H, 279: len(data)} | dict(more)
    data += bytes(len(data) % 2)
    tags = {tag: value if isinstance(value, tuple) else (4, 1, value) for tag, value in sorted(tags.items())}
    entries = [struct.pack("<HHII", tag, *value) for tag, value in tags.items()]
    header = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    path.write_bytes(header + data + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
    return path


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


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_white_is_zero_is_inverted_in_every_depth(tmp_path, dtype):
    array = LABELS.astype(dtype)
    path = tiff(tmp_path / "a.tif", array, photometric="miniswhite")
    np.testing.assert_array_equal(read_labels(path), np.iinfo(dtype).max - array)


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("kind", ["png", "tif", "white is zero"])
def test_grey_of_2_and_4_bits_keeps_its_values(tmp_path, bits, kind):
    packed = [np.packbits(((row[:, None] >> np.arange(bits)[::-1]) & 1).astype(np.uint8)).tobytes() for row in SMALL]
    if kind == "png":
        path = png(tmp_path / "a.png", packed, bits, kind=0)
    else:
        tags = [(258, bits), (262, int(kind == "tif"))]
        path = raw_tiff(tmp_path / "a.tif", b"".join(packed), SMALL.shape, tags)
    np.testing.assert_array_equal(read_labels(path), 2**bits - 1 - SMALL if kind == "white is zero" else SMALL)


@pytest.mark.parametrize("white", [0, 1])
def test_one_bit_becomes_0_and_255(tmp_path, white):
    data = np.packbits(LABELS > 4, axis=1).tobytes()
    path = raw_tiff(tmp_path / "a.tif", data, LABELS.shape, [(258, 1), (262, white)])
    np.testing.assert_array_equal(read_labels(path), 255 * ((LABELS > 4) == white))


@pytest.mark.parametrize(
    ("samples", "kind", "expected"),
    [
        (COLOUR, 2, COLOUR),
        (np.concatenate([COLOUR, DEEP_ALPHA], axis=-1), 6, COLOUR),
        (np.concatenate([LABELS[..., None], DEEP_ALPHA], axis=-1), 4, LABELS[..., None]),
        (LABELS[..., None], 0, LABELS[..., None]),
    ],
    ids=["RGB", "RGBA", "LA", "L"],
)
def test_png_of_16_bits(tmp_path, samples, kind, expected):
    np.testing.assert_array_equal(read_image(png16(tmp_path / "a.png", samples, kind)), expected.transpose(2, 0, 1))


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


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("name", ["raw.tif", "lzw.tif", "a.png", "deep.png", "a.jpg"])
def test_orientation_is_obeyed_by_image_and_mask(tmp_path, name, orientation):
    array, path = np.kron(SMALL, np.full((8, 8), 60)).astype(np.uint8), tmp_path / name
    exif = Image.Exif()
    exif[274] = orientation
    if name == "raw.tif":
        tiff(path, array, extratags=[(274, 3, 1, orientation, True)])
    elif name == "lzw.tif":
        Image.fromarray(array).save(path, compression="tiff_lzw", tiffinfo={274: orientation})
    elif name == "deep.png":
        png16(path, array[..., None].repeat(3, axis=-1), 2, extra=[(b"eXIf", exif.tobytes()[6:])])
    else:
        Image.fromarray(array).save(path, exif=exif)
    tolerance = 3 if name == "a.jpg" else 0
    expected = UPRIGHT[orientation](array)
    np.testing.assert_allclose(read_image(path), expected[None], atol=tolerance)
    np.testing.assert_allclose(read_labels(path), expected, atol=tolerance)


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


def test_a_spider_file_is_read(tmp_path):
    Image.fromarray(LABELS.astype(np.float32)).save(tmp_path / "a.spi", format="SPIDER")
    np.testing.assert_array_equal(read_image(tmp_path / "a.spi"), LABELS[None])


def warned(read, path, words):
    with pytest.warns(UserWarning, match=words):
        return read(path)


def test_what_is_left_out_is_said(tmp_path):
    alpha = np.concatenate([COLOUR, LABELS[..., None]], axis=-1)
    path = png16(tmp_path / "alpha.png", alpha, 6)
    np.testing.assert_array_equal(warned(read_image, path, "alpha.png: left out: its alpha"), COLOUR.transpose(2, 0, 1))
    path = tiff(tmp_path / "extra.tif", alpha.astype(np.uint16), photometric="rgb", extrasamples=["unspecified"])
    image = warned(read_image, path, "left out: an extra sample of each pixel")
    np.testing.assert_array_equal(image, COLOUR.transpose(2, 0, 1))
    with tifffile.TiffWriter(tmp_path / "small.tif") as file:
        file.write(LABELS.astype(np.uint16), metadata=None)
        file.write(LABELS[:2, :2].astype(np.uint16), subfiletype=1, metadata=None)
    labels = warned(read_labels, tmp_path / "small.tif", "left out: page 2 of 2, a thumbnail")
    np.testing.assert_array_equal(labels, LABELS)


def test_more_pixels_than_a_small_file_should_unpack_to(tmp_path):
    page = np.broadcast_to(np.uint8(0), (20, 20))
    for name in ("a.png", "a.tif"):
        Image.fromarray(np.ascontiguousarray(page)).save(tmp_path / name)
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[16:24] = struct.pack(">2I", 20000, 20000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match=r"at most 178,956,970 pixels.*400000000 .*any_size=True, or --any-size"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("any_size", [False, True])
def test_any_size_is_read_where_it_is_wanted(tmp_path, monkeypatch, any_size):
    monkeypatch.setattr("minunet.data.readers.tiff.MOST_PIXELS", 11)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    paths = [
        tiff(tmp_path / "a.tif", LABELS.astype(np.uint16)),
        png16(tmp_path / "a.png", COLOUR, 2),
        tmp_path / "b.bmp",
    ]
    Image.fromarray(LABELS.astype(np.uint8)).save(paths[2])
    for path in paths:
        if any_size:
            assert read_image(path, any_size=True).shape[1:] == (3, 4)
        else:
            with pytest.raises(InputError, match="if you trust the file, read it with any_size"):
                read_image(path)
    assert Image.MAX_IMAGE_PIXELS == 5


REFUSED = {
    "complex.tif": (lambda path: tiff(path, LABELS.astype(np.complex64)), "expected real numbers, got complex ones"),
    "empty.png": (lambda path: path.write_bytes(b""), "got an empty file; copy or save it again"),
    "page.jpg": (lambda path: path.write_text("\n<!DOCTYPE html>"), "got a web page"),
    "scan.czi": (lambda path: path.write_bytes(b"ZISRAWFILE"), "got a Zeiss CZI file; save its images as TIFF"),
    "lfs.png": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"), "run git lfs pull"),
    "head.png": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\nIHDR"), "got a damaged"),
    "text.tif": (lambda path: path.write_text("no image"), "got a file of another kind"),
    "a.eps": (lambda path: Image.fromarray(SMALL.astype(np.uint8)).save(path), "got a drawing"),
    "a.pgm": (lambda path: path.write_bytes(b"P5 2 1 4095\n" + bytes(4)), "got values up to 4095"),
    "a.tif": (
        lambda path: raw_tiff(path, bytes(12), (3, 4), [(262, 32803)]),
        "expected grey values or colours, got CFA",
    ),
    "short.tif": (lambda path: raw_tiff(path, bytes(12), (3, 4), [(279, 9999)]), "a damaged one .*ends before"),
    "nan.tif": (lambda path: tiff(path, np.array([[np.nan, 1e300, 1]])), "got NaN or infinity in 2 pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(tmp_path, name):
    write, words = REFUSED[name]
    write(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: .*{words}"):
        read_image(tmp_path / name)


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


def test_a_mask_holds_no_more_memory_than_it_shows(tmp_path):
    Image.fromarray(LABELS.astype(np.uint8)).convert("RGBA").save(tmp_path / "a.png")
    labels = read_labels(tmp_path / "a.png")
    assert labels.base is None or labels.base.nbytes == labels.nbytes

"""One small file of every odd kind that people bring: its values are read, or one line gives the right reason.

PNG is written byte by byte in `odd_files.py`, the other kinds by Pillow. TIFF has `test_odd_tiffs.py`, animated PNG
`test_animated_png.py`.
"""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from odd_files import COLOUR, LABELS, SMALL, png, png16, raw_tiff, tiff
from PIL import Image

from minunet.data import read_image, read_labels
from minunet.errors import InputError

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


@pytest.mark.parametrize(("largest", "dtype"), [(299, ">u2"), (65535, ">u2"), (7, "u1"), (255, "u1")])
@pytest.mark.parametrize("kind", [2, 3, 5, 6])
def test_pgm_and_ppm_keep_their_values(tmp_path, largest, dtype, kind):
    array = (COLOUR if kind in (3, 6) else LABELS[..., None]) % (largest + 1)
    words = b" ".join(b"%d" % value for value in array.flat)
    data = words if kind in (2, 3) else array.astype(dtype).tobytes()
    (tmp_path / "a.pnm").write_bytes(b"P%d\n# a comment\n4 3\n%d\n" % (kind, largest) + data)
    np.testing.assert_array_equal(read_image(tmp_path / "a.pnm"), array.transpose(2, 0, 1))


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


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.mpo", {"save_all": True, "append_images": [Image.new("L", (2, 2))]}, "other pictures"),
        ("a.ico", {"sizes": [(4, 3), (2, 2)]}, "smaller versions"),
    ],
)
def test_a_file_of_one_image_and_its_previews(tmp_path, name, options, words):
    Image.fromarray(np.full((3, 4), 60, np.uint8)).convert("RGB").save(tmp_path / name, **options)
    image = warned(read_image, tmp_path / name, f"left out: .*{words}")
    np.testing.assert_array_equal(image, np.full((1, 3, 4), 60))


def test_exif_that_is_damaged_is_no_reason_to_refuse(tmp_path):
    Image.fromarray(np.full((8, 8), 60, np.uint8)).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x09\0")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), np.full((1, 8, 8), 60))


def test_more_pixels_than_a_small_file_should_unpack_to(tmp_path):
    page = np.broadcast_to(np.uint8(0), (20, 20))
    for name in ("a.png", "a.tif"):
        Image.fromarray(np.ascontiguousarray(page)).save(tmp_path / name)
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[16:24] = struct.pack(">2I", 20000, 20000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(
        InputError, match=r"at most 178,956,970 pixels.*400000000 .*if you trust the file, any_size reads it"
    ):
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
            with pytest.raises(InputError, match="if you trust the file, any_size reads it"):
                read_image(path)
    assert Image.MAX_IMAGE_PIXELS == 5


def rare_jpeg(frame, bits):
    return b"\xff\xd8\xff" + frame + struct.pack(">HB", 11, bits) + bytes(99)


REFUSED = {
    "complex.tif": (lambda path: tiff(path, LABELS.astype(np.complex64)), "expected real numbers, got complex ones"),
    "empty.png": (lambda path: path.write_bytes(b""), "got an empty file; copy or save it again"),
    "page.jpg": (lambda path: path.write_text("\n<!DOCTYPE html>"), "got a web page"),
    "scan.czi": (lambda path: path.write_bytes(b"ZISRAWFILE"), "got a Zeiss CZI file; save its images as TIFF"),
    "lfs.png": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"), "run git lfs pull"),
    "head.png": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\nIHDR"), "got a damaged"),
    "text.tif": (lambda path: path.write_text("no image"), "got a file of another kind"),
    "a.eps": (lambda path: Image.fromarray(SMALL.astype(np.uint8)).save(path), "got a drawing"),
    "a.pgm": (lambda path: path.write_bytes(b"P5 4 4 4095\n" + bytes(9)), "a damaged one"),
    "b.pgm": (lambda path: path.write_bytes(b"P2 2 1 9\n 3 12"), "a damaged one .*largest value is 12, not at most 9"),
    "a.tif": (
        lambda path: raw_tiff(path, bytes(12), (3, 4), [(262, 32803)]),
        "expected grey values or colours, got CFA",
    ),
    "short.tif": (
        lambda path: raw_tiff(path, bytes(12), (3, 4), [(259, 8), (279, 9999)]),
        "a damaged one .*ends before",
    ),
    "lossless.jpg": (lambda path: path.write_bytes(rare_jpeg(b"\xc3", 8)), "got a JPEG of a rare kind"),
    "deep.jpg": (lambda path: path.write_bytes(rare_jpeg(b"\xc1", 12)), "got a JPEG of a rare kind.*12 bits"),
    "rare.bmp": (lambda path: path.write_bytes(b"BM" + bytes(12) + b"\x42" + bytes(99)), "got one of a rare kind"),
    "nan.tif": (lambda path: tiff(path, np.array([[np.nan, 1e300, 1]])), "got NaN or infinity in 2 pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(tmp_path, name):
    write, words = REFUSED[name]
    write(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: .*{words}"):
        read_image(tmp_path / name)


def test_a_mask_holds_no_more_memory_than_it_shows(tmp_path):
    Image.fromarray(LABELS.astype(np.uint8)).convert("RGBA").save(tmp_path / "a.png")
    labels = read_labels(tmp_path / "a.png")
    assert labels.base is None or labels.base.nbytes == labels.nbytes


def test_a_png_with_a_changed_pixel_is_damaged(tmp_path):
    path = png(tmp_path / "a.png", [bytes(range(60))] * 20, 8, 0)
    content = bytearray(path.read_bytes())
    content[-30] ^= 1  # in the packed pixels, which end with 4 bytes of zlib, 4 of the chunk and 12 of the last one
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"got a damaged one .*the checksum of the pixels at byte 33 is wrong"):
        read_image(path)

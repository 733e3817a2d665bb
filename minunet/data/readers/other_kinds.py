"""JPEG, GIF, BMP, WebP and all other kinds that Pillow reads, where it reads the values of the file."""

from PIL import ExifTags, Image

from minunet.data.readers.planes import Pages, as_planes, upright
from minunet.errors import InputError

DRAWINGS = {"EPS", "WMF"}  # they have no pixels of their own
ONE_IMAGE = {  # only the first image counts; what the others are
    "MPO": "the other pictures, such as previews",
    "PSD": "the layers; the merged image is read",
    "ICO": "smaller versions",
    "ICNS": "smaller versions",
}
HEADER = 2**16  # bytes, in which the depth is given
NOT_EXACT = {"FITS", "MCIDAS", "MIC", "FPX", "DDS", "IPTC", "HDF5", "GRIB", "BUFR"}  # Pillow may change their values


def read_other(path, keep_palette: bool) -> Pages:
    """Return the pages of a file of any kind that Pillow knows.

    Raises
    ------
    InputError
        If Pillow would change the values: more than 8 bits for each colour, say.
    """
    with Image.open(path) as image:
        kind, name = image.format, image.format_description or image.format
        if kind in DRAWINGS:
            raise InputError(f"{path}: expected an image of pixels, got a drawing ({name}); export it as PNG")
        if kind in NOT_EXACT:
            raise InputError(f"{path}: expected an image, got {name}, which is not read; save it as PNG or TIFF")
        bits = _bits_that_pillow_changes(image, path)
        if bits:
            raise InputError(
                f"{path}: expected {name} of 8 bits, as Pillow keeps no more, got {bits}; save it as PNG or TIFF"
            )
    return pages_of(path, keep_palette)


def pages_of(path, keep_palette: bool) -> Pages:
    """Return the pages of a file as Pillow reads them."""
    arrays, left_out = [], []
    with Image.open(path) as image:
        count = getattr(image, "n_frames", 1)
        if image.format in ONE_IMAGE:
            if count > 1 or len(image.info.get("sizes", ())) > 1:
                left_out.append(ONE_IMAGE[image.format])
            count = 1
        for number in range(count):
            if number:
                image.seek(number)
            planes, without = as_planes(image, keep_palette)
            arrays.append(upright(planes, orientation_of(image)))
            left_out += without
    return Pages(arrays, left_out)


def orientation_of(image: Image.Image) -> int:
    """Return the orientation that EXIF gives, 1 to 8; 1 if there is none, or if EXIF is damaged."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # of a dozen kinds, as for a damaged image
        return 1


def _bits_that_pillow_changes(image: Image.Image, path) -> str:
    """Return the bits of a sample, in words, if Pillow would cut or spread them; otherwise nothing."""
    with open(path, "rb") as file:
        header = file.read(HEADER)
    if image.format == "SGI" and header[3] == 2:
        return "16"
    if image.format == "AVIF" and header[header.find(b"av1C") + 6] & 0x40:
        return "10 or 12"
    if image.format == "JPEG2000":
        depth = header[header.find(b"\xff\x4f\xff\x51") + 42]  # of the first component: bits - 1, and 128 if signed
        if depth != 7 and (depth, image.mode) != (15, "I;16"):
            return f"{depth % 128 + 1}{' with a sign' if depth >= 128 else ''}"
    return ""

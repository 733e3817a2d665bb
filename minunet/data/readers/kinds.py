"""What kind of file it is, by its first bytes."""

import re

IMAGES = {  # the beginning of the file, and its kind
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    **{b"P%d" % number: "PNM" for number in (2, 3, 5, 6)},
}
JPEG_FRAME = re.compile(rb"\xff([\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf\xf7])..(.)", re.DOTALL)  # kind, length, bits
OTHERS = {  # files that people have images in, and what to do with them
    b"ZISRAW": ("a Zeiss CZI file", "save its images as TIFF in Fiji"),
    b"\xda\xce\xbe\x0a": ("a Nikon ND2 file", "save its images as TIFF in Fiji"),
    b"\x70\0\0\0": ("a Leica LIF file", "save its images as TIFF in Fiji"),
    b"\xd0\xcf\x11\xe0": ("an Olympus OIB, or an Office file", "save its images as TIFF in Fiji"),
    b"#?R": ("a Radiance HDR file", "save it as TIFF"),
    b"v/1\x01": ("an OpenEXR file", "save it as TIFF"),
    b"\xff\x0a": ("a JPEG XL file", "save it as PNG"),
    b"\0\0\0\x0cJXL ": ("a JPEG XL file", "save it as PNG"),
    b"\x89HDF": ("an HDF5 file", "save the array in it as TIFF"),
    b"\x93NUMPY": ("an array of NumPy", "load it with numpy.load, and save it as TIFF"),
    b"PK\3\4": ("a zip archive", "unpack it first"),
    b"\x1f\x8b": ("a gzip archive", "unpack it first"),
    b"%PDF": ("a PDF", "export the image in it as PNG"),
    b"version https://git-lfs": ("a pointer of Git LFS in place of the image", "run git lfs pull"),
    b"<": ("a web page or a drawing (HTML, SVG)", "download the image itself, or export it as PNG"),
}


def kind_of(path) -> str:
    """Return the kind of an image file, such as "TIFF", or nothing."""
    first = _first_bytes(path)
    return next((kind for beginning, kind in IMAGES.items() if first.startswith(beginning)), "")


def what_it_is(path) -> tuple[str, str]:
    """Return, in words, what a file is that no reader knows, and what to do."""
    beginning = _first_bytes(path)
    if not beginning:
        return "an empty file", "copy or save it again"
    for start, words in OTHERS.items():
        if beginning.startswith(start):
            return words
    if beginning.startswith(b"\xff\xd8") and (rare := _rare_jpeg(path)):
        return rare, "save it as PNG"
    if kind := kind_of(path):
        return f"a damaged {kind} file", "open it in a viewer and save it again"
    return "a file of another kind, which is not read", "open it in a viewer and save it as PNG or TIFF"


def _rare_jpeg(path) -> str:
    """Return, in words, the kind of a JPEG file that is not an ordinary one of 8 bits; otherwise nothing."""
    with open(path, "rb") as file:
        header = file.read(2**16)
    frame = JPEG_FRAME.search(header)
    if frame is None or (frame[1] in (b"\xc0", b"\xc1", b"\xc2") and frame[2] == b"\x08"):
        return ""
    return f"a JPEG of a rare kind, lossless or of more than 8 bits ({frame[2][0]} bits)"


def _first_bytes(path) -> bytes:
    with open(path, "rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")

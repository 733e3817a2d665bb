"""Images that are turned upright by their orientation tag, and masks that may not have been drawn on them so.

A camera stores a photograph as its sensor lay, and how to turn it in EXIF. A mask that was drawn in a viewer fits the
image as it is shown; one that a program made of the pixels alone fits the image as it is stored. The files do not tell
which, unless the sizes do.
"""

import warnings
from pathlib import Path

from PIL import Image

from minunet.data.readers.kinds import kind_of
from minunet.data.readers.other_kinds import orientation_of
from minunet.data.readers.planes import ORIENTATIONS
from minunet.errors import InputError

IN_PNG = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")  # where a PNG may have it; else it need not be decoded


def orientation_in(path: str | Path) -> int:
    """Return the orientation tag of a file's first page, 1 to 8; 1 if it has none, or none that is known."""
    try:
        if kind_of(path) == "TIFF":
            import tifffile  # loaded at its first use

            with tifffile.TiffFile(path, is_ome=False) as file:
                orientation = file.pages[0].tags.valueof("Orientation", 1)
        elif kind_of(path) == "PNG" and not any(word in Path(path).read_bytes() for word in IN_PNG):
            return 1
        else:
            with Image.open(path) as image:
                orientation = orientation_of(image)
    except Exception:  # a damaged file, which its reader names
        return 1
    return orientation if orientation in ORIENTATIONS else 1


def check_size(name: str, image: Path, shape: tuple[int, ...], mask: Path, mask_shape: tuple[int, ...]) -> None:
    """Raise InputError unless a mask has the size of its image; warn if only one of the two was turned.

    `name` is what the error is about, and the shapes are (H, W), as read.
    """
    orientation, other = orientation_in(image), orientation_in(mask)
    if shape != mask_shape:
        (H, W), (mask_H, mask_W) = shape, mask_shape
        sizes = f"a mask of {H}x{W} like its image, got {mask_H}x{mask_W}"
        is_swapped = ORIENTATIONS[orientation][0] != ORIENTATIONS[other][0]
        if is_swapped and shape == mask_shape[::-1]:
            file = image.name if orientation > 1 else mask.name
            raise InputError(
                f"{name}: expected {sizes}: the orientation tag (EXIF) of {file} turns it; save it without that tag, "
                "or redo the mask on the image as it is shown"
            )
        raise InputError(f"{name}: expected {sizes}; redo the mask at the size of the image")
    if orientation != other:
        turned, not_turned = (image, "its mask") if orientation > 1 else (mask, "its image")
        warnings.warn(
            f"{turned}: turned upright, as its orientation tag (EXIF) says, and {not_turned} not: check that the mask "
            "is drawn on the image as it is shown, not as it is stored",
            stacklevel=3,
        )

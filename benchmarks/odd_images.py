"""Read every image of a folder with minunet and with other decoders, and print where they differ.

    python benchmarks/odd_images.py FOLDER [--all]

Each file is read by `minunet.data.read_pages` and by each of the decoders below that is installed (OpenCV, tifffile,
imagecodecs, imageio). All pages are compared, of palettes the colours: the same values, without alpha, and one channel
where all colours are equal. imagecodecs gives the first page only. imageio reads by Pillow, as minunet reads most kinds
but TIFF, so where it alone agrees, that proves little. A difference is not yet a fault of minunet: other decoders
ignore orientation, or scale values. The files that they differ on, and the files that minunet refuses although others
read them, are listed, to be looked at.
"""

import argparse
import collections
import os
import warnings
from pathlib import Path

import numpy as np

from minunet.data import read_pages
from minunet.errors import InputError

THUMBNAIL, TRANSPARENCY = 1, 4  # bits of the tag NewSubfileType of TIFF: a page that is no image of its own


def by_opencv(path):
    import cv2

    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR  # without alpha, upright by the orientation tag
    first = cv2.imread(str(path), flags)
    _, pages = cv2.imreadmulti(str(path), flags=flags)
    pages = [first, *pages[1:]] if first is not None else []
    return [page[..., ::-1] if page.ndim == 3 else page for page in pages]  # it gives blue, green, red


def by_tifffile(path):
    import tifffile

    with tifffile.TiffFile(path) as file:
        pages = [file.pages[index] for index in range(len(file.pages))]
        return [
            plane
            for index, page in enumerate(pages)
            if not (index and page.subfiletype & (THUMBNAIL | TRANSPARENCY))
            for plane in planes_of_tiff(page)
        ]


def planes_of_tiff(page):
    """Return the images (H, W, C) of one page of a TIFF: one, but for a volume."""
    array = page.asarray(squeeze=False)  # (separate samples, depth, H, W, interleaved samples)
    planes = [plane.transpose(1, 2, 0, 3).reshape(*plane.shape[1:3], -1) for plane in array.swapaxes(0, 1)]
    planes = [plane[..., :1] if page.photometric < 2 else plane for plane in planes]  # others are extra samples
    if page.photometric in (5, 8):
        raise ValueError("CMYK or Lab is given as it is stored")
    if page.photometric == 3:
        colours = np.asarray(page.colormap)  # (3, colours), 16 bits
        if not (colours & 255).any() or (colours == (colours >> 8) * 257).all():
            colours = colours >> 8
        return [colours[:, plane[..., 0].astype(int)].transpose(1, 2, 0) for plane in planes]
    if page.photometric == 0 and page.dtype.kind == "u":
        planes = [2**page.bitspersample - 1 - plane for plane in planes]
    return [plane * 255 if page.dtype == bool else plane for plane in planes]


def by_imagecodecs(path):
    import imagecodecs

    return [imagecodecs.imread(path)]


def by_imageio(path):
    import imageio.v3

    return [np.asarray(page) for page in imageio.v3.imiter(path, plugin="pillow", rotate=True)]


DECODERS = {"OpenCV": by_opencv, "tifffile": by_tifffile, "imagecodecs": by_imagecodecs, "imageio": by_imageio}


def as_planes(array):
    """Return (C, H, W) in float64, without alpha, and one channel where all colours are equal."""
    array = np.asarray(array)
    if array.dtype == bool:
        array = array * 255.0
    array = array[0] if array.ndim == 4 else np.atleast_3d(array)  # the first of all frames
    array = array.astype(np.float64)
    planes = array if array.shape[2] > 4 else array.transpose(2, 0, 1)  # some give (C, H, W), most (H, W, C)
    planes = planes[:3] if len(planes) > 2 else planes[:1]
    return planes[:1] if (planes == planes[0]).all() else planes


def compare(path):
    """Return what minunet says of a file, how many pages it has, and what each decoder says of them.

    That is "equal", "differs", "has N pages" or nothing if it fails. imagecodecs, and a decoder that finds fewer pages,
    is compared on those that it gives.
    """
    try:
        ours, verdict = [page for _, page in read_pages(path)], "read"
    except InputError as error:
        ours, verdict = [], str(error).removeprefix(f"{path}: ")
    except Exception as error:  # what this script looks for
        ours, verdict = [], f"TRACEBACK {type(error).__name__}: {error}"
    others = {}
    for name, decode in DECODERS.items():
        try:
            pages = [as_planes(page) for page in decode(path)]
        except Exception:  # a decoder that is not installed, or cannot read the file
            continue
        if not pages:
            continue
        same = all(map(are_equal, ours, pages))  # as far as both go
        others[name] = "differs" if not (ours and same) else "equal"
        if same and ours and name != "imagecodecs" and len(pages) != len(ours):
            others[name] = f"has {len(pages)} pages in place of {len(ours)}"
    return verdict, len(ours), others


def are_equal(ours, planes):
    """Tell whether an image of minunet, float32, is what another decoder gives in float64."""
    return planes.shape == ours.shape and np.array_equal(planes.astype(np.float32), ours)


def kind_of(verdict, others):
    """Return the row of the table that a file counts in."""
    if verdict.startswith("TRACEBACK"):
        return "traceback"
    if verdict != "read":
        return "refused, read by another decoder" if others else "refused, read by none"
    if not others:
        return "read, by no other decoder"
    if "equal" not in others.values():
        return "read, differs from all"
    if len(others) > 1 and all(what != "equal" for name, what in others.items() if name != "imageio"):
        return "read, equal to Pillow alone"
    return "read, equal to all" if set(others.values()) == {"equal"} else "read, equal to some"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="list every file, not only those to be looked at")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    counts, pages = collections.Counter(), collections.Counter()
    for path in sorted(path for path in options.folder.rglob("*") if path.is_file()):
        verdict, count, others = compare(path)
        kind = kind_of(verdict, others)
        counts[kind] += 1
        pages[kind] += count
        if options.all or kind not in ("read, equal to all", "refused, read by none"):
            said = ", ".join(f"{name} {what}" for name, what in others.items())
            print(
                f"{path.relative_to(options.folder)}: {kind}: {said}" + (f" | {verdict}" if verdict != "read" else "")
            )
    print()
    for kind, count in sorted(counts.items()):
        print(f"{count:6d} files  {pages[kind]:6d} pages  {kind}")


if __name__ == "__main__":
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    main()

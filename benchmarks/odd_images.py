"""Read every image of a folder with minunet and with other decoders, and print where they differ.

    python benchmarks/odd_images.py FOLDER [--all]

Each file is read by `minunet.data.read_pages` and by each of the decoders below that is installed (OpenCV, tifffile,
imagecodecs, imageio). They are compared on the first page: the same values, without alpha, and one channel where all
colours are equal. A difference is not yet a fault of minunet: other decoders ignore orientation, or scale values. The
files that they differ on, and the files that minunet refuses although others read them, are listed, to be looked at.
"""

import argparse
import collections
import os
import warnings
from pathlib import Path

import numpy as np

from minunet.data import read_pages
from minunet.errors import InputError


def by_opencv(path):
    import cv2

    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR  # without alpha, upright by the orientation tag
    array = cv2.imread(str(path), flags)
    if array is None:
        raise ValueError("not read")
    return array[..., ::-1] if array.ndim == 3 else array  # it gives blue, green, red


def by_tifffile(path):
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        array = page.asarray(squeeze=False)[:, 0]  # (separate samples, H, W, interleaved samples)
        array = array.transpose(1, 2, 0, 3).reshape(*array.shape[1:3], -1)
        array = array[..., :1] if page.photometric < 2 else array  # others are extra samples
        if page.photometric in (3, 5, 8):
            raise ValueError("a palette, CMYK or Lab is given as it is stored")
        if page.photometric == 0 and page.dtype.kind == "u":
            array = 2**page.bitspersample - 1 - array
        return array * 255 if page.dtype == bool else array


def by_imagecodecs(path):
    import imagecodecs

    return imagecodecs.imread(path)


def by_imageio(path):
    import imageio.v3

    return imageio.v3.imread(path, index=0, plugin="pillow", rotate=True)


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
    """Return what minunet says of a file, and what each decoder says: "equal", "differs" or nothing if it fails."""
    try:
        ours = read_pages(path)[0][1].astype(np.float64)
        verdict = "read"
    except InputError as error:
        ours, verdict = None, str(error).removeprefix(f"{path}: ")
    except Exception as error:  # what this script looks for
        ours, verdict = None, f"TRACEBACK {type(error).__name__}: {error}"
    others = {}
    for name, decode in DECODERS.items():
        try:
            planes = as_planes(decode(path))
        except Exception:  # a decoder that is not installed, or cannot read the file
            continue
        same = ours is not None and planes.shape == ours.shape and np.array_equal(planes.astype(np.float32), ours)
        others[name] = "equal" if same else "differs"
    return verdict, others


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
    return "read, equal to all" if "differs" not in others.values() else "read, equal to some"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="list every file, not only those to be looked at")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    counts = collections.Counter()
    for path in sorted(path for path in options.folder.rglob("*") if path.is_file()):
        verdict, others = compare(path)
        if verdict != "read" and not others and not verdict.startswith("TRACEBACK") and not options.all:
            counts["refused, read by none"] += 1
            continue
        kind = kind_of(verdict, others)
        counts[kind] += 1
        if options.all or kind != "read, equal to all":
            said = ", ".join(f"{name} {what}" for name, what in others.items())
            print(
                f"{path.relative_to(options.folder)}: {kind}: {said}" + (f" | {verdict}" if verdict != "read" else "")
            )
    print()
    for kind, count in sorted(counts.items()):
        print(f"{count:6d}  {kind}")


if __name__ == "__main__":
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    main()

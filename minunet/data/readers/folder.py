"""Your own images: the folders `images/` and `masks/`, with a mask for each image under the same name."""

from pathlib import Path

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.data.readers.image_files import read_image, read_labels
from minunet.data.readers.shared import as_int32, existing_folder, hold_out_last, separated
from minunet.data.sample import Dataset, Sample
from minunet.errors import InputError


def read_folder(directory: str | Path) -> Dataset:
    """Return the images of a folder with their masks.

    `images/a.tif` goes with `masks/a.png`: the names are equal, the extensions need not be. A mask is binary if it
    has one value besides 0; its cells are then the connected components. With more values it is an instance mask, one
    number per cell; cells that touch are separated by a line of background. If all masks are binary, the instances of
    the samples are None. The last fifth of the sorted names is held out, and at least one.
    """
    pairs = _pairs(existing_folder(directory, "the folders images and masks"))
    images = {name: read_image(image) for name, (image, _) in pairs.items()}  # (C, H, W) each
    masks = {name: read_labels(mask) for name, (_, mask) in pairs.items()}  # (H, W) each
    _check_sizes(images, masks)
    has_instances = not all(map(_is_binary, masks.values()))
    samples = [_sample(name, images[name], masks.pop(name), has_instances) for name in images]  # pop frees the mask
    return hold_out_last("folder", samples, share=5)


def _sample(name: str, image: np.ndarray, mask: np.ndarray, has_instances: bool) -> Sample:
    if not has_instances:
        return Sample(name, image, (mask > 0).astype(np.uint8), None)
    instances = scipy.ndimage.label(mask)[0] if _is_binary(mask) else separated(mask, f"mask of {name}")
    return Sample(name, image, (instances > 0).astype(np.uint8), as_int32(instances))


def _is_binary(mask: np.ndarray) -> bool:
    return len(np.unique(mask[mask != 0])) <= 1


def _pairs(directory: Path) -> dict[str, tuple[Path, Path]]:
    """Return the files of each image and its mask by their name, sorted."""
    images, masks = _files(directory, "images"), _files(directory, "masks")
    if len(images) < 2:
        raise InputError(
            f"{directory / 'images'}: expected at least 2 images, one of them to hold out, got {len(images)}; "
            "put more images there"
        )
    for name in images:
        if name not in masks:
            raise InputError(
                f"{directory / 'masks'}: expected a mask for every image, found none for {images[name].name}; "
                f"add {name}.png, or remove the image; a mask has the name of its image"
            )
        if masks[name].suffix.lower() in (".jpg", ".jpeg"):
            raise InputError(f"{masks[name]}: expected a mask with exact values, got JPEG, which blurs; save it as PNG")
    return {name: (images[name], masks[name]) for name in images}


def _files(directory: Path, kind: str) -> dict[str, Path]:
    """Return the files in a folder by their names without extension, sorted; hidden files are left out."""
    folder = directory / kind
    if not folder.is_dir():
        raise InputError(f"{directory}: expected the folders images and masks, found no {kind}; create {folder}")
    files: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        if path.stem in files:
            raise InputError(
                f"{folder}: expected one file per name, got {files[path.stem].name} and {path.name}; rename one"
            )
        files[path.stem] = path
    if not files:
        raise InputError(f"{folder}: expected image files, found none; put the {kind} there")
    return dict(sorted(files.items()))


def _check_sizes(images: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> None:
    for name in images:
        (H, W), (mask_H, mask_W) = images[name].shape[1:], masks[name].shape
        if (H, W) != (mask_H, mask_W):
            raise InputError(
                f"{name}: expected a mask of {H}x{W} like its image, got {mask_H}x{mask_W}; "
                "redo the mask at the size of the image"
            )

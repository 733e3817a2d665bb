"""Your own images: the folders `images/` and `masks/`, with a mask for each image under the same name."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from minunet.data.readers.classes import as_classes
from minunet.data.readers.hold_out import NONE, split
from minunet.data.readers.image_files import SPLIT_STACKS, read_image
from minunet.data.readers.mask_files import read_mask
from minunet.data.readers.masks import as_binary, as_instances, meaning_of
from minunet.data.readers.page_sizes import page_sizes
from minunet.data.readers.shared import existing_folder, name_of, separated, visible_files
from minunet.data.readers.turned import check_size
from minunet.data.readers.void import without_void
from minunet.data.sample import Dataset, Sample
from minunet.errors import InputError

SHARE = 5  # the last fifth is held out


def read_folder(
    directory: str | Path,
    labels: str = "auto",
    classes: str | None = None,
    invert: bool = False,
    hold_out: str | float | None = None,
    void: str | None = None,
) -> Dataset:
    """Return the images of a folder with their masks.

    `images/a.tif` goes with `masks/a.png`: the names are equal, the extensions need not be.

    Parameters
    ----------
    directory : path
    labels : "auto", "binary", "instances" or "classes"
        What the values of the masks mean, see `masks.py`. Binary masks of cells that do not touch have no instances:
        `Sample.instances` is None. Of instances, those that touch are separated by a line of background.
    classes : str, optional
        The values, or colours, that are class 0, 1, 2 ..., such as "0,128,255"; by default all that there are, sorted.
    invert : bool
        Swap cell and background of binary masks: of membranes drawn in white, the membranes are the object unless they
        are inverted.
    hold_out : number, share or names, optional
        Which images are held out, see `hold_out.py`; by default the last fifth of the sorted names, and at least one.
    void : str, optional
        Values, or colours, of pixels that are of no class, such as "255": they are neither learnt nor measured, like
        those that PyTorch's losses leave out by ignore_index. See `void.py`.

    Raises
    ------
    InputError
        If files are missing or do not fit each other; if `labels` is "auto" and the masks do not tell what they mean.
    """
    pairs = _pairs(existing_folder(directory, "the folders images and masks"))
    if len(pairs) < 2 and str(hold_out) != NONE:
        pages = max(len(page_sizes(image)) for image, _ in pairs.values())
        got, remedy = (f"1, a stack of {pages} pages", SPLIT_STACKS) if pages > 1 else ("1", "put more images there")
        raise InputError(
            f"{Path(directory) / 'images'}: expected at least 2 images, one of them to hold out, got {got}; {remedy}"
        )
    images = {name: read_image(image) for name, (image, _) in pairs.items()}  # (C, H, W) each
    masks = {name: read_mask(mask) for name, (_, mask) in pairs.items()}
    for name, (image, mask) in pairs.items():
        check_size(name, image, images[name].shape[1:], mask, masks[name].values.shape)
    where = Path(directory) / "masks"
    of_void = ""
    if void is not None:
        masks, void, of_void = without_void(masks, void, where)
    meaning = meaning_of(masks, "classes" if labels == "auto" and classes else labels, where)
    if classes and meaning != "classes":
        raise InputError(f"classes={classes} is for labels=classes, got labels={labels}; leave one of them out")
    if invert and meaning != "binary":
        other = "the other side of instances is one background" if meaning != "classes" else "classes have no two sides"
        raise InputError(f"invert is for binary masks, got {meaning}: {other}; leave it out")
    about: dict[str, Any] = {"void": void}
    if meaning in ("binary", "classes"):
        if meaning == "binary":
            planes, note = as_binary(masks, invert)
        else:
            planes, values, note = as_classes(masks, classes, where)
            about |= {"num_classes": values.count(",") + 1, "classes": values}
            _check_is_no_class(void, values)
        samples = [_without_instances(name, images[name], planes[name], masks[name].known) for name in images]
        return split("folder", samples, SHARE, hold_out, note="; ".join(filter(None, [note, of_void])), **about)
    if any(mask.known is not None for mask in masks.values()):
        raise InputError(
            f"void={void} is for masks of classes, and binary ones, got {meaning}: cells are measured whole; leave it "
            "out, or name labels=binary"
        )
    cells = as_instances(masks, as_components=meaning == "guess")
    samples = [_sample(name, images[name], cells.pop(name)) for name in images]  # pop frees the mask
    note = "the masks are read as instances, each number one cell; `labels` says what else they may be"
    return split("folder", samples, SHARE, hold_out, note=note if labels == "auto" else "")


def _check_is_no_class(void: str | None, classes: str) -> None:
    if both := set((void or "").split(",")) & set(classes.split(",")):
        raise InputError(f"void must be values of no class, got {both.pop()}, which is among classes; leave one out")


def _without_instances(name: str, image: np.ndarray, labels: np.ndarray, known: np.ndarray | None) -> Sample:
    return Sample(name, image, labels if known is None else labels * known, None, known)


def _sample(name: str, image: np.ndarray, uncut: np.ndarray) -> Sample:
    instances = separated(uncut, f"mask of {name}")
    return Sample(name, image, (instances > 0).astype(np.uint8), instances, uncut=uncut)


def _pairs(directory: Path) -> dict[str, tuple[Path, Path]]:
    """Return the files of each image and its mask by their name, sorted."""
    images, masks = _files(directory, "images"), _files(directory, "masks")
    if missing := [name for name in images if name not in masks]:
        raise _without_mask(directory / "masks", missing, images, masks)
    if unused := [masks[name].name for name in masks if name not in images]:
        warnings.warn(
            f"{directory / 'masks'}: left out: {len(unused)} of {len(masks)} masks, without an image of the same name, "
            f"such as {unused[0]}",
            stacklevel=2,
        )
    return {name: (images[name], masks[name]) for name in images}


def _without_mask(folder: Path, missing: list[str], images: dict[str, Path], masks: dict[str, Path]) -> InputError:
    """Return the error for images without a mask; where all masks are called im0_mask or the like, it says so."""
    name, *others = missing
    which = f"{images[name].name} and {len(others)} more of {len(images)}" if others else images[name].name
    remedy = f"add {name}.png, or rename its mask to that, or remove the image"
    for mask in masks:
        before, found, after = mask.partition(name)
        if found and mask not in images and all(f"{before}{other}{after}" in masks for other in missing):
            remedy = f"rename {masks[mask].name} to {name}{masks[mask].suffix}"
            remedy += ", and so all: names must be equal" if others else ": names must be equal"
            break
    return InputError(f"{folder}: expected a mask for every image, found none for {which}; {remedy}")


def _files(directory: Path, kind: str) -> dict[str, Path]:
    """Return the files in a folder by their names without extension, sorted; hidden files are left out."""
    folder = directory / kind
    if not folder.is_dir():
        remedy = f"create {folder}"
        if others := [child for child in directory.iterdir() if child.name.lower() == kind and child.is_dir()]:
            remedy = f"rename {others[0]} to {kind}"
        elif (directory.parent / kind).is_dir():  # one of the two was named
            remedy = f"name the folder that holds both, {directory.parent}"
        raise InputError(f"{directory}: expected the folders images and masks, found no {kind}; {remedy}")
    files: dict[str, Path] = {}
    for path in visible_files(folder):
        name = name_of(path)
        if name in files:
            raise InputError(
                f"{folder}: expected one file per name, got {files[name].name} and {path.name}; rename one"
            )
        files[name] = path
    if not files:
        raise InputError(f"{folder}: expected image files, found none; put the {kind} there")
    return dict(sorted(files.items()))

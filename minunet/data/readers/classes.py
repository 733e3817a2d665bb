"""Masks of classes: each value, or colour, gets a number, 0, 1, 2, ...

The classes are the values of all masks, sorted. Colours are sorted by their numbers if all masks have the same palette,
as those of Pascal VOC do, else by red, then green, then blue, so that black is class 0. Test masks may lack a class: so
a run keeps the values in its settings, as text such as "0,128,255" or "#000000,#ff0000", each in its class's place.
"""

import re

import numpy as np

from minunet.data.readers.mask_files import Mask
from minunet.data.readers.mask_values import are_mostly_rare, listed, named, value_counts
from minunet.data.readers.masks import in_colours
from minunet.errors import InputError, shown

MOST = 256


def as_classes(masks: dict[str, Mask], classes: str | None, where) -> tuple[dict[str, np.ndarray], str, str]:
    """Return the class of each pixel, uint8, (H, W) for each mask; the values of the classes as text; and a note.

    Raises
    ------
    InputError
        If there are more than MOST values or fewer than 2; if a value is none of `classes`; if the values look like
        noise: several, most of them rare, and neither 0, 1, 2, ... without gaps nor from a palette.
    """
    are_colours = any(mask.is_colour or mask.palette is not None for mask in masks.values())
    stored = list(masks.values())
    if are_colours:
        masks = in_colours(masks)
    counts = value_counts(masks)
    values = _in_order(counts, stored) if classes is None else _parsed(classes, are_colours)
    if classes is None:
        _check(counts, are_colours, where, exact=all(mask.palette is not None for mask in stored))
    strange = [value for value in counts if value not in values]
    if strange:
        raise InputError(
            f"{where}: expected the classes {', '.join(named(v, are_colours) for v in values)}, got also "
            f"{listed({v: counts[v] for v in strange}, are_colours)}; name every class, or redo the masks"
        )
    order = np.argsort(values)
    planes = {
        name: order[np.searchsorted(values, mask.values, sorter=order)].astype(np.uint8) for name, mask in masks.items()
    }
    total = sum(counts.values())
    shares = (f"{named(v, are_colours)} is {k} ({100 * counts.get(v, 0) / total:.1f} %)" for k, v in enumerate(values))
    return planes, ",".join(named(v, are_colours) for v in values), f"{len(values)} classes: {', '.join(shares)}"


def _in_order(counts: dict[int, int], stored: list[Mask]) -> list[int]:
    """Return the values in the order of the classes; `stored` are the masks as they were stored."""
    first, *others = [() if mask.palette is None else tuple(mask.palette.tolist()) for mask in stored]
    if not first or any(palette != first for palette in others):
        return list(counts)
    return sorted(counts, key=first.index)  # a colour that two numbers have is where the first of them is


def _check(counts: dict[int, int], are_colours: bool, where, exact: bool) -> None:
    exact = exact or list(counts) == list(range(len(counts)))
    if len(counts) > MOST or (not exact and are_mostly_rare(counts)):
        raise InputError(
            f"{where}: expected a value for each class, at most {MOST}, got {listed(counts, are_colours)}, "
            "most of them rare, as after JPEG compression or with smoothed outlines; save exact values, or name all "
            "classes, such as classes=0,128,255"
        )
    if len(counts) < 2:
        raise InputError(f"{where}: expected at least 2 classes, got {listed(counts, are_colours)}; check the masks")


def _parsed(classes: str, are_colours: bool) -> list[int]:
    """Return the values that the text names."""
    words = [word.strip() for word in classes.split(",")]
    form = r"#[0-9a-fA-F]{6}" if are_colours else r"-?\d{1,18}"
    wrong = [word for word in words if not re.fullmatch(form, word)]
    example = "#000000,#ff0000" if are_colours else "0,128,255"
    if wrong or len(set(words)) < len(words) or not 2 <= len(words) <= MOST:
        got = f"{wrong[0]!r:.40} among them" if wrong else shown(classes)
        what = "colours" if are_colours else "values"
        raise InputError(f"classes must be 2 to {MOST} different {what} like {example}, got {got}; check the spelling")
    return [int(word.lstrip("#"), 16 if are_colours else 10) for word in words]

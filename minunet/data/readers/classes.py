"""Masks of classes: each value, or colour, gets a number, 0, 1, 2, ...

The classes are the values of all masks, sorted. Colours are sorted by their numbers if all masks have the same palette,
as those of Pascal VOC do, else by red, then green, then blue, so that black is class 0. Test masks may lack a class: so
a run keeps the values in its settings, as text such as "0,128,255" or "#000000,#ff0000", each in its class's place.
Colours may be named by their numbers in a palette that all masks have; they are kept as colours.
"""

import re

import numpy as np

from minunet.data.readers.mask_files import Mask
from minunet.data.readers.mask_values import LISTED, are_mostly_rare, listed, named, numbered, value_counts
from minunet.data.readers.masks import in_colours, palette_of_all
from minunet.errors import InputError, shown

MOST = 256
COLOUR, NUMBER = r"#[0-9a-fA-F]{6}", r"-?\d{1,18}"


class OtherValuesError(InputError):
    """The masks have values that are none of the classes; perhaps those of a run on other data."""


def as_classes(masks: dict[str, Mask], classes: str | None, where) -> tuple[dict[str, np.ndarray], str, str]:
    """Return the class of each pixel, uint8, (H, W) for each mask; the values of the classes as text; and a note.

    Raises
    ------
    InputError
        If there are more than MOST values or fewer than 2; if a value is none of `classes`; if the values look like
        noise: several, most of them rare, and neither 0, 1, 2, ... without gaps nor from a palette.
    """
    palette = palette_of_all(masks)
    are_colours = any(mask.is_colour or mask.palette is not None for mask in masks.values())
    words = [] if classes is None else _words(classes)
    if words and words[0].startswith("#") and all(_is_of_bytes(mask) for mask in masks.values()):
        are_colours = True  # also where these masks are all grey, such as black
    exact = palette is not None or all(mask.palette is not None for mask in masks.values())
    if are_colours:
        masks = in_colours(masks)
    counts = value_counts(masks)
    if classes is None:
        values = _in_order(counts, palette)
        _check(counts, are_colours, where, exact)
    else:
        values = _parsed(words, are_colours, palette, counts, where)
    total = sum(counts.values())
    if strange := {value: counts[value] for value in counts if value not in values}:
        numbers = palette if not words[0].startswith("#") else None
        plain = ",".join(numbered(value, are_colours, numbers).partition("=")[0] for value in strange)
        void = f'"{plain}"' if "#" in plain else plain  # where # begins a comment
        of_no_class = f"; void={void} leaves out what is of no class" if len(strange) <= LISTED else ""
        raise OtherValuesError(
            f"{where}: expected the classes {', '.join(words)}, got also "
            f"{listed(strange, are_colours, numbers, total)}; name every class, or redo the masks{of_no_class}"
        )
    order = np.argsort(values)
    planes = {
        name: order[np.searchsorted(values, mask.values, sorter=order)].astype(np.uint8) for name, mask in masks.items()
    }
    shares = (f"{named(v, are_colours)} is {k} ({100 * counts.get(v, 0) / total:.1f} %)" for k, v in enumerate(values))
    return planes, ",".join(named(v, are_colours) for v in values), f"{len(values)} classes: {', '.join(shares)}"


def _in_order(counts: dict[int, int], palette: np.ndarray | None) -> list[int]:
    """Return the values in the order of the classes: that of the palette, if all masks have one with all values."""
    order = [] if palette is None else palette.tolist()
    if not order or not counts.keys() <= set(order):
        return list(counts)
    return sorted(counts, key=order.index)  # a colour that two numbers have is where the first of them is


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


def _words(classes: str) -> list[str]:
    """Return the values that the text names; raise InputError unless they are different values of one form."""
    words = [word.strip() for word in classes.split(",")]
    form = COLOUR if words[0].startswith("#") else NUMBER
    wrong = [word for word in words if not re.fullmatch(form, word)]
    if wrong or len(set(words)) < len(words) or not 2 <= len(words) <= MOST:
        got = f"{wrong[0]!r:.40} among them" if wrong else shown(classes)
        what = "colours like #000000,#ff0000" if form == COLOUR else "values like 0,128,255"
        raise InputError(f"classes must be 2 to {MOST} different {what}, got {got}; check the spelling")
    return words


def _parsed(words: list[str], are_colours: bool, palette: np.ndarray | None, counts: dict, where) -> list[int]:
    """Return the values that the words mean in these masks."""
    if words[0].startswith("#") == are_colours:
        return [int(word.lstrip("#"), 16 if are_colours else 10) for word in words]
    if palette is not None:
        colours = [int(palette[int(word)]) if 0 <= int(word) < len(palette) else -1 for word in words]
        if -1 not in colours and len(set(colours)) == len(colours):
            return colours
    got = f"got {'colours' if are_colours else 'numbers'}, {listed(counts, are_colours)}"
    raise OtherValuesError(
        f"{where}: expected the classes {', '.join(words)}, {got}; name these in the order of classes"
    )


def _is_of_bytes(mask: Mask) -> bool:
    return mask.is_colour or mask.palette is not None or (mask.values.min() >= 0 and mask.values.max() <= 255)

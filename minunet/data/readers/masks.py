"""What the values of masks mean: background and cell, one number a cell, or classes.

    binary     cell is what is above the middle of the values: of 0 and 255, what is above 127; smoothed outlines are
               cut there. Of two colours, the brighter one is cell
    instances  each value is one cell, 0 is background
    classes    each value, or colour, is a class: see `classes.py`
    auto       binary if all masks together have at most two values; instances if a mask has MANY numbers, and of all
               numbers in all masks at least ONE_PIECE are one piece each; else the user is asked

Three values may be three classes, or two cells with a number each, or background, cell and the grey between them: a
wrong guess is not noticed, and costs much. So nothing is guessed. ("guess" is what version 0.2.0 did: a mask with one
value besides 0 is binary, and any other has instances. Runs that it trained go on so.)
"""

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.data.readers.mask_files import Mask
from minunet.data.readers.mask_values import are_mostly_rare, listed, named, share, value_counts
from minunet.data.readers.shared import as_int32
from minunet.errors import InputError

MEANINGS = ("auto", "binary", "instances", "classes", "guess")
MANY = 10  # numbers in one mask
ONE_PIECE = 0.9  # some cells are cut in two, by another cell or by the border
TOUCHING = np.ones((3, 3), int)  # pixels that touch at a corner are one piece, too
ANSWERS = {
    "classes": "labels=classes (each value is a class)",
    "binary": "labels=binary (cell is above the middle of the values, smoothed outlines are cut)",
    "instances": "labels=instances (each value is a cell)",
}


def meaning_of(masks: dict[str, Mask], labels: str, where) -> str:
    """Return "binary", "instances" or "classes"; raise InputError if `labels` is "auto" and the values do not tell."""
    if labels == "guess":
        return "binary" if all(len(np.setdiff1d(mask.values, 0)) <= 1 for mask in masks.values()) else "guess"
    if labels != "auto":
        return labels
    counts = value_counts(masks)
    if len(counts) <= 2:
        return "binary"
    if _are_numbered(masks):
        return "instances"
    has_colours = any(mask.is_colour for mask in masks.values())
    answers = [ANSWERS[name] for name in ANSWERS if name != "classes" or not are_mostly_rare(counts)]
    raise InputError(
        f"{where}: expected masks of two values, or of {MANY} and more cells with a number each, got "
        f"{listed(counts, has_colours, palette_of_all(masks))}; say what they mean: {', '.join(answers[:-1])} or "
        f"{answers[-1]}{'; void=VALUE leaves out a value of no class' if len(answers) == len(ANSWERS) else ''}"
    )


def _are_numbered(masks: dict[str, Mask]) -> bool:
    """Tell whether the values look like the numbers of cells."""
    numbers = [len(np.setdiff1d(mask.values, 0)) for mask in masks.values()]
    if max(numbers) < MANY:
        return False
    broken = 0
    for mask in masks.values():
        _, index = np.unique(np.append(mask.values, 0), return_inverse=True)
        index = index[:-1].reshape(mask.values.shape)
        if mask.values.min() < 0:
            return False
        for number, box in enumerate(scipy.ndimage.find_objects(index), start=1):
            broken += scipy.ndimage.label(index[box] == number, TOUCHING)[1] > 1
            if broken > (1 - ONE_PIECE) * sum(numbers):
                return False
    return True


def as_binary(masks: dict[str, Mask], invert: bool) -> tuple[dict[str, np.ndarray], str]:
    """Return 1 for cell and 0 for background, uint8, (H, W) each, and a note which is which."""
    if _are_numbered(masks):
        raise InputError("expected binary masks, got a number for each cell; labels=instances reads them")
    heights = _brightness(masks)
    lows, highs = [h.min() for h in heights.values()], [h.max() for h in heights.values()]
    middle = (float(min(lows)) + float(max(highs))) / 2 if min(lows) < max(highs) else 0.0
    cells = {}
    for name, height in heights.items():
        if height.min() < height.max() <= middle:
            raise InputError(
                f"mask of {name}: expected binary masks of one range, with cell above {middle:g} as in the others, got "
                f"values from {height.min()} to {height.max()}; save all masks with the same two values"
            )
        cells[name] = ((height > middle) != invert).astype(np.uint8)
    return cells, _which_is_cell(masks, cells, middle, invert)


def _which_is_cell(masks: dict[str, Mask], cells: dict[str, np.ndarray], middle: float, invert: bool) -> str:
    """Return a note on which values became cell, and how many pixels that are."""
    are_colours = any(mask.is_colour for mask in masks.values())
    counts = value_counts(in_colours(masks) if are_colours else masks)
    known = [plane if masks[name].known is None else plane[masks[name].known] for name, plane in cells.items()]
    of_pixels = f"({share(sum(map(np.count_nonzero, known)), sum(plane.size for plane in known))} of pixels)"
    how = "as `invert` says" if invert else "`invert` swaps them"
    if len(counts) > 2:
        side, other = ("below", "above") if invert else ("above", "below")
        return (
            f"masks of {len(counts)} values, cut at {middle:g}: {side} is cell {of_pixels}, {other} background; {how}"
        )
    if len(counts) < 2:
        return ""
    low, high = sorted(counts, key=lambda value: (_sum(value), value) if are_colours else value)
    cell, other = (named(value, are_colours) for value in ((low, high) if invert else (high, low)))
    return f"{cell} is cell {of_pixels}, {other} background; {how}"


def as_instances(masks: dict[str, Mask], as_components: bool) -> dict[str, np.ndarray]:
    """Return the number of each pixel's cell, int32, (H, W) each.

    With `as_components`, a mask with one value has a cell for each piece of it.
    """
    instances = {}
    pieces = 0  # of the cells in masks that have one value only
    has_numbers = False
    for name, mask in masks.items():
        if mask.values.min() < 0:
            raise InputError(f"mask of {name}: expected numbers of cells from 0 on, got {mask.values.min()}; redo it")
        instances[name] = as_int32(mask.values)
        if len(np.setdiff1d(instances[name], 0)) > 1:
            has_numbers = True
            continue
        components = scipy.ndimage.label(instances[name])[0]
        pieces = max(pieces, components.max())
        if as_components:
            instances[name] = components
    if not has_numbers and pieces > 1:
        raise InputError(
            f"expected masks with a number for each cell, got one value in {pieces} pieces; are they labels=binary?"
        )
    return instances


def _brightness(masks: dict[str, Mask]) -> dict[str, np.ndarray]:
    """Return the values of grey masks; of colours, the sum of red, green and blue, or 0 and 1 for two colours."""
    if not any(mask.is_colour for mask in masks.values()):
        return {name: mask.values for name, mask in masks.items()}
    masks = in_colours(masks)
    colours = sorted(value_counts(masks), key=lambda colour: (_sum(colour), colour))
    if len(colours) == 2:
        return {name: (mask.values == colours[1]).astype(int) for name, mask in masks.items()}
    return {name: _sum(mask.values) for name, mask in masks.items()}


def _sum(colour):
    return (colour >> 16) + (colour >> 8 & 255) + (colour & 255)


def in_colours(masks: dict[str, Mask]) -> dict[str, Mask]:
    """Return the masks as colours: those with a palette too, and grey ones, such as a mask that is all black."""
    colours = {}
    for name, mask in masks.items():
        values = mask.values if mask.palette is None else mask.palette[mask.values]
        if not mask.is_colour and mask.palette is None:
            if values.min() < 0 or values.max() > 255:
                raise InputError(f"mask of {name}: expected colours as in other masks, got grey of more than 8 bits")
            values = values.astype(np.int64) * 0x10101
        colours[name] = Mask(values, True, None, mask.known)
    return colours


def palette_of_all(masks: dict[str, Mask]) -> np.ndarray | None:
    """Return the palette that all masks have, if they have one; greys, as of a mask that is all black, fit any."""
    palettes = [mask.palette for mask in masks.values() if mask.palette is not None]
    if not palettes or any(mask.is_colour for mask in masks.values()):
        return None
    return palettes[0] if all(np.array_equal(palettes[0], palette) for palette in palettes) else None

"""Pixels of masks that are of no class: "void" in Pascal VOC, and what PyTorch's losses leave out as ignore_index.

The borders of Pascal VOC's objects are void, since nobody knows on which side such a pixel is. Their truth counts as
not known (`Sample.known`), as that outside the field of interest of `ctc:` data does: they weigh 0 in the loss, no
measure has them, and the class that is stored for them, 0, means nothing.
"""

import re

import numpy as np

from minunet.data.readers.mask_files import Mask
from minunet.data.readers.mask_values import share
from minunet.data.readers.masks import in_colours, palette_of_all
from minunet.errors import InputError, shown


def without_void(masks: dict[str, Mask], void: str, where) -> tuple[dict[str, Mask], str, str]:
    """Return the masks with what is known of them, the values that are void as text, and a note.

    Parameters
    ----------
    masks : {name: Mask}
        As read.
    void : str
        Values such as "255", colours such as "#e0e0c0", or numbers of the palette that all masks have. They are
        returned as colours if the masks have any, as other masks of the data set may be stored in another way.

    Raises
    ------
    InputError
        If it is none of these, or nothing is known of some mask.
    """
    palette = palette_of_all(masks)
    are_colours = palette is not None or any(mask.is_colour or mask.palette is not None for mask in masks.values())
    words = [word.strip() for word in void.split(",")]
    values = [_value(word, are_colours, palette) for word in words]
    planes = in_colours(masks) if are_colours else masks
    result, count, total = {}, 0, 0
    for name, mask in masks.items():
        known = ~np.isin(planes[name].values, values)
        if not known.any():
            raise InputError(f"mask of {name}: expected pixels that are known, got void alone; remove it and its image")
        count, total = count + int(known.size - known.sum()), total + known.size
        if not known.all():  # a void pixel has a value that others have, so that nobody sees another one
            filled = np.where(known, mask.values, mask.values[known].min())
            mask = mask._replace(values=filled, known=known)
        result[name] = mask
    text = ",".join(f"#{value:06x}" if are_colours else str(value) for value in values)
    verb = "is" if len(words) == 1 else "are"
    return (
        result,
        text,
        f"{' and '.join(words)} {verb} void ({share(count, total)} of pixels): not learnt, not measured",
    )


def _value(word: str, are_colours: bool, palette: np.ndarray | None) -> int:
    """Return the value that a word means: a colour or, in masks without colours, a number."""
    if re.fullmatch(r"#[0-9a-fA-F]{6}", word):
        colour = int(word[1:], 16)
        if are_colours:
            return colour
        return colour & 255 if colour == 0x10101 * (colour & 255) else -(2**62)  # which no grey mask has
    if re.fullmatch(r"-?\d{1,18}", word):
        if not are_colours:
            return int(word)
        if palette is not None and 0 <= int(word) < len(palette):
            return int(palette[int(word)])
        raise InputError(
            f"void must be colours like #e0e0c0, as the masks have colours, and no palette with number {word} that all "
            f"share, got {word}; name the colour"
        )
    raise InputError(
        f"void must be values such as 255, or colours such as #e0e0c0, got {shown(word)}; check the spelling"
    )

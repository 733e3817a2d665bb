"""Which values masks have, and these in words."""

import numpy as np

from minunet.data.readers.mask_files import Mask

LISTED = 6  # values in a message
FEW, RARE = 4, 0.01  # values that are not taken for noise, however rare; a share of all pixels


def value_counts(masks: dict[str, Mask]) -> dict[int, int]:
    """Return how many pixels each value has in all masks together, by sorted values; only those that are known."""
    counts: dict[int, int] = {}
    for mask in masks.values():
        values = mask.values if mask.known is None else mask.values[mask.known]
        for value, count in zip(*np.unique(values, return_counts=True), strict=True):
            counts[int(value)] = counts.get(int(value), 0) + int(count)
    return dict(sorted(counts.items()))


def are_mostly_rare(counts: dict[int, int]) -> bool:
    """Tell whether most values are rare, as after JPEG compression or with smoothed outlines."""
    rare = [value for value, count in counts.items() if count < RARE * sum(counts.values())]
    return len(counts) > FEW and 2 * len(rare) > len(counts)


def listed(
    counts: dict[int, int], are_colours: bool, palette: np.ndarray | None = None, total: int | None = None
) -> str:
    """Return the most common values and their shares in words; of `total` pixels, if others have other values."""
    total = sum(counts.values()) if total is None else total
    most = sorted(sorted(counts, key=lambda value: -counts[value])[:LISTED])
    shares = ", ".join(
        f"{numbered(value, are_colours, palette)} ({share(counts[value], total)} of pixels)" for value in most
    )
    more = f" and {len(counts) - LISTED} more" if len(counts) > LISTED else ""
    return f"{len(counts)} value{'' if len(counts) == 1 else 's'}: {shares}{more}"


def share(count: int, total: int) -> str:
    """Return a share in percent."""
    return f"{100 * count / total:.3g} %"


def numbered(value: int, are_colours: bool, palette: np.ndarray | None) -> str:
    """Return a value as text; with a palette both, number and colour, like 1=#ff0000."""
    if palette is None:
        return named(value, are_colours)
    if not are_colours:
        return f"{value}={named(int(palette[value]), True)}" if 0 <= value < len(palette) else str(value)
    number = np.flatnonzero(palette == value)
    return f"{number[0]}={named(value, True)}" if len(number) else named(value, True)


def named(value: int, is_colour: bool) -> str:
    """Return a value as text; a colour like #ff0000."""
    return f"#{value:06x}" if is_colour else str(value)

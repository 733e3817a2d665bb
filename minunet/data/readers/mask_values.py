"""Which values masks have, and these in words."""

import numpy as np

from minunet.data.readers.mask_files import Mask

LISTED = 6  # values in a message
FEW, RARE = 4, 0.01  # values that are not taken for noise, however rare; a share of all pixels


def value_counts(masks: dict[str, Mask]) -> dict[int, int]:
    """Return how many pixels each value has in all masks together, by sorted values."""
    counts: dict[int, int] = {}
    for mask in masks.values():
        for value, count in zip(*np.unique(mask.values, return_counts=True), strict=True):
            counts[int(value)] = counts.get(int(value), 0) + int(count)
    return dict(sorted(counts.items()))


def are_mostly_rare(counts: dict[int, int]) -> bool:
    """Tell whether most values are rare, as after JPEG compression or with smoothed outlines."""
    rare = [value for value, count in counts.items() if count < RARE * sum(counts.values())]
    return len(counts) > FEW and 2 * len(rare) > len(counts)


def listed(counts: dict[int, int], are_colours: bool) -> str:
    """Return the most common values and their shares in words."""
    total = sum(counts.values())
    most = sorted(sorted(counts, key=lambda value: -counts[value])[:LISTED])
    shares = ", ".join(f"{named(value, are_colours)} ({100 * counts[value] / total:.3g} % of pixels)" for value in most)
    more = f" and {len(counts) - LISTED} more" if len(counts) > LISTED else ""
    return f"{len(counts)} values: {shares}{more}"


def named(value: int, is_colour: bool) -> str:
    """Return a value as text; a colour like #ff0000."""
    return f"#{value:06x}" if is_colour else str(value)

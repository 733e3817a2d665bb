"""Two small arrays as text, beside each other, with the elements that differ marked."""

import numpy as np

LARGEST = 12  # rows and columns that are printed
DIGITS = (4, 7, 10, 13, 16)  # as few of these as show the difference


def side_by_side(yours: np.ndarray, expected: np.ndarray, tolerance: float) -> list[str]:
    """Return the lines to print: the first plane that differs, of both; a star marks each element that differs.

    Of a large plane the part around the first element that differs is printed. What differs, and by how much it may, is
    as in `comparing.difference`.
    """
    yours, expected = np.asarray(yours), np.asarray(expected)
    largest = np.abs(expected).max(initial=0.0) or 1.0
    off = ~(np.abs(yours.astype(float) - expected.astype(float)) <= tolerance * largest)  # NaN is off, too
    plane = tuple(np.argwhere(off)[0][:-2])  # () if there are no more than two axes
    rows = [np.atleast_2d(array[plane]) for array in (yours, expected, off)]
    part, where = _part_to_show(rows[2], plane)
    yours, expected, off = (array[part] for array in rows)
    digits = next((d for d in DIGITS if _can_be_told_apart(yours, expected, off, d)), DIGITS[-1])
    left = [_row(y, o, digits) for y, o in zip(yours, off, strict=True)]
    right = [_row(e, np.zeros_like(o), digits) for e, o in zip(expected, off, strict=True)]
    width = max(map(len, ["yours" + where, *left]))
    lines = [f"{'yours' + where:<{width}}   expected{where}"]
    return lines + [f"{a:<{width}}   {b}" for a, b in zip(left, right, strict=True)]


def _part_to_show(off: np.ndarray, plane: tuple) -> tuple[tuple[slice, slice], str]:
    """Return rows and columns that hold the first element that differs, and in words which they are."""
    first = np.argwhere(off)[0]
    starts = [max(0, i - LARGEST // 2) if n > LARGEST else 0 for i, n in zip(first, off.shape, strict=True)]
    part = slice(starts[0], starts[0] + LARGEST), slice(starts[1], starts[1] + LARGEST)
    where = f" at [{', '.join(map(str, plane))}]" if plane else ""
    if any(starts):
        where += f", from row {starts[0]}, column {starts[1]}"
    return part, where


def _can_be_told_apart(yours, expected, off, digits: int) -> bool:
    return all(_text(y, digits) != _text(e, digits) for y, e in zip(yours[off], expected[off], strict=True))


def _text(value, digits: int) -> str:
    return f"{value + 0:.{digits}g}"


def _row(values: np.ndarray, off: np.ndarray, digits: int) -> str:
    width = digits + 3
    return " ".join(f"{_text(v, digits):>{width}}{'*' if wrong else ' '}" for v, wrong in zip(values, off, strict=True))

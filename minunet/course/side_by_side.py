"""Two small arrays as text, beside each other, with what differs marked."""

import numpy as np

WIDEST = 12  # columns and rows that still are a small array


def side_by_side(yours: np.ndarray, expected: np.ndarray) -> list[str]:
    """Return lines: the first plane of each that differs; an element that differs carries a star."""
    off = ~np.isclose(yours, expected, rtol=1e-6, atol=1e-9)
    where = ""
    if yours.ndim > 2:
        first = tuple(np.argwhere(off)[0][:-2])
        yours, expected, off = yours[first], expected[first], off[first]
        where = f" at [{', '.join(map(str, first))}]"
    rows = [np.atleast_2d(array)[:WIDEST, :WIDEST] for array in (yours, expected, off)]
    left = [_row(y, o) for y, o in zip(rows[0], rows[2], strict=True)]
    right = [_row(e, np.zeros_like(o)) for e, o in zip(rows[1], rows[2], strict=True)]
    width = max(map(len, ["yours" + where, *left]))
    lines = [f"{'yours' + where:<{width}}   expected{where}"]
    return lines + [f"{a:<{width}}   {b}" for a, b in zip(left, right, strict=True)]


def _row(values: np.ndarray, off: np.ndarray) -> str:
    return " ".join(f"{value + 0:>7.4g}{'*' if wrong else ' '}" for value, wrong in zip(values, off, strict=True))

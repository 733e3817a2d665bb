"""Two small arrays as text, beside each other, with the elements that differ marked."""

import numpy as np

LARGEST = 12  # rows and columns that are printed


def side_by_side(yours: np.ndarray, expected: np.ndarray) -> list[str]:
    """Return the lines to print: the first plane that differs, of both; a star marks each element that differs."""
    off = ~np.isclose(yours, expected, rtol=1e-6, atol=1e-9)
    where = ""
    if yours.ndim > 2:
        first = tuple(np.argwhere(off)[0][:-2])
        yours, expected, off = yours[first], expected[first], off[first]
        where = f" at [{', '.join(map(str, first))}]"
    rows = [np.atleast_2d(array)[:LARGEST, :LARGEST] for array in (yours, expected, off)]
    left = [_row(y, o) for y, o in zip(rows[0], rows[2], strict=True)]
    right = [_row(e, np.zeros_like(o)) for e, o in zip(rows[1], rows[2], strict=True)]
    width = max(map(len, ["yours" + where, *left]))
    lines = [f"{'yours' + where:<{width}}   expected{where}"]
    return lines + [f"{a:<{width}}   {b}" for a, b in zip(left, right, strict=True)]


def _row(values: np.ndarray, off: np.ndarray) -> str:
    return " ".join(f"{value + 0:>7.4g}{'*' if wrong else ' '}" for value, wrong in zip(values, off, strict=True))

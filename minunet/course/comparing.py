"""Are two arrays equal, and if not, in what way do they differ?

There is one measure: the largest difference of any element, as a share of the largest number that was expected. So an
answer whose numbers are all near 1e-9 is held to the same number of digits as one whose numbers are near 1000.
"""

import numpy as np

TOLERANCE = 1e-9  # float64 has 16 digits, and no exercise loses more than 5 of them by rounding
LOW_PRECISION = 1e-5  # equal to 5 digits or more: the formula is right, and something is rounded or added


def difference(yours, expected) -> float:
    """Return the largest difference as a share of the largest number expected; infinite where shapes differ, or NaN."""
    yours, expected = np.asarray(yours, float), np.asarray(expected, float)
    if yours.shape != expected.shape or not np.isfinite(yours).all():
        return np.inf
    largest = np.abs(expected).max(initial=0.0) or 1.0  # where all should be 0, the difference itself is taken
    return float(np.abs(yours - expected).max(initial=0.0) / largest)


def all_equal(yours: tuple, expected: tuple, tolerance: float) -> bool:
    return all(difference(y, e) <= tolerance for y, e in zip(yours, expected, strict=True))


def in_what_way(name: str, yours: np.ndarray, expected: np.ndarray) -> str:
    """Return what can be said of a difference without knowing the exercise, or an empty text."""
    if yours.dtype == bool or expected.dtype == bool:
        return ""  # yes and no have no sign and no digits
    off = difference(yours, expected)
    if off < LOW_PRECISION:
        return f"{name} is equal to about {-np.log10(off):.0f} digits: float32, or an epsilon?"
    if np.isnan(yours).any():
        return ""  # the exercise knows better where nan may come from
    if yours.ndim and not yours.any():
        or_cut_off = "" if np.trunc(expected).any() else ", or cut off to whole numbers"
        return f"{name} is 0 everywhere: is something computed and then not written into it{or_cut_off}?"
    if difference(yours, np.trunc(expected)) == 0:
        return f"{name} is cut off to whole numbers: is it, or was an argument, made an array of integers?"
    if difference(-yours, expected) <= TOLERANCE:
        return f"{name} has the wrong sign, and is right but for that"
    ratio = float((yours * expected).sum() / max((expected * expected).sum(), np.finfo(float).tiny))
    if yours.size > 2 and ratio and difference(yours / ratio, expected) <= TOLERANCE:
        return f"{name} is {ratio:.4g} times what it should be, everywhere"
    return ""

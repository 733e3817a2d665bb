"""From the pattern of the disagreement to its likely cause, in words."""

import numpy as np


def explain(analytic: np.ndarray, numeric: np.ndarray, wrong: np.ndarray) -> str:
    """Return one or two sentences on how two gradients of one argument differ, and what often causes that."""
    if wrong.sum() == 1 and wrong.size > 1:
        return f"One element of {wrong.size} is off: is it written twice, or an index off by one?"
    for pattern in (_zero, _factor, _flipped, _some_items, _border):
        hint = pattern(analytic, numeric, wrong)
        if hint:
            return hint
    share = "All elements are" if wrong.all() else f"{int(wrong.sum())} of {wrong.size} elements are"
    return f"{share} off, by no simple rule: compare the backward pass with the equation, term by term."


def _zero(analytic, numeric, wrong):
    if not analytic.any():
        return "The analytic gradient is zero everywhere: is it never written, or overwritten by zeros?"
    if not analytic[wrong].any() and wrong.sum() > 1:
        return "The wrong elements are all zero: is one of the gradient's paths dropped, or a loop too short?"
    return None


def _factor(analytic, numeric, wrong):
    if not (wrong & (numeric != 0)).any():
        return None
    big = wrong & (np.abs(numeric) > 1e-3 * np.abs(numeric).max())
    ratios = analytic[big] / numeric[big]
    if big.sum() < 2 or np.ptp(ratios) > 1e-4 * np.abs(ratios).max():
        return None
    ratio = float(np.median(ratios))
    if abs(ratio + 1) < 1e-4:
        return "The sign is wrong."
    return f"It is {ratio:.6g} times the numeric gradient: a missing or doubled factor, or a sum for a mean?"


def _flipped(analytic, numeric, wrong):
    if analytic.ndim < 2:
        return None
    turned = {
        "flipped in its last two axes: is the kernel flipped once too often, or not at all?": numeric[..., ::-1, ::-1],
        "with its last two axes swapped.": np.swapaxes(numeric, -1, -2),
        "with its first two axes swapped.": np.swapaxes(numeric, 0, 1),
        "shifted by one along the last axis: a crop or an offset off by one?": np.roll(numeric, 1, -1),
        "shifted by minus one along the last axis: a crop or an offset off by one?": np.roll(numeric, -1, -1),
    }
    for words, candidate in turned.items():
        if candidate.shape == analytic.shape:
            off = ~np.isclose(analytic, candidate, rtol=1e-4, atol=1e-5 * np.abs(numeric).max())
            if off.sum() < 0.2 * wrong.sum():
                return f"It is the right gradient {words}"
    return None


def _some_items(analytic, numeric, wrong):
    if wrong.ndim < 2 or wrong.sum() < 2:
        return None
    for axis, name in enumerate(("first", "second")):
        others = tuple(i for i in range(wrong.ndim) if i != axis)
        items = np.flatnonzero(wrong.any(axis=others))
        if len(items) < wrong.shape[axis]:
            which = ", ".join(map(str, items[:6])) + (", ..." if len(items) > 6 else "")
            return f"Only these indices of the {name} axis are wrong: {which}; is a sum or a loop over it incomplete?"
    return None


def _border(analytic, numeric, wrong):
    if wrong.ndim < 3 or min(wrong.shape[-2:]) < 3 or wrong[..., 1:-1, 1:-1].any():
        return None
    return "Only the border is wrong: does a crop, an offset or a range end one pixel early or late?"

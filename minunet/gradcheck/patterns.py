"""Patterns by which two gradients of one argument differ, each with the cause that it often has.

Each function gets the analytic gradient, the numeric one, and a mask of the elements that are wrong. It returns a
hint, or None where its pattern is not there.
"""

from fractions import Fraction

import numpy as np

CLOSE = 1e-4  # relative
NEAR = 0.05  # a factor so near to 1 is a constant that is not exact
FACTOR = "look for a missing or doubled factor, or a sum for a mean."


def zeros(analytic, numeric, wrong):
    """One of the two is zero where the other is not."""
    if not analytic.any():
        return "The analytic gradient is zero everywhere: is it never written, or overwritten by zeros?"
    if not numeric.any():
        return "The output does not depend on this argument at all: is another argument's gradient in its place?"
    if wrong.sum() < 2:
        return None
    if not analytic[numeric != 0].any():
        return "It is zero where it should not be, and the other way round: is a mask or a comparison reversed?"
    if not analytic[wrong].any():
        return "The wrong elements are all zero: which step of the backward pass should reach them, and does not?"
    return None


def one_number(analytic, numeric, wrong):
    """An argument that is a single number: only a simple factor says something."""
    if wrong.size > 1:
        return None
    ratio = float(analytic.reshape(-1)[0] / numeric.reshape(-1)[0])
    if abs(ratio + 1) < CLOSE:
        return "The sign is wrong."
    if _is_simple(ratio):
        return f"It is {_number(ratio)} times the numeric gradient: {FACTOR}"
    return "It is a single number, so there is no pattern: are all the terms of its sum there, and each once?"


def one_element(analytic, numeric, wrong):
    """A single element among others."""
    if wrong.sum() != 1:
        return None
    hint = f"Only this one of {wrong.size} elements is off: what is special about it? Is it at an end, does it alone "
    return hint + "take a branch (a clip, a mask, an if), or is it written twice?"


def factor(analytic, numeric, wrong):
    """All the wrong elements are off by one factor."""
    big = wrong & (np.abs(numeric) > 1e-3 * np.abs(numeric).max())
    ratios = analytic[big] / numeric[big]
    if big.sum() < 2 or np.ptp(ratios) > CLOSE * np.abs(ratios).max() or analytic[wrong & (numeric == 0)].any():
        return None
    ratio = float(np.median(ratios))
    is_all = wrong.sum() > 0.5 * np.count_nonzero(numeric)
    if abs(ratio + 1) < CLOSE:
        return "The sign is wrong." if is_all else "Where it is wrong, it has the wrong sign."
    which = "It is" if is_all else "Where it is wrong, it is"
    if abs(ratio - 1) < NEAR and not _is_simple(ratio):
        return f"{which} {ratio:.6g} times the numeric gradient: is a constant rounded, or an epsilon left out?"
    return f"{which} {_number(ratio)} times the numeric gradient: {FACTOR}"


def turned(analytic, numeric, wrong):
    """The right gradient, flipped, transposed or shifted."""
    if analytic.ndim < 2:
        return None
    candidates = {
        "flipped in its last two axes: is the kernel flipped once too often, or not at all?": numeric[..., ::-1, ::-1],
        "with its last two axes swapped: is a transpose missing, or one too many?": np.swapaxes(numeric, -1, -2),
        "with its first two axes swapped: is a transpose missing, or one too many?": np.swapaxes(numeric, 0, 1),
        "shifted by one along the last axis: is a crop or an offset off by one?": np.roll(numeric, 1, -1),
        "shifted by minus one along the last axis: is a crop or an offset off by one?": np.roll(numeric, -1, -1),
    }
    for words, candidate in candidates.items():
        if candidate.shape == analytic.shape:
            off = ~np.isclose(analytic, candidate, rtol=CLOSE, atol=1e-5 * np.abs(numeric).max())
            if off.sum() < 0.2 * wrong.sum():
                return f"It is the right gradient {words}"
    return None


def shuffled(analytic, numeric, wrong):
    """The right numbers, each in another place."""
    different = np.unique(numeric[wrong]).size
    a, n = np.sort(analytic, axis=None), np.sort(numeric, axis=None)
    if different < 3 or not np.allclose(a, n, rtol=CLOSE, atol=1e-6 * np.abs(n).max()):
        return None
    hint = "It holds the right numbers in the wrong places: look at each reshape, transpose and index of the backward "
    return hint + "pass."


def summed(analytic, numeric, wrong):
    """The same number along an axis along which the right gradient varies."""
    for axis in range(analytic.ndim):
        if analytic.shape[axis] < 2 or np.ptp(analytic, axis=axis).max() > CLOSE * np.abs(analytic).max():
            continue
        for words, candidate in (("sum", numeric.sum(axis)), ("mean", numeric.mean(axis))):
            candidate = np.expand_dims(candidate, axis)
            if np.allclose(analytic, candidate, rtol=CLOSE, atol=CLOSE * np.abs(numeric).max()):
                hint = (
                    f"Along axis {axis} every element is the {words} of the right ones: is the {words} taken over that "
                )
                return hint + "axis by mistake?"
    return None


def missing_term(analytic, numeric, wrong):
    """The difference is one number along an axis, as the sums in the gradients of a normalisation are."""
    difference = analytic - numeric
    for axis in range(analytic.ndim):
        if analytic.shape[axis] < 3:
            continue
        if np.ptp(difference, axis=axis).max() <= CLOSE * np.abs(difference).max():
            hint = (
                f"Analytic minus numeric is the same for all elements along axis {axis}: is a term that is a sum or a "
            )
            return hint + "mean over that axis missing, or one too many?"
    return None


def factor_by_axis(analytic, numeric, wrong):
    """The ratio of the two depends on the place along some of the axes only."""
    big = np.abs(numeric) > 1e-3 * np.abs(numeric).max()
    if analytic.ndim < 2 or big.mean() < 0.8:
        return None
    ratios = np.ma.masked_where(~big, analytic) / numeric
    long = [axis for axis in range(analytic.ndim) if analytic.shape[axis] > 1]
    spreads = {axis: (ratios.max(axis) - ratios.min(axis)).max() for axis in long}
    same = [axis for axis in long if spreads[axis] <= CLOSE * abs(ratios).max()]
    varies = [axis for axis in long if axis not in same]
    if not same or not varies:
        return None
    return (
        f"Analytic over numeric changes along {_axes(varies)} alone: is a factor that has a value for each place "
        "there missing, counted twice, or taken from the wrong place?"
    )


def repeated_indices(numeric, wrong, name, numbers):
    """As `explain` tells it that the integer argument of this name holds these numbers more than once.

    Along one axis all wrong places are among these numbers, and no right place is, but for zeros.
    """
    for axis in range(wrong.ndim):
        others = tuple(i for i in range(wrong.ndim) if i != axis)
        items = set(np.flatnonzero(wrong.any(axis=others)).tolist())
        right = set(np.flatnonzero(numeric.any(axis=others)).tolist()) - items
        if items and right and items <= numbers and not right & numbers:
            where = _indices(np.array(sorted(items)))
            return (
                f"Along axis {axis} it is wrong only at {where}, which {name} holds more than once: are the gradients "
                "of one index added up, by np.add.at in place of = or +=?"
            )
    return None


def some_items(analytic, numeric, wrong):
    """Some places along one axis hold all that is wrong, and hardly anything that is right."""
    if wrong.ndim < 2 or wrong.sum() < 2:
        return None
    for axis in range(wrong.ndim):
        others = tuple(i for i in range(wrong.ndim) if i != axis)
        items = np.flatnonzero(wrong.any(axis=others))
        if len(items) < wrong.shape[axis] and wrong.take(items, axis).mean() > 0.5:
            where, them = _indices(items), "it" if len(items) == 1 else "them"
            hint = f"Along axis {axis}, of length {wrong.shape[axis]}, it is wrong only at {where}: "
            return (
                f"{hint}does a loop, a sum or a slice end early, or leave {them} out, does an index come twice there "
                "(= or += in place of np.add.at), or is another branch taken there?"
            )
    return None


def _indices(items: np.ndarray) -> str:
    """Name at most three of the indices: index 3; indices 0 and 2; indices 1 to 4; 5 indices, such as 0, 2 and 5."""
    if len(items) == 1:
        return f"index {items[0]}"
    if len(items) > 2 and items[-1] - items[0] == len(items) - 1:
        return f"indices {items[0]} to {items[-1]}"
    if len(items) > 3:
        return f"{len(items)} indices, such as {items[0]}, {items[1]} and {items[2]}"
    return f"indices {', '.join(map(str, items[:-1]))} and {items[-1]}"


def border(analytic, numeric, wrong):
    """The outermost pixels."""
    if wrong.ndim < 3 or min(wrong.shape[-2:]) < 3 or wrong[..., 1:-1, 1:-1].any():
        return None
    return "Only the border is wrong: does a crop, an offset or a range end one pixel early or late?"


def let_through(analytic, numeric, wrong):
    """A gradient arrives where none belongs."""
    if numeric[wrong].any():
        return None
    hint = "Where it is wrong, it should be zero: what stops the values there in the forward pass (a mask, a clip, a "
    return hint + "maximum), and does the backward pass stop them too?"


def _is_simple(ratio: float) -> bool:
    """Tell whether a factor is a fraction of small whole numbers, other than 1."""
    sizes = (1, 2, 3, 4, 5, 6, 8, 10)
    return any(p != q and abs(abs(ratio) * q / p - 1) < CLOSE for p in sizes for q in sizes)


def _number(ratio: float) -> str:
    """Write a factor, and in brackets what it may stand for: 0.166667 (1/6), 1.73205 (the square root of 3)."""
    words = f"{ratio:.6g}"
    if len(words) < 7:
        return words  # 0.5 and 12 speak for themselves
    fraction, square = Fraction(ratio).limit_denominator(1000), Fraction(ratio**2).limit_denominator(20)
    if abs(fraction.numerator) < 10 and abs(fraction / ratio - 1) < 1e-5:
        return f"{words} ({fraction})"
    if ratio > 0 and square.numerator < 100 and abs(square / ratio**2 - 1) < 1e-5:
        return f"{words} (the square root of {square})"
    return words


def _axes(axes: list[int]) -> str:
    *first, last = map(str, axes)
    return f"axes {', '.join(first)} and {last}" if first else f"axis {last}"

"""From the pattern of the disagreement to its likely cause, in words."""

import inspect

import numpy as np

from minunet.backend import to_host

CLOSE = 1e-4  # relative
FACTOR = "a missing or doubled factor, or a sum for a mean?"
SIMPLE = [p / q for p in (1, 2, 3, 4, 5, 6, 8, 10) for q in (1, 2, 3, 4, 5, 6, 8, 10) if p != q]


def explain(analytic: np.ndarray, numeric: np.ndarray, wrong: np.ndarray) -> str:
    """Return one or two sentences on how two gradients of one argument differ, and what often causes that."""
    for pattern in (_zero, _one_number, _one_element, _factor, _flipped, _summed, _some_items, _border):
        hint = pattern(analytic, numeric, wrong)
        if hint:
            return hint
    share = "All elements are" if wrong.all() else f"{int(wrong.sum())} of {wrong.size} elements are"
    return f"{share} off, by no simple rule: compare the backward pass with the equation, term by term."


def explain_dy(pair, dy, analytic: dict, findings: list) -> list:
    """Say of a wrong gradient that it is not proportional to dy, as every gradient is; one more backward pass tells."""
    wrong = [f for f in findings if f.kind == "wrong" and f.argument in analytic and analytic[f.argument].any()]
    if not wrong:
        return findings
    try:
        again = pair.gradients(-2 * dy)
    except Exception:  # it fails for another dy, and the findings are there
        return findings
    name = _name_of_dy(pair.backward_function)
    better = {}
    for finding in wrong:
        a, b = (to_host(gradients[finding.argument]) for gradients in (analytic, again))
        hint = _relation_to_dy(a, b, name)
        if hint and dy.size == 1 and np.isclose(finding.analytic * float(dy[0]), finding.numeric, rtol=CLOSE):
            hint = f"It is 1/{name} times the numeric gradient, whatever {name} is: is {name} used?"
        better[finding.argument] = finding.hint if "bends there" in finding.hint else hint or finding.hint
    return [f._replace(hint=better.get(f.argument, f.hint)) if f.kind == "wrong" else f for f in findings]


def _relation_to_dy(a, b, name: str) -> str | None:
    """Return a hint if the gradients for dy and for -2 dy are not in the ratio of 1 to -2."""
    size = np.abs(a).max()

    def is_times(factor):
        return np.abs(b - factor * a).max() <= 1e-6 * size

    if is_times(-2):
        return None
    if is_times(1):
        return f"It is the same whatever {name} is: is {name} used?"
    if is_times(4):
        return f"It grows with the square of {name}: is it multiplied by {name} twice?"
    return f"It is not proportional to {name}, as every gradient is: is {name} compared, cut off, added to or squared?"


def _name_of_dy(backward) -> str:
    try:
        return next(iter(inspect.signature(backward).parameters), "dy")
    except (TypeError, ValueError):
        return "dy"


def _zero(analytic, numeric, wrong):
    if not analytic.any():
        return "The analytic gradient is zero everywhere: is it never written, or overwritten by zeros?"
    if not analytic[wrong].any() and wrong.sum() > 1:
        return "The wrong elements are all zero: is one of the gradient's paths dropped, or a loop too short?"
    if not numeric.any():
        return "The numeric gradient is zero: the output does not depend on this argument at all; is a gradient " + (
            "returned in the wrong place?"
        )
    return None


def _one_number(analytic, numeric, wrong):
    """An argument that is a single number: only a simple factor says something."""
    if wrong.size > 1:
        return None
    ratio = float(analytic.reshape(-1)[0] / numeric.reshape(-1)[0])
    if abs(ratio + 1) < CLOSE:
        return "The sign is wrong."
    if any(abs(abs(ratio) / simple - 1) < CLOSE for simple in SIMPLE):
        return f"It is {ratio:.6g} times the numeric gradient: {FACTOR}"
    return "It is a single number, so there is no pattern: are all the terms of its sum there, and each once?"


def _one_element(analytic, numeric, wrong):
    if wrong.sum() == 1:
        return f"One element of {wrong.size} is off: is it written twice, or an index off by one?"
    return None


def _factor(analytic, numeric, wrong):
    if not (wrong & (numeric != 0)).any():
        return None
    big = wrong & (np.abs(numeric) > 1e-3 * np.abs(numeric).max())
    ratios = analytic[big] / numeric[big]
    if big.sum() < 2 or np.ptp(ratios) > CLOSE * np.abs(ratios).max():
        return None
    ratio = float(np.median(ratios))
    which = "It is" if wrong.sum() > 0.5 * np.count_nonzero(numeric) else "Where it is wrong, it is"
    if abs(ratio + 1) < CLOSE:
        return "The sign is wrong." if which == "It is" else "Where it is wrong, it has the wrong sign."
    return f"{which} {ratio:.6g} times the numeric gradient: {FACTOR}"


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
            off = ~np.isclose(analytic, candidate, rtol=CLOSE, atol=1e-5 * np.abs(numeric).max())
            if off.sum() < 0.2 * wrong.sum():
                return f"It is the right gradient {words}"
    return None


def _summed(analytic, numeric, wrong):
    """The same number along an axis along which the right gradient varies: summed, or broadcast, once too often."""
    for axis in range(analytic.ndim):
        if analytic.shape[axis] < 2 or np.ptp(analytic, axis=axis).max() > CLOSE * np.abs(analytic).max():
            continue
        for words, candidate in (("sum", numeric.sum(axis)), ("mean", numeric.mean(axis))):
            candidate = np.expand_dims(candidate, axis)
            if np.allclose(analytic, candidate, rtol=CLOSE, atol=CLOSE * np.abs(numeric).max()):
                return (
                    f"Along axis {axis} every element is the {words} of the right ones: is that axis summed by mistake?"
                )
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

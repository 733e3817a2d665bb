"""From the pattern of the disagreement to its likely cause, in words that say where to look next."""

import inspect
from dataclasses import replace

import numpy as np

from minunet.backend import to_host
from minunet.gradcheck import patterns

CLOSE = 1e-4  # relative
IN_ORDER = (
    patterns.zeros,
    patterns.one_number,
    patterns.one_element,
    patterns.factor,
    patterns.turned,
    patterns.shuffled,
    patterns.summed,
    patterns.missing_term,
    patterns.factor_by_axis,
    patterns.border,
    patterns.let_through,
    patterns.some_items,
)


def explain(
    analytic: np.ndarray,
    numeric: np.ndarray,
    wrong: np.ndarray,
    x: np.ndarray | None = None,
    repeats: dict[str, set[int]] | None = None,
) -> str:
    """Return one or two sentences on how two gradients of one argument differ, and what often causes that.

    `wrong` is a mask of the elements that differ, and `x` the argument itself. `repeats` names the integer arguments
    that hold numbers more than once, and these numbers: they may be indices.
    """
    for name, numbers in (repeats or {}).items():
        if hint := patterns.repeated_indices(numeric, wrong, name, numbers):
            return hint
    for pattern in IN_ORDER:
        hint = pattern(analytic, numeric, wrong)
        if hint:
            break
    else:
        hint = f"There is no simple rule in it{_likeness(analytic, numeric)} Work out this one element on paper, term "
        hint += "by term, and look for each term in the backward pass."
    return hint + _branch(x, numeric, wrong)


def _likeness(analytic, numeric) -> str:
    """Say how much the two point the same way: a forgotten term leaves most of a gradient as it was."""
    a, n = (gradient.reshape(-1) / np.abs(gradient).max() for gradient in (analytic, numeric))
    cosine = float(a @ n) / float(np.sqrt((a @ a) * (n @ n)))
    if cosine > 0.9:
        return ", but it is close to the right gradient: a small term or factor is missing or wrong."
    if cosine < 0.3:
        return (
            ", and it does not resemble the right gradient: are the right arrays multiplied, and the right axes summed?"
        )
    return ", though it resembles the right gradient: a term or a factor is missing or wrong."


def _branch(x, numeric, wrong) -> str:
    """Return a further sentence if the wrong elements are those where the argument has one sign."""
    if x is None or min(int(wrong.sum()), int(np.count_nonzero(numeric[~wrong]))) < 2:
        return ""
    for words, side in (("negative", x < 0), ("positive", x > 0)):
        if (side == wrong).all():
            return f" The wrong elements are those where the argument is {words}: look at that branch."
    return ""


def explain_dy(pair, dy, analytic: dict, findings: list) -> list:
    """Give a wrong gradient another hint if it is dy itself, or not proportional to dy, as every gradient is.

    One more backward pass tells.
    """
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
        hint = _relation_to_dy(a, b, name) or _is_dy_itself(a, pair.outputs.shaped(dy), name)
        if hint and dy.size == 1 and np.isclose(finding.analytic * float(dy[0]), finding.numeric, rtol=CLOSE):
            hint = f"It is 1/{name} times the numeric gradient, whatever {name} is: is {name} used?"
        better[finding.argument] = finding.hint if "bends there" in finding.hint else hint or finding.hint
    return [replace(f, hint=better.get(f.argument, f.hint)) if f.kind == "wrong" else f for f in findings]


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


def _is_dy_itself(a, dy, name: str) -> str | None:
    if a.size < 2 or getattr(dy, "shape", None) != a.shape or not np.array_equal(a, to_host(dy)):
        return None
    return f"It is {name} itself: by what does the forward pass multiply this argument, and what does it hold back?"


def _name_of_dy(backward) -> str:
    try:
        return next(iter(inspect.signature(backward).parameters), "dy")
    except (TypeError, ValueError):
        return "dy"

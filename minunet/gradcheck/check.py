"""Is a backward pass right, and if not, why?

A backward pass turns dy into the gradients of  phi = sum(dy * f(arguments)),  dy random. gradcheck measures the same
numbers by finite differences and compares. Each verdict, how it is reached, and where:

mutated           Each pass gets copies of the arguments and of dy; they and the cache are compared with the originals
                  after it. (pair.py)
nondeterministic  Forward passes on the same arguments, at the beginning and at the end, are compared, and two backward
                  passes on one cache. (here, pair.py)
nonfinite         Every element of the arguments, the output and the gradients is looked at. (here, pair.py)
shape             Each gradient's shape is held against its argument's, in the order of the forward's arguments; two
                  wrong gradients of one shape that fit each other's arguments are in the wrong order. (gradients.py,
                  elements.py, locate.py)
precision         The output, its response to a change of 1e-7, or a gradient, has fewer digits than float64, by a cast,
                  a quantiser, or cancellation; differences of such numbers tell nothing. (precision.py)
wrong             Central differences at a step of 1e-6, relative to the size of the argument, disagree by more than
                  1e-6 relative plus what rounding explains, and so do smaller and larger steps, on the scale of the
                  argument and on the element's own. (elements.py, one_element.py)
kink              As wrong, but the slopes to the right and to the left differ however small the step, and the gradient
                  lies between them. (one_element.py)
vacuous           Every compared gradient of an argument is zero or within rounding of zero. (elements.py, jointly.py)

Arguments of up to MAX_ELEMENTS numbers in all are checked one by one. Larger ones are checked along random
directions, over all arguments jointly. Where the function is smooth and the gradient right, a first look settles it
(quick.py); else steps from 1e-9 to 1e-3 are tried, with a tolerance that is what rounding explains (directions.py,
smooth.py). If kinks leave a direction open, the point is moved off them at random and checked there; if it is wrong,
halving it names the argument and the element (locate.py).
"""

from numbers import Real
from typing import Any

import numpy as np

from minunet.backend import array_module, is_whole_number
from minunet.errors import InputError
from minunet.gradcheck.arguments import is_finite, same
from minunet.gradcheck.elements import FIRST_STEP, TOLERANCE, check_elements
from minunet.gradcheck.foreign import check_generator
from minunet.gradcheck.hints import explain_dy
from minunet.gradcheck.jointly import Options, check_jointly, check_quickly
from minunet.gradcheck.pair import Pair
from minunet.gradcheck.precision import examine_precision, low_precision_gradients, name_staircases
from minunet.gradcheck.report import Finding, Report, Row
from minunet.gradcheck.seed import generator, seed_of_this_test
from minunet.gradcheck.slopes import EPS, Probe

MAX_ELEMENTS = 2000
DIRECTIONS = 3
MODES = ("auto", "elements", "directions")


def gradcheck(
    forward,
    backward,
    args: tuple,
    *,
    dy=None,
    constant: tuple[str, ...] = (),
    mode: str = "auto",
    directions: int = DIRECTIONS,
    seed: int | None = None,
    rng: np.random.Generator | None = None,
    tolerance: float | None = None,
    step: float = FIRST_STEP,
) -> Report:
    """Check a forward/backward pair at `args`, in float64.

    Parameters
    ----------
    forward, backward : functions
        ``y, cache = forward(*args)`` and ``gradients = backward(dy, cache)``. y may be an array, a scalar loss, or a
        tuple, list or dict of arrays; dy then has the same structure. The gradients are one, a tuple or list in the
        order of the arguments, or a dict by argument name.
    args : tuple
        Arrays, nested dicts, lists and tuples of arrays, or anything else. Floating-point arrays are checked, as
        float64 copies. A Python float, and a list of them (which forward gets as an array), is checked if a gradient
        comes back for it. Whatever else holds numbers is passed through and listed in the report as not checked.
        Complex arrays, sparse matrices and tensors of other libraries are refused. A random generator is copied for
        each pass, so that each sees the same numbers.
    dy : the structure of y, optional
        Upstream gradient; random if left out. Beware of ones: the sum of a softmax has no gradient.
    constant : tuple of names
        Arguments that may have no gradient; the same as annotating them as `minunet.Constant`.
    mode : "auto", "elements" or "directions"
        Auto goes by elements up to MAX_ELEMENTS numbers.
    directions : int
        How many random directions.
    seed : int, optional
        Of the generator that draws dy and the directions; the report names it. If left out, it is made from the name
        of the test that pytest runs, so each test has a dy of its own; outside of pytest it is 0. The numbers are
        others than `np.random.default_rng(seed)` draws, so dy is no argument that you drew with the same seed.
    rng : numpy.random.Generator, optional
        Draws them in place of a seeded one.
    tolerance : float, optional
        Relative error that is let pass, on top of what rounding explains. By elements 1e-6: a central difference is
        good to about 1e-10, and no mistake in a formula is that small. By directions 1e-8 at first, because one wrong
        element among many shifts the slope by little; where the function is smooth, no more than rounding is.
    step : float
        The first step by elements, relative to the size of the argument: 1e-6, near which the two errors of a central
        difference, curvature and rounding, balance in float64. Where it does not settle a case others are tried. The
        steps by directions are scaled by step / 1e-6.

    Returns
    -------
    report : Report
        It is true if ``report.ok``; ``report.findings`` and, as ``str(report)``, a table. The kinds of finding: see
        the module.

    Raises
    ------
    InputError
        If args hold nothing to check, or something that cannot be checked; if forward does not return (y, cache), or
        fails at a point moved a little; if an option is unknown.
    """
    options = Options(directions, tolerance, step)
    _check_options(mode, options, seed)
    check_generator(rng)
    seed = seed_of_this_test() if seed is None else seed
    origin = "the generator given" if rng is not None else f"seed {seed}"
    rng = generator(seed) if rng is None else rng
    pair = Pair(forward, backward, args, constant)
    mode = _choose(mode, pair)
    rows: list[Row] = []
    resolution = ""
    findings = _examine_forward(pair)
    vector = pair.outputs.upstream(dy, rng)
    if not findings:
        analytic, findings = pair.examine_backward(vector)
    if not findings:
        rows, findings, resolution = _compare(pair, vector, analytic, mode, rng, options)
    return Report(
        findings,
        rows,
        mode,
        pair.passes,
        dy=pair.outputs.shaped(vector),
        dy_from=origin if dy is None else "the caller",
        not_checked=pair.arguments.not_checked,
        resolution=resolution,
    )


def _compare(pair: Pair, dy, analytic: dict, mode: str, rng, options: Options) -> tuple[list[Row], list[Finding], str]:
    """Return the table, the findings, and in words what would have been seen."""
    exact = {name: analytic[name].astype(np.float64) for name in pair.leaves}
    if mode == "directions" and pair.outputs.are_float64():
        quick = check_quickly(Probe(pair, pair.y, dy, 4 * EPS), exact, rng, options)
        if quick:
            return quick.rows, _examine_end(pair), quick.resolution
    rows: list[Row] = []
    resolution = ""
    noise, findings = examine_precision(pair, rng, is_joint=mode == "directions")
    findings = findings or low_precision_gradients(pair, dy, analytic, rng)
    if not findings:
        analytic = exact
        probe = Probe(pair, pair.y, dy, 4 * max(EPS, noise))
        if mode == "elements":
            tolerance = TOLERANCE if options.tolerance is None else options.tolerance
            rows, findings = check_elements(probe, analytic, options.step, tolerance)
        else:
            rows, findings, resolution = check_jointly(probe, analytic, rng, options)
        findings = name_staircases(pair, analytic, findings, rng)
    return rows, _examine_end(pair) or explain_dy(pair, dy, analytic, findings), resolution


def _check_options(mode: str, options: Options, seed: Any) -> None:
    directions, tolerance, step = options
    if mode not in MODES:
        raise InputError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    if not is_whole_number(directions) or directions < 1:
        expected = "at least 1" if is_whole_number(directions) else "a whole number"
        raise InputError(f"directions must be {expected}, got {directions!r}; the default is {DIRECTIONS}")
    if tolerance is not None and not (isinstance(tolerance, Real) and 0 <= tolerance < 1):
        raise InputError(f"tolerance must be a relative error from 0 to 1, got {tolerance!r}; 1e-6 is usual")
    if not (isinstance(step, Real) and 0 < step < 1):
        raise InputError(
            f"step must be relative to the size of the argument, between 0 and 1, got {step!r}; 1e-6 is usual"
        )
    if seed is not None and not (is_whole_number(seed) and seed >= 0):
        raise InputError(
            f"seed must be a whole number, at least 0, got {seed!r}; leave it out, and the test's name makes one"
        )


def _choose(mode: str, pair: Pair) -> str:
    if mode != "auto":
        return mode
    return "elements" if sum(x.size for x in pair.leaves.values()) <= MAX_ELEMENTS else "directions"


def _examine_forward(pair: Pair) -> list[Finding]:
    """Return what the forward pass did that it must not, or why its output cannot be checked."""
    if not pair.outputs.size:
        hint = f"The output holds no floating-point numbers to check, but {pair.outputs.in_words()}."
        return [Finding("vacuous" if pair.outputs.shapes else "precision", "y", hint)]
    again = pair.output()
    if pair.mutated:
        return list(pair.mutated.values())
    if not same(pair.y, again):
        return [_differs()]
    for name, x in pair.leaves.items():
        if name not in pair.arguments.optional and not is_finite(x):
            return [Finding("nonfinite", name, "The argument itself holds NaN or infinity: choose finite numbers.")]
    if not is_finite(pair.y):
        count = int((~array_module(pair.y).isfinite(pair.y)).sum())
        return [Finding("nonfinite", "y", f"The output holds NaN or infinity ({count} of {pair.y.size} elements).")]
    return []


def _examine_end(pair: Pair) -> list[Finding]:
    """Return what a forward pass did later that the first two did not do."""
    last = pair.output()
    return list(pair.mutated.values()) or ([] if same(pair.y, last) else [_differs()])


def _differs() -> Finding:
    hint = "Two forward passes on the same arguments differ: pass a random generator as an argument, and keep "
    return Finding("nondeterministic", None, hint + "no state between calls.")

"""Is a backward pass right, and if not, why?

A backward pass turns dy into the gradients of  phi = sum(dy * f(arguments)),  dy random. gradcheck measures the same
numbers by finite differences and compares. Each verdict, and how it is reached:

mutated           Copies of the arguments, dy and the cache, taken before a pass, are compared with them after it.
nondeterministic  Two forward passes on the same arguments are compared, and two backward passes on one cache.
nonfinite         Every element of the output and of the gradients is looked at.
shape             Each gradient's shape is held against its argument's, in the order of the forward's arguments; two
                  wrong gradients of one shape that fit each other's arguments are in the wrong order.
precision         The output, its response to a change of 1e-7, or a gradient, is rounded as in float32 or coarser,
                  though all arguments are float64; differences of such numbers tell nothing.
wrong             Central differences at a step of 1e-6, relative to the size of the argument, disagree by more than
                  1e-6 relative plus what rounding explains, and so does every step of a ladder from 1e-4 to 1e-8.
kink              As wrong, but the slopes to the right and to the left differ however small the step, or a branch (the
                  ReLU's sign, the pool's winner, any mask or index in the cache) flips across the smallest step.
vacuous           Every compared gradient, analytic and numeric, is zero or within rounding of zero.

Arguments of up to MAX_ELEMENTS numbers in all are checked one by one. Larger ones are checked along random
directions, over all arguments jointly, in a few forward passes for each, at steps from 1e-9 to 1e-5 and with a
tolerance of 1e-8 plus what rounding explains (see `gradchecking/directions.py`). If kinks leave a direction open, the
point is moved off them at random and checked there; if it is wrong, halving it names the argument and the element.
"""

import numpy as np

from minunet.backend import array_module
from minunet.errors import InputError
from minunet.gradcheck.directions import check_direction, count_flips, locate
from minunet.gradcheck.elements import check_elements
from minunet.gradcheck.pair import Pair, _same, mutations, snapshot
from minunet.gradcheck.precision import examine_precision, low_precision_gradients
from minunet.gradcheck.report import Finding, Report, Row
from minunet.gradcheck.slopes import EPS, Probe, move_along, random_direction

MAX_ELEMENTS = 2000
DIRECTIONS = 3
OFF_KINK = 1e-3  # relative: how far the point is moved off a kink
MODES = ("auto", "elements", "directions")


def gradcheck(
    forward,
    backward,
    args: tuple,
    *,
    rng: np.random.Generator | None = None,
    dy=None,
    mode: str = "auto",
    directions: int = DIRECTIONS,
) -> Report:
    """Check a forward/backward pair at `args`, in float64.

    Parameters
    ----------
    forward, backward : functions
        ``y, cache = forward(*args)`` and ``gradients = backward(dy, cache)``; y may be a scalar loss.
    args : tuple
        Arrays, nested dicts and lists of arrays, or anything else. Floating-point arrays are checked, as float64
        copies; integer arrays, None and scalars are passed through. A random generator is copied for each pass, so
        that each sees the same numbers. An argument annotated as `minunet.backend.Constant` may have no gradient.
    rng : numpy.random.Generator, optional
        Draws dy and the directions; seeded with 0 if left out.
    dy : array or scalar, the shape of y, optional
        Upstream gradient; random if left out. Beware of ones: the sum of a softmax has no gradient.
    mode : "auto", "elements" or "directions"
        Auto goes by elements up to MAX_ELEMENTS numbers.
    directions : int
        How many random directions.

    Returns
    -------
    report : Report
        ``report.ok``, ``report.findings`` and, as ``str(report)``, a table. The kinds of finding: see the module.

    Raises
    ------
    InputError
        If args hold no floating-point array, or forward does not return (y, cache), or an option is unknown.
    """
    if mode not in MODES:
        raise InputError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    if directions < 1:
        raise InputError(f"directions must be at least 1, got {directions}")
    rng = rng or np.random.default_rng(0)
    pair = Pair(forward, backward, args)
    if mode == "auto":
        mode = "elements" if sum(x.size for x in pair.leaves.values()) <= MAX_ELEMENTS else "directions"

    y, cache, findings = _run_forward(pair)
    if findings:
        return Report(findings, [], mode, pair.passes)
    dy = _upstream(y, dy, rng)
    noise, findings = examine_precision(pair, y, rng)
    if findings:
        return Report(findings, [], mode, pair.passes)
    noise = 4 * max(EPS, noise)
    analytic, findings = _run_backward(pair, dy, cache)
    findings = findings or low_precision_gradients(pair, dy, cache, analytic, rng)
    if findings:
        return Report(findings, [], mode, pair.passes)

    if mode == "elements":
        rows, findings, significant = check_elements(Probe(pair, y, dy, noise), analytic)
    else:
        del cache
        rows, findings, significant = _check_directions(pair, y, dy, noise, analytic, rng, directions)
    if not significant and all(finding.kind == "kink" for finding in findings):
        hint = "Nothing was compared that is not zero, so any backward pass that returns zeros would do: choose "
        findings.append(Finding("vacuous", None, hint + "other arguments, or a random dy."))
    return Report(findings, rows, mode, pair.passes)


def _run_forward(pair: Pair):
    """Return y, the cache, and what the forward pass did that it must not."""
    before = snapshot(pair.args)
    y, cache = pair.forward()
    findings = mutations(before, dict(zip(map(str, range(len(pair.args))), pair.args, strict=True)), "", "forward")
    findings = [f._replace(argument=_renamed(f.argument, pair.names)) for f in findings]
    if not findings:
        again, _ = pair.forward()
        xp = array_module(y)
        if not _same(xp.asarray(y), xp.asarray(again)):
            hint = "Two forward passes on the same arguments differ: pass a random generator as an argument, and keep "
            findings.append(Finding("nondeterministic", None, hint + "no state between calls."))
        elif not xp.isfinite(xp.asarray(y)).all():
            count = int((~xp.isfinite(xp.asarray(y))).sum())
            hint = f"The output holds NaN or infinity ({count} of {xp.asarray(y).size} elements)."
            findings.append(Finding("nonfinite", "y", hint))
    return y, cache, findings


def _renamed(position: str, names: list[str]) -> str:
    head, _, rest = position.partition(".")
    return names[int(head)] + (f".{rest}" if rest else "")


def _upstream(y, dy, rng):
    """Return dy as float64 on y's device: as given, or random and away from zero where y is a scalar."""
    xp = array_module(y)
    shape = xp.asarray(y).shape
    if dy is None:
        dy = rng.standard_normal(shape) if shape else 1.0 + rng.random()
    dy = xp.array(dy, dtype=np.float64)
    if dy.shape != shape:
        raise InputError(f"dy must have the shape of the forward output, {shape}, got {dy.shape}")
    return dy


def _run_backward(pair: Pair, dy, cache):
    """Return the analytic gradients, and what the backward pass did that it must not."""
    owners = {"dy": dy, "cache": cache, **dict(zip(pair.names, pair.args, strict=True))}
    before = {owner: snapshot(tree) for owner, tree in owners.items()}
    analytic, findings = pair.backward(dy, cache)
    analytic = {name: gradient.copy() for name, gradient in analytic.items()} if not findings else analytic
    for owner, tree in owners.items():
        findings += mutations(before[owner], tree, owner, "backward")
    if findings:
        return analytic, findings
    again, _ = pair.backward(dy, cache)
    for name, gradient in analytic.items():
        xp = array_module(gradient)
        if not xp.isfinite(gradient).all():
            findings.append(
                Finding(
                    "nonfinite",
                    name,
                    "Its gradient holds NaN or infinity: a division by zero, the "
                    "logarithm of zero, or memory that was never written?",
                )
            )
        elif not _same(gradient, again[name]):
            findings.append(Finding("nondeterministic", name, "Two backward passes on the same cache differ."))
    return analytic, findings


def _check_directions(pair, y, dy, noise, analytic, rng, directions):
    """Return the table, the findings, and whether anything but zeros was compared."""
    probe, findings, worst_error, compared, significant = Probe(pair, y, dy, noise), [], 0.0, 0, False
    leaves = {name: pair.leaves[name] for name in analytic}
    for _ in range(directions):
        direction = random_direction(rng, leaves)
        verdict = check_direction(probe, analytic, direction)
        if verdict.kind == "open":
            flips, branches = count_flips(probe, direction)
            hint = "The slopes to the right and left differ at this point; it was moved off it at random, and checked "
            findings.append(Finding("kink", None, hint + "there.", count=flips, total=branches))
            move_along(leaves, direction)(OFF_KINK)
            y, cache = pair.forward()
            analytic, _ = pair.backward(dy, cache)
            del cache
            probe = Probe(pair, y, dy, noise)
            direction = random_direction(rng, leaves)
            verdict = check_direction(probe, analytic, direction)
        if verdict.kind == "wrong":
            findings.append(locate(probe, analytic, direction, verdict.step))
        if verdict.kind != "open":
            compared, significant = compared + 1, significant or verdict.significant
            worst_error = max(worst_error, verdict.error)
        if verdict.kind == "wrong":
            break
    total = sum(x.size for x in leaves.values())
    return [Row(f"all {len(leaves)} jointly", (total,), compared, worst_error)], findings, significant

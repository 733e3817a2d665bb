"""The adjoint test, for a forward pass that is linear in an argument: convolution, cropping, interpolation, the FFT.

A linear function is a matrix A, and its backward pass multiplies by the transposed matrix A'. Then for any u and dy

    <A u, dy> = <u, A' dy>

There is no step in this and no derivative is approximated, so the two sides agree to the last few digits: a much
sharper test than finite differences, at the cost of three forward passes for an argument of any size. A bias does no
harm: A u stands for  forward(x + u) - forward(x).
"""

import numpy as np

from minunet.backend import array_module, to_host
from minunet.errors import InputError
from minunet.gradcheck.foreign import check_generator
from minunet.gradcheck.hints import explain
from minunet.gradcheck.pair import Pair
from minunet.gradcheck.report import Finding, Report, Row
from minunet.gradcheck.seed import generator, seed_of_this_test

TOLERANCE = 1e-10  # relative to the size of the terms: float64 stays far below, whatever the order of summation
SMALL = 500  # an argument of up to so many numbers is compared one by one, if it fails
MODE = "the adjoint test"


def check_adjoint(forward, backward, args: tuple, argument: str | None = None, *, rng=None, dy=None) -> Report:
    """Check that a backward pass is the transpose of a forward pass that is linear in one argument.

    Parameters
    ----------
    forward, backward, args
        As in `gradcheck`.
    argument : str, optional
        The name of the argument in which `forward` is linear, such as "x" or "params.head.weight"; by default the
        first one that has a gradient. Linearity is checked as well.
    rng : numpy.random.Generator, optional
        Draws u and dy; if left out, the seed is made from the name of the test, and is 0 outside of pytest.
    dy : array, the shape of y, optional
        Upstream gradient; random if left out.

    Returns
    -------
    report : Report
        As from `gradcheck`, with one more kind of finding: `nonlinear`.

    Raises
    ------
    InputError
        If `argument` names no argument with floating-point numbers.
    """
    check_generator(rng)
    origin = "" if rng else f"seed {seed_of_this_test()}"
    rng = rng or generator(seed_of_this_test())
    pair = Pair(forward, backward, args)
    if not pair.outputs.size:
        came = pair.outputs.in_words()
        raise InputError(f"forward must return floating-point numbers at these args, got {came}; choose other args")
    dy = pair.outputs.upstream(dy, rng)
    analytic, findings = pair.examine_backward(dy)
    findings = findings + list(pair.mutated.values())
    rows: list[Row] = []
    if not findings:
        rows, findings = _Test(pair, _choose(pair, argument), dy, analytic).run(rng)
    return Report(findings, rows, MODE, pair.passes, pair.outputs.shaped(dy), origin)


def _choose(pair: Pair, argument: str | None) -> dict:
    """Return the arrays of the argument that have a gradient, by their names."""
    if argument is not None and not isinstance(argument, str):
        raise InputError(
            f"argument must be the name of an argument, got {argument!r:.80}; leave it out for the first one"
        )
    argument = pair.arguments.owner(next(iter(pair.leaves))) if argument is None else argument
    leaves = {name: x for name, x in pair.leaves.items() if f"{name}.".startswith(f"{argument}.")}
    if not leaves:
        raise InputError(f"argument must name one that has a gradient ({', '.join(pair.leaves)}), got {argument!r}")
    return leaves


class _Test:
    """The numbers of one argument, in one vector: how y answers when they are moved."""

    def __init__(self, pair: Pair, leaves: dict, dy, analytic: dict):
        self.pair, self.leaves, self.dy = pair, leaves, dy
        self.xp = array_module(dy)
        self.start = {name: x.copy() for name, x in leaves.items()}
        self.gradient = self.xp.concatenate([self.xp.asarray(analytic[name]).reshape(-1) for name in leaves])
        self.owner = pair.arguments.owner(next(iter(leaves))) if len(leaves) > 1 else next(iter(leaves))

    def run(self, rng) -> tuple[list[Row], list[Finding]]:
        """Return the table and the findings."""
        u, v = (self.xp.asarray(rng.standard_normal(self.gradient.size)) for _ in range(2))
        au, av = self._apply(u), self._apply(v)
        finding = self._nonlinear(au, av, self._apply(u - 1.5 * v))
        if finding:
            return [], [finding]
        sides = [self._sides(u, au), self._sides(v, av)]
        worst = max(abs(left - right) / size if size else 0.0 for left, right, size in sides)
        shape = next(iter(self.leaves.values())).shape if len(self.leaves) == 1 else self.gradient.shape
        rows = [Row(self.owner, shape, len(sides), worst)]
        if not any(left or right for left, right, _ in sides):
            hint = "Both sides are zero: at these arguments y does not depend on it, so choose others."
            return rows, [Finding("vacuous", self.owner, hint)]
        for vector, (left, right, size) in zip((u, v), sides, strict=True):
            if not abs(left - right) <= TOLERANCE * size:
                return rows, [
                    self._wrong(
                        vector, f"<A u, dy> is {left:.6g}, but <u, A' dy> differs from it by {abs(left - right):.2g}. "
                    )
                ]
        return rows, []

    def _apply(self, u):
        """Return A u."""
        position = 0
        for name, x in self.leaves.items():
            x[...] = self.start[name] + u[position : position + x.size].reshape(x.shape)
            position += x.size
        y = self.pair.output()
        for name, x in self.leaves.items():
            x[...] = self.start[name]
        return y - self.pair.y

    def _nonlinear(self, au, av, both) -> Finding | None:
        gap, size, base = (float(self.xp.linalg.norm(y)) for y in (both - au + 1.5 * av, both, self.pair.y))
        if gap <= TOLERANCE * (size + base):
            return None
        share = f"by {gap / size:.1g} of its size, " if size else ""
        hint = f"A (u - 1.5 v) differs from A u - 1.5 A v, {share}so forward is not linear in it. "
        return Finding("nonlinear", self.owner, hint + "Use gradcheck, which needs no linear function.")

    def _sides(self, u, au) -> tuple[float, float, float]:
        """Return <A u, dy>, <u, A' dy>, and the size of the terms that they sum, which rounding is relative to."""
        terms = self.dy * (self.xp.abs(au) + self.xp.abs(self.pair.y)), u * self.gradient
        size = float((terms[0] ** 2).sum() + (terms[1] ** 2).sum()) ** 0.5
        return float((self.dy * au).sum()), float(terms[1].sum()), size

    def _wrong(self, u, sides: str) -> Finding:
        """Name an element where the two sides differ, by halving u again and again."""
        start, stop = 0, u.size
        while stop - start > 1:
            middle = (start + stop) // 2
            halves = (start, middle), (middle, stop)
            start, stop = max(halves, key=lambda half: abs(self._disagreement(u, *half)))
        ends = np.cumsum([x.size for x in self.leaves.values()])
        which = int(np.searchsorted(ends, start, side="right"))
        name = list(self.leaves)[which]
        return self._describe(name, start - int(ends[which]) + self.leaves[name].size, start, sides)

    def _describe(self, name: str, position: int, place: int, sides: str) -> Finding:
        """Describe the element at `position` of a leaf, which is at `place` in the vector."""
        shape, size = self.leaves[name].shape, self.leaves[name].size
        index = tuple(int(i) for i in np.unravel_index(position, shape))
        analytic = float(self.gradient[place])
        if size > SMALL:
            hint = "Compare this element with the equation."
            return Finding("wrong", name, sides + hint, index, analytic, self._column(place))
        first = place - position
        numeric = np.array([self._column(i) for i in range(first, first + size)]).reshape(shape)
        gradient = to_host(self.gradient[first : first + size]).reshape(shape)
        wrong = np.abs(numeric - gradient) > TOLERANCE * max(np.abs(numeric).max(), np.abs(gradient).max())
        hint = sides + explain(gradient, numeric, wrong, repeats=self.pair.arguments.repeats())
        return Finding("wrong", name, hint, index, analytic, float(numeric[index]), int(wrong.sum()), size)

    def _disagreement(self, u, start: int, stop: int) -> float:
        part = self.xp.zeros(u.shape)
        part[start:stop] = u[start:stop]
        left, right, _ = self._sides(part, self._apply(part))
        return left - right

    def _column(self, place: int) -> float:
        """Return <A e, dy>, where e is 1 at one place, and 0 elsewhere."""
        e = self.xp.zeros(self.gradient.shape)
        e[place] = 1.0
        return float((self.dy * self._apply(e)).sum())

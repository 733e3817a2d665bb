"""All arguments along random directions: the table, the findings, and how small an error would have been seen."""

import math
from typing import NamedTuple

import numpy as np

from minunet.gradcheck.directions import FLOOR, Direction, Verdict, along, check_direction
from minunet.gradcheck.elements import FIRST_STEP, vacuous
from minunet.gradcheck.locate import locate
from minunet.gradcheck.moves import DirectionMove, random_direction, root_mean_square, size_of
from minunet.gradcheck.quick import confirm, quick_look
from minunet.gradcheck.report import Finding, Row
from minunet.gradcheck.slopes import Probe, Slope
from minunet.gradcheck.smooth import Looker, look_alone

OFF_KINK = 1e-3  # relative: how far the point is moved off a kink
LEAST_MOVE = 0.5  # of the size of an argument: no element moves by less in a random direction
BESIDE = 0.1  # a kink is at the point if it is still there at a step smaller by this factor
MANY = 8  # arguments that are checked alone, at most
MARGIN = 1.5  # an error has to stand out from rounding by so much more to be seen for certain


class Options(NamedTuple):
    directions: int
    tolerance: float | None
    step: float


class Outcome(NamedTuple):
    rows: list[Row]
    findings: list[Finding]
    resolution: str


class Jointly:
    """One check by directions: where the point is, the gradients there, and what was seen so far."""

    def __init__(self, probe: Probe, analytic: dict, rng: np.random.Generator, scale: float, floor: float):
        self.probe, self.analytic, self.rng, self.scale, self.floor = probe, analytic, rng, scale, floor
        self.leaves = {name: probe.pair.leaves[name] for name in analytic}
        self.findings: list[Finding] = []
        self.compared, self.worst_error, self.tolerance = 0, 0.0, math.inf
        self.shares = dict.fromkeys(analytic, 0.0)
        self.unproved: list[str] = []
        self.looker = Looker(scale)
        self.start: DirectionMove | None = None  # if the point was moved off kinks

    def run(self, count: int) -> Outcome:
        for _ in range(count):
            if not self._check_one():
                break
        if not self._is_wrong():
            self._check_what_hardly_shows()
        if self.start is not None:
            self.start.to(0.0)
        if len(self.unproved) == len(self.shares):
            self.compared = 0
        return self._outcome()

    def run_quickly(self, count: int) -> Outcome | None:
        """Return the outcome if every direction agrees at first sight, and every argument shows; else None."""
        for i in range(count):
            way = along(self.leaves, random_direction(self.rng, self.leaves), self.analytic)
            verdict = (confirm if i else quick_look)(self.probe, way, self.scale)
            if verdict is None:
                return None
            self._note(verdict, way)
        return None if self._hidden() else self._outcome()

    def _outcome(self) -> Outcome:
        shape: tuple[int, ...]
        if len(self.leaves) == 1:
            ((name, x),) = self.leaves.items()
            shape = x.shape
        else:
            name, shape = f"all {len(self.leaves)} jointly", (sum(x.size for x in self.leaves.values()),)
        row = Row(name, shape, self.compared, self.worst_error)
        return Outcome([row], self.findings, "" if self._is_wrong() else self._resolution())

    def _note(self, verdict: Verdict, way: Direction) -> None:
        self.shares = {name: max(share, way.shares[name]) for name, share in self.shares.items()}
        if verdict.kind != "open" and math.isfinite(verdict.tolerance):
            self.compared += 1
            self.worst_error = max(self.worst_error, verdict.error)
            self.tolerance = min(self.tolerance, verdict.tolerance)

    def _hidden(self) -> list[str]:
        """Return the arguments whose gradients are too small to show beside the others."""
        return [name for name, share in self.shares.items() if self.leaves[name].size and not share > self.tolerance]

    def _is_wrong(self) -> bool:
        return any(finding.kind in ("wrong", "shape", "nonfinite") for finding in self.findings)

    def _check_one(self) -> bool:
        """Check one direction; return whether another one is worth it."""
        direction = random_direction(self.rng, self.leaves)
        verdict, direction, way = self._verdict(direction)
        if verdict.kind == "open" and self.start is None:
            self._move_off_kinks(verdict)
            verdict, direction, way = self._verdict(random_direction(self.rng, self.leaves))
        if verdict.kind == "unreached":
            hint = "The output is NaN or infinite wherever the arguments are moved: choose a point inside the domain."
            self.findings.append(Finding("nonfinite", "y", hint))
            return False
        if verdict.kind == "wrong":
            self.findings += locate(self.probe, self.analytic, direction, verdict)
        elif not self.findings and verdict.slope:
            self._look_for_kinks(verdict.slope, verdict.tolerance, direction)
        self._note(verdict, way)
        return verdict.kind != "wrong"

    def _verdict(self, direction: dict) -> tuple[Verdict, dict, Direction]:
        way = along(self.leaves, direction, self.analytic)
        verdict = check_direction(self.probe, way, self.scale, self.floor)
        if verdict.kind == "open":  # perhaps the elements live on scales of their own
            own = random_direction(self.rng, self.leaves, own_scale=True)
            own_way = along(self.leaves, own, self.analytic)
            own_verdict = check_direction(self.probe, own_way, self.scale, self.floor)
            if own_verdict.kind == "agreement" and math.isfinite(own_verdict.tolerance):
                way, verdict, direction = own_way, own_verdict, own
        if verdict.kind == "agreement":
            verdict = self.looker.look_again(self.probe, way, verdict)
        return verdict, direction, way

    def _look_for_kinks(self, slope: Slope, tolerance: float, direction: dict) -> None:
        """Report outputs that bend exactly at the point, though the slope agrees: it is the mean of two."""
        if slope.bent and slope.bend > tolerance:
            step = BESIDE * slope.step
            closer = self.probe.slope(DirectionMove(self.leaves, direction), step, count_bends=True)
            if closer and closer.bend > 0.5 * slope.bend:
                hint = "So many outputs bend at this point (a ReLU at 0, a tie in a pool): only the mean of their two "
                hint += "slopes was compared."
                self.findings.append(Finding("kink", None, hint, count=closer.bent, total=self.probe.y.size))

    def _move_off_kinks(self, verdict: Verdict) -> None:
        hint = (
            "The slopes to the right and left differ at this point; it was moved off it at random, and checked there."
        )
        bent = verdict.slope.bent if verdict.slope else None
        finding = Finding("kink", None, hint, count=bent, total=self.probe.y.size)
        self.findings.append(finding)
        self.start = DirectionMove(self.leaves, random_direction(self.rng, self.leaves))
        self.start.to(OFF_KINK)
        pair = self.probe.pair
        self.analytic = {name: g for name, g in pair.gradients(self.probe.dy).items() if name in self.leaves}
        self.probe = Probe(pair, pair.output(), self.probe.dy, self.probe.noise)

    def _check_what_hardly_shows(self) -> None:
        """Check arguments alone whose gradients are too small to show beside the others; vacuous if that fails too."""
        owner = self.probe.pair.arguments.owner
        hidden = self._hidden()
        for name in hidden:
            direction = random_direction(self.rng, {name: self.leaves[name]})
            way = along(self.leaves, direction, self.analytic)
            kind, look = (way.size and len(hidden) <= MANY and look_alone(self.probe, way)) or ("open", None)
            if kind == "wrong" and look is not None:
                failed = Verdict("wrong", 0.0, look.step, 0.0)
                self.findings += locate(self.probe, self.analytic, direction, failed)
            if kind == "open":
                self.unproved.append(name)
        shown = {owner(name) for name in self.shares if name not in self.unproved}
        self.findings += [vacuous(name) for name in dict.fromkeys(map(owner, self.unproved)) if name not in shown]

    def _resolution(self) -> str:
        """Return, in words, the smallest error of one element that would have been seen, in the worst argument."""
        worst, where = 0.0, None
        for name, x in self.leaves.items():
            size = root_mean_square(self.analytic[name])
            if size and math.isfinite(self.tolerance):
                smallest = MARGIN * self.tolerance / (LEAST_MOVE * size_of(x)) / size
                worst, where = max((worst, where or ""), (smallest, name))
        if where is None:
            return ""
        whose = f"{where}'s gradient" if len(self.leaves) == 1 else f"its argument's gradient (at worst, in {where})"
        return f"a single element off by more than {worst:.0e} of the typical size of {whose} would have been seen"


def check_jointly(probe: Probe, analytic: dict, rng: np.random.Generator, options: Options) -> Outcome:
    """Check random directions over all arguments."""
    return _jointly(probe, analytic, rng, options).run(options.directions)


def check_quickly(probe: Probe, analytic: dict, rng: np.random.Generator, options: Options) -> Outcome | None:
    """Return the outcome if the gradients agree at first sight, as right ones of smooth functions do; else None."""
    if options.tolerance is not None and options.tolerance < FLOOR:
        return None
    return _jointly(probe, analytic, rng, options).run_quickly(options.directions)


def _jointly(probe: Probe, analytic: dict, rng: np.random.Generator, options: Options) -> Jointly:
    floor = FLOOR if options.tolerance is None else options.tolerance
    return Jointly(probe, analytic, rng, options.step / FIRST_STEP, floor)

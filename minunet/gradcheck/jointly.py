"""All arguments along random directions: the table, the findings, and how small an error would have been seen."""

import math
from typing import NamedTuple

import numpy as np

from minunet.gradcheck import directions as coarse
from minunet.gradcheck.directions import Verdict, along, check_direction
from minunet.gradcheck.elements import vacuous
from minunet.gradcheck.locate import locate
from minunet.gradcheck.moves import DirectionMove, random_direction, size_of
from minunet.gradcheck.report import Finding, Row
from minunet.gradcheck.slopes import Probe, norm
from minunet.gradcheck.smooth import look_again

OFF_KINK = 1e-3  # relative: how far the point is moved off a kink
LEAST_MOVE = 0.5  # of the size of an argument: no element moves by less in a random direction
MARGIN = 1.5  # an error has to stand out from rounding by so much more to be seen for certain


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
        self.start: DirectionMove | None = None  # if the point was moved off kinks

    def run(self, count: int) -> Outcome:
        for _ in range(count):
            if not self._check_one():
                break
        if self.start is not None:
            self.start.to(0.0)
        total = sum(x.size for x in self.leaves.values())
        is_wrong = any(finding.kind in ("wrong", "shape") for finding in self.findings)
        if not is_wrong:
            self.findings += [vacuous(name) for name in self._unproved()]
        if len(self._unproved()) == len(self.leaves) and not is_wrong:
            self.compared = 0
        row = Row(f"all {len(self.leaves)} jointly", (total,), self.compared, self.worst_error)
        return Outcome([row], self.findings, "" if is_wrong else self._resolution())

    def _check_one(self) -> bool:
        """Check one direction; return whether another one is worth it."""
        direction = random_direction(self.rng, self.leaves)
        verdict, direction = self._verdict(direction)
        if verdict.kind == "open" and self.start is None:
            self._move_off_kinks(verdict)
            verdict, direction = self._verdict(random_direction(self.rng, self.leaves))
        if verdict.kind == "wrong":
            self.findings += locate(self.probe, self.analytic, direction, verdict)
        if verdict.kind != "open" and math.isfinite(verdict.tolerance):
            self.compared += 1
            self.worst_error = max(self.worst_error, verdict.error)
            self.tolerance = min(self.tolerance, verdict.tolerance)
        return verdict.kind != "wrong"

    def _verdict(self, direction: dict) -> tuple[Verdict, dict]:
        way = along(self.leaves, direction, self.analytic)
        verdict = check_direction(self.probe, way, self.scale, self.floor)
        if verdict.kind == "open":  # perhaps the elements live on scales of their own
            own = random_direction(self.rng, self.leaves, own_scale=True)
            own_way = along(self.leaves, own, self.analytic)
            own_verdict = check_direction(self.probe, own_way, self.scale, self.floor)
            if own_verdict.kind == "agreement" and math.isfinite(own_verdict.tolerance):
                way, verdict, direction = own_way, own_verdict, own
        if verdict.kind == "agreement":
            verdict = look_again(self.probe, way, verdict, self.scale)
        self.shares = {name: max(share, way.shares[name]) for name, share in self.shares.items()}
        return verdict, direction

    def _move_off_kinks(self, verdict: Verdict) -> None:
        hint = "The slopes to the right and left differ at this point; it was moved off it at random, and checked there."
        finding = Finding("kink", None, hint, count=verdict.slope.bent, total=self.probe.y.size)
        self.findings.append(finding)
        self.start = DirectionMove(self.leaves, random_direction(self.rng, self.leaves))
        self.start.to(OFF_KINK)
        pair = self.probe.pair
        self.analytic = {name: g for name, g in pair.gradients(self.probe.dy).items() if name in self.leaves}
        self.probe = Probe(pair, pair.output(), self.probe.dy, self.probe.noise)

    def _unproved(self) -> list[str]:
        """Return the arguments whose gradient is too small to show beside the others."""
        return [name for name, share in self.shares.items() if not share > self.tolerance]

    def _resolution(self) -> str:
        """Return, in words, the smallest error of one element that would have been seen, in the worst argument."""
        worst, where = 0.0, None
        for name, x in self.leaves.items():
            size = norm(self.analytic[name].reshape(-1)) / max(1, x.size) ** 0.5
            if size and math.isfinite(self.tolerance):
                smallest = MARGIN * self.tolerance / (LEAST_MOVE * size_of(x)) / size
                worst, where = max((worst, where or ""), (smallest, name))
        if where is None:
            return ""
        whose = f"{where}'s gradient" if len(self.leaves) == 1 else f"its argument's gradient (at worst, in {where})"
        return f"a single element off by more than {worst:.0e} of the typical size of {whose} would have been seen"


def check_jointly(probe: Probe, analytic: dict, rng, count: int, step: float, floor: float | None) -> Outcome:
    """Check `count` random directions over all arguments."""
    scale = step / 1e-6
    return Jointly(probe, analytic, rng, scale, coarse.FLOOR if floor is None else floor).run(count)

"""`check`: is a student's function right, and if not, what is the first thing to look at?

The checks go from quick to slow, and the first failure ends them: Is the function written? Does it run? Does it return
the right shapes? Is it right for a tiny case, which is printed as yours beside expected? For further cases? And, for a
backward pass, does it pass the gradient check? A failure ends with a hint.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minunet.course.exercise import Exercise
from minunet.course.exercises import find
from minunet.course.side_by_side import side_by_side
from minunet.course.student_errors import FailedCheckError, run, where_it_failed
from minunet.gradcheck.check import gradcheck


@dataclass(frozen=True, repr=False)
class Verdict:
    """The outcome of a check: true if the function is right, so `assert course.check(...)` works.

    A notebook shows it in green or red; `print` shows it as text.
    """

    name: str  # of the exercise
    ok: bool
    lines: list[str]  # what was found, step by step
    points: float  # 1 if right; else the share of the steps before the one that failed
    remarks: tuple[str, ...] = ()  # what a teacher should know, such as a call to the library's own function

    def __bool__(self):
        return self.ok

    def require(self) -> None:
        """Raise AssertionError, with the verdict as its text, unless the function is right: for nbgrader and otter."""
        if not self.ok:
            raise AssertionError(str(self))

    def __repr__(self):
        return "\n".join([f"{'RIGHT' if self.ok else 'NOT YET'}: {self.name}", *("  " + line for line in self.lines)])

    def _repr_html_(self):
        from html import escape

        colour, mark = ("#009E73", "&#10003;") if self.ok else ("#D55E00", "&#10007;")
        head = f'<b style="color:{colour}">{mark} {escape(self.name)}</b>'
        body = f'<pre style="font-family:monospace">{escape(chr(10).join(self.lines))}</pre>'
        return f'<div style="border-left:6px solid {colour};padding-left:1em">{head}{body}</div>'


def check(name: str, function: Callable) -> Verdict:
    """Judge a student's function.

    Parameters
    ----------
    name : str
        The exercise, such as "conv2d_backward".
    function : callable
        It is called with copies of the arguments, so a function that changes them harms no other check.

    Returns
    -------
    verdict : Verdict
        True if the function is right; a notebook shows it in green or red.

    Raises
    ------
    InputError
        If no exercise has that name; the message lists those that are.
    """
    exercise = find(name)
    lines: list[str] = []
    points = 0.0
    try:
        for step, share in _shares(exercise).items():
            lines += step(exercise, function)
            points += share
    except FailedCheckError as failure:
        return Verdict(name, False, lines + failure.lines, round(points, 2))
    return Verdict(name, True, lines, 1.0)


def _shares(exercise: Exercise) -> dict[Callable, float]:
    """Return the steps of this exercise, in order, and the share of the points that each is worth."""
    worth = {_runs: 0.1, _tiny_case: 0.4}
    if exercise.more:
        worth[_further_cases] = 0.3
    if exercise.pair:
        worth[_gradient] = 0.2
    return {step: points / sum(worth.values()) for step, points in worth.items()}


def _runs(exercise: Exercise, function: Callable) -> list[str]:
    """Call it once, and compare the shapes of what it returns."""
    yours, expected = _both(exercise, function, exercise.args)
    wrong = [
        f"{name} has shape {np.shape(y)}, expected {np.shape(e)}"
        for name, y, e in zip(exercise.outputs, yours, expected, strict=True)
        if np.shape(y) != np.shape(e)
    ]
    if wrong:
        raise FailedCheckError([*wrong, _hint(exercise, yours)])
    return ["shapes: " + ", ".join(f"{n} {np.shape(y)}" for n, y in zip(exercise.outputs, yours, strict=True))]


def _tiny_case(exercise: Exercise, function: Callable) -> list[str]:
    yours, expected = _both(exercise, function, exercise.args)
    wrong = _first_difference(exercise, yours, expected)
    if wrong is None:
        return ["a tiny case: equal"]
    name, y, e = wrong
    raise FailedCheckError([f"a tiny case: {name} differs", *side_by_side(y, e), _hint(exercise, yours)])


def _further_cases(exercise: Exercise, function: Callable) -> list[str]:
    for args in exercise.more:
        yours, expected = _both(exercise, function, args)
        shapes = ", ".join(str(x.shape) for x in args if isinstance(x, np.ndarray))
        case = f"the tiny case is right, but with {shapes or args}"
        for name, y, e in zip(exercise.outputs, yours, expected, strict=True):
            if np.shape(y) != np.shape(e):
                shapes = f"{np.shape(y)}, expected {np.shape(e)}"
                raise FailedCheckError([f"{case}, {name} has shape {shapes}", exercise.hint])
        if wrong := _first_difference(exercise, yours, expected):
            name, y, e = wrong
            case += f", {name} differs: is a size written down as a number?"
            raise FailedCheckError([case, *side_by_side(y, e)])
    return [f"{len(exercise.more)} more: equal"] if exercise.more else []


def _gradient(exercise: Exercise, function: Callable) -> list[str]:
    if exercise.pair is None:
        return []
    forward, args = exercise.pair
    try:
        report = gradcheck(forward, function, args)
    except Exception as error:
        raise FailedCheckError([f"gradient check: {where_it_failed(error, function)}"]) from error
    if report.ok:
        return [f"gradient check: ok, worst relative error {max(row.error for row in report.rows):.0e}"]
    raise FailedCheckError(["gradient check:", *str(report).splitlines()])


def _both(exercise: Exercise, function: Callable, args: tuple) -> tuple[tuple, tuple]:
    """Return what the student's function and the right one return for copies of the arguments."""
    yours = run(function, copy.deepcopy(args), exercise.outputs)
    expected = exercise.solution(*copy.deepcopy(args))
    return yours, expected if len(exercise.outputs) > 1 else (expected,)


def _first_difference(exercise: Exercise, yours: tuple, expected: tuple) -> tuple | None:
    """Return (name, yours, expected) of the first output that differs, or None if all are equal."""
    for name, y, e in zip(exercise.outputs, yours, expected, strict=True):
        if not _equal(y, e, exercise.tolerance):
            return name, np.asarray(y), np.asarray(e)
    return None


def _equal(yours, expected, tolerance: float) -> bool:
    yours, expected = np.asarray(yours), np.asarray(expected)
    if yours.shape != expected.shape:
        return False
    return bool(np.allclose(yours, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max(initial=0.0))))


def _hint(exercise: Exercise, yours: tuple) -> str:
    """Return the hint for the known mistake that gives exactly this result, or else the exercise's general hint."""
    for words, mistaken in exercise.mistakes.items():
        result = mistaken(*copy.deepcopy(exercise.args))
        result = result if len(exercise.outputs) > 1 else (result,)
        if all(_equal(y, r, exercise.tolerance) for y, r in zip(yours, result, strict=True)):
            return f"hint: {words}"
    return f"hint: {exercise.hint}"

"""`check`: is a student's function right, and if not, what is the first thing to look at?

The checks go from quick to slow, and the first failure ends them: Is the function written? Does it run? Does it return
the right shapes? Is it right for a tiny case, which is printed as yours beside expected? For further cases? Does it
leave its arguments alone, and return arrays of its own? And, for a backward pass, does it pass the gradient check? A
failure ends with a hint. Whatever a student's function does, `check` returns a verdict.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minunet.course.answer import Answer, FailedCheckError, Returned, where_it_failed, wrong_number
from minunet.course.comparing import all_equal, difference, in_what_way
from minunet.course.exercise import Exercise, case_in_words
from minunet.course.exercises import find
from minunet.course.side_by_side import side_by_side
from minunet.course.time_limit import time_limit
from minunet.gradcheck.check import gradcheck

SECONDS = 60  # for a whole check; a right function needs less than one


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
        head = f"{'RIGHT' if self.ok else 'NOT YET'}: {self.name}"
        return "\n  ".join([head, *self._all_lines()])

    def _repr_html_(self):
        from html import escape

        colour, mark = ("#009E73", "&#10003;") if self.ok else ("#D55E00", "&#10007;")
        head = f'<b style="color:{colour}">{mark} {escape(self.name)}</b>'
        body = f'<pre style="font-family:monospace">{escape(chr(10).join(self._all_lines()))}</pre>'
        return f'<div style="border-left:6px solid {colour};padding-left:1em">{head}{body}</div>'

    def _all_lines(self) -> list[str]:
        return [*self.lines, *(f"remark: {remark}" for remark in self.remarks)]


def check(name: str, function: Callable, seconds: float | None = SECONDS) -> Verdict:
    """Judge a student's function.

    Parameters
    ----------
    name : str
        The exercise, such as "conv2d_backward".
    function : callable
        It is called with copies of the arguments, so a function that changes them harms no other check.
    seconds : float, optional
        How long the check may take; None for no limit.

    Returns
    -------
    verdict : Verdict
        True if the function is right; a notebook shows it in green or red.

    Raises
    ------
    InputError
        If no exercise has that name; the message lists those that are.
    KeyboardInterrupt
        If the user interrupts it; one that the function raises by itself is a failure like others.
    """
    exercise = find(name)
    answer = Answer(exercise, function)
    lines: list[str] = []
    points = 0.0
    try:
        with time_limit(seconds) as interrupts:
            for step, share in _shares(exercise).items():
                lines += step(exercise, answer)
                points += share
    except FailedCheckError as failure:
        lines += failure.lines
    except KeyboardInterrupt as error:
        if interrupts.by_user:
            raise
        lines.append(_too_slow(seconds) if interrupts.by_clock else where_it_failed(error, function))
    except BaseException as error:  # from an object that the function returned, such as a list with a length of its own
        lines.append(where_it_failed(error, function))
    else:
        return Verdict(name, True, lines, 1.0, tuple(sorted(answer.remarks)))
    return Verdict(name, False, lines, round(points, 2), tuple(sorted(answer.remarks)))


def _too_slow(seconds: float | None) -> str:
    return f"it takes longer than {seconds:g} s: is there a loop that never ends?"


def _shares(exercise: Exercise) -> dict[Callable, float]:
    """Return the steps of this exercise, in order, and the share of the points that each is worth."""
    worth = {_runs: 0.1, _tiny_case: 0.4}
    if exercise.more:
        worth[_further_cases] = 0.2
    worth[_manners] = 0.1
    if exercise.pair:
        worth[_gradient] = 0.2
    return {step: points / sum(worth.values()) for step, points in worth.items()}


def _runs(exercise: Exercise, answer: Answer) -> list[str]:
    """Call it once, and compare the shapes of what it returns."""
    yours, expected = answer.first(exercise.args), _expected(exercise, exercise.args)
    if wrong := _wrong_shapes(exercise, yours, expected):
        raise FailedCheckError([*wrong, _hint(exercise, answer, exercise.args)])
    return ["shapes: " + ", ".join(f"{n} {y.shape}" for n, y in zip(exercise.outputs, yours.outputs, strict=True))]


def _tiny_case(exercise: Exercise, answer: Answer) -> list[str]:
    expected = _expected(exercise, exercise.args)
    if wrong := _differences(exercise, answer, exercise.args, expected):
        raise FailedCheckError([f"a tiny case: {wrong[0]}", *wrong[1:]])
    return ["a tiny case: equal"]


def _further_cases(exercise: Exercise, answer: Answer) -> list[str]:
    for args in exercise.more:
        case = f"the tiny case is right, but with {case_in_words(args)}"
        try:
            yours, expected = answer.first(args), _expected(exercise, args)
        except FailedCheckError as failure:
            raise FailedCheckError([f"{case}, {failure.lines[0]}", *failure.lines[1:]]) from failure
        if wrong := _wrong_shapes(exercise, yours, expected):
            raise FailedCheckError([f"{case}, {wrong[0]}", _hint(exercise, answer, args)])
        if wrong := _differences(exercise, answer, args, expected):
            raise FailedCheckError([f"{case}, {wrong[0]}", *wrong[1:]])
    return [f"{len(exercise.more)} more: equal"]


def _manners(exercise: Exercise, answer: Answer) -> list[str]:
    """Ask of all cases how the right result was reached, and whether it is reached again."""
    for args in (exercise.args, *exercise.more):
        if wrong := _bad_manners(exercise, answer.first(args)):
            raise FailedCheckError(wrong)
    if not all_equal(answer(exercise.args).outputs, answer.first(exercise.args).outputs, exercise.tolerance):
        found = "the result is right, but a second call with the same arguments gives another one"
        raise FailedCheckError([found, "hint: is something kept between calls, such as a global array, or random?"])
    if exercise.rule and (wrong := exercise.rule(lambda *args: answer(args).outputs)):
        raise FailedCheckError([wrong])
    return ["arguments: changed as asked" if exercise.changes else "arguments: left as they were"]


def _bad_manners(exercise: Exercise, returned: Returned) -> list[str]:
    """Return the lines to show if a call did more than return its result, or else none."""
    spoiled = [name for name in returned.changed if name.split(".")[0] not in exercise.changes]
    if spoiled:
        found = f"the result is right, but it changes its argument {spoiled[0]}"
        return [found, "hint: the caller still needs it: work on a copy, or make a new array"]
    if returned.views and not exercise.may_return_views:
        name, argument = next(iter(returned.views.items()))
        found = f"{name} is right, but shares its memory with {argument}"
        return [found, f"hint: a change of one changes both: return a copy, such as {name}.copy()"]
    if returned.numbers_copied > 1:
        places = "; ".join(dict.fromkeys(returned.trips))
        found = f"it copies {returned.numbers_copied} numbers from the device to the host, at {places}"
        return [found, "hint: compute on the device, and bring one number back at the end"]
    return []


def _gradient(exercise: Exercise, answer: Answer) -> list[str]:
    assert exercise.pair
    forward, args = exercise.pair

    def backward(dy, cache):
        outputs = answer((dy, cache)).outputs
        return outputs if len(outputs) > 1 else outputs[0]

    try:
        report = gradcheck(forward, backward, args)
    except FailedCheckError as failure:
        raise FailedCheckError([f"gradient check: {failure.lines[0]}"]) from failure
    if report.ok:
        return [f"gradient check: ok, worst relative error {max(row.error for row in report.rows):.0e}"]
    raise FailedCheckError(["gradient check:", *str(report).splitlines()])


def _expected(exercise: Exercise, args: tuple) -> Returned:
    """Return what the right function returns."""
    return Answer(exercise._replace(ready_made=()), exercise.solution)(args)


def _wrong_shapes(exercise: Exercise, yours: Returned, expected: Returned) -> list[str]:
    pairs = zip(exercise.outputs, yours.outputs, expected.outputs, strict=True)
    wrong = [f"{name} has shape {y.shape}, expected {e.shape}" for name, y, e in pairs if y.shape != e.shape]
    return [wrong_number(exercise, "one ndarray")] if wrong and yours.is_stacked else wrong


def _differences(exercise: Exercise, answer: Answer, args: tuple, expected: Returned) -> list[str]:
    """Return the lines to show if an output, or an argument that should be changed, is not right."""
    yours = answer.first(args)
    for name, y, e in zip(exercise.outputs, yours.outputs, expected.outputs, strict=True):
        if difference(y, e) > exercise.tolerance:
            hint = _hint(exercise, answer, args, (name, y, e))
            return [f"{name} differs", *side_by_side(y, e, exercise.tolerance), hint]
    for name, e in expected.changed.items():
        after = yours.changed.get(name)
        if after is None:
            return [f"{name} is not changed", f"hint: change {name.split('.')[0]} itself, and not a copy of it"]
        if difference(after, e) > exercise.tolerance:
            found = [f"{name}, as the call leaves it, differs", *side_by_side(after, e, exercise.tolerance)]
            return [*found, f"hint: {exercise.hint}"]
    return []


def _hint(exercise: Exercise, answer: Answer, args: tuple, wrong: tuple | None = None) -> str:
    """Return the hint for the known mistake that gives exactly this result, or else what can be said without.

    A mistake must explain the result of the tiny case, too: one that does not is equal here by chance.
    """
    for words, mistaken in exercise.mistakes.items():
        if all(_gives(mistaken, exercise, case, answer.first(case)) for case in (exercise.args, args)):
            return f"hint: {words}"
    return f"hint: {(wrong and in_what_way(*wrong)) or exercise.hint}"


def _gives(mistaken: Callable, exercise: Exercise, args: tuple, yours: Returned) -> bool:
    """Tell whether a known mistake gives this result."""
    with np.errstate(all="ignore"):
        try:
            result = mistaken(*copy.deepcopy(args))
        except Exception:  # this mistake is none for arguments of these shapes
            return False
    return all_equal(yours.outputs, result if len(exercise.outputs) > 1 else (result,), exercise.tolerance)

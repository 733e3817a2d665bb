"""Answers of students, right, wrong and hostile: each gets the verdict that it deserves, and nothing leaves `check`."""

import copy
import functools
import itertools
import re

import numpy as np
import pytest
from student_answers import ANSWERS, LONG, RIGHT

from minunet import course
from minunet.backend import flatten
from minunet.course.answer import FailedCheckError
from minunet.course.exercise import case_in_words
from minunet.course.exercises import all_exercises

EXERCISES = all_exercises()
SOME = ["central_difference", "conv2d_backward", "max_pool_forward", "losses_of_training", "brier_score"]


def judged(rows, **marks):
    return [pytest.param(*row, id=f"{i}-{row[0]}", **marks) for i, row in enumerate(rows)]


@pytest.mark.parametrize(("name", "answer", "words"), judged(ANSWERS) + judged(LONG, marks=[pytest.mark.slow]))
def test_an_answer_is_judged_right(name, answer, words):
    with np.errstate(all="ignore"):
        verdict = course.check(name, answer)
    assert verdict.ok == (words == RIGHT), str(verdict)
    assert words in str(verdict)


def raises(error):
    def answer(*args):
        raise error

    return answer


def forever(*args):
    return forever(*args)


class Hostile:
    """An object whose every method ends the process that calls it."""

    def _leave(self, *args, **kwargs):
        raise SystemExit

    __array__ = __len__ = __eq__ = __iter__ = __getitem__ = __bool__ = __float__ = _leave
    __hash__ = None


class HostileTuple(tuple):
    def __len__(self):
        raise SystemExit


class SilentError(Exception):
    def __str__(self):
        raise ValueError


class OutOfLine(BaseException):
    pass


HOSTILE = {
    "it stops with SystemExit: in line \\d+: raise error": raises(SystemExit()),
    "it stops with KeyboardInterrupt": raises(KeyboardInterrupt()),
    "it stops with GeneratorExit": raises(GeneratorExit()),
    "it stops with OutOfLine": raises(OutOfLine()),
    "it stops with SilentError: ?": raises(SilentError()),
    "it stops with FailedCheckError": raises(FailedCheckError(["right"])),
    "it stops with RecursionError": forever,
    "it stops with TypeError": lambda: None,
    "expected your function \\w+, got None: write its name without brackets": None,
    "expected your function \\w+, got 5: write its name without brackets": 5,
    r"expected your function \w+, got an array of shape \(2, 3\): write": np.ones((2, 3)),
    "expected your function \\w+, got a tuple: write": (1, 2),
    "expected your function \\w+, got '.*': write its name without quotation marks": "my_function" * 100,
    "not written yet": raises(NotImplementedError()),
    "should return|is a Hostile|SystemExit": lambda *args: Hostile(),
    "should return|SystemExit|is a HostileTuple": lambda *args: HostileTuple(),
    "should return|an array of object": lambda *args: np.array([None, {}, 3, 4, 5]),
    "should return|is a str": lambda *args: "right",
    "should return|is a generator": lambda *args: (x for x in args),
    "should return|is a set": lambda *args: {1},
    "should return|an array of complex128|has shape": lambda *args: np.array([1j]),
    "should return|has shape": lambda *args: np.full((3, 1, 2), np.nan),
    "should return|has shape|differs": lambda *args: np.inf,
}


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("name", SOME)
def test_nothing_that_an_answer_does_leaves_check(name, words):
    verdict = course.check(name, HOSTILE[words])
    assert not verdict.ok
    assert verdict.points < 0.2
    assert re.search(words.replace("?", r"\?"), str(verdict)), str(verdict)
    assert all(len(line) < 200 for line in verdict.lines)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXERCISES)
def test_hostile_answers_of_every_exercise(name):
    for answer in HOSTILE.values():
        assert not course.check(name, answer).ok


@pytest.mark.parametrize("name", EXERCISES)
def test_a_case_is_named_in_few_words(name):
    for case in EXERCISES[name].more:
        words = case_in_words(case)
        assert len(words) < 120 and " at 0x" not in words and "array" not in words, words


def test_each_exercise_has_right_and_wrong_answers():
    for name in EXERCISES:
        words = [own[2] for own in [*ANSWERS, *LONG] if own[0] == name]
        assert RIGHT in words and len([one for one in words if one != RIGHT]) >= 3, name


class Relu:
    def __init__(self, slope=0):
        self.slope = slope

    def __call__(self, dy, cache):
        return np.where(cache.y > 0, dy, self.slope)

    def stops(self, dy, cache):
        raise ValueError(self.slope)  # here


class ReluOfNew:
    def __new__(cls, dy, cache):
        return np.where(cache.y > 0, dy, 0)


def my_relu(dy, cache, slope):
    return np.where(cache.y > 0, dy, slope)


@functools.wraps(Relu.stops)
def wrapped(*args):
    return Relu.stops(Relu(), *args)


def stops(error, dy, cache):
    raise error


CALLABLES = {
    "a lambda": (lambda dy, cache: dy * (cache.y > 0), RIGHT),
    "an object that can be called": (Relu(), RIGHT),
    "a method": (Relu().__call__, RIGHT),
    "a partial": (functools.partial(my_relu, slope=0), RIGHT),
    "a vectorised function": (np.vectorize(lambda dy, cache: dy, excluded=[1]), "every gate is open"),
    "a class that makes an array": (ReluOfNew, RIGHT),
    "a class": (Relu, "it stops with TypeError: Relu.__init__() takes"),
    "an object without an array": (lambda *args: Relu(), "dx should be an array or a number, and is a Relu"),
    "a method that stops": (Relu(7).stops, "raise ValueError(self.slope)  # here"),
    "a partial that stops": (functools.partial(stops, ValueError("x")), "it stops with ValueError: x, in line"),
    "a decorated function that stops": (wrapped, "ValueError: 0, in line"),
    "an error without words": (functools.partial(stops, SystemExit()), "it stops with SystemExit: in line"),
    "a function in C": (min, "it stops with "),
}


@pytest.mark.parametrize("what", CALLABLES)
def test_whatever_can_be_called_is_judged_and_its_line_is_quoted(what):
    function, words = CALLABLES[what]
    verdict = course.check("relu_backward", function)
    assert verdict.ok == (words == RIGHT), str(verdict)
    assert words in str(verdict)


def outputs_of(name, change):
    """Return an answer that is right but for `change`, which is applied to each output."""
    exercise = EXERCISES[name]

    def answer(*args):
        result = exercise.solution(*args)
        return change(result) if len(exercise.outputs) == 1 else tuple(change(output) for output in result)

    return answer


CHANGES = {
    "lists": lambda x: np.asarray(x).tolist(),
    "a long double": lambda x: np.asarray(x).astype(np.longdouble),
    "rounding": lambda x: np.asarray(x) * (1 + 1e-13),
    "twice": lambda x: 2 * np.asarray(x, float),
    "one more": lambda x: np.asarray(x, float) + 1,
    "the wrong sign": lambda x: -np.asarray(x, float),
    "an axis too many": lambda x: np.asarray(x)[None],
    "half of a percent": lambda x: np.asarray(x, float) * 1.005,
    "nan": lambda x: np.asarray(x, float) * np.nan,
    "zeros": lambda x: 0 * np.asarray(x, float),
}
HARMLESS = {"lists", "a long double", "rounding"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "change"), list(itertools.product(EXERCISES, CHANGES)))
def test_a_result_that_is_changed_is_found_out_and_another_type_is_not(name, change):
    verdict = course.check(name, outputs_of(name, CHANGES[change]))
    assert verdict.ok == (change in HARMLESS), str(verdict)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXERCISES)
def test_an_argument_that_is_changed_is_found_out(name):
    exercise = EXERCISES[name]

    def spoils(*args):
        result = copy.deepcopy(exercise.solution(*args))  # it may be a view of what is spoiled next
        for array in flatten(args).values():
            if isinstance(array, np.ndarray) and array.size:
                array[...] = ~array if array.dtype == bool else array + 1
        return result

    if any(isinstance(array, np.ndarray) and array.size for array in flatten(exercise.args).values()):
        verdict = course.check(name, spoils)
        assert not verdict.ok
        assert "it changes its argument" in str(verdict) or "as the call leaves it" in str(verdict), str(verdict)


def test_a_call_of_the_ready_made_function_gets_its_mark_and_a_remark():
    from minunet.layers.conv import conv2d_forward

    verdict = course.check("conv2d_forward", lambda *args: conv2d_forward(*args)[0])
    assert verdict.ok and verdict.points == 1
    assert verdict.remarks == ("it calls the library's conv2d_forward",)
    assert str(verdict).endswith("\n  remark: it calls the library's conv2d_forward")
    stored = EXERCISES["numerical_gradient"].solution
    assert course.check("numerical_gradient", lambda *args: stored(*args)).remarks == ("it calls the stored solution",)


def test_a_case_is_called_once_and_the_tiny_one_again_at_the_end():
    exercise, called = EXERCISES["conv2d_forward"], []

    def counts(*args):
        called.append(tuple(x.shape for x in args))
        return exercise.solution(*args)

    assert course.check("conv2d_forward", counts).ok
    cases = [tuple(x.shape for x in args) for args in (exercise.args, *exercise.more, exercise.args)]
    assert called == cases


def test_a_function_that_remembers_or_draws_at_random_is_told_so():
    sums, backward = {}, EXERCISES["conv2d_dweight"].solution

    def adds_to_a_global(dy, cache):
        return sums.setdefault(cache.weight.shape, np.zeros(cache.weight.shape)).__iadd__(backward(dy, cache))

    def random(dy, cache):
        return backward(dy, cache) * np.random.default_rng().random()

    verdict = course.check("conv2d_dweight", lambda *args: adds_to_a_global(*args).copy())
    assert verdict.lines[-2] == "the result is right, but a second call with the same arguments gives another one"
    assert verdict.lines[-1].startswith("hint: is something kept between calls") and 0.5 < verdict.points < 1
    assert course.check("conv2d_dweight", random).lines[1].startswith("a tiny case: dweight differs")


def test_a_loop_that_never_ends_is_stopped():
    def never_ends(*args):
        while True:
            pass

    verdict = course.check("conv2d_dx", never_ends, seconds=0.2)
    assert verdict.lines == ["it takes longer than 0.2 s: is there a loop that never ends?"]


def test_an_interrupt_by_the_user_is_not_swallowed():
    import signal

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell starts with &
    try:
        with pytest.raises(KeyboardInterrupt):
            course.check("conv2d_dx", lambda *args: signal.raise_signal(signal.SIGINT))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_first_difference_of_a_large_array_is_in_the_picture():
    from minunet.course.side_by_side import side_by_side

    expected = np.zeros((2, 40, 30))
    yours = expected.copy()
    yours[1, 25, 28] = 1e-7
    lines = side_by_side(yours, expected + 0, 1e-9)
    assert lines[0].startswith("yours at [1], from row 19, column 22")
    assert sum("1e-07*" in line for line in lines) == 1


def test_enough_digits_are_printed_to_see_the_difference():
    from minunet.course.side_by_side import side_by_side

    lines = side_by_side(np.array(2.2530001), np.array(2.253), 1e-9)
    assert lines[1].split() == ["2.2530001*", "2.253"]

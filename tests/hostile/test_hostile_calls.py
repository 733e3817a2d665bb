"""No hostile call ends in a wrong number or in an error from deep inside: a right result, or an InputError that helps.

`python tests/count_hostile_calls.py` prints how many calls that is, and how they end.
"""

import warnings

import numpy as np
import pytest

import minunet
from hostile.calls import CALLS
from hostile.judge import Call, Verdict, judge
from hostile.variant import REFUSE, Variant

QUICK = 80  # of all calls, every so many are made in the quick tests
NAMES = [call.name for call in CALLS]
NOT_CALLED = "Constant InputError Network Normalisation Report array_module flatten read_image".split()


def test_every_public_function_is_called():
    """Readers of files have tests of their own, with broken files."""
    called = " ".join(NAMES)
    assert [name for name in minunet.__all__ if name not in called and name not in NOT_CALLED] == []


def faults(call: Call, every: int = 1, start: int = 0) -> list[str]:
    """Return what went wrong, in words, in every so manyth variant of a call."""
    found = []
    for argument, variant in list(call.variants())[start % every :: every]:
        verdict = judge(call, argument, variant)
        if verdict.word not in ("right", "refused"):
            found.append(f"{argument} = {variant.label}: {verdict.word}, {verdict.detail}")
    return found


def test_some_calls_of_each_function():
    assert {call.name: faults(call, QUICK, i) for i, call in enumerate(CALLS)} == {name: [] for name in NAMES}


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_all_calls(call):
    assert faults(call) == []


def deep(x):
    return x + "no"


def unnamed(x):
    raise minunet.InputError("no")


def warns(x):
    warnings.warn("careless", stacklevel=2)
    return x


def changes(x):
    x["a"] += 1
    return 1.0


@pytest.mark.parametrize(
    ("function", "means", "word"),
    [
        (deep, REFUSE, "deep"),
        (unnamed, REFUSE, "unnamed"),
        (lambda x: 1.0, REFUSE, "wrong"),
        (lambda x: float(x), 2.0, "wrong"),
        (warns, 1.0, "wrong"),
        (lambda x: float("nan"), 1.0, "wrong"),
        (lambda x: x, 1.0, "right"),
    ],
    ids=["deep", "unnamed", "accepts", "another number", "warns", "NaN", "right"],
)
def test_the_judge_tells_faults(function, means, word):
    verdict = judge(Call("f", function, {"x": 1.0}, {}), "x", Variant("one", 1.0, means))
    assert isinstance(verdict, Verdict) and verdict.word == word


def test_the_judge_sees_a_changed_argument():
    verdict = judge(Call("f", changes, {"x": None}, {}), "x", Variant("array", {"a": np.ones(2)}, REFUSE))
    assert verdict == Verdict("wrong", "changed its argument x")

"""Make one hostile call, and tell how it ended.

right     the result of the plain arguments, or of the loop twin; no warning, no argument changed
refused   an InputError that names the argument, and says what came and what to do
unnamed   an InputError that does not
deep      any other exception
wrong     another result, a number that is not finite from numbers that are, a warning, or a changed argument
"""

import contextlib
import copy
import re
import signal
import types
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from hostile.variant import ITSELF, REFUSE, Variant
from minunet import InputError
from minunet.backend import flatten
from minunet.gradcheck.report import Report

VERDICTS = ("right", "refused", "unnamed", "deep", "wrong")
EPS = np.finfo(np.float64).eps
LONGEST = 2  # seconds
GOT = re.compile(r"\b(got|found|no room|unknown|does not fit)\b")


class Call(NamedTuple):
    """A right call of a public function."""

    name: str
    function: Callable
    arguments: dict[str, Any]
    kinds: dict[str, Callable]  # {argument: function that returns its variants}
    twin: Callable | None = None  # takes the same arguments, in float64; the function itself by default
    pick: Callable = lambda result: result  # what of the result is compared
    is_finite: bool = True  # whether the result must be finite, or else the argument refused
    changes: tuple[str, ...] = ()  # arguments that the function is to change
    own_errors: tuple = ()  # what the functions that it is given raise, and is handed on
    words: dict[str, str] = types.MappingProxyType({})  # other words that name an argument, as a regular expression

    def variants(self):
        """Yield (argument, variant) for all that this call is tried with."""
        for argument, kind in self.kinds.items():
            for variant in kind(self.arguments[argument]):
                yield argument, variant


class Verdict(NamedTuple):
    word: str  # one of VERDICTS
    detail: str


def judge(call: Call, argument: str, variant: Variant) -> Verdict:
    """Make the call with one argument replaced."""
    arguments = {name: copy.deepcopy(x) for name, x in call.arguments.items() if name != argument}
    arguments[argument] = copy.deepcopy(variant.value) if argument in call.changes else variant.value
    before = {name: _snapshot(x) for name, x in arguments.items() if name not in call.changes}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with time_limit():
                result = call.function(**arguments)
        except call.own_errors as error:  # before InputError: a pair may raise one of its own
            return Verdict("right", f"the caller's own {type(error).__name__}")
        except InputError as error:
            return _after(arguments, before) or _refusal(call, argument, str(error))
        except Exception as error:  # whatever else there is
            return Verdict("deep", f"{type(error).__name__}: {error!s:.150}")
    changed = _after(arguments, before)
    if changed:
        return changed
    warned = [w for w in warned if not (variant.is_extreme and not call.is_finite and w.category is RuntimeWarning)]
    if warned:
        return Verdict("wrong", f"warns: {warned[0].message}")
    if variant.means is REFUSE:
        return Verdict("wrong", f"accepted, and gave {result!r:.100}")
    return _compared(call, argument, variant, arguments if call.changes else result)


@contextlib.contextmanager
def time_limit():
    """Raise TimeoutError where a call takes longer than LONGEST; only where the system has such an alarm."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _ring(*_):
    raise TimeoutError(f"more than {LONGEST} seconds")


def _compared(call: Call, argument: str, variant: Variant, result) -> Verdict:
    arguments = copy.deepcopy(call.arguments)
    arguments[argument] = _plain(variant.value if variant.means is ITSELF else variant.means)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = (call.twin or call.function)(**arguments)
    except Exception as error:
        return Verdict("wrong", f"gave a result, where the twin has {type(error).__name__}: {error}")
    got, expected = _numbers(call.pick(result)), _numbers(arguments if call.changes else call.pick(expected))
    if call.changes:  # an argument keeps its byte order
        got = {name: x.astype(x.dtype.newbyteorder("=")) for name, x in got.items()}
    return _equal(got, expected, call.is_finite, variant.is_extreme)


def _equal(got: dict, expected: dict, must_be_finite: bool, is_extreme: bool) -> Verdict:
    if got.keys() != expected.keys():
        return Verdict("wrong", f"gave {list(got)} in place of {list(expected)}")
    for name, x in got.items():
        y = expected[name]
        if x.shape != y.shape:
            return Verdict("wrong", f"gave shape {x.shape} in place of {y.shape}")
        if x.dtype.kind not in "biufO" or not x.dtype.isnative:
            return Verdict("wrong", f"gave {x.dtype}")
        if x.dtype.kind == "O":  # whole numbers that are too large for NumPy
            if x.tolist() != y.tolist():
                return Verdict("wrong", f"gave {x!r:.50} in place of {y!r:.50}")
            continue
        x64, y64 = np.asarray(x, np.float64), np.asarray(y, np.float64)
        if not np.isfinite(x64).all() and (must_be_finite or not is_extreme):
            return Verdict("wrong", f"gave {x64[~np.isfinite(x64)][0]}")
        digits = max(np.finfo(x.dtype).eps if x.dtype.kind == "f" else 0, EPS)
        with np.errstate(all="ignore"):
            close = np.abs(x64 - y64) <= 1000 * digits * (1 + np.abs(y64))
        close |= ~np.isfinite(x64) & is_extreme  # NaN may spread, but it must not be hidden
        if not close.all():
            return Verdict("wrong", f"gave {x64[~close][0]!r} in place of {y64[~close][0]!r}")
    return Verdict("right", "")


def _refusal(call: Call, argument: str, message: str) -> Verdict:
    name = rf"\b{argument}\b|{call.words[argument]}" if argument in call.words else rf"\b{argument}\b"
    is_whole = re.search(name, message) and GOT.search(message)
    return Verdict("refused" if is_whole else "unnamed", message)


def _after(arguments: dict, before: dict) -> Verdict | None:
    for name, old in before.items():
        if _snapshot(arguments[name]) != old:
            return Verdict("wrong", f"changed its argument {name}")
    return None


def _snapshot(x) -> dict[str, Any]:
    """Return what tells whether the arrays in a tree have changed."""
    found = {}
    for name, leaf in flatten(x).items():
        if isinstance(leaf, np.ndarray):
            found[name] = (leaf.dtype.str, leaf.shape, leaf.tobytes() if leaf.dtype.kind != "O" else repr(leaf))
    return found


def _plain(x):
    return np.array(x, np.float64) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x


def _numbers(result) -> dict[str, np.ndarray]:
    """Return all numbers of a result, by name; of a report, its verdict."""
    if isinstance(result, Report):
        result = result.ok
    flat = flatten(result)
    leaves = {name: x for name, x in flat.items() if not isinstance(x, np.random.Generator)}
    return {name: np.asarray(x) for name, x in leaves.items() if x is not None and not isinstance(x, str)}

"""A forward/backward pair under examination: how it is run, so that nothing it keeps or writes reaches the checker.

Every forward pass gets fresh copies of the arguments, and of y only a copy is kept. A backward pass always follows a
forward pass at the same point, for a pair may keep its cache on an object, or in a buffer that it uses again.
"""

from minunet.backend import flatten, to_host
from minunet.errors import InputError
from minunet.gradcheck.arguments import Arguments, is_finite, same
from minunet.gradcheck.foreign import check_function, is_own_array
from minunet.gradcheck.gradients import match
from minunet.gradcheck.outputs import Outputs
from minunet.gradcheck.report import Finding
from minunet.gradcheck.snapshot import Snapshot

STUB = "see the layer contract: y, cache = forward(*args)"


class Pair:
    """The two functions, their arguments, and the structure of y."""

    def __init__(self, forward, backward, args, constant=()):
        self.forward_function, self.backward_function = forward, backward
        check_function(forward, "forward", len(args) if isinstance(args, (tuple, list)) else 1, "the arguments in args")
        check_function(backward, "backward", 2, "(dy, cache)")
        self.arguments = Arguments(forward, args, constant)
        self.leaves = self.arguments.leaves
        self.passes = 0
        self.mutated: dict[str, Finding] = {}  # arguments that a forward pass wrote into
        y, _ = self.forward()
        self.outputs = Outputs(y)
        self.y = self.outputs.flat(y)

    def output(self):
        """Return y at the arguments as they are now, as a vector."""
        y, _ = self.forward()
        return self.outputs.flat(y)

    def gradients(self, dy) -> dict:
        """Return {leaf: gradient} at the arguments as they are now, from a pair that was examined before."""
        _, cache = self.forward()
        gradients, _ = match(self.backward_function(self.outputs.shaped(dy), cache), self.arguments)
        return {leaf: gradients[leaf] for leaf in self.leaves}

    def examine_backward(self, dy) -> tuple[dict, list[Finding]]:
        """Return {leaf: gradient}, and what the backward pass did that it must not: two passes on one cache."""
        _, cache = self.forward()
        first, findings = self._watched_backward(dy, cache)
        if findings:
            return first, findings
        try:
            second, findings = self._watched_backward(dy, cache)
        except Exception as error:
            hint = f"The second backward pass on one cache failed ({_words(error)}): the first has used the cache up."
            return first, [Finding("mutated", "cache", hint)]
        for leaf in set(self.leaves) - set(first):
            self.arguments.leave_out(leaf)
        return first, findings or _nonfinite(first) or _differing(first, second)

    def forward(self):
        self.passes += 1
        passed = self.arguments.fresh()
        result = self.forward_function(*passed)
        if not (isinstance(result, tuple) and len(result) == 2):
            came = f"a tuple of {len(result)}" if isinstance(result, tuple) else type(result).__name__
            raise InputError(f"forward must return (y, cache), got {came}; {STUB}")
        self._passed = passed
        for name, what in self.arguments.changes(passed).items():
            self.mutated.setdefault(name, _mutated(name, what, "forward"))
        return result

    def _watched_backward(self, dy, cache) -> tuple[dict, list[Finding]]:
        given = self.outputs.shaped(dy)
        before = {name: Snapshot(x) for name, x in _arrays(cache).items()}
        gradients, findings = match(self.backward_function(given, cache), self.arguments)
        if not same(dy, self.outputs.flat(given)):
            findings.append(_mutated("dy", "wrote into it", "backward"))
        after = _arrays(cache)
        for name, old in before.items():
            if name not in after or not old.is_still(after[name]):
                findings.append(_mutated(f"cache.{name}" if name else "cache", "wrote into it", "backward"))
        changes = self.arguments.changes(self._passed)
        findings += [_mutated(name, what, "backward") for name, what in changes.items() if name not in self.mutated]
        return gradients, findings


def _mutated(name: str, what: str, during: str) -> Finding:
    return Finding("mutated", name, f"The {during} pass {what}; work on a copy, or build a new array.")


def _nonfinite(gradients: dict) -> list[Finding]:
    hint = "Its gradient holds NaN or infinity: a division by zero, the logarithm of zero, or memory that was never "
    findings = []
    for name, gradient in gradients.items():
        if not is_finite(gradient):
            findings.append(Finding("nonfinite", name, hint + "written?"))
    return findings


def _differing(first: dict, second: dict) -> list[Finding]:
    hint = "Two backward passes on the same cache differ: is a gradient added to what an earlier call left, or is "
    findings = []
    for name, gradient in first.items():
        if not (name in second and same(to_host(gradient), to_host(second[name]))):
            findings.append(Finding("nondeterministic", name, hint + "chance at work?"))
    return findings


def _arrays(cache) -> dict:
    """Return the arrays in a cache of dicts, lists, tuples and dataclasses, by name."""
    if hasattr(cache, "__dataclass_fields__") and not isinstance(cache, type):
        cache = {name: getattr(cache, name, None) for name in cache.__dataclass_fields__}
    if not isinstance(cache, (dict, list, tuple)):
        return {"": cache} if _is_watched(cache) else {}
    found = {}
    for name, x in flatten(cache).items():
        if hasattr(x, "__dataclass_fields__") and not isinstance(x, type):
            found.update({f"{name}.{inner}": array for inner, array in _arrays(x).items()})
        elif _is_watched(x):
            found[name] = x
    return found


def _is_watched(x) -> bool:
    return is_own_array(x) and x.dtype.kind in "biufc"


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip(": ")

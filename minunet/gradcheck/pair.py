"""A forward/backward pair under examination: how it is run, and what it must not do."""

import copy
import inspect
from typing import Any, get_type_hints

import numpy as np

from minunet.backend import Constant, array_module, flatten, map_tree
from minunet.errors import InputError
from minunet.gradcheck.report import Finding


class Pair:
    """Private float64 copies of the arguments, and the two functions.

    `leaves` maps a name, such as weight or params.head.bias, to each floating-point array among the arguments.
    Writing into a leaf changes what the next forward pass sees.
    """

    def __init__(self, forward, backward, args):
        if not isinstance(args, (tuple, list)):
            raise InputError(f"args must be a tuple, such as (x, weight, bias), got {type(args).__name__}; write (x,)")
        self.forward_function, self.backward_function = forward, backward
        self.args = [map_tree(_private, argument) for argument in args]
        self.names, self.constants = _signature(forward, len(args))
        self.leaves = {}
        for name, argument in zip(self.names, self.args, strict=True):
            self.leaves.update({leaf: x for leaf, x in flatten(argument, name).items() if _is_floating(x)})
        if not self.leaves:
            raise InputError(
                "gradcheck needs at least one floating-point array among args, got none; pass a tuple "
                "such as (x, weight, bias)"
            )
        self.passes = 0

    def forward(self):
        """Return y and the cache. What is no array (a random generator, say) is passed as a fresh copy."""
        self.passes += 1
        args = [argument if _holds_arrays(argument) else copy.deepcopy(argument) for argument in self.args]
        result = self.forward_function(*args)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise InputError(f"forward must return (y, cache), got {type(result).__name__}; see the layer contract")
        return result

    def backward(self, dy, cache) -> tuple[dict, list[Finding]]:
        """Return {leaf name: gradient} for the leaves that have one, and findings of kind `shape`."""
        return self._sort(self.backward_function(dy, cache))

    def _sort(self, gradients) -> tuple[dict, list[Finding]]:
        floating = [n for n in self.names if any(leaf == n or leaf.startswith(n + ".") for leaf in self.leaves)]
        is_one = len(floating) == 1 and isinstance(self.args[self.names.index(floating[0])], list)
        is_many = isinstance(gradients, tuple) or (isinstance(gradients, list) and not is_one)
        gradients = list(gradients) if is_many else [gradients]
        if len(gradients) == len(self.names) > len(floating):  # one for each argument, None where there is none
            gradients = [g for name, g in zip(self.names, gradients, strict=True) if name in floating]
        expected = floating
        if len(gradients) < len(floating):
            expected = [name for name in floating if name not in self.constants]
        findings = []
        if len(gradients) > len(expected):
            hint = f"{len(gradients)} gradients came back for {len(expected)} arguments: {', '.join(expected)}."
            findings.append(Finding("shape", expected[-1], hint))
        analytic = {}
        for position, name in enumerate(expected):
            own = {n: x for n, x in self.leaves.items() if n == name or n.startswith(name + ".")}
            came = flatten(gradients[position], name) if position < len(gradients) else {}
            findings += [_shape_finding(leaf, x, came.get(leaf)) for leaf, x in own.items()]
            analytic.update({leaf: came[leaf] for leaf in own if leaf in came})
        return analytic, [finding for finding in findings if finding]


def snapshot(tree) -> dict[str, Any]:
    """Return copies of every array in a tree, by name."""
    return {name: x.copy() for name, x in flatten(tree).items() if hasattr(x, "dtype")}


def mutations(before: dict, tree, owner: str, during: str) -> list[Finding]:
    """Return a finding for each array of the tree that differs from its snapshot."""
    after = flatten(tree)
    findings = []
    for name, old in before.items():
        new = after.get(name)
        if new is None or new.shape != old.shape or not _same(new, old):
            argument = f"{owner}.{name}".strip(".") if name else owner
            hint = f"The {during} pass wrote into it; work on a copy, or build a new array."
            findings.append(Finding("mutated", argument, hint))
    return findings


def branches(cache, path: str = "") -> dict[str, Any]:
    """Return which way each branch went: masks and indices in the cache, and where a ReLU's output is positive."""
    watched = {}
    for name, x in flatten(cache, path).items():
        if hasattr(x, "dtype") and x.dtype.kind in "biu":
            watched[name] = x
    for name, y in _relu_outputs(cache, path):
        watched[name] = y > 0
    return watched


def flipped(branches_a: dict, branches_b: dict) -> int:
    """Count the branches that went another way."""
    return sum(int((branches_a[name] != branches_b[name]).sum()) for name in branches_a)


def _relu_outputs(cache, path: str):
    if type(cache).__name__ == "ReluCache":
        yield path, cache.y
    elif isinstance(cache, (list, tuple)):
        for position, part in enumerate(cache):
            yield from _relu_outputs(part, f"{path}.{position}")
    elif isinstance(cache, dict):
        for name, part in cache.items():
            yield from _relu_outputs(part, f"{path}.{name}")


def _signature(forward, count: int) -> tuple[list[str], set[str]]:
    """Return the arguments' names, and which of them are annotated as Constant."""
    try:
        names = list(inspect.signature(forward).parameters)[:count]
    except (TypeError, ValueError):
        names = []
    if len(names) < count:
        names = [f"argument{i}" for i in range(count)]
    try:
        hints = get_type_hints(getattr(forward, "func", forward), include_extras=True)
    except (TypeError, NameError):
        hints = {}
    return names, {name for name in names if hints.get(name) is Constant or hints.get(name) == Constant}


def _private(x):
    return array_module(x).array(x, dtype=np.float64 if x.dtype.kind == "f" else x.dtype, order="C", copy=True)


def _is_floating(x) -> bool:
    return hasattr(x, "dtype") and x.dtype.kind == "f"


def _holds_arrays(argument) -> bool:
    return any(hasattr(x, "dtype") for x in flatten(argument).values())


def _same(a, b) -> bool:
    return bool(((a == b) | ((a != a) & (b != b))).all())


def _shape_finding(name: str, x, gradient) -> Finding | None:
    if gradient is None:
        return Finding(
            "shape",
            name,
            "No gradient came back for it; return one for each floating-point argument, in "
            "the order of the forward's arguments (a constant is annotated as minunet.backend.Constant).",
        )
    shape = getattr(gradient, "shape", None)
    if shape != x.shape:
        return Finding(
            "shape",
            name,
            f"Its gradient must have its shape, {x.shape}, got {shape}: is an axis summed "
            "or kept by mistake, or are the gradients in another order than the arguments?",
        )
    return None

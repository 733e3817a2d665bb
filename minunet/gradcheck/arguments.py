"""The arguments of a pair: private float64 copies, which of their numbers are checked, and which are left out."""

import copy
import inspect
import types
import typing

import numpy as np

from minunet.backend import Constant, array_module, flatten, to_host
from minunet.errors import InputError
from minunet.gradcheck.foreign import is_array, refuse

SILENT = (type(None), bool, int, str, bytes, type, types.ModuleType, types.FunctionType, np.random.Generator)
SHARED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)  # passed on as they are


class Number:
    """A Python float among the arguments; the forward pass gets it as a float."""

    def __init__(self, value: float):
        self.array = np.array(value, dtype=np.float64)


class Arguments:
    """The arguments, and `leaves`: {name, such as weight or params.head.bias: float64 array} of what is checked.

    Writing into a leaf changes what the next forward pass sees. `optional` names the leaves that may do without a
    gradient: constants, Python floats and lists of them. `not_checked` says of every other number why it is left out.
    """

    def __init__(self, forward, args, constant: tuple[str, ...] = ()):
        if not isinstance(args, (tuple, list)):
            raise InputError(f"args must be a tuple, such as (x, weight, bias), got {type(args).__name__}; write (x,)")
        self.names, self.constants = _signature(forward, len(args))
        self.constants |= _known(constant, self.names)
        self.leaves: dict[str, typing.Any] = {}
        self.optional: set[str] = set()
        self.not_checked: dict[str, str] = {}
        self.trees = [self._keep(name, x) for name, x in zip(self.names, args, strict=True)]
        self._flat = _flat(self.names, self.trees)
        if not self.leaves:
            integers = [name for name, why in self.not_checked.items() if why == "integers"]
            remedy = f"convert {integers[0]} with .astype('float64')" if integers else "pass such as (x, weight, bias)"
            raise InputError(f"gradcheck needs at least one floating-point array among args, got none; {remedy}")
        if not any(x.size for x in self.leaves.values()):
            shapes = ", ".join(f"{name} {x.shape}" for name, x in self.leaves.items())
            raise InputError(f"gradcheck needs at least one number to move, got only empty arrays: {shapes}")
        if self.optional == set(self.leaves):
            self.optional = {leaf for leaf in self.leaves if self.owner(leaf) in self.constants}

    def fresh(self) -> list:
        """Return copies for one forward pass, so that nothing it returns or writes can reach the leaves."""
        return [map_leaves(_copied, tree) for tree in self.trees]

    def changes(self, passed: list) -> dict[str, str]:
        """Return {name: what happened} for whatever a pass wrote into the copies that it was given."""
        after = _flat(self.names, passed)
        changes = {name: "wrote new entries into it" for name in after.keys() - self._flat.keys()}
        for name, own in self._flat.items():
            if name not in after:
                changes[name] = "took it away"
            elif is_array(own) and not same(own, after[name]):
                changes[name] = "wrote into it"
        return changes

    def repeats(self) -> dict[str, set[int]]:
        """Return {integer array: the numbers that it holds more than once}, of those that hold some."""
        found = {}
        for name, x in self._flat.items():
            if is_array(x) and x.dtype.kind in "iu":
                numbers, counts = np.unique(to_host(x), return_counts=True)
                found[name] = set(numbers[counts > 1].tolist())
        return {name: numbers for name, numbers in found.items() if numbers}

    def owner(self, leaf: str) -> str:
        """Return the argument that a leaf belongs to."""
        return leaf.partition(".")[0]

    def own(self, name: str) -> list[str]:
        """Return the leaves of one argument."""
        return [leaf for leaf in self.leaves if self.owner(leaf) == name]

    def leave_out(self, leaf: str) -> None:
        """Take a leaf that has no gradient out of the check."""
        x = self.leaves.pop(leaf)
        is_constant = self.owner(leaf) in self.constants
        self.not_checked[leaf] = "constant" if is_constant else f"{_words(x)} for which no gradient came back"

    def _keep(self, name: str, argument):
        if _is_list_of_floats(argument):
            argument = np.array(argument, dtype=np.float64)
            self.optional.add(name)
        tree = map_leaves(self._keep_leaf, argument, name)
        if name in self.constants:
            self.optional |= set(self.own(name))
        return tree

    def _keep_leaf(self, path: str, x):
        if path.partition(".")[0] in self.constants and not is_array(x):
            return x
        refuse(x, f"argument {path}")
        if isinstance(x, float) and not is_array(x):
            number = Number(x)
            self.leaves[path] = number.array
            self.optional.add(path)
            return number
        if not is_array(x):
            if not isinstance(x, SILENT):
                self.not_checked[path] = (
                    f"an object of type {type(x).__name__}: pass its arrays in a dict to check them"
                )
            return x
        if x.dtype.kind == "f":
            self.leaves[path] = array_module(x).array(x, dtype=np.float64, order="C", copy=True)
            return self.leaves[path]
        self.not_checked[path] = {"b": "booleans"}.get(
            x.dtype.kind, "integers" if x.dtype.kind in "iu" else str(x.dtype)
        )
        return x.copy()


def map_leaves(function, tree, path: str = ""):
    """Return nested dicts, lists, tuples and NamedTuples with `function(path, leaf)` in place of every leaf."""
    below = f"{path}." if path else ""
    if isinstance(tree, dict):
        return {key: map_leaves(function, branch, f"{below}{key}") for key, branch in tree.items()}
    if isinstance(tree, (list, tuple)):
        keys = getattr(tree, "_fields", range(len(tree)))
        branches = [map_leaves(function, branch, f"{below}{key}") for key, branch in zip(keys, tree, strict=True)]
        return (
            type(tree)(*branches)
            if hasattr(tree, "_fields")
            else tuple(branches)
            if isinstance(tree, tuple)
            else branches
        )
    return function(path, tree)


def same(a, b) -> bool:
    """Tell whether two arrays are equal in shape and in every element, NaN included."""
    if getattr(b, "shape", None) != a.shape:
        return False
    equal = a == b
    return bool(equal.all()) or bool((equal | ((a != a) & (b != b))).all())


def is_finite(x) -> bool:
    """Tell whether an array holds neither NaN nor infinity."""
    return bool(array_module(x).isfinite(x).all())


def _flat(names: list[str], trees: list) -> dict:
    flat = {}
    for name, tree in zip(names, trees, strict=True):
        flat.update(flatten(tree, name))
    return flat


def _copied(path: str, x):
    if isinstance(x, Number):
        return float(x.array)
    if is_array(x):
        return x.copy()
    if isinstance(x, SHARED):
        return x
    try:
        return copy.deepcopy(x)
    except Exception:  # a lock, a file, a generator: there is only one of it
        return x


def _is_list_of_floats(x) -> bool:
    if not isinstance(x, list):
        return False
    numbers = list(flatten(x).values())
    if not all(type(number) in (int, float) for number in numbers) or float not in map(type, numbers):
        return False
    try:
        np.array(x, dtype=np.float64)
    except ValueError:  # ragged
        return False
    return True


def _words(x) -> str:
    return "a Python float" if x.ndim == 0 else "an array"


def _signature(forward, count: int) -> tuple[list[str], set[str]]:
    """Return the arguments' names, and which of them are annotated as Constant, as an object or as a string."""
    try:
        parameters = list(inspect.signature(forward).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    taken = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    rest = [p.name for p in parameters if p.kind == p.VAR_POSITIONAL] or ["argument"]
    names = [p.name for p in taken]
    names += [
        f"{rest[0]}{i if taken == [] or rest[0] == 'argument' else i - len(taken)}" for i in range(len(taken), count)
    ]
    return names, {p.name for p in taken if _is_constant(p.annotation)}


def _is_constant(annotation) -> bool:
    """Tell whether an argument is annotated as Constant, or, since None is its default, as Optional[Constant]."""
    if isinstance(annotation, str):
        parts = [part.strip(" '\"]").rpartition(".")[2] for part in annotation.replace("[", "|").split("|")]
        return "Constant" in parts and set(parts) <= {"Constant", "Optional", "None"}
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inside = set(typing.get_args(annotation)) - {type(None)}
        return inside == {Constant}
    return annotation == Constant


def _known(constant: typing.Any, names: list[str]) -> set[str]:
    try:
        constant = {constant} if isinstance(constant, str) else set(constant)
    except TypeError as error:
        raise InputError(f"constant must be a tuple of names of arguments, got {constant!r}; leave it out") from error
    if unknown := sorted(map(str, constant - set(names))):
        raise InputError(f"constant must name arguments of forward ({', '.join(names)}), got {unknown[0]!r}")
    return constant

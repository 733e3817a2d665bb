"""What may come in place of numbers, words, generators, caches, parameters and functions."""

import copy
import datetime
import decimal
import fractions
from collections.abc import Callable

import numpy as np

from hostile.variant import ITSELF, REFUSE, Variant
from minunet.backend import flatten
from minunet.layers import ReluCache

NOTHING = [  # in place of anything: it never means a number, a word, an array or a function
    Variant("None", None),
    Variant("string", "x"),
    Variant("empty string", ""),
    Variant("bytes", b"x"),
    Variant("dict", {}),
    Variant("set", {1}),
    Variant("list", []),
    Variant("tuple of strings", ("a", "b")),
    Variant("object", object()),
    Variant("type", int),
    Variant("date", datetime.date(2026, 1, 1)),
    Variant("date of NumPy", np.datetime64("2026-01-01")),
]


def without_none(variants: list[Variant]) -> list[Variant]:
    """Leave out None, which many arguments take."""
    return [variant for variant in variants if variant.value is not None]


def in_place_of_number(right: float) -> list[Variant]:
    """Return variants of a real number."""
    same = [np.float32(right), np.float64(right), np.array(right), fractions.Fraction(float(right))]
    other = [-1, 0, -0.0, 5e-324, 1e300, 10**400, -(10**400)]
    extreme = [float("nan"), float("inf"), -float("inf"), np.float32("nan"), np.array(np.inf)]
    meaningless = [
        complex(right, 1),
        decimal.Decimal("NaN"),
        str(right),
        [right],
        np.array([right]),
        np.array([right] * 2),
    ]
    return [
        *(Variant(f"{type(x).__name__} {x!r}", x, float(x)) for x in same),
        *(Variant(f"{type(x).__name__} {x!r:.20}", x, ITSELF) for x in other),
        *(Variant(f"{type(x).__name__} {x!r}", x, ITSELF, True) for x in extreme),
        *(Variant(f"{type(x).__name__} {x!r}", x) for x in meaningless),
        *NOTHING,
    ]


def in_place_of_count(right: int) -> list[Variant]:
    """Return variants of a whole number."""
    same = [np.int64(right), np.uint16(right), np.array(right), float(right)]
    other = [-1, 0, 2**31, 2**63, 10**400, -(10**400)]
    meaningless = [
        right + 0.5,
        float("nan"),
        float("inf"),
        complex(right, 1),
        str(right),
        [right],
        np.array([right] * 2),
    ]
    return [
        *(Variant(f"{type(x).__name__} {x!r}", x, right) for x in same),
        *(Variant(f"{type(x).__name__} {x!r:.20}", x, ITSELF) for x in other),
        *(Variant(f"{type(x).__name__} {x!r}", x) for x in (*meaningless, True)),
        *NOTHING,
    ]


def in_place_of_pair(right: tuple[int, int]) -> list[Variant]:
    """Return variants of a height and a width."""
    a, b = right
    wrong = [(a,), (a, b, 1), (a + 0.5, b), (None, b), (a, "x"), (True, b), (-1, b), (0, 0), (2**63, b), a + 0.5]
    same = [[a, b], np.array([a, b]), (np.int32(a), np.int64(b))]
    return [
        *(Variant(f"{type(x).__name__} {x!r}", x, right) for x in same),
        *(Variant(f"{x!r}", x) for x in wrong),
        *NOTHING,
    ]


def in_place_of_generator(right) -> list[Variant]:
    """Return what is no numpy.random.Generator."""
    wrong = [0, np.random.RandomState(0), np.random, np.random.Generator, np.random.default_rng, np.random.PCG64(0)]
    return [*(Variant(f"{x!r:.40}", x) for x in wrong), *NOTHING]


def in_place_of_word(right: str) -> list[Variant]:
    """Return what is no word out of a list of words."""
    return [*(Variant(repr(x), x) for x in (right.upper() + "!", f" {right}", 0, 1.5, [right])), *NOTHING]


def in_place_of_function(right: Callable) -> list[Variant]:
    """Return what is no function of these arguments."""
    return [*NOTHING, Variant("takes no argument", lambda: None), Variant("returns None", lambda *_: None)]


def in_place_of_cache(right) -> list[Variant]:
    """Return what is not the cache of this layer."""
    others = {"number": 1.5, "array": np.ones((2, 3)), "tuple": (1, 2), "another layer's": ReluCache(np.ones(3))}
    if isinstance(right, ReluCache):
        others["another layer's"] = (right, right)
    found = [*(Variant(label, x) for label, x in others.items()), *NOTHING]
    if hasattr(right, "_fields"):
        found += [Variant(f"{name} is None", right._replace(**{name: None})) for name in right._fields]
        found += [Variant(f"{name} is a list", right._replace(**{name: [1.0]})) for name in right._fields]
        arrays = {name: x for name, x in right._asdict().items() if isinstance(x, np.ndarray)}
        found += [Variant(f"{name} without an axis", right._replace(**{name: x[0]})) for name, x in arrays.items()]
        found.append(Variant("fields in reverse order", type(right)(*right[::-1])))
    may_be_none = ("weights is None", "dropout is None")
    return [v for v in found if v.label not in may_be_none and not _equal(v.value, right)]


def in_place_of_tree(right: dict) -> list[Variant]:
    """Return broken trees of arrays, and trees with other arrays, which an optimiser can take."""
    return in_place_of_params(right, ITSELF)


def in_place_of_params(right: dict, another_tree=REFUSE) -> list[Variant]:
    """Return what are no parameters, or broken ones."""
    others = {f"without {name}": {n: x for n, x in right.items() if n != name} for name in right}
    others |= {"flat": flatten(right), "one more": {**right, "extra": np.ones(3)}}
    branches = [Variant(label, copy.deepcopy(tree), another_tree) for label, tree in others.items()]
    branches += [Variant(f"{name} is None", {**right, name: None}) for name in right]
    for label, change in CHANGES.items():
        changed = copy.deepcopy(right)
        place = (changed if "bottom" in right else changed["mean"])["bottom"]["conv1"]
        place["weight"] = change(place["weight"])
        is_a_tree = label in ("of another shape", "empty")
        branches.append(Variant(f"a weight {label}", changed, another_tree if is_a_tree else REFUSE))
    return [*branches, *NOTHING, Variant("array", np.ones(3), another_tree)]


CHANGES = {
    "as a list": lambda weight: weight.tolist(),
    "None": lambda weight: None,
    "of integers": lambda weight: weight.astype(int),
    "complex": lambda weight: weight.astype(complex),
    "of another shape": lambda weight: weight[..., None],
    "empty": lambda weight: weight[:0],
    "masked": lambda weight: np.ma.array(weight, mask=weight > 0),
    "a string": lambda weight: "weight",
}


def _equal(value, right) -> bool:
    return (
        type(value) is type(right)
        and isinstance(value, tuple)
        and all(a is b for a, b in zip(value, right, strict=True))
    )

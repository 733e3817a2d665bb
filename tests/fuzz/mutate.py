"""Mutations: of bytes, and of the names, types, numbers and nesting of what JSON can hold."""

import json

DEEP = "@deep@"  # stands for a hundred thousand lists in lists, which `json.dumps` could not write
DIGITS = "@digits@"  # for a number of five thousand digits
BEYOND = "@beyond@"  # for 1e999
WORDS = ["sgd", "adam", "map", "border", "auto", "none", "elastic", "symmetries", "he", "centred", "image", "gpu"]
ODD = [
    *(None, True, False, 0, 1, -1, 2, 3, 7, 16, 255, 2**31, 2**53 + 1, 2**63, -(2**63), 10**40),
    *(0.5, -0.5, 1.0, 1e-320, 1e300, float("nan"), float("inf"), float("-inf")),
    *("", " ", "0", "1", "cpu", "image", "dataset", "none", "\0", "\ud800", "\u202e\x1b[31m", "ä" * 5000, "../..", "é"),
    *([], {}, [[]], [None], {"": None}, [1, 2, 3], {"a": {"b": {"c": 1}}}, DEEP, DIGITS, BEYOND),
]


def mutated_bytes(rng, data: bytes) -> bytes:
    """Return the bytes after one to four flips, cuts, insertions, splices, zero runs or repetitions."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        start = int(rng.integers(len(data) + 1))
        stop = min(len(data), start + int(2 ** rng.uniform(0, 10)))
        other = int(rng.integers(len(data) + 1))
        match rng.integers(7):
            case 0 if data:
                data[start % len(data)] ^= 1 << int(rng.integers(8))
            case 1:
                del data[start:stop]
            case 2:
                data[start:start] = rng.bytes(stop - start)
            case 3:
                data[start:stop] = data[other : other + stop - start]
            case 4:
                data[start:stop] = bytes(stop - start)
            case 5:
                data[start:start] = data[start:stop]
            case _:
                data[start:stop] = b"\xff" * (stop - start)
    return bytes(data)


def mutated_tree(rng, tree):
    """Return a copy of nested dicts and lists in which one or two places are changed."""
    for _ in range(1 + (rng.random() < 0.3)):
        tree = _mutated_once(rng, tree)
    return tree


def _mutated_once(rng, tree):
    """Change this place, or go down into one of its branches."""
    is_branch = isinstance(tree, (dict, list)) and len(tree) > 0
    if not is_branch or rng.random() < 0.05:
        return _other_value(rng, tree)
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    keys = list(copy) if isinstance(copy, dict) else range(len(copy))
    key = keys[rng.integers(len(keys))]
    what = rng.random()
    if what < 0.1:
        del copy[key]
    elif what < 0.2 and isinstance(copy, dict):
        names = [f"{key} ", key.upper(), key[:-1], "", f"{key}.{key}", "é", "new"]
        copy[names[rng.integers(len(names))]] = copy.pop(key)
    elif what < 0.2:
        copy.insert(key, copy[key])
    elif what < 0.25:
        copy[key] = [copy[key]] if rng.random() < 0.5 else {"": copy[key]}
    else:
        copy[key] = _mutated_once(rng, copy[key])
    return copy


def _other_value(rng, value):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and rng.random() < 0.4:
        others = [value + 1, value - 1, -value, 2 * value, value / 2, float(value), str(value)]
        return others[rng.integers(len(others))]
    if isinstance(value, str) and rng.random() < 0.3:
        return WORDS[rng.integers(len(WORDS))]
    return ODD[rng.integers(len(ODD))]


def as_json(rng, tree) -> str:
    """Return JSON of a tree; now and then a key is there twice."""
    text = json.dumps(tree)
    text = text.replace(f'"{DEEP}"', "[" * 100_000 + "]" * 100_000)
    text = text.replace(f'"{DIGITS}"', "7" * 5000).replace(f'"{BEYOND}"', "1e999")
    if rng.random() < 0.05 and text.startswith("{") and isinstance(tree, dict) and tree:
        key = list(tree)[rng.integers(len(tree))]
        text = text[:-1] + f", {json.dumps(key)}: null}}"
    return text

"""Which returned gradient belongs to which argument.

One gradient, or a tuple or list of them in the order of the forward's arguments, or a dict by argument name. Arguments
that have no gradient (integers, constants, Python floats) may have None in their place, or be left out.
"""

import numpy as np

from minunet.backend import array_module, flatten
from minunet.errors import InputError
from minunet.gradcheck.arguments import Arguments
from minunet.gradcheck.foreign import is_array, refuse
from minunet.gradcheck.report import Finding


def match(gradients, arguments: Arguments) -> tuple[dict, list[Finding]]:
    """Return {leaf: a copy of its gradient}, and findings of kind `shape`."""
    if finding := _other_keys(gradients, arguments):
        return {}, [finding]
    placed, findings = _place(gradients, arguments)
    matched = {}
    for name in arguments.names:
        own = arguments.own(name)
        came = _leaves(placed.get(name), name, own)
        for leaf in own:
            gradient = came.get(leaf)
            if gradient is None and leaf in arguments.optional:
                continue
            finding = _shape_finding(leaf, arguments.leaves[leaf], gradient, placed.get(name))
            findings += [finding] if finding else []
            if gradient is not None:
                matched[leaf] = gradient
    return matched, findings


def _other_keys(gradients, arguments: Arguments) -> Finding | None:
    """Return a finding for a dict whose keys are not the arguments' names, unless they may be those of one argument."""
    candidates = [name for name in arguments.names if arguments.own(name)]
    has_parts = any(arguments.own(name) != [name] for name in candidates)
    if not isinstance(gradients, dict) or has_parts or set(gradients) <= set(arguments.names):
        return None
    hint = f"The gradients came back as a dict with the keys {', '.join(map(str, gradients))}, and not the arguments' "
    return Finding("shape", candidates[0], f"{hint}names, {', '.join(candidates)}: name each as its argument.")


def _place(gradients, arguments: Arguments) -> tuple[dict, list[Finding]]:
    """Return {argument: what came back for it}."""
    names = arguments.names
    candidates = [name for name in names if arguments.own(name)]
    required = [name for name in candidates if not arguments.optional.issuperset(arguments.own(name))]
    alone = (required or candidates)[0] if len(required or candidates) == 1 else None
    if alone and _is_its_gradient(gradients, alone, candidates, arguments):
        return {alone: gradients}, []
    if isinstance(gradients, dict) and set(gradients) <= set(names):
        return dict(gradients), []
    if not isinstance(gradients, (tuple, list)):
        gradients = [gradients]
    for expected in (names, candidates, required):
        if len(gradients) == len(expected):
            return dict(zip(expected, gradients, strict=True)), []
    expected = required if len(gradients) < len(required) else candidates
    findings = []
    if len(gradients) > len(expected):
        hint = f"{len(gradients)} gradients came back for {len(expected)} arguments: {', '.join(expected)}."
        findings.append(Finding("shape", expected[-1], hint))
    return dict(zip(expected, gradients, strict=False)), findings


def _is_its_gradient(gradients, name: str, candidates: list[str], arguments: Arguments) -> bool:
    """Tell whether what came back, though it may be a tuple, is the gradient of this one argument."""
    own = arguments.own(name)
    came = _leaves(gradients, name, own)
    if all(getattr(came.get(leaf), "shape", None) == arguments.leaves[leaf].shape for leaf in own):
        return True
    tree = arguments.trees[arguments.names.index(name)]
    if not isinstance(tree, (tuple, list)) or not isinstance(gradients, (tuple, list)):
        return False
    has_one_for_each_argument = len(gradients) in (len(arguments.names), len(candidates))
    return len(tree) == len(gradients) and not has_one_for_each_argument


def _leaves(gradient, name: str, own: list[str]) -> dict:
    """Return {leaf: gradient as an array}; a tuple may stand for a list or a NamedTuple."""
    if own == [name] and isinstance(gradient, list):  # numbers in a list, for an array
        try:
            gradient = np.array(gradient, dtype=np.float64)
        except (TypeError, ValueError):
            pass
    came = flatten(gradient, name)
    has_other_names = set(own).isdisjoint(came)
    is_sequence = isinstance(gradient, (tuple, list)) and own != [name]
    if has_other_names and is_sequence and len(own) == len(came):
        came = dict(zip(own, came.values(), strict=True))
    return {leaf: _array(leaf, came[leaf]) for leaf in own if leaf in came}


def _array(leaf: str, gradient):
    """Return a copy, as an array; integers, booleans and Python numbers as float64."""
    if gradient is None:
        return None
    if np.iscomplexobj(gradient):
        raise InputError(
            f"the gradient of {leaf} must be real, as {leaf} is, got complex numbers; return its real part, by .real"
        )
    refuse(gradient, f"the gradient of {leaf}")
    if not is_array(gradient):
        return np.array(gradient, dtype=np.float64) if isinstance(gradient, (bool, int, float)) else gradient
    is_floating = gradient.dtype.kind == "f"
    return array_module(gradient).array(gradient, dtype=gradient.dtype if is_floating else np.float64, copy=True)


def _shape_finding(name: str, x, gradient, came) -> Finding | None:
    """Return a finding if there is no gradient of x's shape; `came` is what came back for the whole argument."""
    if gradient is None and isinstance(came, dict):
        keys = ", ".join(map(str, came)) or "none"
        return Finding("shape", name, f"No gradient came back for it: the keys are {keys}; name each as its parameter.")
    if gradient is None:
        hint = "No gradient came back for it; return one for each floating-point argument, in the order of the "
        hint += "forward's arguments (for a constant, annotate it as minunet.Constant, or say constant=(name,))."
        return Finding("shape", name, hint)
    shape = getattr(gradient, "shape", None)
    if shape != x.shape:
        came = shape if shape is not None else type(gradient).__name__
        hint = f"Its gradient must have its shape, {x.shape}, got {came}: is an axis summed or kept by mistake, or "
        return Finding("shape", name, hint + "are the gradients in another order than the arguments?")
    return None

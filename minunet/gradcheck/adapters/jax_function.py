"""A JAX function, such as one with a `jax.custom_vjp`, as a pair of NumPy arrays in and out.

gradcheck(*jax_pair(log1pexp, (x,)))
check_second_order(*jax_second_order(log1pexp, (x,)))
"""

import jax
import numpy as np

from minunet.gradcheck.adapters.names import argument_names, set_argument_names


def jax_pair(function, args: tuple):
    """Return (forward, backward, args) for `gradcheck`; everything runs in float64.

    Parameters
    ----------
    function : callable
        Any function of JAX that can be differentiated. It may return several outputs.
    args : tuple
        NumPy or JAX arrays, nested dicts and lists of them, or anything else. Floating-point arrays are
        differentiated; the rest is passed as it is, so it may stand at `nondiff_argnums`.
    """
    forward, backward, _, args = jax_second_order(function, args)
    return forward, backward, args


def jax_second_order(function, args: tuple):
    """Return (forward, backward, hvp, args) for `check_second_order`; see `jax_pair`."""
    args = jax.tree_util.tree_map(lambda x: np.asarray(x) if hasattr(x, "dtype") else x, tuple(args))

    def forward(*args):
        with jax.enable_x64(True):
            return _to_numpy(function(*_to_jax(args))), args

    def backward(dy, args):
        with jax.enable_x64(True):
            of_floats, floats, restore = _of_floats(function, args)
            return restore(_pull_back(of_floats, floats, dy))

    def hvp(dy, args, direction):
        with jax.enable_x64(True):
            of_floats, floats, restore = _of_floats(function, args)
            directions = [u for u in jax.tree_util.tree_leaves(direction) if u is not None]
            return restore(_pull_back(lambda floats: _pull_back(of_floats, floats, dy), floats, directions))

    set_argument_names(forward, argument_names(function, len(args)))
    return forward, backward, hvp, args


def _pull_back(function, floats: list, dy):
    y, vjp = jax.vjp(function, floats)
    dy = jax.tree_util.tree_map(lambda d, out: jax.numpy.asarray(d, out.dtype), dy, y)
    return vjp(dy)[0]


def _of_floats(function, args: tuple):
    """Return the function of a list of the floating-point arrays alone, that list, and the way back to a tuple.

    The way back puts None where an argument holds no such array.
    """
    leaves, structure = jax.tree_util.tree_flatten(args)
    places = [i for i, x in enumerate(leaves) if _is_floating(x)]
    leaves = _to_jax(leaves)

    def of_floats(floats):
        replaced = dict(zip(places, floats, strict=True))
        return function(*jax.tree_util.tree_unflatten(structure, [replaced.get(i, x) for i, x in enumerate(leaves)]))

    def restore(gradients):
        gradient_at = dict(zip(places, _to_numpy(gradients), strict=True))
        return jax.tree_util.tree_unflatten(structure, [gradient_at.get(i) for i in range(len(leaves))])

    return of_floats, [leaves[i] for i in places], restore


def _is_floating(x) -> bool:
    return hasattr(x, "dtype") and x.dtype.kind == "f"


def _to_jax(tree):
    return jax.tree_util.tree_map(lambda x: jax.numpy.asarray(x) if hasattr(x, "dtype") else x, tree)


def _to_numpy(tree):
    return jax.tree_util.tree_map(np.array, tree)  # a copy that can be written to

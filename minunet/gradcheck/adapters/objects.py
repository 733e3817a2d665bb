"""A layer that is an object: it keeps its cache, its parameters and their gradients on itself.

    layer = Affine(W, b)                     # layer.forward(x) returns y, layer.backward(dy) returns dx,
    gradcheck(*object_pair(layer, (x,), {"W": "dW", "b": "db"}))       # and leaves layer.dW and layer.db

Each pass works on a fresh copy of the layer, so yours stays as it is, and nothing is left over from the pass before.
"""

import copy
import inspect

import numpy as np

from minunet.errors import InputError
from minunet.gradcheck.adapters.names import argument_names, set_argument_names
from minunet.gradcheck.foreign import takes


def object_pair(
    layer,
    args: tuple,
    parameters: dict | tuple = (),
    *,
    forward: str = "forward",
    backward: str = "backward",
    output: str | None = None,
    input_gradients: str | tuple = (),
    learning_rate: float | None = None,
    reset: str | None = None,
):
    """Return (forward, backward, args) for `gradcheck`, from a layer object.

    The parameters become the last argument of the pair. A report calls them layer.W, layer.b and so on.

    Parameters
    ----------
    layer : object
        With a method `forward(*args)`, and a method `backward(dy)` that returns the gradients of args.
    args : tuple
        What the layer's forward pass takes, such as (x,).
    parameters : dict or tuple of str
        {"W": "dW", "b": "db"} says where each parameter is kept, and where its gradient is left. A dot goes one step
        further: "params.0", "gradients.W", "fc1.W", "weight.data". ("W", "b") says that `backward` returns their
        gradients after those of args.
    forward, backward : str
        The names of the two methods.
    output : str, optional
        Where `forward` leaves y, if it does not return it.
    input_gradients : str or tuple of str, optional
        Where `backward` leaves the gradients of args, if it does not return them.
    learning_rate : float, optional
        For a layer whose `backward(dy, learning_rate)` updates its own parameters. Their gradients are read off the
        update; 1.0 is a good choice.
    reset : str, optional
        The name of a method to call before each forward pass, such as "flush_gradients". Rarely needed: gradients
        that are there already are set to zero.

    Raises
    ------
    InputError
        If a method is missing or takes no dy, a parameter is not where it is said to be, or the layer cannot be copied.
    """
    if not isinstance(args, (tuple, list)):
        raise InputError(f"args must be a tuple, such as (x,), got {type(args).__name__}")
    _check_method(layer, "forward", forward)
    _check_method(layer, "backward", backward, 2 if learning_rate else 1)
    if isinstance(input_gradients, str):
        input_gradients = (input_gradients,)
    gradient_of = parameters if isinstance(parameters, dict) else {}
    values = {path: _parameter(layer, path) for path in parameters}

    def run(inputs, own):
        """Run the forward pass of a copy of the layer that has `own` as its parameters; return both."""
        fresh = _copy_with(layer, own, gradient_of.values())
        if reset:
            getattr(fresh, reset)()
        y = getattr(fresh, forward)(*inputs)
        return (_find(fresh, output) if output else y), fresh

    def split(all_args):
        return (all_args[:-1], all_args[-1]) if values else (all_args, {})

    def pair_forward(*all_args):
        return run(*split(all_args))[0], all_args

    def pair_backward(dy, all_args):
        inputs, own = split(all_args)
        updated = {path: value.copy() for path, value in own.items()} if learning_rate else own
        _, used = run(inputs, updated)
        rate = (learning_rate,) if learning_rate else ()
        returned = getattr(used, backward)(dy, *rate)
        if input_gradients:
            returned = tuple(_find(used, path) for path in input_gradients)
        if not values:
            return returned
        is_many = isinstance(returned, tuple) or (isinstance(returned, list) and len(inputs) > 1)
        returned = tuple(returned) if is_many else (returned,)
        if learning_rate:
            own_gradients = {path: (own[path] - _find(used, path)) / learning_rate for path in own}
        elif gradient_of:
            own_gradients = {path: _find(used, gradient_of[path]) for path in own}
        else:
            returned, rest = returned[: -len(own)], returned[-len(own) :]
            own_gradients = dict(zip(own, rest, strict=False))
        return (*returned, own_gradients)

    names = argument_names(getattr(layer, forward), len(args))
    if values:
        names = [*names, "layer"]
    set_argument_names(pair_forward, names)
    return pair_forward, pair_backward, (*args, values) if values else tuple(args)


def _check_method(layer, option: str, name: str, count: int | None = None) -> None:
    """Raise InputError unless the layer has this method and, where `count` is given, it takes so many arguments."""
    method = getattr(layer, name, None)
    if not callable(method):
        others = [n for n in dir(type(layer)) if n[0] != "_" and callable(getattr(type(layer), n, None))]
        is_called = option == "forward" and callable(layer)
        remedy = "forward='__call__'" if is_called else f"{option}=... (it has {', '.join(others) or 'none'})"
        raise InputError(f"the layer, a {type(layer).__name__}, has no method {name!r}; name the one to use, {remedy}")
    if count == 1 and not takes(method, 1) and takes(method, 0):
        raise InputError(
            f"layer.{name} must take dy, got {name}{inspect.signature(method)}; let it multiply its gradients by dy, "
            f"such as def {name}(self, dy=1.0), so that a layer may come after it"
        )
    if count is not None and not takes(method, count):
        arguments = "(dy, learning_rate)" if count == 2 else "dy alone"
        raise InputError(f"layer.{name} must take {arguments}, got {name}{inspect.signature(method)}")


def _parameter(layer, path: str) -> np.ndarray:
    value = _find(layer, path)
    if not isinstance(value, np.ndarray):
        raise InputError(
            f"layer.{path} must be an array, got {type(value).__name__}; if the layer makes it in its first forward "
            f"pass, run one before the check; a number is turned into an array by np.array(...)"
        )
    return value


def _copy_with(layer, own: dict, gradient_paths):
    """Return a deep copy of the layer with other parameters, and zeros in the place of its gradients.

    `copy.deepcopy` looks up each object in a memo of copies made before. With the new arrays in that memo, they take
    the place of the old ones wherever the layer, or a layer within it, refers to them.
    """
    old = {path: _find(layer, path) for path in own}
    memo = {id(old[path]): value for path, value in own.items()}
    left_over = [_find(layer, path, default=None) for path in gradient_paths]
    memo.update({id(g): np.zeros(g.shape) for g in left_over if isinstance(g, np.ndarray) and g.dtype.kind == "f"})
    try:
        fresh = copy.deepcopy(layer, memo)
    except TypeError as error:
        raise InputError(f"each pass needs a copy of the layer, and copy.deepcopy failed: {error}") from error
    for path, value in own.items():
        if _find(fresh, path) is not value:
            raise InputError(f"layer.{path} is computed anew each time it is read; name the array that it comes from")
    return fresh


_NO_DEFAULT = object()


def _find(layer, path: str, default=_NO_DEFAULT):
    """Return what lies at a dotted path: attributes, keys, positions, and what methods without arguments return."""
    found = layer
    for step in path.split("."):
        try:
            if isinstance(found, dict):
                found = found[step]
            elif isinstance(found, (list, tuple)):
                found = found[int(step)]
            else:
                found = getattr(found, step)
            found = found() if inspect.ismethod(found) else found
        except (AttributeError, KeyError, IndexError, ValueError) as error:
            if default is not _NO_DEFAULT:
                return default
            there = found if isinstance(found, dict) else getattr(found, "__dict__", ())
            raise InputError(
                f"{path!r} is not in the layer: {step!r} is missing; there are {', '.join(map(str, there)) or 'none'}"
            ) from error
    return found

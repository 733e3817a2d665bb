"""The forward's y as one vector: an array, a number, or tuples, lists and dicts of them."""

import numpy as np

from minunet.backend import array_module, as_array, check_array, flatten
from minunet.errors import InputError
from minunet.gradcheck.arguments import map_leaves
from minunet.gradcheck.foreign import is_array, refuse


class Outputs:
    """The structure of y, taken from the first forward pass.

    Integers, booleans and None in y (the indices that a sort returns, say) have no gradient; where they are, dy is 0.
    """

    def __init__(self, y):
        self.tree = y
        leaves = flatten(y, "y")
        for name, x in leaves.items():
            _check(name, x)
        self.shapes = {name: np.shape(x) for name, x in leaves.items() if _is_floating(x)}
        self.dtypes = {
            name: x.dtype if is_array(x) else np.dtype(type(x)) for name, x in leaves.items() if x is not None
        }
        arrays = [x for x in leaves.values() if is_array(x)]
        self.xp = array_module(arrays[0]) if arrays else np
        self.size = sum(int(np.prod(shape)) for shape in self.shapes.values())

    def in_words(self) -> str:
        """Say in words what came, where there is nothing to check."""
        if self.shapes:
            return f"an empty array of shape {self._shape_words()}"
        return ", ".join(map(str, self.dtypes.values())) or "nothing"

    def are_float64(self) -> bool:
        """Tell whether no floating-point part of y is of another precision."""
        return all(dtype == np.float64 for dtype in self.dtypes.values() if dtype.kind == "f")

    def flat(self, y):
        """Return all floating-point numbers of y as a fresh float64 vector."""
        parts = [(name, x) for name, x in flatten(y, "y").items() if _is_floating(x)]
        if {name: np.shape(x) for name, x in parts} != self.shapes:
            raise InputError(f"y must keep its shape, {self._shape_words()}, as the arguments move, got another one")
        vectors = [self.xp.array(x, dtype=np.float64).reshape(-1) for _, x in parts]
        if not vectors:
            return self.xp.zeros(0)
        return vectors[0] if len(vectors) == 1 else self.xp.concatenate(vectors)

    def shaped(self, vector):
        """Return copies of the parts of a vector in the structure of y."""
        start = 0

        def part(name, x):
            nonlocal start
            if x is None:
                return None
            if name not in self.shapes:
                return self.xp.zeros(np.shape(x), x.dtype if is_array(x) else type(x))
            stop = start + int(np.prod(self.shapes[name]))
            piece = vector[start:stop].reshape(self.shapes[name]).copy()
            start = stop
            return piece

        return map_leaves(part, self.tree, "y")

    def upstream(self, dy, rng):
        """Return dy as a vector: as given, or random, and away from zero where y is a single number."""
        if dy is None:
            is_scalar = self.size == 1 and all(shape == () for shape in self.shapes.values())
            dy = np.full(1, 1.0 + rng.random()) if is_scalar else rng.standard_normal(self.size)
            return self.xp.asarray(dy)
        given = {name: x for name, x in flatten(dy, "y").items() if name in self.shapes or x is not None}
        given = {name: x for name, x in given.items() if name in self.shapes or name not in self.dtypes}
        shapes = {name: np.shape(x) for name, x in given.items()}
        if shapes != self.shapes:
            came = shapes.get("y", shapes)
            raise InputError(f"dy must have the shape of the forward output, {self._shape_words()}, got {came}")
        for name, x in given.items():
            name = name.replace("y", "dy", 1)
            if hasattr(x, "dtype"):
                check_array(x, name)
            elif not isinstance(x, (int, float)):
                as_array(x, name)
            if np.result_type(x).kind not in "biuf":
                raise InputError(
                    f"{name} must hold numbers, got {np.result_type(x)}; convert it with .astype('float64')"
                )
        if not self.shapes:
            return self.xp.zeros(0)  # y holds no floating-point numbers, which `gradcheck` reports
        return self.xp.concatenate([self.xp.array(given[n], dtype=np.float64).reshape(-1) for n in self.shapes])

    def _shape_words(self):
        return self.shapes["y"] if list(self.shapes) == ["y"] else self.shapes


def _check(name: str, x) -> None:
    if name == "y" and x is None:
        raise InputError("forward must return (y, cache), got None for y; is it a stub, or is the result not returned?")
    refuse(x, f"the forward's {name}")
    if x is not None and not is_array(x) and not isinstance(x, (bool, int, float)):
        raise InputError(
            f"forward must return (y, cache) with arrays or numbers in y, got {type(x).__name__} for {name}"
        )


def _is_floating(x) -> bool:
    return x.dtype.kind == "f" if is_array(x) else isinstance(x, float)

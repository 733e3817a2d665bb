"""What may come in place of an array.

Some of it means the same as the array (another order in memory, another type of number), and a call must give the same
result or refuse it. Some of it means something else (another shape, other values), and some of it nothing at all.
"""

import decimal
import tempfile

import numpy as np

from hostile.variant import ITSELF, REFUSE, Variant


def in_place_of_floats(right: np.ndarray) -> list[Variant]:
    """Return variants of an array of floating-point numbers."""
    floats = [np.float16, np.float32, np.longdouble, ">f4", ">f8"]
    as_floats = [Variant(f"{np.dtype(dtype)}", right.astype(dtype), _plain(right.astype(dtype))) for dtype in floats]
    integers = [
        Variant(f"{dtype}", right.astype(dtype), _plain(right.astype(dtype))) for dtype in ("int8", "int64", bool)
    ]
    return [*layouts(right), *as_floats, *integers, *shapes(right), *not_finite(right), *nonsense(right)]


def in_place_of_finite(right: np.ndarray) -> list[Variant]:
    """Return the same, where NaN and infinity mean nothing, and a function must refuse them."""
    return [v._replace(means=REFUSE) if v.is_extreme else v for v in in_place_of_floats(right)]


def in_place_of_integers(right: np.ndarray, top: int) -> list[Variant]:
    """Return variants of an array of integers from 0 to `top`, such as labels."""
    dtypes = ["int8", "uint8", ">i4", "int64", "uint64", "float64", bool]
    same = [Variant(np.dtype(dtype).str, right.astype(dtype), right.astype(dtype).astype(np.int64)) for dtype in dtypes]
    others = {"below 0": -1, "above the largest": top + 1, "2**31": 2**31, "2**62": 2**62}
    values = [Variant(label, _with(right.astype(np.int64), value), ITSELF) for label, value in others.items()]
    values.append(Variant("2**63", _with(right.astype(np.uint64), 2**63), ITSELF))
    halves = Variant("halves", right + 0.5)
    return [*layouts(right), *same, *values, halves, *shapes(right), *nonsense(right)]


def in_place_of_mask(right: np.ndarray) -> list[Variant]:
    """Return variants of a boolean array."""
    integers = [Variant(dtype, right.astype(dtype), right) for dtype in ("int8", "uint64", "float64")]
    nowhere = Variant("False everywhere", np.zeros_like(right), ITSELF)
    return [*layouts(right), *integers, nowhere, *shapes(right), *nonsense(right)]


def layouts(right: np.ndarray) -> list[Variant]:
    """Return arrays with the numbers of `right`, laid out otherwise in memory."""
    everywhere = tuple(slice(None, None, -1) for _ in right.shape)
    wide = np.repeat(right, 2, axis=-1) if right.ndim else right
    read_only = right.copy()
    read_only.setflags(write=False)
    row = np.broadcast_to(right[:1], right.shape) if right.ndim else right
    return [
        Variant("Fortran order", np.asfortranarray(right), right),
        Variant("negative strides", right[everywhere].copy()[everywhere], right),
        Variant("every second column", wide[..., ::2] if right.ndim else wide, right),
        Variant("overlapping rows", row, np.array(row)),
        Variant("read-only", read_only, right),
        Variant("memory map", _memory_map(right), right),
        Variant("subclass", right.view(_Subclass), right),
    ]


def shapes(right: np.ndarray) -> list[Variant]:
    """Return arrays of other shapes: an axis more, one less, an empty one, a longer one."""
    found = [Variant("one axis more", right[None], ITSELF), Variant("0-d", np.array(right.ravel()[0]), ITSELF)]
    for axis in range(right.ndim):
        found.append(Variant(f"axis {axis} is left out", right.take(0, axis), ITSELF))
        found.append(Variant(f"axis {axis} is empty", right.take([], axis), ITSELF))
        longer = np.concatenate([right, right.take([0], axis)], axis)
        found.append(Variant(f"axis {axis} is longer", longer, ITSELF))
    return found


def not_finite(right: np.ndarray) -> list[Variant]:
    """Return arrays with values at the ends of what floating-point numbers can say."""
    extremes = {"NaN": np.nan, "infinity": np.inf, "-infinity": -np.inf, "overflows": np.finfo(right.dtype).max}
    found = [Variant(label, _with(right, value), ITSELF, True) for label, value in extremes.items()]
    found.append(Variant("NaN everywhere", np.full_like(right, np.nan), ITSELF, True))
    found.append(Variant("subnormal", right * 1e-310, ITSELF))
    return [*found, Variant("-0.0", _with(right, -0.0), ITSELF)]


def nonsense(right: np.ndarray) -> list[Variant]:
    """Return what is no array of numbers, or one whose meaning a function would miss, such as a mask."""
    mask = np.zeros(right.shape, bool)
    mask.flat[:1] = True
    nested = right.tolist()
    return [
        Variant("complex", right.astype(complex) + 1j),
        Variant("objects", right.astype(object), right),
        Variant("None inside", _with(right.astype(object), None)),
        Variant("decimal numbers", _with(right.astype(object), decimal.Decimal("1")), REFUSE),
        Variant("strings", right.astype(str)),
        Variant("bytes", right.astype("S8")),
        Variant("dates", np.zeros(right.shape, "datetime64[D]")),
        Variant("durations", np.zeros(right.shape, "timedelta64[s]")),
        Variant("records", np.zeros(right.shape, [("a", float)])),
        Variant("masked", np.ma.array(right, mask=mask)),
        Variant("masked array without a mask", np.ma.array(right), right),
        _matrix(right),
        Variant("list", nested, right),
        Variant("ragged list", [*nested, [1, 2, 3]] if right.ndim else [[1], [1, 2]]),
        Variant("empty list", []),
        Variant("tensor", _Tensor(right), right),
        Variant("tensor with gradient", _TensorWithGradient(right)),
        Variant("None", None),
        Variant("string", "x"),
        Variant("number", 3.0),
        Variant("dict", {"x": right}),
        Variant("function", np.sin),
        Variant("object", object()),
    ]


def _matrix(right: np.ndarray) -> Variant:
    """Return a numpy.matrix, which has two axes always, and another product."""
    if right.ndim == 2:
        return Variant("matrix", right.view(np.matrix), right)
    other = right.reshape(len(right), -1) if right.ndim else right.reshape(1, 1)
    return Variant("matrix", other.view(np.matrix), other)


class _Subclass(np.ndarray):
    """What imageio returns, for example: an array with something beside it."""


class _Tensor:
    """Like PyTorch's: no array, but np.asarray makes one of it."""

    def __init__(self, x: np.ndarray):
        self._x, self.dtype, self.shape, self.ndim = x.copy(), object(), x.shape, x.ndim

    def __array__(self, dtype=None, copy=None):
        return self._x

    def __getitem__(self, index):
        return _Tensor(self._x[index])

    def __len__(self):
        return len(self._x)


class _TensorWithGradient(_Tensor):
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")


def _plain(x: np.ndarray) -> np.ndarray:
    return np.array(x, np.float64)


def _with(x: np.ndarray, value) -> np.ndarray:
    """Return a copy with another value at one place."""
    changed = x.copy()
    changed.flat[changed.size // 2] = value
    return changed


def _memory_map(x: np.ndarray) -> np.ndarray:
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, x.dtype, "w+", shape=x.shape or (1,)).reshape(x.shape)
    mapped[...] = x
    return mapped

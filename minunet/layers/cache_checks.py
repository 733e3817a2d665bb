"""Checks of what a backward pass gets as its cache: it must be what the forward pass of the same layer returned."""

from typing import Any

from minunet.backend import check_array, is_number, is_whole_number
from minunet.errors import InputError

CACHES: dict[str, dict[str, Any]] = {  # what each holds: an array of so many axes (0: any number), a number, or a shape
    "BatchNormCache": {"x_hat": 4, "gamma": 1, "mean": 1, "variance": 1, "epsilon": "number"},
    "Conv2dCache": {"x": 4, "weight": 4},
    "CropConcatCache": {"skip_shape": "shape", "x_shape": "shape"},
    "DropoutCache": {"keep": 0, "rate": "number"},
    "MaxPoolCache": {"winner": 4},
    "ReluCache": {"y": 0},
    "SoftmaxCrossEntropyCache": {"p": 4, "labels": 3, "weights": "None or 3"},
    "UpConvCache": {"x": 4, "weight": 4},
}


def check_cache(cache: Any, kind: type) -> None:
    """Raise unless `cache` is of this kind, with arrays where the forward pass put them."""
    name = kind.__name__
    if type(cache) is not kind and getattr(cache, "_fields", None) != tuple(getattr(kind, "_fields", ())):
        raise InputError(
            f"cache must be the {name} that the forward pass returned, got {type(cache).__name__}; pass it on as it is"
        )
    for field, expected in CACHES[name].items():
        x = getattr(cache, field)
        if expected == "number":
            is_right = is_number(x)
        elif expected == "None or 3":
            is_right = x is None or getattr(x, "ndim", 0) == 3
        elif expected == "shape":
            is_right = isinstance(x, tuple) and len(x) == 4 and all(map(is_whole_number, x))
        else:
            check_array(x, f"cache.{field}")
            is_right = expected in (0, x.ndim)
        if not is_right:
            raise InputError(
                f"cache must be as the forward pass returned it, got {getattr(x, 'shape', repr(x))} as its {field}; "
                "pass it on as it is"
            )


def check_tuple_of_caches(cache: Any, *kinds: type) -> None:
    """Raise unless `cache` is a tuple of a cache of each of these kinds."""
    if not isinstance(cache, tuple) or len(cache) != len(kinds):
        names = ", ".join(kind.__name__ for kind in kinds)
        raise InputError(f"cache must be ({names}), as the forward pass returned it, got {type(cache).__name__}")
    for part, kind in zip(cache, kinds, strict=True):
        check_cache(part, kind)

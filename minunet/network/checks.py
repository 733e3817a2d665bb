"""Checks of the network's arguments; each error says what was expected, what came, and the remedy."""

from itertools import pairwise
from typing import Any

import numpy as np

from minunet.backend import Array, Params, check_array, check_generator, check_same_device, flatten, is_whole_number
from minunet.errors import InputError, shown
from minunet.layers import Conv2dCache
from minunet.layers.cache_checks import check_cache
from minunet.layers.checks import check_axes, check_rate
from minunet.network.sizes import DEEPEST, border, trace

DOUBLE_CONV = ("conv1", "relu1", "conv2", "relu2", "norm1", "norm2")  # the fields of the cache
PARTS = ("encode", "bottom", "decode", "head")
NORMS = ("batch",)
MOST_CHANNELS = 65_536  # or classes
MOST_PARAMETERS = 2**31  # 8.6 GB in float32, and three or four times that to train


def check_network_size(rng: Any, dtype: Any, norm: Any, **numbers: Any) -> None:
    """Raise unless `init_unet` can make a network: `numbers` are its channels, classes and depth."""
    check_generator(rng)
    check_norm(norm)
    check_numbers(**numbers)
    if not _is_floating(dtype):
        raise InputError(
            f"dtype must be a type of floating-point numbers, got {dtype!r}; use numpy.float32 to train, "
            "numpy.float64 to check gradients"
        )


def check_norm(norm: Any) -> None:
    """Raise unless `norm` is a normalisation that a network can have."""
    if norm is not None and not (isinstance(norm, str) and norm in NORMS):
        raise InputError(
            f"norm must be None or {' or '.join(map(repr, NORMS))}, got {shown(norm)}; None is the paper's network"
        )


def check_numbers(**numbers: Any) -> None:
    """Raise unless the channels, classes and depth of a network are whole numbers, from 1 to what memory can hold."""
    for name, number in numbers.items():
        if not is_whole_number(number) or number < 1:
            raise InputError(
                f"{name} must be a whole number of at least 1, got {shown(number)}; leave it out for the paper's "
                "network"
            )
        if number > (most := DEEPEST if name == "depth" else MOST_CHANNELS):
            raise InputError(
                f"{name} must be at most {most:,}, got {shown(number)}; leave it out for the paper's network"
            )
    whole: dict[str, Any] = {name: int(number) for name, number in numbers.items()}
    if (count := parameter_count(**whole)) > MOST_PARAMETERS:
        raise InputError(
            f"base_channels must give a network of at most {MOST_PARAMETERS:,} parameters, got "
            f"{numbers.get('base_channels')} with {count:,} parameters; try fewer, or a smaller depth"
        )


def parameter_count(
    in_channels: int = 1, num_classes: int = 2, base_channels: int = 64, depth: int = 4, norm: str | None = None
) -> int:
    """Return how many parameters `init_unet` makes: 31,030,658 for the paper's network."""
    B = 2 if norm is None else 4  # numbers for each channel of two convolutions: their biases, or gammas and betas
    widths = [base_channels * 2**level for level in range(depth + 1)]
    down = sum(9 * F * (C + F) + B * F for C, F in pairwise([in_channels, *widths]))  # two convolutions a level
    up = sum(4 * 2 * F * F + F + 9 * F * (2 * F + F) + B * F for F in widths[:-1])  # an up-convolution before them
    return down + up + num_classes * (base_channels + 1)


def check_params(params: Any) -> None:
    """Raise InputError unless these are the parameters of a U-Net: each array is there, and fits the one before it."""
    if not isinstance(params, dict) or not set(PARTS) <= params.keys():
        remedy = "take its .network" if hasattr(params, "network") else "load_network reads one from a path"
        raise InputError(
            "network must be a Network, as from minunet.load_network or minunet.train, or parameters as from "
            f"minunet.init_unet, got {_shown(params)}; {remedy}"
        )
    check_arrays(flatten(params), depth=max(_levels(params["encode"]), _levels(params["decode"]), 1))


def check_is_plain(params: Params) -> None:
    """Raise InputError if these are parameters with batch normalisation, which are for training."""
    if has_norm(params):
        raise InputError(
            "a prediction needs a network without batch normalisation, got one with it, whose result would depend on "
            "what else is in the batch; take run.network, or what minunet.network.running_averages.fold_unet returns"
        )


def has_norm(params: Params) -> bool:
    """Tell whether a network has batch normalisation."""
    return "norm1" in params["bottom"]


def check_arrays(came: dict[str, Any], depth: int) -> None:
    """Raise InputError unless these are the parameters of a U-Net of this depth, by their dotted names."""
    border(depth)  # raises if no network is that deep
    expected = _expected_shapes(came, depth)
    if odd := [name for name in [*expected, *came] if (name in expected) != (name in came)]:
        got = f"{odd[0]} missing" if odd[0] in expected else f"{shown(odd[0])} added"
        raise InputError(
            f"parameters must be as from minunet.init_unet, got {got}; load an intact checkpoint, or make them anew"
        )
    for name, shape in expected.items():
        x = came[name]
        if hasattr(x, "shape"):
            check_array(x, f"parameter {name}")
        if getattr(x, "shape", None) != shape or x.dtype.kind != "f" or 0 in shape:
            got = f"{x.dtype} {x.shape}" if hasattr(x, "dtype") else f"a {type(x).__name__}"
            raise InputError(
                f"parameters must be as from minunet.init_unet, with floating-point numbers {shape} in {name}"
                f"{', at least one of each' if 0 in shape else ''}, got "
                f"{got}; load an intact checkpoint, or make them anew"
            )


def _shown(params: Any) -> str:
    if isinstance(params, str):
        return repr(params)
    if isinstance(params, dict):
        return f"a dict without {', '.join(part for part in PARTS if part not in params)}"
    return f"a {type(params).__name__}"


def _levels(part: Any) -> int:
    return len(part) if isinstance(part, (list, tuple)) else 0


def _expected_shapes(came: dict[str, Any], depth: int) -> dict[str, tuple[int, ...]]:
    """Return {dotted name: shape} of a U-Net whose first layer and each layer's features are those of `came`.

    It has batch normalisation if the first convolution of `came` has it.
    """
    with_norm = "encode.0.norm1.gamma" in came

    def features(layer: str, axis: int = 0) -> int:
        shape = getattr(came.get(f"{layer}.weight"), "shape", ())
        return shape[axis] if len(shape) == 4 else 0

    shapes: dict[str, tuple[int, ...]] = {}

    def add_conv(layer: str, C: int, size: int, with_norm: bool = False) -> int:
        F = features(layer)
        norm = layer.replace(".conv", ".norm")
        vectors = [f"{norm}.gamma", f"{norm}.beta"] if with_norm else [f"{layer}.bias"]
        shapes.update({f"{layer}.weight": (F, C, size, size), **dict.fromkeys(vectors, (F,))})
        return F

    def add_double_conv(level: str, C: int) -> int:
        F = add_conv(f"{level}.conv1", C, 3, with_norm)
        return add_conv(f"{level}.conv2", F, 3, with_norm)

    skips = []
    C = features("encode.0.conv1", axis=1)
    for level in [*(f"encode.{i}" for i in range(depth)), "bottom"]:
        C = add_double_conv(level, C)
        skips.append(C)
    for i in reversed(range(depth)):
        F = features(f"decode.{i}.up", axis=1)
        shapes.update({f"decode.{i}.up.weight": (C, F, 2, 2), f"decode.{i}.up.bias": (F,)})
        C = add_double_conv(f"decode.{i}", skips[i] + F)
    add_conv("head", C, size=1)
    return shapes


def check_input(params: Params, x: Array, dropout_rate: float) -> None:
    """Raise unless the network with these parameters can take x (N, C, H, W)."""
    check_params(params)
    check_rate(dropout_rate)
    check_axes(x, "x", "N, C, H, W")
    depth = len(params["encode"])
    for size, axis in zip(x.shape[2:], ("height", "width"), strict=True):
        trace(size, depth, axis)
    weight = params["encode"][0]["conv1"]["weight"]
    check_same_device(params=weight, x=x)
    expected = weight.shape[1]
    if x.shape[1] != expected:
        raise InputError(
            f"the network takes C={expected} channels, got x {x.shape} with C={x.shape[1]}; "
            "init_unet(in_channels=...) makes one for other channels"
        )


def check_dlogits(dlogits: Array, cache: Any) -> None:
    """Raise unless `cache` is what `unet_forward` returned, and `dlogits` has the shape of its logits."""
    if not _has_fields(cache, "encode", "bottom", "dropout", "decode", "head") or not _is_whole(cache):
        got = "a broken one" if hasattr(cache, "_fields") else f"a {type(cache).__name__}"
        raise InputError(f"cache must be the UnetCache that unet_forward returned, got {got}; pass it on as it is")
    check_cache(cache.head, Conv2dCache)
    check_axes(dlogits, "dlogits", "N, K, OH, OW")
    (N, _, OH, OW), K = cache.head.x.shape, len(cache.head.weight)
    if dlogits.shape != (N, K, OH, OW):
        raise InputError(
            f"dlogits must have the shape of the logits, {(N, K, OH, OW)}, got {dlogits.shape}; "
            "softmax_cross_entropy_backward makes them"
        )


def _is_whole(cache: Any) -> bool:
    """Tell whether a UnetCache holds the caches of all layers of each level."""
    encode, decode = cache.encode, cache.decode
    if not (isinstance(encode, list) and isinstance(decode, list) and len(encode) == len(decode) > 0):
        return False
    if not all(_has_fields(level, "conv", "pool") for level in encode):
        return False
    if not all(_has_fields(level, "up", "concat", "conv") for level in decode):
        return False
    double_convs = [cache.bottom, *(level.conv for level in (*encode, *decode))]
    return all(_has_fields(conv, *DOUBLE_CONV) for conv in double_convs)


def _has_fields(x: Any, *names: str) -> bool:
    return getattr(x, "_fields", None) == names


def _is_floating(dtype: Any) -> bool:
    try:
        return np.dtype(dtype).kind == "f"
    except TypeError:  # not the name of a type
        return False

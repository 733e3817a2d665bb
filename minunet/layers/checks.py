"""Checks of the layers' arguments; each error says what was expected, what came, and the remedy."""

import numpy as np

from minunet.backend import Array, array_module, check_array, check_same_device, is_number
from minunet.errors import InputError


def check_floating(x: Array, name: str) -> None:
    """Raise unless `x` is an array of floating-point numbers, in the byte order of this machine."""
    check_array(x, name)
    if x.dtype.kind != "f":
        raise InputError(f"{name} must hold floating-point numbers, got {x.dtype}; convert it with .astype('float32')")
    if not x.dtype.isnative:
        raise InputError(f"{name} must have this machine's byte order, got {x.dtype}; use .astype('{x.dtype.name}')")


def check_dloss(dloss: Array | float, p: Array) -> None:
    """Raise unless `dloss`, the gradient of a loss, is one number, on the device of p."""
    if isinstance(dloss, int) and not is_number(dloss):
        raise InputError(f"dloss must fit a float, got {dloss!r:.40}; 1.0 is usual")
    if not isinstance(dloss, (int, float)):
        check_array(dloss, "dloss")
        if dloss.shape != () or dloss.dtype.kind not in "biuf":
            raise InputError(f"dloss must be one number, got {dloss.dtype} of shape {dloss.shape}; 1.0 is usual")
    check_same_device(p=p, dloss=dloss)


def check_rate(rate: float, name: str = "rate") -> None:
    """Raise unless `rate` is a probability with which elements may be dropped."""
    if not is_number(rate) or not 0 <= rate < 1:
        raise InputError(f"dropout {name} must be at least 0 and below 1, got {rate!r}; 0.5 drops every second element")


def check_axes(x: Array, name: str, axes: str) -> None:
    """Raise unless `x` is a floating-point array with these axes, such as "N, C, H, W"."""
    check_floating(x, name)
    if x.ndim != len(axes.split(",")):
        raise InputError(f"{name} must have shape ({axes}), got {x.shape}; add or remove axes with reshape")


def check_gradient(dy: Array, shape: tuple[int, ...], cached: Array | None = None) -> None:
    """Raise unless `dy` has the shape of the forward pass's output and is on the device of the cache."""
    check_floating(dy, "dy")
    if cached is not None:
        check_same_device(cache=cached, dy=dy)
    if dy.shape != tuple(shape):
        raise InputError(
            f"dy must have the shape of the forward output, {tuple(shape)}, got {dy.shape}; pass one "
            "gradient per output element"
        )


def check_conv2d(x: Array, weight: Array, bias: Array) -> None:
    """Raise unless x (N, C, H, W), weight (F, C, KH, KW) and bias (F,) fit together."""
    check_axes(x, "x", "N, C, H, W")
    check_axes(weight, "weight", "F, C, KH, KW")
    check_floating(bias, "bias")
    _check_same_kind("conv2d", x=x, weight=weight, bias=bias)
    _check_channels("conv2d", "(F, C, KH, KW)", x.shape[1], weight.shape[1], weight.shape)
    _check_bias("conv2d", bias, weight.shape[0], weight.shape)
    for axis, size, kernel in zip("HW", x.shape[2:], weight.shape[2:], strict=True):
        if not 1 <= kernel <= size:
            raise InputError(
                f"conv2d needs {axis} >= K{axis} >= 1, got {axis}={size}, K{axis}={kernel}; use a larger "
                "image or a smaller kernel"
            )
    _check_has_pixels("conv2d", x)


def _check_has_pixels(layer: str, x: Array) -> None:
    if not x.size:
        raise InputError(f"{layer} needs x with pixels, got {x.shape}; leave out an empty batch")


def check_up_conv(x: Array, weight: Array, bias: Array) -> None:
    """Raise unless x (N, C, H, W), weight (C, F, 2, 2) and bias (F,) fit together."""
    check_axes(x, "x", "N, C, H, W")
    check_axes(weight, "weight", "C, F, 2, 2")
    check_floating(bias, "bias")
    _check_same_kind("up-conv", x=x, weight=weight, bias=bias)
    if weight.shape[2:] != (2, 2):
        raise InputError(f"up-conv needs a 2x2 kernel, weight (C, F, 2, 2), got {weight.shape}; its stride is 2")
    _check_has_pixels("up-conv", x)
    _check_channels("up-conv", "(C, F, 2, 2)", x.shape[1], weight.shape[0], weight.shape)
    _check_bias("up-conv", bias, weight.shape[1], weight.shape)


def check_max_pool(x: Array) -> None:
    """Raise unless x is (N, C, H, W) with even, positive H and W."""
    check_axes(x, "x", "N, C, H, W")
    H, W = x.shape[2:]
    if H % 2 or W % 2 or not H or not W:
        raise InputError(
            f"max-pool needs even H and W, got H={H}, W={W}; crop or mirror-pad to "
            f"H={max(2, H + H % 2)}, W={max(2, W + W % 2)}"
        )


def check_crop_concat(skip: Array, x: Array) -> None:
    """Raise unless skip (N, S, SH, SW) is at least as large as x (N, C, H, W)."""
    check_axes(skip, "skip", "N, S, SH, SW")
    check_axes(x, "x", "N, C, H, W")
    _check_same_kind("crop-concat", skip=skip, x=x)
    _check_has_pixels("crop-concat", x)
    if skip.shape[0] != x.shape[0]:
        raise InputError(f"crop-concat needs one batch size, got skip {skip.shape} and x {x.shape}; both are (N, ...)")
    if skip.shape[2] < x.shape[2] or skip.shape[3] < x.shape[3]:
        raise InputError(
            f"crop-concat needs a skip at least as large as x, got skip {skip.shape} and x {x.shape}; "
            "the arguments are (skip, x), in this order"
        )


def check_batch_norm(x: Array, gamma: Array, beta: Array, epsilon: float, least_pixels: int = 2) -> None:
    """Raise unless x (N, C, H, W), gamma (C,) and beta (C,) fit together and a channel has enough pixels."""
    check_axes(x, "x", "N, C, H, W")
    _check_floating_vectors(gamma=gamma, beta=beta)
    _check_same_kind("batch norm", x=x, gamma=gamma, beta=beta)
    N, C, H, W = x.shape
    _check_vectors("batch norm", "x (N, C, H, W)", x.shape, C, gamma=gamma, beta=beta)
    if N * H * W < least_pixels:
        raise InputError(
            f"batch norm needs at least {least_pixels} pixels a channel, N * H * W, got x {x.shape}; a mean of one "
            "pixel is that pixel, so use larger images or a larger batch"
        )
    check_epsilon(epsilon)


def check_running(gamma: Array, **running: Array) -> None:
    """Raise unless the running averages have the shape, the dtype and the device of gamma."""
    _check_floating_vectors(gamma=gamma, **running)
    _check_same_kind("batch norm", gamma=gamma, **running)
    _check_vectors("batch norm", "gamma (C,)", gamma.shape, len(gamma), **running)


def check_fold(weight: Array, epsilon: float, **vectors: Array) -> None:
    """Raise unless the vectors have an entry for each of the F channels of weight (F, C, KH, KW)."""
    check_axes(weight, "weight", "F, C, KH, KW")
    _check_floating_vectors(**vectors)
    _check_same_kind("folding", weight=weight, **vectors)
    _check_vectors("folding", "weight (F, C, KH, KW)", weight.shape, len(weight), **vectors)
    check_epsilon(epsilon)


def check_epsilon(epsilon: float) -> None:
    """Raise unless `epsilon` is above 0."""
    if not is_number(epsilon) or not epsilon > 0:
        raise InputError(f"epsilon must be above 0, got {epsilon!r}; 1e-5 is usual")


def check_loss(logits: Array, labels: Array, weights: Array | None) -> None:
    """Raise unless labels and weights are (N, H, W) for logits (N, K, H, W), and the labels are in 0..K-1.

    On a GPU the values of the labels are not checked: the host would have to wait for them in every training step.
    """
    check_axes(logits, "logits", "N, K, H, W")
    N, K, H, W = logits.shape
    if K < 1:
        raise InputError(f"logits must have a channel for each class, got {logits.shape}; give K at least 1")
    check_array(labels, "labels")
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels must be an array of integers, got {labels.dtype}; convert it with .astype('int64')")
    if weights is not None:
        _check_weights(weights)
    for name, array in (("labels", labels), ("weights", weights)):
        if array is not None and array.shape != (N, H, W):
            raise InputError(
                f"{name} must have shape (N, H, W) = {(N, H, W)}, got {array.shape}; crop them to the "
                "centre that the network's output covers"
            )
    check_same_device(logits=logits, labels=labels, **({} if weights is None else {"weights": weights}))
    if array_module(labels) is np:
        _check_label_values(labels, weights, K)


def _check_weights(weights: Array) -> None:
    """Raise unless the weights are numbers of at least 0; on a GPU their values are not looked at, like the labels'."""
    check_array(weights, "weights")
    if weights.dtype.kind not in "biuf":
        raise InputError(f"weights must hold numbers, got {weights.dtype}; convert them with .astype('float32')")
    if array_module(weights) is not np or not weights.size:
        return
    low, high = float(weights.min()), float(weights.max())
    if not 0 <= low <= high < float("inf"):  # NaN is not <= anything
        worst = high if low >= 0 else low
        raise InputError(f"weights must be at least 0 and finite, got {worst}; 0 leaves a pixel out, and 1 is usual")


def _check_label_values(labels: np.ndarray, weights: np.ndarray | None, K: int) -> None:
    outside = (labels < 0) | (labels >= K)
    if weights is not None:
        outside &= weights != 0
    if outside.any():
        worst = int(labels[outside][0])
        raise InputError(
            f"labels must be in 0..{K - 1} for {K} classes, got {worst}; relabel them, or give these pixels weight 0"
        )


def _check_same_kind(layer: str, **arrays: Array) -> None:
    """Raise if the arrays differ in dtype or are on different devices."""
    first, *others = (array.dtype for array in arrays.values())
    if any(dtype != first for dtype in others):
        got = ", ".join(f"{name} {array.dtype}" for name, array in arrays.items())
        raise InputError(f"{layer} needs arguments of one dtype, got {got}; convert with .astype")
    check_same_device(**arrays)


def _check_channels(layer: str, axes: str, channels: int, expected: int, shape: tuple) -> None:
    if channels != expected:
        raise InputError(
            f"{layer} with weight {axes} = {shape} needs x with C={expected} channels, got C={channels}; "
            "x is (N, C, H, W)"
        )


def _check_bias(layer: str, bias: Array, features: int, shape: tuple) -> None:
    if bias.shape != (features,):
        raise InputError(f"{layer} with weight {shape} needs bias (F,) = ({features},), got {bias.shape}")


def _check_floating_vectors(**vectors: Array) -> None:
    for name, vector in vectors.items():
        check_floating(vector, name)


def _check_vectors(layer: str, source: str, shape: tuple, channels: int, **vectors: Array) -> None:
    for name, vector in vectors.items():
        if vector.shape != (channels,):
            raise InputError(
                f"{layer} with {source} = {shape} needs {name} of shape ({channels},), got {vector.shape}; "
                "it has one number for each channel"
            )

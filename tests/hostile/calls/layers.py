"""Right calls of the layers: the readable ones, and those of `minunet.fast`, each beside its loop twin."""

from functools import partial
from types import ModuleType

import numpy as np
import scipy.special

from hostile.arrays import in_place_of_finite, in_place_of_floats, in_place_of_integers
from hostile.judge import Call
from hostile.values import in_place_of_cache, in_place_of_generator, in_place_of_number, without_none
from hostile.variant import ITSELF, Variant
from minunet import layers as readable
from minunet.fast import layers as fast
from minunet.layers import naive
from minunet.layers.batch_norm import batch_norm_predict, fold_batch_norm, update_running

RNG = np.random.default_rng(0)
SIZES = r"\b[NCFHWK]\b|channels"  # the errors name an axis where that is clearer than the whole array


def floats(*shape) -> np.ndarray:
    return RNG.standard_normal(shape)


def first(result):
    """Return y of (y, cache)."""
    return result[0]


X, WEIGHT, BIAS, UP_WEIGHT = floats(2, 3, 6, 4), floats(2, 3, 3, 2), floats(2), floats(3, 2, 2, 2)
SQUARE = floats(4, 4)  # two matrices of this size have a product, which is not the array of products
SKIP, LOGITS, LABELS = floats(2, 2, 9, 8), floats(2, 3, 4, 2), RNG.integers(0, 3, (2, 4, 2))
WEIGHTS = RNG.uniform(0.5, 2, LABELS.shape)
GAMMA, BETA = floats(3), floats(3)


def forward(name: str, function, twin, arrays: dict, **others) -> Call:
    """Return the call of a forward pass whose arguments are arrays of floats."""
    kinds = dict.fromkeys(arrays, in_place_of_floats)
    words = dict.fromkeys(arrays, SIZES)
    arguments, kinds = {**arrays, **others.pop("arguments", {})}, {**kinds, **others.pop("kinds", {})}
    return Call(name, function, arguments, kinds, twin, others.pop("pick", first), False, words=words, **others)


def backward(name: str, function, twin, dy: np.ndarray, cache, gradient: str = "dy", **others) -> Call:
    """Return the call of a backward pass; the twin takes the gradient alone."""
    kinds = {gradient: in_place_of_floats, "cache": in_place_of_cache}
    kinds[gradient] = in_place_of_number if dy.ndim == 0 else in_place_of_floats
    of_gradient = lambda **arguments: twin(arguments[gradient])  # noqa: E731
    return Call(
        name,
        function,
        {gradient: dy, "cache": cache},
        kinds,
        of_gradient,
        is_finite=False,
        words={"cache": "dy"},
        **others,
    )


def loss_twin(logits, labels, weights):
    """Return the loss by the equation; a pixel of weight 0 may carry any label. The loop twin's exp would overflow."""
    labels = np.where(weights == 0, 0, labels)
    of_label = np.take_along_axis(logits, labels[:, None], 1)[:, 0]
    return (weights * (scipy.special.logsumexp(logits, axis=1) - of_label)).mean(), None


def calls_of(room: ModuleType, prefix: str) -> list[Call]:
    """Return the calls of the layers in a module, readable or fast."""
    conv_cache = room.conv2d_forward(X, WEIGHT, BIAS)[1]
    relu_cache = room.conv2d_relu_forward(X, WEIGHT, BIAS)[1]
    before_relu = naive.conv2d(X, WEIGHT, BIAS)
    dropout_cache = room.dropout_forward(X, 0.25, np.random.default_rng(0))[1]
    arrays = {"x": X, "weight": WEIGHT, "bias": BIAS}
    dy = floats(*before_relu.shape)
    return [
        forward(prefix + "conv2d_forward", room.conv2d_forward, _one(naive.conv2d), arrays),
        backward(prefix + "conv2d_backward", room.conv2d_backward, partial(naive.conv2d_gradients, x=X, weight=WEIGHT),
                 dy, conv_cache),
        forward(prefix + "conv2d_relu_forward", room.conv2d_relu_forward,
                lambda x, weight, bias: (naive.relu(naive.conv2d(x, weight, bias)), None), arrays),
        backward(prefix + "conv2d_relu_backward", room.conv2d_relu_backward,
                 lambda g: naive.conv2d_gradients(naive.relu_gradient(g, before_relu), X, WEIGHT), dy, relu_cache),
        forward(prefix + "relu_forward", room.relu_forward, _one(naive.relu), {"x": X}),
        forward(prefix + "relu_forward (matrix)", room.relu_forward, _one(naive.relu), {"x": X[0, 0]}),
        backward(prefix + "relu_backward", room.relu_backward, partial(naive.relu_gradient, x=X), floats(*X.shape),
                 room.relu_forward(X)[1]),
        backward(prefix + "relu_backward (matrix)", room.relu_backward, partial(naive.relu_gradient, x=SQUARE),
                 floats(4, 4), room.relu_forward(SQUARE)[1]),
        forward(prefix + "max_pool_forward", room.max_pool_forward, _one(naive.max_pool), {"x": X}),
        backward(prefix + "max_pool_backward", room.max_pool_backward, partial(naive.max_pool_gradient, x=X),
                 floats(2, 3, 3, 2), room.max_pool_forward(X)[1]),
        forward(prefix + "up_conv_forward", room.up_conv_forward, _one(naive.up_conv), {**arrays, "weight": UP_WEIGHT}),
        backward(prefix + "up_conv_backward", room.up_conv_backward,
                 partial(naive.up_conv_gradients, x=X, weight=UP_WEIGHT), floats(2, 2, 12, 8),
                 room.up_conv_forward(X, UP_WEIGHT, BIAS)[1]),
        forward(prefix + "crop_concat_forward", room.crop_concat_forward, _one(naive.crop_concat),
                {"skip": SKIP, "x": X}),
        backward(prefix + "crop_concat_backward", room.crop_concat_backward,
                 partial(naive.crop_concat_gradients, skip=SKIP, x=X), floats(2, 5, 6, 4),
                 room.crop_concat_forward(SKIP, X)[1]),
        *loss_calls(room, prefix, LOGITS, LABELS),
        *loss_calls(room, prefix + "two-class ", LOGITS[:, :2], LABELS % 2),
        forward(prefix + "dropout_forward", room.dropout_forward, None, {"x": X},
                arguments={"rate": 0.25, "rng": np.random.default_rng(0)},
                kinds={"rate": in_place_of_number, "rng": in_place_of_generator}),
        backward(prefix + "dropout_backward", room.dropout_backward,
                 lambda g: naive.dropout_gradient(g, dropout_cache.keep, 0.25), floats(*X.shape), dropout_cache),
    ]  # fmt: skip


def loss_calls(room: ModuleType, prefix: str, logits: np.ndarray, labels: np.ndarray) -> list[Call]:
    """Return the calls of the loss."""
    cache = room.softmax_cross_entropy_forward(logits, labels, WEIGHTS)[1]
    return [
        forward(prefix + "softmax_cross_entropy_forward", room.softmax_cross_entropy_forward, loss_twin,
                {"logits": logits}, arguments={"labels": labels, "weights": WEIGHTS},
                kinds={"labels": partial(in_place_of_integers, top=logits.shape[1] - 1), "weights": _weights}),
        backward(prefix + "softmax_cross_entropy_backward", room.softmax_cross_entropy_backward,
                 lambda g: naive.softmax_cross_entropy_gradient(float(g), logits, labels, WEIGHTS),
                 np.array(1.5), cache, "dloss"),
    ]  # fmt: skip


def _one(twin):
    """Return the twin with a result like that of a forward pass, (y, cache)."""
    return lambda **arrays: (twin(**arrays), None)


def _weights(right):
    found = [v._replace(means=ITSELF) if v.label == "overflows" else v for v in in_place_of_finite(right)]
    return [*without_none(found), Variant("below 0", -right)]


def batch_norm_calls() -> list[Call]:
    """Return the calls of batch normalisation, which has no faster way."""
    y, cache = readable.batch_norm_forward(X, GAMMA, BETA)
    epsilon, momentum = {"epsilon": in_place_of_number}, {"momentum": in_place_of_number}
    mean, variance = floats(3), RNG.uniform(0.5, 2, 3)
    running = {"running_mean": mean, "running_variance": variance}
    bias = {"bias": floats(3), "gamma": GAMMA, "beta": BETA, **running}
    everything = {"pick": lambda result: result}
    return [
        forward("batch_norm_forward", readable.batch_norm_forward, _one(naive.batch_norm),
                {"x": X, "gamma": GAMMA, "beta": BETA}, arguments={"epsilon": 1e-5}, kinds=epsilon),
        backward("batch_norm_backward", readable.batch_norm_backward,
                 lambda g: naive.batch_norm_gradients(g, X, GAMMA, 1e-5), floats(*y.shape), cache),
        forward("update_running", update_running, None, running, arguments={"cache": cache, "momentum": 0.1},
                kinds={"cache": in_place_of_cache, **momentum}, **everything),
        forward("batch_norm_predict", batch_norm_predict, None, {"x": X, "gamma": GAMMA, "beta": BETA, **running},
                arguments={"epsilon": 1e-5}, kinds=epsilon, **everything),
        forward("fold_batch_norm", fold_batch_norm, None, {"weight": floats(3, 2, 3, 3), **bias},
                arguments={"epsilon": 1e-5}, kinds=epsilon, **everything),
    ]  # fmt: skip


CALLS = [*calls_of(readable, "layers."), *calls_of(fast, "fast."), *batch_norm_calls()]

import numpy as np

import minunet.network.unet
from minunet import (
    conv2d_backward,
    crop_concat_backward,
    flatten,
    init_unet,
    max_pool_backward,
    relu_backward,
    unet_backward,
    unet_forward,
    up_conv_backward,
)
from zoo.bug import Cage


def _params(depth: int) -> dict:
    rng = np.random.default_rng(
        17
    )  # one channel a level more: the check moves every parameter, and looks into 10 wrong
    params = init_unet(rng, in_channels=1, num_classes=2, base_channels=depth, depth=depth, dtype=np.float64)
    for name, array in flatten(params).items():
        if name.endswith("bias"):
            array += rng.uniform(0.2, 1.0, array.shape)
    return params


x = np.random.default_rng(18).standard_normal((2, 1, 20, 18))
cage = Cage("unet", unet_forward, unet_backward, (_params(depth=1), x))  # no bug is in dx, which costs most
with_dropout = _params(depth=1), x, 0.5, np.random.default_rng(0)
deep = _params(depth=2), np.random.default_rng(18).standard_normal((1, 1, 44, 48))


def _with(layer: str, wrong, dlogits, cache):
    """Run the backward pass with one layer's backward replaced."""
    right = getattr(minunet.network.unet, layer)
    setattr(minunet.network.unet, layer, wrong)
    try:
        return unet_backward(dlogits, cache)
    finally:
        setattr(minunet.network.unet, layer, right)


@cage.bug("wrong", "params.encode")
def skip_gradient_dropped(dlogits, cache):
    def crop_concat(dy, cache):
        dskip, dx = crop_concat_backward(dy, cache)
        return np.zeros_like(dskip), dx

    return _with("crop_concat_backward", crop_concat, dlogits, cache)


@cage.bug("wrong", "params.encode")
def skip_gradient_counted_twice(dlogits, cache):
    def crop_concat(dy, cache):
        dskip, dx = crop_concat_backward(dy, cache)
        return 2 * dskip, dx

    return _with("crop_concat_backward", crop_concat, dlogits, cache)


@cage.bug("wrong", "params.encode")
def pool_gradient_dropped_at_the_fork(dlogits, cache):
    def max_pool(dy, cache):
        return 0 * max_pool_backward(dy, cache)

    return _with("max_pool_backward", max_pool, dlogits, cache)


@cage.bug("wrong", "params")
def relu_gates_forgotten(dlogits, cache):
    return _with("conv2d_relu_backward", lambda dy, cache, with_dx=True: conv2d_backward(dy, cache[0]), dlogits, cache)


@cage.bug("wrong", "params")
def relu_gates_leak(dlogits, cache):
    def conv_relu(dy, cache, with_dx=True):
        conv, relu = cache
        return conv2d_backward(relu_backward(dy, relu) + 0.01 * dy, conv)

    return _with("conv2d_relu_backward", conv_relu, dlogits, cache)


@cage.bug("wrong", args=with_dropout)
def dropout_forgotten_on_the_way_back(dlogits, cache):
    return unet_backward(dlogits, cache._replace(dropout=None))


@cage.bug("wrong", "params.decode.0.up.bias")
def bias_of_the_up_convolution_forgotten(dlogits, cache):
    def up_conv(dy, cache):
        dx, dweight, dbias = up_conv_backward(dy, cache)
        return dx, dweight, 0 * dbias

    return _with("up_conv_backward", up_conv, dlogits, cache)


@cage.bug("wrong", "params.head.weight")
def head_gradient_halved(dlogits, cache):
    grads = unet_backward(dlogits, cache)
    grads["head"]["weight"] = grads["head"]["weight"] / 2
    return grads


@cage.bug("wrong", "params.encode.1.conv2.weight", args=deep)
def one_element_in_the_middle_of_a_deep_network(dlogits, cache):
    grads = unet_backward(dlogits, cache)
    grads["encode"][1]["conv2"]["weight"][1, 2, 0, 1] *= 1.01
    return grads


@cage.bug("wrong", args=deep)
def every_convolution_passes_on_a_flipped_gradient(dlogits, cache):
    def conv2d(dy, cache):
        return conv2d_backward(dy, cache)[0][..., ::-1, ::-1], *conv2d_backward(dy, cache)[1:]

    return _with("conv2d_backward", conv2d, dlogits, cache)


@cage.bug("shape", "params.encode.0", args=deep)
def levels_in_another_order(dlogits, cache):
    grads = unet_backward(dlogits, cache)
    return {**grads, "encode": grads["encode"][::-1]}


@cage.bug("shape", "params.head")
def head_left_out(dlogits, cache):
    grads = unet_backward(dlogits, cache)
    return {name: grads[name] for name in ("encode", "bottom", "decode")}

"""minunet's side of a comparison, on NumPy or CuPy: a layer and a training step as functions to be timed."""

import numpy as np

from minunet.backend import Array, array_module, to_device
from minunet.fast.conv import conv2d_backward, conv2d_forward
from minunet.fast.layers import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from minunet.gpu import allow_tf32_if_asked
from minunet.layers import SoftmaxCrossEntropyCache
from minunet.network.initialise import init_unet
from minunet.network.unet import UnetCache, unet_backward, unet_forward


def layer_passes(arrays: dict, device: str) -> list:
    """Return the forward and the backward pass of a convolution; `arrays` as from `worker.arrays_of`."""
    arrays = to_device(arrays, device)
    allow_tf32_if_asked(arrays["x"])
    _, cache = conv2d_forward(arrays["x"], arrays["weight"], arrays["bias"])
    return [
        lambda: conv2d_forward(arrays["x"], arrays["weight"], arrays["bias"]),
        lambda: conv2d_backward(arrays["dy"], cache),
    ]


def step_passes(network: dict, device: str) -> list:
    """Return the two halves of a training step: forward with loss, and back to the gradient of every parameter."""
    params = init_unet(np.random.default_rng(0), 1, 2, network["base_channels"], network["depth"])
    x = np.random.default_rng(1).standard_normal(input_shape(network)).astype(np.float32)
    params, x = to_device([params, x], device)
    allow_tf32_if_asked(x)
    kept: list[tuple[Array, SoftmaxCrossEntropyCache, UnetCache]] = []

    def forward():
        logits, cache = unet_forward(params, x)
        labels = array_module(logits).zeros((len(x), *logits.shape[2:]), np.int64)
        loss, loss_cache = softmax_cross_entropy_forward(logits, labels)
        kept[:] = [(loss, loss_cache, cache)]

    def backward():
        loss, loss_cache, cache = kept.pop()
        unet_backward(softmax_cross_entropy_backward(loss * 0 + 1, loss_cache), cache)

    return [forward, backward]


def input_shape(network: dict) -> tuple[int, int, int, int]:
    """Return the shape of the tiles of a training step; a batch of one, unless the network says `batch`."""
    return network.get("batch", 1), 1, network["height"], network["width"]


def product(n: int, device: str):
    """Return a product of two n x n matrices."""
    a, b = to_device(list(np.random.default_rng(0).standard_normal((2, n, n)).astype(np.float32)), device)
    return lambda: a @ b


def copy(count: int, device: str):
    """Return a copy of `count` numbers."""
    a = to_device(np.ones(count, np.float32), device)
    return a.copy


def wait(device: str) -> None:
    """Return when the device has done all it was given."""
    if device == "gpu":
        import cupy

        cupy.cuda.Device().synchronize()


def event():
    """Return an event of the GPU, which can tell the time between itself and another."""
    import cupy

    return cupy.cuda.Event()


def milliseconds(first, last) -> float:
    """Return the time from one event to another."""
    import cupy

    return cupy.cuda.get_elapsed_time(first, last)


def peak_bytes(device: str) -> int | None:
    """Return the most memory that the arrays on the GPU have taken; None on a CPU, where the process is asked."""
    if device == "cpu":
        return None
    import cupy

    return cupy.get_default_memory_pool().total_bytes()  # the pool keeps what was freed

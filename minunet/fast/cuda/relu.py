"""ReLU by the kernels of `relu.cu`; the readable layer is `minunet/layers/relu.py`."""

from minunet.backend import array_module
from minunet.fast.cuda.loader import contiguous, launch
from minunet.fast.same_as import same_as
from minunet.layers import relu as readable
from minunet.layers.checks import check_floating, check_gradient
from minunet.layers.relu import ReluCache

SOURCE = "relu"


@same_as(readable.relu_forward)
def relu_forward(x):
    check_floating(x, "x")
    x = contiguous(x, x.dtype)
    y = array_module(x).empty(x.shape, x.dtype)
    launch(SOURCE, "relu_forward", x.size, x, y, x.size)
    return y, ReluCache(y)


@same_as(readable.relu_backward)
def relu_backward(dy, cache):
    check_gradient(dy, cache.y.shape, cache.y)
    y = contiguous(cache.y, cache.y.dtype)
    dx = array_module(y).empty(y.shape, y.dtype)
    launch(SOURCE, "relu_backward", y.size, contiguous(dy, y.dtype), y, dx, y.size)
    return dx

"""Batch normalisation and the ReLU after it by the kernels of `batch_norm.cu`, in two passes each way.

The convolution before it has made x for nobody else, so x_hat takes its place in memory.
"""

from minunet.backend import Array, array_module
from minunet.fast.cuda.loader import contiguous, launch
from minunet.fast.same_as import same_as
from minunet.layers import conv_norm_relu as readable
from minunet.layers.batch_norm import EPSILON, BatchNormCache
from minunet.layers.checks import check_batch_norm, check_gradient
from minunet.layers.relu import ReluCache

SOURCE = "batch_norm"
THREADS, SLAB = 256, 4096  # as in the source


@same_as(readable.norm_relu_forward)  # but that x is overwritten
def norm_relu_forward(x, gamma, beta, epsilon=EPSILON):
    check_batch_norm(x, gamma, beta, epsilon)
    xp = array_module(x)
    x, gamma, beta = (contiguous(array, x.dtype) for array in (x, gamma, beta))
    N, C, pixels, slabs = _sizes(x)
    parts = xp.empty((N, C, slabs, 3), x.dtype)
    mean, variance = xp.empty((2, C), x.dtype)
    y = xp.empty(x.shape, x.dtype)
    _launch("find_moments", N * C * slabs, x, parts, C, pixels, slabs)
    _launch("merge_moments", C, parts, mean, variance, N, C, slabs)
    scalar = x.dtype.type(epsilon)
    _launch("normalise", N * C * slabs, x, y, mean, variance, gamma, beta, scalar, C, pixels, slabs)
    return y, (BatchNormCache(x, gamma, mean, variance, epsilon), ReluCache(y))


@same_as(readable.norm_relu_backward)
def norm_relu_backward(dy, cache):
    (x_hat, gamma, _, variance, epsilon), (y,) = cache
    check_gradient(dy, x_hat.shape, x_hat)
    xp, dtype = array_module(x_hat), x_hat.dtype
    dy, y, x_hat, gamma, variance = (contiguous(array, dtype) for array in (dy, y, x_hat, gamma, variance))
    N, C, pixels, slabs = _sizes(x_hat)
    parts = xp.empty((N, C, slabs, 2), dtype)
    dgamma, dbeta = xp.empty(C, dtype), xp.empty(C, dtype)
    dx = xp.empty(x_hat.shape, dtype)
    _launch("find_sums", N * C * slabs, dy, y, x_hat, parts, C, pixels, slabs)
    _launch("merge_sums", C, parts, dgamma, dbeta, N, C, slabs)
    numbers = variance, gamma, dgamma, dbeta, dtype.type(epsilon)
    _launch("find_dx", N * C * slabs, dy, y, x_hat, dx, *numbers, N, C, pixels, slabs)
    return dx, dgamma, dbeta


def _sizes(x: Array) -> tuple[int, int, int, int]:
    """Return N, C, how many pixels a plane has, and into how many slabs it is cut."""
    N, C, H, W = x.shape
    return N, C, H * W, -(-H * W // SLAB)


def _launch(name: str, blocks: int, *args) -> None:
    launch(SOURCE, name, THREADS * blocks, *args, block=THREADS)

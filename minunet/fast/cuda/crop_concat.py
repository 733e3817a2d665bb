"""Crop and concatenate by the kernels of `crop_concat.cu`; the readable layer is `minunet/layers/crop_concat.py`."""

from minunet.backend import array_module
from minunet.fast.cuda.loader import contiguous, launch
from minunet.fast.same_as import same_as
from minunet.layers import crop_concat as readable
from minunet.layers.checks import check_crop_concat, check_gradient
from minunet.layers.crop_concat import CropConcatCache

SOURCE = "crop_concat"


@same_as(readable.crop_concat_forward)
def crop_concat_forward(skip, x):
    check_crop_concat(skip, x)
    cache = CropConcatCache(skip.shape, x.shape)
    N, S, _, _ = skip.shape
    _, C, H, W = x.shape
    skip, x = contiguous(skip, x.dtype), contiguous(x, x.dtype)
    y = array_module(x).empty((N, S + C, H, W), x.dtype)
    launch(SOURCE, "crop_concat_forward", y.size, skip, x, y, y.size, *_sizes(cache))
    return y, cache


@same_as(readable.crop_concat_backward)
def crop_concat_backward(dy, cache):
    N, S, _, _ = cache.skip_shape
    _, C, H, W = cache.x_shape
    check_gradient(dy, (N, S + C, H, W))
    dy = contiguous(dy, dy.dtype)
    xp = array_module(dy)
    dskip, dx = xp.empty(cache.skip_shape, dy.dtype), xp.empty(cache.x_shape, dy.dtype)
    threads = dskip.size + dx.size
    launch(SOURCE, "crop_concat_backward", threads, dy, dskip, dx, dskip.size, dx.size, *_sizes(cache))
    return dskip, dx


def _sizes(cache: CropConcatCache) -> tuple[int, ...]:
    """Return S, SH, SW, C, H, W, top and left, in the order of the kernels' arguments."""
    S, SH, SW = cache.skip_shape[1:]
    C, H, W = cache.x_shape[1:]
    return S, SH, SW, C, H, W, (SH - H) // 2, (SW - W) // 2

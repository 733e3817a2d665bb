"""The same crop-concat as `layers/crop_concat.py`, on all cores: all it does is copy, and each core copies a part."""

import numpy as np

from minunet.backend import Array
from minunet.fast.cpu.parallel import in_parallel, slices
from minunet.layers.checks import check_crop_concat, check_gradient
from minunet.layers.crop_concat import CropConcatCache, centre_slices

WORTH = 2**20  # numbers in y: with fewer, threads wait for each other longer than they work


def crop_concat_forward(skip: Array, x: Array) -> tuple[Array, CropConcatCache]:
    """Do what `minunet.layers.crop_concat.crop_concat_forward` does; same arguments, results and errors."""
    check_crop_concat(skip, x)
    N, S, _, _ = skip.shape
    _, C, H, W = x.shape
    rows, columns = centre_slices(skip.shape, x.shape)
    y = np.empty((N, S + C, H, W), np.result_type(skip, x))
    from_skip, from_x = y[:, :S], y[:, S:]

    def work(channels: slice) -> None:
        from_skip[:, channels] = skip[:, channels, rows, columns]
        from_x[:, channels] = x[:, channels]

    in_parallel(work, _channels(max(S, C), y))
    return y, CropConcatCache(skip.shape, x.shape)


def crop_concat_backward(dy: Array, cache: CropConcatCache) -> tuple[Array, Array]:
    """Do what `minunet.layers.crop_concat.crop_concat_backward` does; same arguments, results and errors."""
    N, S, _, _ = cache.skip_shape
    _, C, H, W = cache.x_shape
    check_gradient(dy, (N, S + C, H, W))
    rows, columns = centre_slices(cache.skip_shape, cache.x_shape)
    dskip, dx = np.empty(cache.skip_shape, dy.dtype), np.empty(cache.x_shape, dy.dtype)
    to_skip, to_x = dy[:, :S], dy[:, S:]

    def work(channels: slice) -> None:
        dskip[:, channels] = 0
        dskip[:, channels, rows, columns] = to_skip[:, channels]
        dx[:, channels] = to_x[:, channels]

    in_parallel(work, _channels(max(S, C), dy))
    return dskip, dx


def _channels(count: int, y: Array) -> list[slice]:
    return slices(count) if y.size >= WORTH else [slice(0, count)]

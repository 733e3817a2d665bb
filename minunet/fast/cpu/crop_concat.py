"""The same crop-concat as `layers/crop_concat.py`, in parts: each core copies some channels."""

import numpy as np

from minunet.backend import Array
from minunet.fast import thresholds
from minunet.fast.cpu.parallel import in_parallel, parts_of
from minunet.fast.same_as import same_as
from minunet.layers import crop_concat as readable
from minunet.layers.checks import check_crop_concat, check_gradient
from minunet.layers.crop_concat import CropConcatCache, centre_slices


@same_as(readable.crop_concat_forward)
def crop_concat_forward(skip, x):
    check_crop_concat(skip, x)
    N, S, _, _ = skip.shape
    _, C, H, W = x.shape
    rows, columns = centre_slices(skip.shape, x.shape)
    y = np.empty((N, S + C, H, W), np.result_type(skip, x))
    from_skip, from_x = y[:, :S], y[:, S:]

    def work(channels: slice) -> None:
        from_skip[:, channels] = skip[:, channels, rows, columns]
        from_x[:, channels] = x[:, channels]

    in_parallel(work, _parts(max(S, C), y))
    return y, CropConcatCache(skip.shape, x.shape)


@same_as(readable.crop_concat_backward)
def crop_concat_backward(dy, cache):
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

    in_parallel(work, _parts(max(S, C), dy))
    return dskip, dx


def _parts(channels: int, y: Array) -> list[slice]:
    """Return parts of so many channels; one if more do not pay."""
    return [slice(0, channels)] if y.size < thresholds.PARALLEL_ELEMENTS else parts_of(channels)

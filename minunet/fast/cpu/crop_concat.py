"""The same crop-concat as `layers/crop_concat.py`, by rows: each core copies some of them."""

import numpy as np

from minunet.fast.cpu import by_rows
from minunet.fast.cpu.by_rows import Band, bands, rows_of
from minunet.fast.cpu.parallel import in_parallel
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
    y = by_rows.empty(N, S + C, H, W, np.result_type(skip, x))
    y_rows, x_rows = rows_of(y), x.transpose(0, 2, 1, 3)
    centre = skip[:, :, rows, columns].transpose(0, 2, 1, 3)

    def work(band: Band) -> None:
        n, start, stop = band
        y_rows[n, start:stop, :S] = centre[n, start:stop]
        y_rows[n, start:stop, S:] = x_rows[n, start:stop]

    in_parallel(work, bands(N, H, (S + C) * W))
    return y, CropConcatCache(skip.shape, x.shape)


@same_as(readable.crop_concat_backward)
def crop_concat_backward(dy, cache):
    N, S, H, W = cache.skip_shape
    check_gradient(dy, (N, S + cache.x_shape[1], *cache.x_shape[2:]))
    dskip = by_rows.empty(N, S, H, W, dy.dtype)
    rows, columns = centre_slices(cache.skip_shape, cache.x_shape)
    dskip_rows, dy_rows = rows_of(dskip), dy.transpose(0, 2, 1, 3)

    def work(band: Band) -> None:
        n, start, stop = band
        dskip_rows[n, start:stop] = 0
        first, last = max(start, rows.start), min(stop, rows.stop)
        if first < last:
            dskip_rows[n, first:last, :, columns] = dy_rows[n, first - rows.start : last - rows.start, :S]

    in_parallel(work, bands(N, H, S * W))
    return dskip, dy[:, S:]

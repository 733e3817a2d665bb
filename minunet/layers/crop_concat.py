"""Crop and concatenate: the centre of the skip connection in front of what came up, along the channels.

    y        = [ skip[:, :, top:top+H, left:left+W],  x ]
    dskip    = 0, with the first S channels of dy in its centre
    dx       = the other C channels of dy

with top = (SH - H) // 2 and left = (SW - W) // 2. In the U-Net both differences are even; where one is odd,
the extra row or column is cut at the bottom or the right. What was cropped away is not part of y, so its gradient is
a frame of zeros.
"""

from typing import NamedTuple

from minunet.backend import Array, array_module
from minunet.layers.cache_checks import check_cache
from minunet.layers.checks import check_crop_concat, check_gradient


class CropConcatCache(NamedTuple):
    skip_shape: tuple[int, int, int, int]  # N, S, SH, SW
    x_shape: tuple[int, int, int, int]  # N, C, H, W


def crop_concat_forward(skip: Array, x: Array) -> tuple[Array, CropConcatCache]:
    """Crop `skip` to the size of `x` about its centre and stack the two (Fig. 1, "copy and crop").

    Parameters
    ----------
    skip : array, (N, S, SH, SW), SH >= H, SW >= W
    x : array, (N, C, H, W)

    Returns
    -------
    y : array, (N, S + C, H, W)
    cache : CropConcatCache

    Raises
    ------
    InputError
        If `skip` is smaller than `x`, or of another batch size.
    """
    check_crop_concat(skip, x)
    rows, columns = centre_slices(skip.shape, x.shape)
    y = array_module(x).concatenate([skip[:, :, rows, columns], x], axis=1)  # (N, S + C, H, W)
    return y, CropConcatCache(skip.shape, x.shape)


def crop_concat_backward(dy: Array, cache: CropConcatCache) -> tuple[Array, Array]:
    """Hand the gradient of each channel back to where the channel came from.

    Parameters
    ----------
    dy : array, (N, S + C, H, W)
    cache : CropConcatCache

    Returns
    -------
    dskip : array, (N, S, SH, SW)
    dx : array, (N, C, H, W)
    """
    check_cache(cache, CropConcatCache)
    N, S, _, _ = cache.skip_shape
    _, C, H, W = cache.x_shape
    check_gradient(dy, (N, S + C, H, W))
    rows, columns = centre_slices(cache.skip_shape, cache.x_shape)
    dskip = array_module(dy).zeros(cache.skip_shape, dy.dtype)
    dskip[:, :, rows, columns] = dy[:, :S]
    dx = dy[:, S:].copy()  # a fresh array: a view would tie the caller's dx to dy
    return dskip, dx


def centre_slices(skip_shape: tuple[int, ...], x_shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and the columns of skip's centre, which is as large as x."""
    SH, SW = skip_shape[2:]
    H, W = x_shape[2:]
    top, left = (SH - H) // 2, (SW - W) // 2
    return slice(top, top + H), slice(left, left + W)

"""The exercises of notebook 05: the crop, the concatenation, and the sum at the fork."""

import numpy as np

from minunet.course.exercise import Exercise
from minunet.layers.crop_concat import CropConcatCache, crop_concat_backward, crop_concat_forward
from minunet.layers.pool import max_pool_backward, max_pool_forward

rng = np.random.default_rng(5)


def small_whole_numbers(*shape: int) -> np.ndarray:
    return rng.integers(-3, 4, shape).astype(float)


def y(skip, x):
    return crop_concat_forward(skip, x)[0]


def y_of_the_corner(skip, x):
    H, W = x.shape[2:]
    return y(skip[:, :, :H, :W], x)


def y_with_x_first(skip, x):
    S = skip.shape[1]
    both = y(skip, x)
    return np.concatenate([both[:, S:], both[:, :S]], axis=1)


def dskip_of_a_crop(dy, skip_shape):
    N, _, H, W = dy.shape
    without_x = CropConcatCache(skip_shape, (N, 0, H, W))
    return crop_concat_backward(dy, without_x)[0]


def dskip_late(dy, skip_shape):
    return np.roll(dskip_of_a_crop(dy, skip_shape), (1, 1), axis=(2, 3))


def dskip_early(dy, skip_shape):
    return np.roll(dskip_of_a_crop(dy, skip_shape), (-1, -1), axis=(2, 3))


def dskip_with_repeated_edge(dy, skip_shape):
    (SH, SW), (H, W) = skip_shape[2:], dy.shape[2:]
    top, left = (SH - H) // 2, (SW - W) // 2
    return np.pad(dy, [(0, 0), (0, 0), (top, SH - H - top), (left, SW - W - left)], mode="edge")


def dskip_framed_by_ones(dy, skip_shape):
    return dskip_of_a_crop(dy - 1, skip_shape) + 1


def both_from_the_other_end(dy, cache):
    return crop_concat_backward(np.roll(dy, cache.skip_shape[1], axis=1), cache)


def both_late(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    return np.roll(dskip, (1, 1), axis=(2, 3)), dx


def dx_one_channel_early(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    S, C = cache.skip_shape[1], cache.x_shape[1]
    return dskip, dy[:, S - 1 : S - 1 + C]


def without_dskip(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    return 0 * dskip, dx


def gradients_swapped(dy, cache):
    return crop_concat_backward(dy, cache)[::-1]


def dskip_at_a_fork(dy, cache, dskip):
    return max_pool_backward(dy, cache) + dskip


def pool_alone(dy, cache, dskip):
    return max_pool_backward(dy, cache)


def skip_alone(dy, cache, dskip):
    return dskip.copy()


def mean_of_the_two(dy, cache, dskip):
    return dskip_at_a_fork(dy, cache, dskip) / 2


def fork_case(N: int, F: int, H: int, W: int, crop: int) -> tuple:
    """Return (dy, cache, dskip), the last with a frame of zeros."""
    _, cache = max_pool_forward(small_whole_numbers(N, F, H, W))
    dskip = dskip_of_a_crop(small_whole_numbers(N, F, H - 2 * crop, W - 2 * crop), (N, F, H, W))
    return small_whole_numbers(N, F, H // 2, W // 2), cache, dskip


def random_fork_case(N: int, F: int, H: int, W: int) -> tuple:
    _, cache = max_pool_forward(rng.normal(size=(N, F, H, W)))
    return rng.normal(size=(N, F, H // 2, W // 2)), cache, rng.normal(size=(N, F, H, W))


_, TINY_POOL = max_pool_forward(np.array([[[[1.0, 2, 3, 0], [0, 4, 1, 2], [2, 5, 3, 1], [3, 1, 0, 6]]]]))
TINY_DSKIP = dskip_of_a_crop(np.array([[[[1.0, -2], [-2, 3]]]]), (1, 1, 4, 4))

EXERCISES = [
    Exercise(
        "crop_concat_forward",
        solution=y,
        outputs=("y",),
        args=(small_whole_numbers(1, 1, 6, 6), small_whole_numbers(1, 1, 4, 4)),
        more=(
            (small_whole_numbers(2, 3, 9, 8), small_whole_numbers(2, 2, 3, 6)),
            (small_whole_numbers(1, 2, 7, 6), small_whole_numbers(1, 2, 4, 5)),
            (rng.normal(size=(2, 1, 3, 5)), rng.normal(size=(2, 4, 3, 5))),  # nothing to crop
            (rng.normal(size=(1, 3, 9, 4)), rng.normal(size=(1, 1, 2, 1))),
        ),
        ready_made=("crop_concat_forward", "crop_concat"),
        mistakes={
            "the skip is cropped at its corner: leave as many rows above as below": y_of_the_corner,
            "x came first: the skip's channels go in front": y_with_x_first,
        },
        hint="crop first, and look at its shape: it must be that of x, but for the channels",
    ),
    Exercise(
        "crop_backward",
        solution=dskip_of_a_crop,
        outputs=("dskip",),
        args=(small_whole_numbers(1, 1, 4, 4), (1, 1, 6, 6)),
        more=(
            (small_whole_numbers(2, 3, 3, 6), (2, 3, 9, 8)),
            (small_whole_numbers(1, 2, 4, 5), (1, 2, 7, 6)),
            (rng.normal(size=(2, 1, 3, 5)), (2, 1, 3, 5)),  # nothing was cropped
            (rng.normal(size=(1, 3, 2, 1)), (1, 3, 9, 4)),
        ),
        ready_made=("crop_concat_backward", "crop_concat_gradients"),
        mistakes={
            "dy lies one pixel too far down and right: top is half of what the two heights differ by": dskip_late,
            "dy lies at the corner: the crop took the centre, so dy returns to the centre": dskip_early,
            "the frame repeats the edge of dy: a pixel that was cut off does not change y, so its gradient is 0": (
                dskip_with_repeated_edge
            ),
            "the frame is 1: a pixel that was cut off does not change y, so its gradient is 0": dskip_framed_by_ones,
        },
        hint="begin with zeros of the skip's shape, and write dy where the crop read",
    ),
    Exercise(
        "crop_concat_backward",
        solution=crop_concat_backward,
        outputs=("dskip", "dx"),
        args=(small_whole_numbers(1, 3, 2, 2), CropConcatCache((1, 1, 4, 4), (1, 2, 2, 2))),
        more=(
            (small_whole_numbers(2, 5, 3, 6), CropConcatCache((2, 3, 9, 8), (2, 2, 3, 6))),
            (rng.normal(size=(1, 4, 3, 5)), CropConcatCache((1, 1, 3, 5), (1, 3, 3, 5))),  # nothing was cropped
            (rng.normal(size=(3, 3, 2, 1)), CropConcatCache((3, 2, 7, 4), (3, 1, 2, 1))),
        ),
        ready_made=("crop_concat_backward", "crop_concat_gradients"),
        pair=(crop_concat_forward, (rng.normal(size=(2, 2, 7, 6)), rng.normal(size=(2, 3, 3, 4)))),
        mistakes={
            "the two are swapped: dskip first, then dx": gradients_swapped,
            "the channels are read from the other end: the skip's came first in y": both_from_the_other_end,
            "dskip lies one pixel too far down and right": both_late,
            "dx begins one channel early: it follows the S channels of the skip": dx_one_channel_early,
            "dskip is zero everywhere: write dy's first S channels into its centre": without_dskip,
        },
        hint="cut dy along the channels after the first S; frame the first part, and return the second as it is",
    ),
    Exercise(
        "fork_backward",
        solution=dskip_at_a_fork,
        outputs=("dx",),
        args=(np.array([[[[2.0, -1], [3, 1]]]]), TINY_POOL, TINY_DSKIP),  # two winners in the centre, two in the frame
        more=(fork_case(2, 3, 8, 6, 2), fork_case(1, 2, 6, 10, 0), random_fork_case(3, 1, 4, 6)),
        mistakes={
            "the skip connection's gradient is missing: the array went two ways": pool_alone,
            "the pool's gradient is missing: the array went two ways": skip_alone,
            "it is half of what it should be: the gradients of the two ways are added, not averaged": mean_of_the_two,
        },
        hint="work out each way's gradient, in the shape of the array before the fork; then add",
    ),
]

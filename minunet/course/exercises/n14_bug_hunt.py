"""The exercises of notebook 14: five of the suspects, which the student repairs."""

import numpy as np

from minunet.course import bug_hunt as suspects
from minunet.course import public_suspects
from minunet.course.exercise import Exercise
from minunet.layers.conv import conv2d_backward
from minunet.layers.crop_concat import crop_concat_backward, crop_concat_forward
from minunet.layers.loss import SoftmaxCrossEntropyCache, softmax_cross_entropy_backward, softmax_cross_entropy_forward
from minunet.layers.relu import ReluCache, relu_backward, relu_forward
from minunet.layers.up_conv import up_conv_backward, up_conv_forward

rng = np.random.default_rng(14)


def small_whole_numbers(*shape: int) -> np.ndarray:
    return rng.integers(-3, 4, shape).astype(float)


def conv_relu_conv_backward(dy, cache):
    conv1, relu, conv2 = cache
    dy, dweight2, dbias2 = conv2d_backward(dy, conv2)
    dy = relu_backward(dy, relu)
    dx, dweight1, dbias1 = conv2d_backward(dy, conv1)
    return dx, dweight1, dbias1, dweight2, dbias2


def loss_divided_by_the_weights(dloss, cache):
    return softmax_cross_entropy_backward(dloss, cache) * cache.p[:, 0].size / cache.weights.sum()


def up_conv_without_dweight(dy, cache):
    dx, dweight, dbias = up_conv_backward(dy, cache)
    return dx, 0 * dweight, dbias


def crop_concat_at_the_corner(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    H, W = cache.x_shape[2:]
    dskip = np.zeros_like(dskip)
    dskip[:, :, :H, :W] = dy[:, : dskip.shape[1]]
    return dskip, dx


def relu_without_gate(dy, cache):
    return dy.copy()


def relu_with_ones(dy, cache):
    return (cache.y > 0).astype(dy.dtype)


def gate_in_the_wrong_place(dy, cache):
    conv1, relu, conv2 = cache
    return conv_relu_conv_backward(dy * (dy > 0), cache)


def loss_case(N: int, K: int, H: int, W: int) -> tuple:
    """Return (dloss, cache), with probabilities that are multiples of a half."""
    p = np.full((N, K, H, W), 0.5 / (K - 1))
    p[:, 0] = 0.5
    weights = rng.integers(1, 4, (N, H, W)) * 2.0 * N * H * W
    return 1.0, SoftmaxCrossEntropyCache(p, rng.integers(0, K, (N, H, W)), weights)


def up_conv_case(N: int, C: int, F: int, H: int, W: int) -> tuple:
    """Return (dy, cache)."""
    _, cache = up_conv_forward(small_whole_numbers(N, C, H, W), small_whole_numbers(C, F, 2, 2), np.zeros(F))
    return small_whole_numbers(N, F, 2 * H, 2 * W), cache


def crop_concat_case(skip_shape: tuple, x_shape: tuple) -> tuple:
    """Return (dy, cache)."""
    y, cache = crop_concat_forward(small_whole_numbers(*skip_shape), small_whole_numbers(*x_shape))
    return small_whole_numbers(*y.shape), cache


def conv_relu_conv_case(*shapes: tuple) -> tuple:
    """Return (dy, cache) for arguments of these shapes."""
    y, cache = suspects.conv_relu_conv_forward(*(small_whole_numbers(*shape) for shape in shapes))
    return small_whole_numbers(*y.shape), cache


EXERCISES = [
    Exercise(
        "repaired_loss_backward",
        solution=softmax_cross_entropy_backward,
        outputs=("dlogits",),
        args=loss_case(3, 2, 2, 2),
        more=(loss_case(2, 3, 1, 4), (-0.5, loss_case(1, 4, 3, 2)[1])),
        ready_made=("softmax_cross_entropy_backward", "softmax_cross_entropy_gradient"),
        pair=(softmax_cross_entropy_forward, suspects.LOSS),
        mistakes={
            "this is the suspect as it was: which size of p has the value of the factor?": suspects.suspect_loss,
            "the mean is over all pixels, whatever their weights": loss_divided_by_the_weights,
        },
        hint="the loss is a mean over N * H * W pixels, and so is its gradient",
    ),
    Exercise(
        "repaired_up_conv_backward",
        solution=up_conv_backward,
        outputs=("dx", "dweight", "dbias"),
        args=up_conv_case(1, 1, 1, 2, 2),
        more=(up_conv_case(2, 3, 2, 3, 2), up_conv_case(3, 1, 4, 1, 5)),
        ready_made=("up_conv_backward", "up_conv_gradients"),
        pair=(up_conv_forward, suspects.UP_CONV),
        mistakes={
            "this is the suspect as it was: which line writes dweight, and at which index?": suspects.suspect_up_conv,
            "dweight is never written": up_conv_without_dweight,
        },
        hint="only dweight was wrong: leave dx and dbias as they are",
    ),
    Exercise(
        "repaired_crop_concat_backward",
        solution=crop_concat_backward,
        outputs=("dskip", "dx"),
        args=crop_concat_case((1, 1, 4, 5), (1, 1, 2, 2)),
        more=(crop_concat_case((2, 3, 7, 8), (2, 1, 4, 5)), crop_concat_case((1, 2, 3, 4), (1, 3, 3, 4))),
        ready_made=("crop_concat_backward", "crop_concat_gradients"),
        pair=(crop_concat_forward, suspects.CROP_CONCAT),
        mistakes={
            "this is the suspect as it was: where does the forward pass start to crop?": suspects.suspect_crop_concat,
            "this is the top left corner: the forward pass cuts out the centre": crop_concat_at_the_corner,
        },
        hint="dskip is zero but for the pixels that the forward pass copied, from row top and column left on",
    ),
    Exercise(
        "repaired_relu_backward",
        solution=relu_backward,
        outputs=("dx",),
        args=(small_whole_numbers(1, 1, 3, 4), ReluCache(np.maximum(small_whole_numbers(1, 1, 3, 4), 0))),
        more=((small_whole_numbers(2, 3, 2, 3), ReluCache(np.maximum(small_whole_numbers(2, 3, 2, 3), 0))),),
        ready_made=("relu_backward", "relu_gradient"),
        pair=(relu_forward, suspects.RELU),
        mistakes={"the gate is gone": relu_without_gate, "the gate is there, and dy is not": relu_with_ones},
        hint="the numbers of the suspect were right; keep them, and leave dy as it came",
    ),
    Exercise(
        "repaired_conv_relu_conv_backward",
        solution=conv_relu_conv_backward,
        outputs=("dx", "dweight1", "dbias1", "dweight2", "dbias2"),
        args=conv_relu_conv_case((1, 1, 4, 4), (1, 1, 2, 2), (1,), (1, 1, 2, 2), (1,)),
        more=(conv_relu_conv_case((2, 1, 5, 6), (3, 1, 3, 3), (3,), (2, 3, 2, 2), (2,)),),
        pair=(suspects.conv_relu_conv_forward, suspects.CONV_RELU_CONV),
        mistakes={
            "this is the suspect as it was: the forward pass has three steps": suspects.suspect_conv_relu_conv,
            "the ReLU comes before the second convolution, and not after it": gate_in_the_wrong_place,
        },
        hint="walk the forward pass from bottom to top, one line for each step",
    ),
    *public_suspects.EXERCISES,
]

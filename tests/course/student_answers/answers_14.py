"""Answers to the exercises of notebook 14: repairs that repair too little, too much, or something else."""

import numpy as np

from minunet.course import bug_hunt, public_suspects
from minunet.layers.conv import conv2d_backward
from minunet.layers.crop_concat import crop_concat_backward
from minunet.layers.loss import softmax_cross_entropy_backward
from minunet.layers.pool import CORNERS
from minunet.layers.relu import relu_backward
from minunet.layers.up_conv import up_conv_backward
from student_answers.common import RIGHT, SOLUTION


def loss_pixel_by_pixel(dloss, cache):
    p, labels, weights = cache
    dlogits = np.zeros(p.shape)
    for n, h, w in np.ndindex(labels.shape):
        dlogits[n, :, h, w] = p[n, :, h, w]
        dlogits[n, labels[n, h, w], h, w] -= 1
        dlogits[n, :, h, w] *= dloss * weights[n, h, w] / labels.size
    return dlogits


def loss_divided_by_all_numbers(dloss, cache):
    """p.size counts the classes, too."""
    return softmax_cross_entropy_backward(dloss, cache) / cache.p.shape[1]


def loss_divided_by_three(dloss, cache):
    return bug_hunt.suspect_loss(dloss, cache) / 3


def loss_without_its_weights(dloss, cache):
    return softmax_cross_entropy_backward(dloss, cache._replace(weights=np.ones(cache.labels.shape)))


def loss_without_dloss(dloss, cache):
    return softmax_cross_entropy_backward(1.0, cache)


def loss_in_place(dloss, cache):
    p, labels, weights = cache
    p -= labels[:, None] == np.arange(p.shape[1])[:, None, None]
    p *= dloss * weights[:, None] / labels.size
    return p


def up_conv_by_pixels(dy, cache):
    x, weight = cache
    N, C, H, W = x.shape
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for n, h, w in np.ndindex(N, H, W):
        patch = dy[n, :, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2]  # (F, 2, 2)
        dx[n, :, h, w] = (weight * patch).sum(axis=(1, 2, 3))
        dweight += x[n, :, h, w][:, None, None, None] * patch
    return dx, dweight, dy.sum(axis=(0, 2, 3))


def up_conv_of_the_last_image(dy, cache):
    x, weight = cache
    _, dweight, _ = up_conv_backward(dy[-1:], cache._replace(x=x[-1:]))
    dx, _, dbias = up_conv_backward(dy, cache)
    return dx, dweight, dbias


def up_conv_turned_twice(dy, cache):
    dx, dweight, dbias = up_conv_backward(dy, cache)
    return dx, dweight[:, :, ::-1, ::-1], dbias


def up_conv_with_the_other_tap_in_dx(dy, cache):
    """Exchange i and j where they were right."""
    dx, dweight, dbias = up_conv_backward(dy, cache._replace(weight=cache.weight.swapaxes(2, 3)))
    return dx, dweight, dbias


def crop_concat_by_slices_from_the_end(dy, cache):
    N, S, SH, SW = cache.skip_shape
    H, W = cache.x_shape[2:]
    top, left = (SH - H) // 2, (SW - W) // 2
    around = [(0, 0), (0, 0), (top, SH - H - top), (left, SW - W - left)]
    return np.pad(dy[:, :S], around), np.array(dy[:, S:])


def crop_concat_rounded_up_everywhere(dy, cache):
    N, S, SH, SW = cache.skip_shape
    H, W = cache.x_shape[2:]
    top, left = (SH - H + 1) // 2, (SW - W + 1) // 2
    dskip = np.zeros(cache.skip_shape)
    dskip[:, :, top : top + H, left : left + W] = dy[:, :S]
    return dskip, dy[:, S:].copy()


def crop_concat_from_both_sides(dy, cache):
    """-left cuts nothing off if left is 0, and too little if the difference is odd."""
    N, S, SH, SW = cache.skip_shape
    H, W = cache.x_shape[2:]
    top, left = (SH - H) // 2, (SW - W) // 2
    dskip = np.zeros(cache.skip_shape)
    dskip[:, :, top:-top, left:-left] = dy[:, :S]
    return dskip, dy[:, S:].copy()


def crop_concat_with_the_channels_exchanged(dy, cache):
    C = cache.x_shape[1]
    dskip, _ = crop_concat_backward(np.concatenate([dy[:, C:], dy[:, :C]], axis=1), cache)
    return dskip, dy[:, :C].copy()


def crop_concat_with_a_view(dy, cache):
    dskip, _ = crop_concat_backward(dy, cache)
    return dskip, dy[:, cache.skip_shape[1] :]


def relu_in_place(dy, cache):
    dy[cache.y <= 0] = 0
    return dy


def relu_of_a_copy(dy, cache):
    dx = dy.copy()
    dx[cache.y <= 0] = 0
    return dx


def relu_that_puts_dy_back(dy, cache):
    """Change dy, and put back what was there: the numbers are as before, and the caller never sees it."""
    before = dy.copy()
    dx = relu_in_place(dy, cache).copy()
    dy[...] = before
    return dx


def relu_of_a_view(dy, cache):
    dx = dy[:]
    dx[cache.y <= 0] = 0
    return dx


def relu_at_zero(dy, cache):
    return dy * (cache.y >= 0)


def three_steps_by_hand(dy, cache):
    conv1, relu, conv2 = cache
    dy, dweight2, dbias2 = conv2d_backward(dy, conv2)
    dx, dweight1, dbias1 = conv2d_backward(np.where(relu.y > 0, dy, 0), conv1)
    return [dx, dweight1, dbias1, dweight2, dbias2]


def gate_behind_the_first_convolution(dy, cache):
    conv1, relu, conv2 = cache
    dy, dweight2, dbias2 = conv2d_backward(dy, conv2)
    dx, dweight1, dbias1 = conv2d_backward(dy, conv1)
    return dx * (conv1.x > 0), dweight1, dbias1, dweight2, dbias2


def gate_of_the_gradient(dy, cache):
    """The gate by the sign of dy, as in guided backpropagation."""
    conv1, relu, conv2 = cache
    dy, dweight2, dbias2 = conv2d_backward(dy, conv2)
    dx, dweight1, dbias1 = conv2d_backward(np.maximum(relu_backward(dy, relu), 0), conv1)
    return dx, dweight1, dbias1, dweight2, dbias2


def convolutions_in_the_other_order(dy, cache):
    dx, dweight1, dbias1, dweight2, dbias2 = three_steps_by_hand(dy, cache)
    return dx, dweight2, dbias2, dweight1, dbias1


def softmax_by_the_jacobian(dy, cache):
    p = cache.transpose(0, 2, 3, 1)
    jacobian = np.einsum("...i,ij->...ij", p, np.eye(p.shape[-1])) - np.einsum("...i,...j->...ij", p, p)
    return np.einsum("nhwij,njhw->nihw", jacobian, dy)


def softmax_without_p_in_the_sum(dy, cache):
    return cache * (dy - dy.sum(axis=1, keepdims=True))


def softmax_with_a_mean(dy, cache):
    return cache * (dy - (dy * cache).mean(axis=1, keepdims=True))


def softmax_over_the_last_axis(dy, cache):
    return cache * (dy - (dy * cache).sum(axis=-1, keepdims=True))


def softmax_minus_the_label(dy, cache):
    """The famous p - onehot, which is the gradient of another function."""
    return cache - dy


def mirror_by_a_loop(dy, cache):
    shape, rows, columns = cache
    dx = np.zeros(shape)
    for i, h in enumerate(rows):
        for j, w in enumerate(columns):
            dx[:, :, h, w] += dy[:, :, i, j]
    return dx


def mirror_as_two_matrices(dy, cache):
    shape, rows, columns = cache
    return np.einsum("nchw,hi,wj->ncij", dy, np.eye(shape[2])[rows], np.eye(shape[3])[columns])


def mirror_of_the_rows_alone(dy, cache):
    shape, rows, columns = cache
    dx = np.zeros(shape)
    for i, h in enumerate(rows):
        dx[:, :, h, columns] += dy[:, :, i]
    return dx


def mirror_cut_off(dy, cache):
    """Leave the margin out: as if nobody read it."""
    H, W = cache.shape[2:]
    margin = (dy.shape[2] - H) // 2
    return dy[:, :, margin : margin + H, margin : margin + W].copy()


def mirror_as_a_mean(dy, cache):
    shape, rows, columns = cache
    times = np.outer(np.bincount(rows, minlength=shape[2]), np.bincount(columns, minlength=shape[3]))
    return mirror_by_a_loop(dy, cache) / times


def strided_by_dilation(dy, cache):
    """Put zeros between the pixels of dy, and go on as with stride 1."""
    x, weight, stride = cache
    (OH, OW), (KH, KW) = dy.shape[2:], weight.shape[2:]
    wide = np.zeros((*dy.shape[:2], x.shape[2] - KH + 1, x.shape[3] - KW + 1))
    wide[:, :, : stride * OH : stride, : stride * OW : stride] = dy
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for kh, kw in np.ndindex(KH, KW):
        part = (slice(None), slice(None), slice(kh, kh + wide.shape[2]), slice(kw, kw + wide.shape[3]))
        dx[part] += np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], wide)
        dweight[:, :, kh, kw] = np.einsum("nfhw,nchw->fc", wide, x[part])
    return dx, dweight, dy.sum(axis=(0, 2, 3))


def strided_dx_alone(dy, cache):
    dx, _, dbias = SOLUTION["repaired_strided_conv_backward"](dy, cache)
    return dx, public_suspects.suspect_strided_conv(dy, cache)[1], dbias


def strided_by_two(dy, cache):
    return SOLUTION["repaired_strided_conv_backward"](dy, cache._replace(stride=2))


def strided_from_the_wrong_place(dy, cache):
    """stride * kh: the tap is moved by the stride, and not the window."""
    x, weight, stride = cache
    OH, OW = dy.shape[2:]
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for kh, kw in np.ndindex(weight.shape[2:]):
        rows, columns = slice(stride * kh, stride * kh + OH), slice(stride * kw, stride * kw + OW)
        dx[:, :, rows, columns] += np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dy)
        dweight[:, :, kh, kw] = np.einsum("nfhw,nchw->fc", dy, x[:, :, rows, columns])
    return dx, dweight, dy.sum(axis=(0, 2, 3))


def standardise_through_all_three(dy, cache):
    y, deviation = cache
    dx = np.zeros(dy.shape)
    for c in range(dy.shape[1]):
        a, b = dy[:, c], y[:, c]
        dx[:, c] = (a - a.mean() - b * (a * b).mean()) / deviation[0, c, 0, 0]
    return dx


def standardise_over_the_image(dy, cache):
    y, deviation = cache
    means = [x.mean(axis=(2, 3), keepdims=True) for x in (dy, dy * y)]
    return (dy - means[0] - y * means[1]) / deviation


def standardise_with_sums(dy, cache):
    y, deviation = cache
    sums = [x.sum(axis=(0, 2, 3), keepdims=True) for x in (dy, dy * y)]
    return (dy - sums[0] - y * sums[1]) / deviation


def standardise_with_a_plus(dy, cache):
    y, deviation = cache
    means = [x.mean(axis=(0, 2, 3), keepdims=True) for x in (dy, dy * y)]
    return (dy - means[0] + y * means[1]) / deviation


def standardise_without_the_mean(dy, cache):
    y, deviation = cache
    return (dy - y * (dy * y).mean(axis=(0, 2, 3), keepdims=True)) / deviation


def tap_by_tap(dy, cache):
    x, weight = cache
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for i, j in CORNERS:
        dy_tap = dy[:, :, i::2, j::2]
        dx += np.einsum("cf,nfhw->nchw", weight[:, :, i, j], dy_tap)
        dweight[:, :, i, j] = np.einsum("nchw,nfhw->cf", x, dy_tap)
    return dx, dweight, dy.sum(axis=(0, 2, 3))


ANSWERS = [
    ("repaired_loss_backward", loss_pixel_by_pixel, RIGHT),
    ("repaired_loss_backward", lambda *args: softmax_cross_entropy_backward(*args), RIGHT),
    ("repaired_loss_backward", loss_divided_by_all_numbers, "0.5 times what it should be"),
    ("repaired_loss_backward", loss_divided_by_three, "the tiny case is right, but"),
    ("repaired_loss_backward", loss_without_its_weights, "dlogits differs"),
    ("repaired_loss_backward", loss_without_dloss, "the tiny case is right, but"),
    ("repaired_loss_backward", loss_in_place, "it changes its argument cache.p"),
    ("repaired_up_conv_backward", up_conv_by_pixels, RIGHT),
    ("repaired_up_conv_backward", tap_by_tap, RIGHT),
    ("repaired_up_conv_backward", up_conv_of_the_last_image, "the tiny case is right, but"),
    ("repaired_up_conv_backward", up_conv_turned_twice, "dweight differs"),
    ("repaired_up_conv_backward", up_conv_with_the_other_tap_in_dx, "dx differs"),
    ("repaired_up_conv_backward", lambda *args: bug_hunt.suspect_up_conv(*args), "this is the suspect as it was"),
    ("repaired_crop_concat_backward", crop_concat_by_slices_from_the_end, RIGHT),
    ("repaired_crop_concat_backward", crop_concat_rounded_up_everywhere, "this is the suspect as it was"),
    ("repaired_crop_concat_backward", crop_concat_from_both_sides, "it stops with ValueError"),
    ("repaired_crop_concat_backward", crop_concat_with_the_channels_exchanged, "dskip differs"),
    ("repaired_crop_concat_backward", crop_concat_with_a_view, "dx is right, but shares its memory with dy"),
    ("repaired_relu_backward", relu_backward, RIGHT),
    ("repaired_relu_backward", relu_of_a_copy, RIGHT),
    ("repaired_relu_backward", relu_that_puts_dy_back, RIGHT),
    ("repaired_relu_backward", relu_in_place, "it changes its argument dy"),
    ("repaired_relu_backward", relu_of_a_view, "it changes its argument dy"),
    ("repaired_relu_backward", relu_at_zero, "the gate is gone"),
    ("repaired_conv_relu_conv_backward", three_steps_by_hand, RIGHT),
    ("repaired_conv_relu_conv_backward", gate_behind_the_first_convolution, "dx differs"),
    ("repaired_conv_relu_conv_backward", gate_of_the_gradient, "differs"),
    ("repaired_conv_relu_conv_backward", convolutions_in_the_other_order, "dweight1 differs"),
    ("repaired_softmax_backward", softmax_by_the_jacobian, RIGHT),
    ("repaired_softmax_backward", softmax_without_p_in_the_sum, "dx differs"),
    ("repaired_softmax_backward", softmax_with_a_mean, "dx differs"),
    ("repaired_softmax_backward", softmax_over_the_last_axis, "dx differs"),
    ("repaired_softmax_backward", softmax_minus_the_label, "dx differs"),
    ("repaired_mirror_backward", mirror_by_a_loop, RIGHT),
    ("repaired_mirror_backward", mirror_as_two_matrices, RIGHT),
    ("repaired_mirror_backward", mirror_of_the_rows_alone, "dx differs"),
    ("repaired_mirror_backward", mirror_cut_off, "dx differs"),
    ("repaired_mirror_backward", mirror_as_a_mean, "dx differs"),
    ("repaired_strided_conv_backward", strided_by_dilation, RIGHT),
    ("repaired_strided_conv_backward", strided_dx_alone, "dweight differs"),
    ("repaired_strided_conv_backward", strided_by_two, "the tiny case is right, but"),
    ("repaired_strided_conv_backward", strided_from_the_wrong_place, "dx differs"),
    ("repaired_standardise_backward", standardise_through_all_three, RIGHT),
    ("repaired_standardise_backward", standardise_over_the_image, "the tiny case is right, but"),
    ("repaired_standardise_backward", standardise_with_sums, "dx differs"),
    ("repaired_standardise_backward", standardise_with_a_plus, "dx differs"),
    ("repaired_standardise_backward", standardise_without_the_mean, "dx differs"),
]

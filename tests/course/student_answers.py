"""Answers as students write them, each with the verdict that it should get and a piece of what it should be told.

A right answer is followed by "", a wrong one by words of the verdict. Most are one-liners here; a student needs more
lines for the same.
"""

import functools
import itertools
import math
import statistics

import numpy as np
import scipy

from minunet import layers
from minunet.backend import map_tree
from minunet.course.exercises import all_exercises
from minunet.course.exercises import n08_train_it as training
from minunet.course.exercises.n12_fast import AT, BT, G
from minunet.layers.crop_concat import crop_concat_backward
from minunet.layers.pool import CORNERS, max_pool_backward
from minunet.layers.relu import relu_backward

SOLUTION = {name: exercise.solution for name, exercise in all_exercises().items()}
RIGHT = ""


def moved_and_put_back(f, x, step):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += step
        right = f(x)
        x[i] -= 2 * step
        gradient[i] = (right - f(x)) / (2 * step)
        x[i] += step
    return gradient


def gradient_of_integers(f, x, step):
    return SOLUTION["numerical_gradient"](f, x, step).astype(int)


def six_loops(x, weight, bias):
    (N, _, H, W), (F, _, KH, KW) = x.shape, weight.shape
    y = np.empty((N, F, H - KH + 1, W - KW + 1))
    for n, f, h, w in np.ndindex(y.shape):
        y[n, f, h, w] = (x[n, :, h : h + KH, w : w + KW] * weight[f]).sum() + bias[f]
    return y


def by_windows(x, weight, bias):
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    return np.tensordot(windows, weight, axes=([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2) + bias[:, None, None]


def for_square_kernels(x, weight, bias):
    K = weight.shape[2]
    return six_loops(x, weight[:, :, :K, :K], bias)[:, :, :, : x.shape[3] - K + 1]


def bias_of_the_first_feature(x, weight, bias):
    return six_loops(x, weight, 0 * bias) + bias[0]


def dx_by_padding(dy, cache):
    _, C, KH, KW = cache.weight.shape
    padded = np.pad(dy, [(0, 0), (0, 0), (KH - 1, KH - 1), (KW - 1, KW - 1)])
    return six_loops(padded, cache.weight.swapaxes(0, 1)[..., ::-1, ::-1], np.zeros(C))


def relu_in_place(dy, cache):
    dy[cache.y <= 0] = 0
    return dy


def pool_by_reshape(x):
    N, C, H, W = x.shape
    windows = x.reshape(N, C, H // 2, 2, W // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H // 2, W // 2, 4)
    return windows.max(axis=-1), windows.argmax(axis=-1)


def pool_from_zero(x):
    y, winner = pool_by_reshape(x)
    return np.maximum(y, 0), winner


def crop_by_negative_slices(skip, x):
    cut_h, cut_w = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
    return np.concatenate([skip[:, :, cut_h:-cut_h, cut_w:-cut_w], x], axis=1)


def crop_concat_gradients_as_views(dy, cache):
    dskip, _ = crop_concat_backward(dy, cache)
    return dskip, dy[:, cache.skip_shape[1] :]


def fork_in_place(dy, cache, dskip):
    dskip += max_pool_backward(dy, cache)
    return dskip


def plain_softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_of_the_largest_of_all(logits):
    e = np.exp(logits - logits.max())
    return e / e.sum(axis=1, keepdims=True)


def softmax_with_epsilon(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / (e.sum(axis=1, keepdims=True) + 1e-7)


def loss_of_log_p(logits, labels, weights, epsilon=0.0):
    p = np.take_along_axis(plain_softmax(logits), labels[:, None], axis=1)[:, 0]
    return (weights * -np.log(p + epsilon)).mean()


def onehot_minus_in_place(dloss, cache):
    p, labels, weights = cache
    for n, h, w in np.ndindex(labels.shape):
        p[n, labels[n, h, w], h, w] -= 1
    return dloss * weights[:, None] * p / labels.size


def for_two_classes(dloss, cache):
    p, labels, weights = cache
    onehot = np.stack([labels == 0, labels == 1, labels == 2], axis=1)
    return dloss * weights[:, None] * (p - onehot) / labels.size


def border_weights_of_numbers_without_gaps(instances, w0, sigma):
    to_cell = [scipy.ndimage.distance_transform_edt(instances != i) for i in range(1, instances.max() + 1)]
    d1, d2 = np.sort(to_cell, axis=0)[:2]
    return np.where(instances > 0, 1.0, 1 + w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2)))


def output_size_by_recursion(n, depth):
    return n - 4 if depth == 0 else 2 * output_size_by_recursion((n - 4) // 2, depth - 1) - 4


def smallest_by_search(output, depth):
    def fits(n):
        for _ in range(depth):
            if (n - 4) % 2 or n <= 4:
                return False
            n = (n - 4) // 2
        return n > 4

    return next(n for n in itertools.count(5) if fits(n) and output_size_by_recursion(n, depth) >= output)


def step_in_place(weight, gradient, velocity, learning_rate, momentum):
    velocity *= momentum
    velocity += gradient
    weight -= learning_rate * velocity
    return weight, velocity


def trained_a_copy(params, *others):
    return SOLUTION["losses_of_training"](map_tree(np.copy, params), *others)


def losses_as_a_list(*args):
    return list(SOLUTION["losses_of_training"](*args))


def one_step_too_few(params, tiles, learning_rate, momentum):
    losses = SOLUTION["losses_of_training"](params, tiles[:-1], learning_rate, momentum)
    x, labels, weights = tiles[-1]
    last = training.softmax_cross_entropy_forward(training.unet_forward(params, x)[0], labels, weights)[0]
    return [*losses, last]


def turned_with_np(image, labels, weights, turns, flip):
    out = [np.rot90(image, turns, axes=(1, 2)), np.rot90(labels, turns), np.rot90(weights, turns)]
    return tuple(np.flip(plane, axis=-1).copy() for plane in out) if flip else tuple(out)


def field_by_map_coordinates(nodes, H, W, order=1):
    _, G, K = nodes.shape
    at = np.meshgrid(np.linspace(0, G - 1, H), np.linspace(0, K - 1, W), indexing="ij")
    return np.stack([scipy.ndimage.map_coordinates(plane, at, order=order, mode="nearest") for plane in nodes])


def mirror_by_pad(index, size):
    if size == 1:
        return np.zeros_like(index)
    far = int(np.abs(index).max()) + size
    return np.pad(np.arange(size), far, mode="reflect")[index + far]


def stitched_pixel_by_pixel(tiles, corners, H, W):
    out = np.zeros((len(tiles[0]), H, W))
    for tile, (top, left) in zip(tiles, corners, strict=True):
        for k, h, w in np.ndindex(tile.shape):
            if top + h < H and left + w < W:
                out[k, top + h, left + w] = tile[k, h, w]
    return out


def stitched_of_whole_tiles(tiles, corners, H, W):
    out = np.zeros((len(tiles[0]), H, W))
    for tile, (top, left) in zip(tiles, corners, strict=True):
        out[:, top : top + tile.shape[1], left : left + tile.shape[2]] = tile
    return out


def v_rand_of_two_cells(counts):
    return SOLUTION["v_rand_of_table"](counts[:2, :3])


def row_by_four_products(x, weight):
    y = np.zeros(len(x) - 2)
    for t in range(0, len(y), 2):
        y[t : t + 2] = AT @ ((G @ weight) * (BT @ x[t : t + 4]))
    return y


def row_backward_by_the_definition(dy, cache):
    x, weight = cache
    dx, dweight = np.zeros(len(x)), np.zeros(3)
    for k in range(3):
        dx[k : k + len(dy)] += weight[k] * dy
        dweight[k] = dy @ x[k : k + len(dy)]
    return dx, dweight


def brier_on_the_host(p, labels, array_module):
    xp = array_module(p)
    if xp is not np:
        p, labels = xp.asnumpy(p), xp.asnumpy(labels)
    return float(((p - (labels[:, None] == np.arange(p.shape[1])[:, None, None])) ** 2).sum(axis=1).mean())


def brier_in_python(p, labels, array_module):
    return brier_on_the_host(np.array(p.tolist()), np.array(labels.tolist()), array_module)


def brier_of_np(p, labels, array_module):
    return float(((p - (labels[:, None] == np.arange(p.shape[1])[:, None, None])) ** 2).sum(axis=1).mean())


def brier_left_on_the_device(p, labels, array_module):
    xp = array_module(p)
    return ((p - (labels[:, None] == xp.arange(p.shape[1])[:, None, None])) ** 2).sum(axis=1).mean()


def middle_time(function, synchronise, clock, warm_up, repeats):
    times = []
    for i in range(warm_up + repeats):
        synchronise()
        start = clock()
        function()
        synchronise()
        if i >= warm_up:
            times.append(clock() - start)
    return sorted(times)[repeats // 2]


def numbers_by_search(count, pairs):
    neighbours = {i: {i} for i in range(count)}
    for a, b in pairs:
        neighbours[a].add(b)
        neighbours[b].add(a)
    numbers = [0] * count
    for start in range(count):
        if not numbers[start]:
            new, waiting = max(numbers) + 1, [start]
            while waiting:
                node = waiting.pop()
                if not numbers[node]:
                    numbers[node] = new
                    waiting += neighbours[node]
    return numbers


def numbers_that_empty_the_list(count, pairs):
    numbers = numbers_by_search(count, pairs)
    pairs.clear()
    return numbers


def sums_by_a_loop(vectors):
    n, own = len(vectors), vectors.shape[1] // len(vectors)
    sums = np.array([sum(row[r * own : (r + 1) * own] for row in vectors) for r in range(n)])
    return [sums, [sums.ravel().tolist()] * n]


ANSWERS = [
    # 01
    ("central_difference", lambda f, x, step: (f(x + step) - f(x - step)) / 2 / step, RIGHT),
    ("central_difference", lambda f, x, step: float(0.5 * (f(x + step) - f(x - step)) / step), RIGHT),
    ("central_difference", lambda f, x, step: np.array((f(x + step) - f(x - step)) / (2 * step)), RIGHT),
    ("central_difference", lambda f, x, step: [(f(x + step) - f(x - step)) / (2 * step)], "expected ()"),
    ("central_difference", lambda f, x, step: (f(x) - f(x - step)) / step, "rise over run"),
    ("central_difference", lambda f, x, step: (f(x + step) - f(x - step)) / 2 * step, "rise over run"),
    ("central_difference", lambda f, x, step: (f(x + 1) - f(x - 1)) / 2, "tiny case is right, but"),
    ("central_difference", lambda f, x, step: (f(x + step) - f(x - step)) / (2 * step + 1e-9), "float32, or an eps"),
    ("numerical_gradient", moved_and_put_back, RIGHT),
    ("numerical_gradient", lambda *args: SOLUTION["numerical_gradient"](*args).tolist(), RIGHT),
    ("numerical_gradient", lambda *args: SOLUTION["numerical_gradient"](*args).ravel(), "expected (2, 3)"),
    ("numerical_gradient", gradient_of_integers, "cut off to whole numbers"),
    ("numerical_gradient", lambda f, x, step: 0 * x, "0 everywhere"),
    ("relative_error", lambda a, b: np.abs(a - b).max() / (max(np.abs(a).max(), np.abs(b).max()) or 1), RIGHT),
    ("relative_error", lambda a, b: np.abs(a - b).max() / (max(abs(a).max(), abs(b).max()) + 1e-12), "or an epsilon"),
    ("relative_error", lambda a, b: np.abs(a - b).max() / max(a.max(), b.max()), "the tiny case is right, but"),
    ("relative_error", lambda a, b: np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max()), "error differs"),
    ("relative_error", lambda a, b: np.abs(a - b).max(), "one number: the largest"),
    (
        "directional_slopes",
        lambda f, g, x, u, s: np.array([(f(x + s * u) - f(x - s * u)) / 2 / s, (g * u).sum()]),
        RIGHT,
    ),
    ("directional_slopes", lambda f, g, x, u, s: [(f(x + s * u) - f(x - s * u)) / 2 / s, np.vdot(g, u)], RIGHT),
    ("directional_slopes", lambda f, g, x, u, s: ((g * u).sum(),) * 2, "both are predicted"),
    ("directional_slopes", lambda f, g, x, u, s: ((f(x + s * u) - f(x - s * u)) / 2 / s,) * 2, "both are measured"),
    ("directional_slopes", lambda f, g, x, u, s: (g * u).sum(), "2 things, measured, predicted, and returns one"),
    ("scaled_square_backward", lambda dy, c: [2 * c[0] * c[1] * dy, np.einsum("hw,hw->w", c[0] ** 2, dy)], RIGHT),
    ("scaled_square_backward", lambda dy, c: (2 * c[0] * c[1] * dy, (c[0] ** 2 * dy).sum()), "dscale has shape ()"),
    ("scaled_square_backward", lambda dy, c: (2 * c[0] * c[1] * dy, (c[0] ** 2 * dy).sum(1)), "dscale has shape (3,)"),
    ("scaled_square_backward", lambda dy, c: (2 * c[0] * c[1], (c[0] ** 2).sum(0)), "dy is missing"),
    # 02
    ("conv2d_forward", six_loops, RIGHT),
    ("conv2d_forward", by_windows, RIGHT),
    ("conv2d_forward", lambda *args: six_loops(*args).tolist(), RIGHT),
    ("conv2d_forward", lambda *args: layers.conv.conv2d_forward(*args)[0], RIGHT),
    ("conv2d_forward", lambda *args: layers.conv.conv2d_forward(*args), "y should be an array"),
    ("conv2d_forward", for_square_kernels, "but with (2, 3, 6, 5), (4, 3, 3, 2), (4,), y has shape"),
    ("conv2d_forward", bias_of_the_first_feature, "the tiny case is right, but"),
    ("conv2d_forward", lambda *args: six_loops(*args).astype(np.float32), "equal to about 8 digits"),
    ("conv2d_forward", lambda *args: six_loops(*args).astype(int), "cut off to whole numbers"),
    ("conv2d_forward", lambda x, weight, bias: six_loops(x, weight[..., ::-1, ::-1], bias), "turned by half a turn"),
    ("conv2d_dx", dx_by_padding, RIGHT),
    ("conv2d_dx", lambda dy, cache: -dx_by_padding(dy, cache), "wrong sign"),
    ("conv2d_dx", lambda dy, cache: dx_by_padding(dy, cache)[0], "dx has shape"),
    ("conv2d_dweight", lambda dy, cache: SOLUTION["conv2d_dweight"](dy, cache) / dy.size, "is a mean"),
    ("conv2d_backward", lambda *args: [gradient.tolist() for gradient in SOLUTION["conv2d_backward"](*args)], RIGHT),
    ("conv2d_backward", lambda *args: tuple(SOLUTION["conv2d_backward"](*args))[:2], "returns 2 things"),
    ("conv2d_backward", lambda *args: dict(zip("abc", SOLUTION["conv2d_backward"](*args), strict=True)), "one dict"),
    ("conv2d_backward", lambda *args: (g for g in SOLUTION["conv2d_backward"](*args)), "one generator"),
    # 03
    ("relu_backward", lambda dy, cache: np.where(cache.y > 0, dy, 0), RIGHT),
    ("relu_backward", lambda dy, cache: dy * np.sign(cache.y), RIGHT),
    ("relu_backward", relu_in_place, "it changes its argument dy"),
    ("relu_backward", lambda dy, cache: dy * (cache.y >= 0), "every gate is open"),
    ("relu_backward", lambda dy, cache: dy * cache.y, "dx is dy where cache.y is positive"),
    ("relu_backward", lambda dy, cache: dy * np.minimum(cache.y, 1), "the tiny case is right, but"),
    ("max_pool_forward", pool_by_reshape, RIGHT),
    ("max_pool_forward", pool_from_zero, "y differs"),
    ("max_pool_forward", lambda x: pool_by_reshape(x)[::-1], "y differs"),
    ("max_pool_forward", lambda x: pool_by_reshape(x)[0], "returns one ndarray"),
    ("max_pool_backward", lambda dy, c: np.kron(dy, np.ones((2, 2))), "all four pixels"),
    ("max_pool_backward", lambda dy, cache: max_pool_backward(dy, cache), RIGHT),
    # 04
    ("strided_matrix", lambda weight, H, W: SOLUTION["strided_matrix"](weight, H, W).astype(int), "cut off to whole"),
    ("strided_matrix", lambda weight, H, W: np.kron(np.eye(H // 2 * W // 2), weight.reshape(1, 4)), "A differs"),
    (
        "up_conv_dx",
        lambda dy, c: sum(np.einsum("cf,nfhw->nchw", c.weight[:, :, i, j], dy[:, :, i::2, j::2]) for i, j in CORNERS),
        RIGHT,
    ),
    (
        "up_conv_dx",
        lambda dy, c: np.einsum(
            "cfij,nfhiwj->nchw", c.weight, dy.reshape(*dy.shape[:2], dy.shape[2] // 2, 2, dy.shape[3] // 2, 2)
        ),
        RIGHT,
    ),
    ("up_conv_dweight", lambda dy, cache: SOLUTION["up_conv_dweight"](dy, cache)[0, 0], "dweight has shape (2, 2)"),
    ("up_conv_backward", lambda *args: SOLUTION["up_conv_backward"](*args)[::-1], "has shape"),
    # 05
    ("crop_concat_forward", crop_by_negative_slices, "the tiny case is right, but"),
    ("crop_concat_forward", lambda skip, x: np.concatenate([skip, x], axis=1), "it stops with ValueError"),
    ("crop_backward", lambda dy, shape: dy, "dskip has shape"),
    ("crop_concat_backward", crop_concat_gradients_as_views, "dx is right, but shares its memory with dy"),
    ("crop_concat_backward", lambda dy, cache: crop_concat_backward(dy, cache)[::-1], "has shape"),
    ("fork_backward", fork_in_place, "it changes its argument dskip"),
    ("fork_backward", lambda dy, cache, dskip: dskip, "the pool's gradient is missing"),
    # 06
    ("softmax", plain_softmax, RIGHT),
    ("softmax", lambda logits: scipy.special.softmax(logits, axis=1), RIGHT),
    ("softmax", lambda logits: plain_softmax(logits).astype(np.float32), "digits: float32, or an epsilon?"),
    ("softmax", softmax_with_epsilon, "equal to about 7 digits"),
    ("softmax", softmax_of_the_largest_of_all, "nan"),
    ("softmax", lambda logits: np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), "where it says nan"),
    ("weighted_cross_entropy", loss_of_log_p, RIGHT),
    ("weighted_cross_entropy", functools.partial(loss_of_log_p, epsilon=1e-7), "float32, or an epsilon?"),
    (
        "weighted_cross_entropy",
        lambda logits, labels, weights: np.average(
            -np.log(np.take_along_axis(plain_softmax(logits), labels[:, None], 1)[:, 0]), weights=weights
        ),
        "sum of the weights",
    ),
    ("softmax_cross_entropy_backward", onehot_minus_in_place, "it changes its argument cache.p"),
    ("softmax_cross_entropy_backward", for_two_classes, "the tiny case is right, but"),
    ("border_weights", border_weights_of_numbers_without_gaps, "the tiny case is right, but"),
    # 07
    ("output_size", output_size_by_recursion, RIGHT),
    ("output_size", lambda n, depth: n - {1: 16, 2: 44 - 4, 4: 184}.get(depth, 0), "size differs"),
    ("output_size", lambda n, depth: np.int64(output_size_by_recursion(n, depth)), RIGHT),
    ("output_size", lambda n, depth: str(output_size_by_recursion(n, depth)), "is a str"),
    ("smallest_input_size", smallest_by_search, RIGHT),
    ("smallest_input_size", lambda output, depth: {5: 44, 1: 20}.get(output), "size"),
    ("mini_u_backward", lambda *args: list(SOLUTION["mini_u_backward"](*args)), RIGHT),
    ("mini_u_backward", lambda *args: SOLUTION["mini_u_backward"](*args)[:4], "returns 4 things"),
    ("he_std", lambda shape, is_up_conv: math.sqrt(2 / (shape[0] if is_up_conv else math.prod(shape[1:]))), RIGHT),
    ("he_std", lambda shape, is_up_conv: math.sqrt(2 / math.prod(shape[1:])), "C channels come in, by one tap"),
    ("he_std", lambda shape, is_up_conv: math.sqrt(2 / shape[0]), "the tiny case is right, but"),
    # 08
    ("momentum_step", step_in_place, "it changes its argument weight"),
    ("momentum_step", lambda *args: SOLUTION["momentum_step"](*args)[::-1], "weight differs"),
    ("losses_of_training", losses_as_a_list, RIGHT),
    ("losses_of_training", trained_a_copy, "change params itself, and not a copy"),
    ("losses_of_training", one_step_too_few, "as the call leaves it, differs"),
    ("pixel_error_of_logits", lambda logits, labels: 1 - (logits.argmax(1) == labels).mean(), RIGHT),
    (
        "pixel_error_of_logits",
        lambda logits, labels: ((logits[:, 1] > logits[:, 0]) != labels).mean(),
        "not always two",
    ),
    ("pixel_error_of_logits", lambda logits, labels: (logits.argmax(1) != labels).sum(), "divide by the number"),
    # 09
    ("turn_together", turned_with_np, RIGHT),
    ("turn_together", lambda *args: list(SOLUTION["turn_together"](*args)), RIGHT),
    ("displacement_field", field_by_map_coordinates, RIGHT),
    ("displacement_field", functools.partial(field_by_map_coordinates, order=3), "this is a cubic spline"),
    ("read_nearest", lambda labels, at: scipy.ndimage.map_coordinates(labels, at, order=0), RIGHT),
    ("read_nearest", lambda labels, at: labels[tuple((at + 0.5).astype(int))], RIGHT),
    ("read_nearest", lambda labels, at: labels[tuple(at.astype(int))], "positions are rounded down"),
    # 10
    ("mirror_index", mirror_by_pad, RIGHT),
    ("mirror_index", lambda index, size: np.abs(index) % size, "index differs"),
    (
        "tile_places",
        lambda size, output: np.array([(start, min(output, size - start)) for start in range(0, size, output)]).T,
        RIGHT,
    ),
    (
        "tile_places",
        lambda size, output: list(
            zip(*((start, min(output, size - start)) for start in range(0, size, output)), strict=True)
        ),
        RIGHT,
    ),
    ("stitch", stitched_pixel_by_pixel, RIGHT),
    ("stitch", stitched_of_whole_tiles, "it stops with ValueError"),
    # 11
    ("pixel_error", lambda truth, proposal: np.abs(truth - proposal).sum() / truth.size, RIGHT),
    ("pixel_error", lambda truth, proposal: (truth ^ proposal).mean(), RIGHT),
    ("pixel_error", lambda truth, proposal: (truth != proposal).sum() / 12, "the tiny case is right, but"),
    ("majority_pixel_error", lambda truth: 0.5 - abs(truth.mean() - 0.5), RIGHT),
    ("majority_pixel_error", lambda truth: truth.mean(), "the tiny case is right, but"),
    ("v_rand_of_table", lambda counts: 19 / 30, "the tiny case is right, but"),
    ("v_rand_of_table", v_rand_of_two_cells, "v_rand differs"),
    # 12
    ("im2col_backward", lambda *args: SOLUTION["im2col_backward"](*args).astype(int), "cut off to whole numbers"),
    ("winograd_row", row_by_four_products, RIGHT),
    ("winograd_row", lambda x, weight: np.correlate(x, weight, mode="valid"), "not made by Winograd's four products"),
    ("winograd_row", lambda x, weight: np.convolve(x, weight, mode="valid"), "weight is turned"),
    ("winograd_row_backward", row_backward_by_the_definition, "not made by Winograd's four products"),
    # 13
    ("brier_score", brier_on_the_host, "numbers from the device to the host"),
    ("brier_score", brier_in_python, "numbers from the device to the host"),
    ("brier_score", brier_of_np, "it stops with TypeError"),
    ("brier_score", brier_left_on_the_device, "score should be an array or a number, and is a PretendArray"),
    ("median_time", lambda *args: statistics.median(SOLUTION["median_time"](*args) for _ in [1]), RIGHT),
    ("median_time", middle_time, "the tiny case is right, but"),
    ("transfer_seconds", lambda shape, size, latency, width: latency + math.prod(shape) * size / width, RIGHT),
    ("transfer_seconds", lambda shape, size, latency, width: latency + len(shape) * size / width, "seconds differs"),
    # 14
    ("repaired_relu_backward", relu_in_place, "it changes its argument dy"),
    ("repaired_relu_backward", relu_backward, RIGHT),
    # 15
    ("block_with_halo", lambda row, start, stop, margin: np.pad(row, margin, mode="reflect")[start:stop], "block has"),
    (
        "block_with_halo",
        lambda row, start, stop, m: [
            row[abs(i) if i < len(row) else 2 * len(row) - 2 - i] for i in range(start - m, stop + m)
        ],
        RIGHT,
    ),
    ("one_number", numbers_by_search, RIGHT),
    ("one_number", numbers_that_empty_the_list, "it changes its argument pairs"),
    ("all_reduce", sums_by_a_loop, RIGHT),
    ("all_reduce", lambda vectors: vectors.sum(axis=0), "it should return 2 things"),
]

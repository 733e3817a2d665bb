"""Answers to the exercises of notebook 07."""

import itertools
import math

import numpy as np

from minunet.layers import conv, crop_concat, pool, relu, up_conv
from student_answers.common import RIGHT, SOLUTION


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


def output_size_by_formula(n, depth):
    """Four pixels for every pair of convolutions, as wide as they are at full size."""
    return n - 4 * 2**depth - 2 * sum(4 * 2**level for level in range(depth))


def size_without_the_bottom(n, depth):
    return output_size_by_recursion(n, depth) + 4 * 2**depth


def size_of_a_padded_network(n, depth):
    return n


def mini_u_with_the_skip_uncropped(dlogits, cache):
    return mini_u_of(dlogits, cache._replace(concat=cache.concat._replace(skip_shape=cache.concat.x_shape)))


def mini_u_of(dlogits, cache):
    dy, dhead, _ = conv.conv2d_backward(dlogits, cache.head)
    dskip, dy = crop_concat.crop_concat_backward(dy, cache.concat)
    dy, dup, _ = up_conv.up_conv_backward(dy, cache.up)
    dy, dbottom, _ = conv.conv2d_backward(relu.relu_backward(dy, cache.relu2), cache.bottom)
    dy = relu.relu_backward(pool.max_pool_backward(dy, cache.pool) + dskip, cache.relu1)
    dx, ddown, _ = conv.conv2d_backward(dy, cache.down)
    return dx, ddown, dbottom, dup, dhead


def mini_u_without_the_second_relu(dlogits, cache):
    opened = cache.relu2._replace(y=np.ones(cache.relu2.y.shape))
    return mini_u_of(dlogits, cache._replace(relu2=opened))


def mini_u_in_the_order_of_the_walk(dlogits, cache):
    return mini_u_of(dlogits, cache)[::-1]


ANSWERS = [
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
    ("output_size", output_size_by_formula, RIGHT),
    ("output_size", size_without_the_bottom, "size differs"),
    ("output_size", size_of_a_padded_network, "size differs"),
    ("smallest_input_size", lambda output, depth: output + 12 * 2**depth - 8, "the input does not fit"),
    ("smallest_input_size", lambda output, depth: output + 40, "size differs"),
    ("smallest_input_size", lambda output, depth: [smallest_by_search(output, depth)], "size has shape (1,)"),
    ("mini_u_backward", mini_u_of, RIGHT),
    ("mini_u_backward", mini_u_with_the_skip_uncropped, "it stops with ValueError"),
    ("mini_u_backward", mini_u_without_the_second_relu, "differs"),
    ("mini_u_backward", mini_u_in_the_order_of_the_walk, "dx has shape"),
]

"""Answers to the exercises of notebook 19."""

import numpy as np

from minunet.course import tiny_autograd as tiny
from student_answers.common import RIGHT, SOLUTION


def walk_with_a_dict(steps):
    grads = {len(steps) - 1: 1.0}
    for i in range(len(steps) - 1, -1, -1):
        for j, slope in steps[i]:
            grads[j] = grads.get(j, 0.0) + slope * grads.get(i, 0.0)
    return [grads.get(i, 0.0) for i in range(len(steps))]


def walk_as_a_matrix(steps):
    """All paths at once: (1 - S)^-1, with S[i, j] the slope from j to i."""
    S = np.zeros((len(steps), len(steps)))
    for i, operands in enumerate(steps):
        for j, slope in operands:
            S[i, j] += slope
    return np.linalg.inv(np.eye(len(steps)) - S)[-1]


def walk_by_recursion(steps):
    """Forward from each value: right, and slow."""

    def paths(start, i):
        return 1.0 if i == start else sum(slope * paths(start, j) for j, slope in steps[i])

    return [paths(start, len(steps) - 1) for start in range(len(steps))]


def walk_depth_first(steps):
    """Each path passes on what there is so far: https://github.com/karpathy/micrograd sorts first, for that reason."""
    grads = np.zeros(len(steps))
    grads[-1] = 1

    def visit(i):
        for j, slope in steps[i]:
            grads[j] += slope * grads[i]
            visit(j)

    visit(len(steps) - 1)
    return grads


def walk_that_replaces_from_the_front(steps):
    grads = np.zeros(len(steps))
    grads[-1] = 1
    for i in range(len(steps) - 1, -1, -1):
        for j, slope in dict(steps[i]).items():  # x * x has twice the same operand, and a dict keeps one
            grads[j] += slope * grads[i]
    return grads


def walk_of_whole_numbers(steps):
    grads = [0] * len(steps)
    grads[-1] = 1
    for i in reversed(range(len(steps))):
        for j, slope in steps[i]:
            grads[j] += int(slope) * grads[i]
    return grads


def walk_without_the_first_one(steps):
    grads = walk_with_a_dict(steps)
    grads[-1] = 0
    return grads


def walk_that_begins_at_the_square(steps):
    return [120.0, 90.0, 30.0, 30.0, 1.0] if len(steps) == 5 else np.zeros(len(steps))


def summed_axis_by_axis(gradient, shape):
    while gradient.ndim > len(shape):
        gradient = gradient.sum(axis=0)
    for i, n in enumerate(shape):
        if n == 1 and gradient.shape[i] > 1:
            gradient = gradient.sum(axis=i, keepdims=True)
    return gradient


def summed_by_add_reduce(gradient, shape):
    padded = (1,) * (gradient.ndim - len(shape)) + tuple(shape)
    axes = tuple(i for i, n in enumerate(padded) if n == 1)
    return np.add.reduce(gradient, axis=axes, keepdims=True).reshape(shape)


def summed_at_the_back(gradient, shape):
    """Broadcasting lines axes up at the back; this takes them away there."""
    while gradient.ndim > len(shape):
        gradient = gradient.sum(axis=-1)
    return gradient


def first_of_each(gradient, shape):
    """Take one of the uses in place of their sum."""
    gradient = gradient[(0,) * (gradient.ndim - len(shape))]
    return gradient[tuple(slice(n) for n in shape)]


def summed_only_where_it_is_seen(gradient, shape):
    return gradient.sum(axis=0).sum(axis=-1, keepdims=True)


def einsum_with_the_letters_turned(subscripts, dy, a, b):
    of_a, of_b, of_y = subscripts.replace("->", ",").split(",")
    return [np.einsum(f"{of_b},{of_y}->{of_a}", b, dy), np.einsum(f"{of_y},{of_a}->{of_b}", dy, a)]


def einsum_by_differences(subscripts, dy, a, b):
    """A bilinear form has exact differences: no step is too large."""
    da, db = np.zeros(a.shape), np.zeros(b.shape)
    y = np.einsum(subscripts, a, b)
    for gradient, x in ((da, a), (db, b)):
        for i in np.ndindex(x.shape):
            moved = x.copy()
            moved[i] += 1.0
            other = np.einsum(subscripts, moved, b) if x is a else np.einsum(subscripts, a, moved)
            gradient[i] = (dy * (other - y)).sum()
    return da, db


def einsum_as_matrices(subscripts, dy, a, b):
    return dy @ b.T, a.T @ dy


def einsum_with_b_not_turned(subscripts, dy, a, b):
    of_a, of_b, of_y = subscripts.replace("->", ",").split(",")
    return np.einsum(f"{of_a},{of_b}->{of_y}", dy, b), np.einsum(f"{of_a},{of_b}->{of_y}", a, dy)


def einsum_with_a_and_b_exchanged(subscripts, dy, a, b):
    of_a, of_b, of_y = subscripts.replace("->", ",").split(",")
    return np.einsum(f"{of_y},{of_a}->{of_a}", dy, a), np.einsum(f"{of_y},{of_b}->{of_b}", dy, b)


def maximum_by_a_loop(dy, a, b):
    da, db = np.zeros(a.shape), np.zeros(b.shape)
    for i in np.ndindex(a.shape):
        winner = da if a[i] >= b[i] else db
        winner[i] = dy[i]
    return da, db


def maximum_by_halves(dy, a, b):
    """Half for each at a tie, as some libraries have it."""
    tie = 0.5 * (a == b)
    return dy * ((a > b) + tie), dy * ((b > a) + tie)


def maximum_by_sign(dy, a, b):
    return dy * (1 + np.sign(a - b)) / 2, dy * (1 - np.sign(a - b)) / 2


def maximum_times_the_values(dy, a, b):
    return dy * np.where(a >= b, a, 0), dy * np.where(b > a, b, 0)


def maximum_in_place(dy, a, b):
    db = np.where(b > a, dy, 0)
    dy[b > a] = 0
    return dy, db


ANSWERS = [
    ("walk_back", walk_with_a_dict, RIGHT),
    ("walk_back", walk_as_a_matrix, RIGHT),
    ("walk_back", walk_by_recursion, RIGHT),
    ("walk_back", walk_depth_first, "grads differs"),
    ("walk_back", walk_that_replaces_from_the_front, "grads differs"),
    ("walk_back", walk_of_whole_numbers, "the tiny case is right, but"),
    ("walk_back", walk_without_the_first_one, "grads differs"),
    ("walk_back", walk_that_begins_at_the_square, "grads differs"),
    ("sum_to_shape", summed_axis_by_axis, RIGHT),
    ("sum_to_shape", summed_by_add_reduce, RIGHT),
    ("sum_to_shape", lambda gradient, shape: tiny.sum_to_shape(gradient, shape), RIGHT),
    ("sum_to_shape", summed_at_the_back, "summed has shape"),
    ("sum_to_shape", first_of_each, "summed differs"),
    ("sum_to_shape", summed_only_where_it_is_seen, "the tiny case is right, but"),
    ("sum_to_shape", lambda gradient, shape: gradient.reshape(shape), "it stops with ValueError"),
    ("sum_to_shape", lambda gradient, shape: gradient.sum(), "summed has shape (), expected (2, 1)"),
    ("einsum_backward", einsum_with_the_letters_turned, RIGHT),
    ("einsum_backward", einsum_by_differences, RIGHT),
    ("einsum_backward", einsum_as_matrices, "the tiny case is right, but"),
    ("einsum_backward", einsum_with_b_not_turned, "da differs"),
    ("einsum_backward", einsum_with_a_and_b_exchanged, "da differs"),
    ("einsum_backward", lambda *args: SOLUTION["einsum_backward"](*args)[0], "2 things, da, db, and returns one"),
    ("maximum_backward", maximum_by_a_loop, RIGHT),
    ("maximum_backward", lambda dy, a, b: np.where(a >= b, dy, 0 * dy)[None] * 1 + 0 * np.stack([a, b]), "db differs"),
    ("maximum_backward", maximum_by_halves, "da differs"),
    ("maximum_backward", maximum_by_sign, "da differs"),
    ("maximum_backward", maximum_times_the_values, "da differs"),
    ("maximum_backward", maximum_in_place, "it changes its argument dy"),
    ("maximum_backward", lambda dy, a, b: dy * (np.maximum(a, b) == a), "2 things, da, db, and returns one"),
]

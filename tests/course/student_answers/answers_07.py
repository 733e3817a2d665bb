"""Answers to the exercises of notebook 07."""

import itertools
import math

import numpy as np

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
]

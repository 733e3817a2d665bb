"""Answers to the exercises of notebook 12."""

import numpy as np

from minunet.course.exercises.n12_fast import AT, BT, G
from student_answers.common import RIGHT, SOLUTION


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


ANSWERS = [
    ("im2col_backward", lambda *args: SOLUTION["im2col_backward"](*args).astype(int), "cut off to whole numbers"),
    ("winograd_row", row_by_four_products, RIGHT),
    ("winograd_row", lambda x, weight: np.correlate(x, weight, mode="valid"), "not made by Winograd's four products"),
    ("winograd_row", lambda x, weight: np.convolve(x, weight, mode="valid"), "weight is turned"),
    ("winograd_row_backward", row_backward_by_the_definition, "not made by Winograd's four products"),
]

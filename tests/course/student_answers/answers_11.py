"""Answers to the exercises of notebook 11."""

import numpy as np

from student_answers.common import RIGHT, SOLUTION


def v_rand_of_two_cells(counts):
    return SOLUTION["v_rand_of_table"](counts[:2, :3])


ANSWERS = [
    ("pixel_error", lambda truth, proposal: np.abs(truth - proposal).sum() / truth.size, RIGHT),
    ("pixel_error", lambda truth, proposal: (truth ^ proposal).mean(), RIGHT),
    ("pixel_error", lambda truth, proposal: (truth != proposal).sum() / 12, "the tiny case is right, but"),
    ("majority_pixel_error", lambda truth: 0.5 - abs(truth.mean() - 0.5), RIGHT),
    ("majority_pixel_error", lambda truth: truth.mean(), "the tiny case is right, but"),
    ("v_rand_of_table", lambda counts: 19 / 30, "the tiny case is right, but"),
    ("v_rand_of_table", v_rand_of_two_cells, "v_rand differs"),
]

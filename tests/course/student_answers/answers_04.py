"""Answers to the exercises of notebook 04."""

import numpy as np

from minunet.layers.pool import CORNERS
from student_answers.common import RIGHT, SOLUTION

ANSWERS = [
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
]

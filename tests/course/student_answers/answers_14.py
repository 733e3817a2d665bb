"""Answers to the exercises of notebook 14."""

from minunet.layers.relu import relu_backward
from student_answers.common import RIGHT


def relu_in_place(dy, cache):
    dy[cache.y <= 0] = 0
    return dy


ANSWERS = [
    ("repaired_relu_backward", relu_in_place, "it changes its argument dy"),
    ("repaired_relu_backward", relu_backward, RIGHT),
]

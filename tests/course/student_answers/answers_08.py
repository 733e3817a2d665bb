"""Answers to the exercises of notebook 08."""

import numpy as np

from minunet.backend import map_tree
from minunet.course.exercises import n08_train_it as training
from student_answers.common import RIGHT, SOLUTION


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


ANSWERS = [
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
]

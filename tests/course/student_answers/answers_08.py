"""Answers to the exercises of notebook 08."""

import math

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


def step_by_lists(weight, gradient, velocity, learning_rate, momentum):
    new = [momentum * v + g for v, g in zip(velocity.ravel().tolist(), gradient.ravel().tolist(), strict=True)]
    moved = [w - learning_rate * v for w, v in zip(weight.ravel().tolist(), new, strict=True)]
    return np.reshape(moved, weight.shape), np.reshape(new, weight.shape)


def step_ahead(weight, gradient, velocity, learning_rate, momentum):
    """Nesterov's momentum."""
    velocity = momentum * velocity + gradient
    return weight - learning_rate * (momentum * velocity + gradient), velocity


def step_without_momentum(weight, gradient, velocity, learning_rate, momentum):
    return weight - learning_rate * gradient, gradient.copy()


def adam_number_by_number(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    out = [np.empty(weight.shape) for _ in range(3)]
    for i in np.ndindex(weight.shape):
        m = momentum * mean[i] + (1 - momentum) * gradient[i]
        v = decay * square[i] + (1 - decay) * gradient[i] * gradient[i]
        step = m / (1 - momentum**t) / (math.sqrt(v / (1 - decay**t)) + epsilon)
        for array, value in zip(out, (weight[i] - learning_rate * step, m, v), strict=True):
            array[i] = value
    return out


def adam_in_place(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    mean += (1 - momentum) * (gradient - mean)
    square += (1 - decay) * (gradient**2 - square)
    weight -= learning_rate * (mean / (1 - momentum**t)) / (np.sqrt(square / (1 - decay**t)) + epsilon)
    return weight, mean, square


def adam_counted_from_0(*args):
    return SOLUTION["adam_on_one_array"](*args[:-1], args[-1] - 1)


def adam_corrected_by_the_first_power(*args):
    """1 - momentum in place of 1 - momentum**t: ML-From-Scratch, issue 35."""
    return SOLUTION["adam_on_one_array"](*args[:-1], 1)


def adam_with_epsilon_before_the_correction(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    """epsilon is scaled too: tensorflow, issue 9047, and nanochat, issue 304."""
    scaled = epsilon / np.sqrt(1 - decay**t)
    return SOLUTION["adam_on_one_array"](weight, gradient, mean, square, learning_rate, momentum, decay, scaled, t)


def adam_minus_epsilon(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    return SOLUTION["adam_on_one_array"](weight, gradient, mean, square, learning_rate, momentum, decay, -epsilon, t)


def adam_with_the_decays_exchanged(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    return SOLUTION["adam_on_one_array"](weight, gradient, mean, square, learning_rate, decay, momentum, epsilon, t)


def adam_with_the_old_mean(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    _, new_mean, new_square = SOLUTION["adam_on_one_array"](
        weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t
    )
    root = np.sqrt(square / (1 - decay**t)) + epsilon
    return weight - learning_rate * mean / (1 - momentum**t) / root, new_mean, new_square


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
    ("momentum_step", step_by_lists, RIGHT),
    ("momentum_step", step_ahead, "weight differs"),
    ("momentum_step", step_without_momentum, "weight differs"),
    ("losses_of_training", lambda *args: SOLUTION["losses_of_training"](*args)[-1], "losses has shape ()"),
    ("pixel_error_of_logits", lambda logits, labels: (logits.argmax(-1) != labels).mean(), "it stops with ValueError"),
    ("pixel_error_of_logits", lambda logits, labels: np.mean(labels != 0), "error differs"),
    ("adam_on_one_array", adam_number_by_number, RIGHT),
    ("adam_on_one_array", adam_in_place, "it changes its argument weight"),
    ("adam_on_one_array", adam_counted_from_0, "with t as it comes"),
    ("adam_on_one_array", adam_corrected_by_the_first_power, "with t as it comes"),
    ("adam_on_one_array", adam_with_epsilon_before_the_correction, "epsilon is added after the correction"),
    ("adam_on_one_array", adam_minus_epsilon, "weight differs"),
    ("adam_on_one_array", adam_with_the_decays_exchanged, "they are swapped"),
    ("adam_on_one_array", adam_with_the_old_mean, "weight differs"),
    ("adam_on_one_array", lambda *args: SOLUTION["adam_on_one_array"](*args)[0], "returns one ndarray"),
    ("adam_on_one_array", lambda *args: args[:1] + SOLUTION["adam_on_one_array"](*args)[1:], "weight differs"),
]

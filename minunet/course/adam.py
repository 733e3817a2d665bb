"""Adam's step for one array, as notebook 08 derives it, and its exercise."""

import numpy as np

from minunet.course.exercise import Exercise

rng = np.random.default_rng(808)


def adam_on_one_array(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    """Return the new weight, mean and square; `t` counts the steps from 1."""
    mean = momentum * mean + (1 - momentum) * gradient
    square = decay * square + (1 - decay) * gradient**2
    corrected_mean, corrected_square = mean / (1 - momentum**t), square / (1 - decay**t)
    return weight - learning_rate * corrected_mean / (np.sqrt(corrected_square) + epsilon), mean, square


def uncorrected(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    _, mean, square = adam_on_one_array(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t)
    return weight - learning_rate * mean / (np.sqrt(square) + epsilon), mean, square


def corrected_for_good(*args):
    weight, mean, square = adam_on_one_array(*args)
    momentum, decay, t = args[5], args[6], args[8]
    return weight, mean / (1 - momentum**t), square / (1 - decay**t)


def without_the_root(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    _, mean, square = adam_on_one_array(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t)
    return weight - learning_rate * mean / (1 - momentum**t) / (square / (1 - decay**t) + epsilon), mean, square


def epsilon_under_the_root(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    _, mean, square = adam_on_one_array(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t)
    root = np.sqrt(square / (1 - decay**t) + epsilon)
    return weight - learning_rate * mean / (1 - momentum**t) / root, mean, square


def uphill(weight, gradient, mean, square, learning_rate, *others):
    return adam_on_one_array(weight, gradient, mean, square, -learning_rate, *others)


def sums_in_place_of_means(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    gradient, new_square = gradient / (1 - momentum), gradient**2 / (1 - decay)
    mean, square = momentum * mean + (1 - momentum) * gradient, decay * square + (1 - decay) * new_square
    root = np.sqrt(square / (1 - decay**t))
    return weight - learning_rate * mean / (1 - momentum**t) / (root + epsilon), mean, square


def corrected_by_the_first_power(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    return adam_on_one_array(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, 1)


def epsilon_before_the_correction(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    epsilon /= np.sqrt(1 - decay**t)
    return adam_on_one_array(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t)


def decays_swapped(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    return adam_on_one_array(weight, gradient, mean, square, learning_rate, decay, momentum, epsilon, t)


def step_case(shape: tuple, t: int) -> tuple:
    """Return the arguments of a step of its own; the square is never below 0."""
    weight, gradient, mean = (rng.normal(size=shape) for _ in range(3))
    return weight, gradient, mean, rng.uniform(0.1, 2, shape), 0.01, 0.9, 0.99, 1e-3, t


EXERCISES = [
    Exercise(
        "adam_on_one_array",
        solution=adam_on_one_array,
        outputs=("weight", "mean", "square"),
        args=(
            np.array([[1.0, 2, 3], [4, 5, 6]]),
            np.array([[2.0, 0, -2], [4, -4, 1]]),
            np.array([[2.0, 4, 2], [-4, 0, 3]]),
            np.array([[4.0, 16, 4], [16, 8, 1]]),
            0.5,
            0.5,
            0.75,
            0.25,
            2,
        ),
        more=(step_case((5,), 1), step_case((2, 3, 3, 3), 7), step_case((4, 2), 100)),
        mistakes={
            "the bias correction is missing: divide mean by 1 - momentum**t and square by 1 - decay**t": uncorrected,
            "return mean and square as they were before the correction: the next step goes on from these": (
                corrected_for_good
            ),
            "the root is missing: the square is the size of the gradient, squared": without_the_root,
            "epsilon is added after the root is taken": epsilon_under_the_root,
            "epsilon is added after the correction: divide the square by 1 - decay**t, take the root, then add": (
                epsilon_before_the_correction
            ),
            "the correction is by momentum**t and decay**t, with t as it comes: it counts from 1": (
                corrected_by_the_first_power
            ),
            "momentum belongs to the mean, and decay to the square: they are swapped": decays_swapped,
            "it goes uphill: the step is subtracted from the weight": uphill,
            "these are sums: the gradient counts 1 - momentum, and its square 1 - decay": sums_in_place_of_means,
        },
        hint="new mean, new square, both corrected by the step's number, then the weight: compare each line on its own",
    ),
]

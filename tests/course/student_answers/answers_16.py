"""Answers to the exercises of notebook 16."""

import numpy as np

from student_answers.common import RIGHT, SOLUTION


def mean_square_by_drawing(x, std, with_relu):
    weights = np.random.default_rng(0).normal(0, std, (100_000, len(x)))
    y = weights @ x
    return (np.maximum(y, 0) ** 2).mean() if with_relu else (y**2).mean()


def mean_square_by_a_loop(x, std, with_relu):
    total = 0.0
    for value in x:
        total += std * std * value * value
    return 0.5 * total if with_relu else total


def centred_by_loops(weight):
    out = np.empty(weight.shape)
    for f, neuron in enumerate(weight):
        N = neuron.size
        out[f] = (neuron - neuron.sum() / N) * (N / (N - 1)) ** 0.5
    return out.tolist()


def centred_in_place(weight):
    weight -= weight.mean(axis=(1, 2, 3), keepdims=True)
    N = weight[0].size
    weight *= np.sqrt(N / (N - 1))
    return weight


def centred_to_the_old_deviation(weight):
    """Scale what is there to its old spread, and not the spread that is expected."""
    centred = weight - weight.mean(axis=(1, 2, 3), keepdims=True)
    return centred * weight.std(axis=(1, 2, 3), keepdims=True) / centred.std(axis=(1, 2, 3), keepdims=True)


def centred_to_the_old_mean_square(weight):
    centred = weight - weight.mean(axis=(1, 2, 3), keepdims=True)
    return centred * np.sqrt(
        (weight**2).sum(axis=(1, 2, 3), keepdims=True) / (centred**2).sum((1, 2, 3), keepdims=True)
    )


def centred_with_the_size_of_the_tiny_case(weight):
    return (weight - weight.mean(axis=(1, 2, 3), keepdims=True)) * np.sqrt(4 / 3)


ANSWERS = [
    ("expected_mean_square", mean_square_by_a_loop, RIGHT),
    ("expected_mean_square", lambda x, std, with_relu: std**2 * np.dot(x, x) / (1 + with_relu), RIGHT),
    ("expected_mean_square", lambda x, std, with_relu: [mean_square_by_a_loop(x, std, with_relu)], "expected ()"),
    ("expected_mean_square", lambda x, std, with_relu: std**2 * x**2, "mean_square has shape (4,)"),
    ("expected_mean_square", lambda x, std, with_relu: std**2 * (x**2).mean() / 2, "a mean over the inputs"),
    ("expected_mean_square", lambda x, std, with_relu: len(x) * std**2 / 2, "mean_square differs"),
    ("expected_mean_square", lambda x, std, with_relu: std**2 * x.var() * len(x) / 2, "mean_square differs"),
    (
        "expected_mean_square",
        lambda x, std, with_relu: std**2 * (np.maximum(x, 0) ** 2).sum() / 2,
        "case is right, but",
    ),
    ("expected_mean_square", lambda x, std, with_relu: std**2 * (x**2).sum() / 2, "the tiny case is right, but"),
    ("expected_mean_square", mean_square_by_drawing, "mean_square differs"),
    ("expected_mean_square", lambda x, std, with_relu: 12.0, "the tiny case is right, but"),
    ("he_std", lambda shape, is_up_conv: np.sqrt(2 / np.prod(shape[1:])), "C channels come in, by one tap"),
    ("he_std", lambda shape, is_up_conv: np.sqrt(2 / (shape[0] * shape[2] * shape[3])), "one of the four taps only"),
    (
        "he_std",
        lambda shape, is_up_conv: (2 / shape[0]) ** 0.5 if is_up_conv else (1 / shape[1]) ** 0.5,
        "is right, but",
    ),
    ("gradient_growth", lambda shape, std: std**2 * shape[0] * shape[2] * shape[3] * 0.5, RIGHT),
    ("gradient_growth", lambda shape, std: np.sum(np.ones(shape)[:, 0]) * std**2 / 2, RIGHT),
    ("gradient_growth", lambda shape, std: np.prod(shape[1:]) * std**2 / 2, "this is the way forward"),
    ("gradient_growth", lambda shape, std: np.prod(shape) * std**2 / 2, "for one pixel of dx"),
    ("gradient_growth", lambda shape, std: shape[0] * shape[2] * shape[3] * std**2, "gates of the ReLU are missing"),
    ("gradient_growth", lambda shape, std: shape[0] * shape[2] ** 2 * std**2 / 2, "the tiny case is right, but"),
    ("gradient_growth", lambda shape, std: 1.0, "factor differs"),
    ("gradient_growth", lambda shape, std: 36.0, "the tiny case is right, but"),
    ("centred_weight", centred_by_loops, RIGHT),
    ("centred_weight", lambda weight: SOLUTION["centred_weight"](weight).astype(np.float32), "float32, or an epsilon?"),
    ("centred_weight", centred_in_place, "it changes its argument weight"),
    ("centred_weight", lambda weight: weight - weight.mean(axis=(1, 2, 3), keepdims=True), "deviation has shrunk"),
    ("centred_weight", lambda weight: weight - weight.mean(), "weight differs"),
    ("centred_weight", lambda weight: weight - weight.mean(axis=(1, 2, 3)), "with keepdims=True"),
    ("centred_weight", centred_to_the_old_deviation, "weight differs"),
    ("centred_weight", centred_to_the_old_mean_square, "weight differs"),
    ("centred_weight", centred_with_the_size_of_the_tiny_case, "the tiny case is right, but"),
]

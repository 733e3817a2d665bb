"""The exercises of notebook 16: how large a layer's output and gradient get, and weights that keep both at one size."""

import numpy as np

from minunet.course.exercise import Exercise

rng = np.random.default_rng(16)


def expected_mean_square(x, std, with_relu):
    mean_square = std**2 * (x**2).sum()
    return mean_square / 2 if with_relu else mean_square


def he_std(shape, is_up_conv):
    """Return sqrt(2 / N) with N incoming nodes, for a weight (F, C, KH, KW), or (C, F, 2, 2) of an up-convolution."""
    N = shape[0] if is_up_conv else shape[1] * shape[2] * shape[3]
    return np.sqrt(2 / N)


def gradient_growth(shape, std):
    F, _, KH, KW = shape
    return F * KH * KW * std**2 / 2


def centred_weight(weight, axes=(1, 2, 3), power=0.5):
    mean = weight.mean(axis=axes, keepdims=True)
    N = weight.size // mean.size
    return (weight - mean) * (N / (N - 1)) ** power


EXERCISES = [
    Exercise(
        "expected_mean_square",
        solution=expected_mean_square,
        outputs=("mean_square",),
        args=(np.array([1.0, 2, 0, 1]), 2.0, True),
        more=(
            (np.array([1.0, 2, 0, 1]), 3.0, False),
            (np.array([3.0, -4]), 0.5, True),
            (rng.normal(size=100), 0.1, True),
            (rng.normal(size=7), 1.5, False),
        ),
        mistakes={
            "the ReLU lets only half of the mean square through": lambda x, std, with_relu: expected_mean_square(
                x, std, False
            ),
            "std is not squared: twice as large a weight makes y twice, and y**2 four times as large": (
                lambda x, std, with_relu: expected_mean_square(x, np.sqrt(std), with_relu)
            ),
            "this is a mean over the inputs: y is a sum of N products, so N * std**2 times their mean square": (
                lambda x, std, with_relu: expected_mean_square(x, std, with_relu) / len(x)
            ),
            "the inputs are added before they are squared: the mixed terms should be gone": (
                lambda x, std, with_relu: expected_mean_square(x.sum(keepdims=True), std, with_relu)
            ),
        },
        hint="the mean of y**2 is the sum of std**2 * x[i]**2 over the inputs, and half of that after a ReLU",
    ),
    Exercise(
        "he_std",
        solution=he_std,
        outputs=("std",),
        args=((18, 6, 2, 2), True),
        more=(
            ((9, 2, 3, 3), False),
            ((64, 64, 3, 3), False),
            ((2, 64, 1, 1), False),
            ((1024, 512, 2, 2), True),
            ((5, 7, 1, 3), False),
        ),
        mistakes={
            "this is the variance 2 / N; the standard deviation is its square root": (
                lambda shape, is_up_conv: he_std(shape, is_up_conv) ** 2
            ),
            "a pixel of the up-convolution's output is painted by one of the four taps only: N is C": (
                lambda shape, is_up_conv: np.sqrt(2 / (4 * shape[0]))
            ),
            "an up-convolution's weight is (C, F, 2, 2): C, the incoming channels, is its first axis": (
                lambda shape, is_up_conv: he_std((shape[1], shape[0], 1, 1), is_up_conv)
            ),
            "N counts F channels and four taps: C channels come in, by one tap": (
                lambda shape, is_up_conv: he_std(shape, False)
            ),
            "the 2 is missing: a ReLU lets half of the mean square through": (
                lambda shape, is_up_conv: he_std(shape, is_up_conv) / np.sqrt(2)
            ),
        },
        hint="N is the number of products that are added up for one pixel of the output",
    ),
    Exercise(
        "gradient_growth",
        solution=gradient_growth,
        outputs=("factor",),
        args=((2, 3, 3, 3), 2.0),
        more=(((64, 1, 3, 3), 0.1), ((2, 64, 1, 1), 0.5), ((5, 4, 2, 3), 1.0)),
        mistakes={
            "this is the way forward: on the way back, each pixel of x collects from F channels": (
                lambda shape, std: gradient_growth((shape[1], shape[0], *shape[2:]), std)
            ),
            "the gates of the ReLU are missing: half of them are closed": lambda shape, std: (
                2 * gradient_growth(shape, std)
            ),
            "the taps are missing: a pixel of x is read by KH * KW pixels of y": lambda shape, std: gradient_growth(
                (shape[0], shape[1], 1, 1), std
            ),
            "std is not squared": lambda shape, std: gradient_growth(shape, np.sqrt(std)),
        },
        hint="how many products are added up for one pixel of dx? And how many of the numbers in dy does a ReLU keep?",
    ),
    Exercise(
        "centred_weight",
        solution=centred_weight,
        outputs=("weight",),
        args=(np.array([[1.0, 2, 3, 6], [4, 0, -2, 2]]).reshape(2, 2, 1, 2),),
        more=((rng.normal(size=(3, 2, 3, 3)),), (rng.normal(size=(1, 4, 1, 1)),), (rng.normal(size=(4, 1, 2, 5)),)),
        mistakes={
            "the standard deviation has shrunk: multiply by sqrt(N / (N - 1))": lambda weight: centred_weight(
                weight, power=0
            ),
            "the factor is N / (N - 1): that is for the variance, so take its square root": lambda weight: (
                centred_weight(weight, power=1)
            ),
            "the mean is that of all weights: every neuron has its own, over axes 1, 2 and 3": (
                lambda weight: centred_weight(weight, axes=(0, 1, 2, 3))
            ),
            "each input channel was centred on its own: a neuron is all of weight[f]": (
                lambda weight: centred_weight(weight, axes=(2, 3))
            ),
            "the sum was taken over axis 0, and that is the neurons: a neuron is weight[f]": (
                lambda weight: centred_weight(weight, axes=(0,))
            ),
        },
        hint="with keepdims=True the mean can be subtracted as it is; N is the number of weights of one neuron",
    ),
]

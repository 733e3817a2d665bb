"""The exercises of notebook 17: batch normalisation, its backward pass, running averages, folding; dropout."""

import numpy as np

from minunet.course.exercise import Exercise
from minunet.layers.batch_norm import batch_norm_backward, batch_norm_forward, fold_batch_norm
from minunet.layers.dropout import DropoutCache, dropout_backward, dropout_forward

rng = np.random.default_rng(17)
PIXELS = (0, 2, 3)  # the axes over which a channel is normalised


def y_of(x, gamma, beta, epsilon, axes=PIXELS, ddof=0):
    mean = x.mean(axis=axes, keepdims=True)
    variance = x.var(axis=axes, keepdims=True, ddof=ddof)
    return gamma[:, None, None] * (x - mean) / np.sqrt(variance + epsilon) + beta[:, None, None]


def y_with_epsilon_outside(x, gamma, beta, epsilon):
    mean, std = x.mean(axis=PIXELS, keepdims=True), x.std(axis=PIXELS, keepdims=True)
    return gamma[:, None, None] * (x - mean) / (std + epsilon) + beta[:, None, None]


def y_over_the_variance(x, gamma, beta, epsilon):
    mean, variance = x.mean(axis=PIXELS, keepdims=True), x.var(axis=PIXELS, keepdims=True)
    return gamma[:, None, None] * (x - mean) / (variance + epsilon) + beta[:, None, None]


def gradients(dy, cache, mean_term=1.0, variance_term=1.0):
    """Return dx, dgamma, dbeta, with each of the two terms of dx taken so many times."""
    x_hat, gamma, _, variance, epsilon = cache
    _, dgamma, dbeta = batch_norm_backward(dy, cache)
    M = dy.size / len(gamma)
    dx = dy - mean_term * (dbeta / M)[:, None, None] - variance_term * x_hat * (dgamma / M)[:, None, None]
    return (gamma / np.sqrt(variance + epsilon))[:, None, None] * dx, dgamma, dbeta


def without_gamma(dy, cache):
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dx / cache.gamma[:, None, None], dgamma, dbeta


def over_the_variance(dy, cache):
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dx / np.sqrt(cache.variance + cache.epsilon)[:, None, None], dgamma, dbeta


def means_in_place_of_sums(dy, cache):
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    M = dy.size / len(cache.gamma)
    return dx, dgamma / M, dbeta / M


def dgamma_without_x_hat(dy, cache):
    dx, _, dbeta = batch_norm_backward(dy, cache)
    return dx, dbeta, dbeta


def running_averages(running_mean, running_variance, mean, variance, M, momentum):
    running_mean = (1 - momentum) * running_mean + momentum * mean
    running_variance = (1 - momentum) * running_variance + momentum * variance * M / (M - 1)
    return running_mean, running_variance


def biased(running_mean, running_variance, mean, variance, M, momentum):
    return running_averages(running_mean, running_variance, mean, variance * (M - 1) / M, M, momentum)


def corrected_the_wrong_way(running_mean, running_variance, mean, variance, M, momentum):
    return biased(running_mean, running_variance, mean, variance * (M - 1) / M, M, momentum)


def momentum_of_the_old(running_mean, running_variance, mean, variance, M, momentum):
    return running_averages(running_mean, running_variance, mean, variance, M, 1 - momentum)


def without_the_old(running_mean, running_variance, mean, variance, M, momentum):
    return running_averages(0 * mean, 0 * mean, mean, variance, M, momentum)


def folded_bias_not_scaled(weight, bias, gamma, beta, mean, variance, epsilon):
    folded, _ = fold_batch_norm(weight, bias, gamma, beta, mean, variance, epsilon)
    return folded, bias - mean + beta


def folded_beta_scaled(weight, bias, gamma, beta, mean, variance, epsilon):
    folded, all_scaled = fold_batch_norm(weight, bias + beta, gamma, 0 * beta, mean, variance, epsilon)
    return folded, all_scaled


def folded_without_bias(weight, bias, gamma, beta, mean, variance, epsilon):
    return fold_batch_norm(weight, 0 * bias, gamma, beta, mean, variance, epsilon)


def folded_mean_added(weight, bias, gamma, beta, mean, variance, epsilon):
    return fold_batch_norm(weight, bias, gamma, beta, -mean, variance, epsilon)


def folded_without_root(weight, bias, gamma, beta, mean, variance, epsilon):
    return fold_batch_norm(weight, bias, gamma, beta, mean, (variance + epsilon) ** 2 - epsilon, epsilon)


def batch_norm_case(x: np.ndarray, gamma: np.ndarray, epsilon: float) -> tuple:
    """Return (dy, cache)."""
    _, cache = batch_norm_forward(x, gamma, 0 * gamma, epsilon)
    return rng.integers(-3, 4, x.shape).astype(float), cache


def fold_case(F: int, C: int, KH: int, KW: int, epsilon: float) -> tuple:
    vectors = [rng.integers(-3, 4, F).astype(float) for _ in range(4)]  # bias, gamma, beta, mean
    return rng.normal(size=(F, C, KH, KW)), *vectors, rng.uniform(0.5, 3, F), epsilon


# (2, 2, 1, 2): mean 4 and 2, variance 5 and 12, so that with epsilon = 4 the square roots are 3 and 4
TINY = np.array([[[[1.0, 3]], [[0, 0]]], [[[5, 7]], [[0, 8]]]])
LARGER = rng.normal(size=(3, 4, 5, 2)) * np.arange(1, 5)[:, None, None] + np.arange(4)[:, None, None]
FOLD_TINY = (
    np.array([1.0, 2]).reshape(2, 1, 1, 1),  # weight
    np.array([1.0, -1]),  # bias
    np.array([3.0, 2]),  # gamma
    np.array([0.0, 5]),  # beta
    np.array([4.0, 2]),  # mean
    np.array([5.0, 12]),  # variance
    4.0,  # epsilon
)

EXERCISES = [
    Exercise(
        "batch_norm",
        solution=y_of,
        outputs=("y",),
        args=(TINY, np.array([3.0, 2]), np.array([0.0, 1]), 4.0),
        more=(
            (LARGER, rng.normal(size=4), rng.normal(size=4), 1e-5),
            (rng.normal(size=(1, 3, 4, 6)), rng.normal(size=3), rng.normal(size=3), 0.1),
            (rng.normal(size=(6, 2, 1, 1)), rng.normal(size=2), rng.normal(size=2), 0.1),
        ),
        mistakes={
            "every image was normalised on its own: the mean of a channel is over N, H and W": (
                lambda x, gamma, beta, epsilon: y_of(x, gamma, beta, epsilon, axes=(2, 3))
            ),
            "the channels were mixed: each has its own mean and variance, so the sum is over axes 0, 2 and 3": (
                lambda x, gamma, beta, epsilon: y_of(x, gamma, beta, epsilon, axes=(0, 1, 2, 3))
            ),
            "every pixel was normalised over its channels: the sum is over axes 0, 2 and 3": (
                lambda x, gamma, beta, epsilon: y_of(x, gamma, beta, epsilon, axes=(1,))
            ),
            "the variance divides by M - 1: in the forward pass it is a plain mean, over M": (
                lambda x, gamma, beta, epsilon: y_of(x, gamma, beta, epsilon, ddof=1)
            ),
            "epsilon belongs under the square root: sqrt(variance + epsilon)": y_with_epsilon_outside,
            "the square root is missing: divide by the standard deviation": y_over_the_variance,
            "gamma and beta are missing: they come last": lambda x, gamma, beta, epsilon: y_of(
                x, 0 * gamma + 1, 0 * beta, epsilon
            ),
        },
        ready_made=("batch_norm_forward", "batch_norm"),
        hint="mean(axis=(0, 2, 3), keepdims=True) keeps the axes; gamma[:, None, None] is (C, 1, 1)",
    ),
    Exercise(
        "batch_norm_backward",
        solution=batch_norm_backward,
        outputs=("dx", "dgamma", "dbeta"),
        args=batch_norm_case(TINY, np.array([3.0, 2]), 4.0),
        more=(batch_norm_case(LARGER, rng.normal(size=4), 1e-5), batch_norm_case(LARGER[:1], rng.normal(size=4), 0.1)),
        pair=(batch_norm_forward, (rng.normal(size=(2, 3, 4, 5)), rng.normal(size=3), rng.normal(size=3))),
        mistakes={
            "mean and variance are taken for constants, and both depend on x: two terms of dx are missing": (
                lambda dy, cache: gradients(dy, cache, 0, 0)
            ),
            "the way through the mean is missing: dx should sum to 0 over every channel": (
                lambda dy, cache: gradients(dy, cache, 0, 1)
            ),
            "the way through the variance is missing: the term with x_hat": lambda dy, cache: gradients(
                dy, cache, 1, 0
            ),
            "the signs of the two terms are wrong: they are taken away": lambda dy, cache: gradients(dy, cache, -1, -1),
            "gamma is missing in dx": without_gamma,
            "dx was divided by variance + epsilon: it is the square root": over_the_variance,
            "dgamma and dbeta are sums over the pixels, not means": means_in_place_of_sums,
            "gamma multiplied x_hat, so dgamma sums dy * x_hat": dgamma_without_x_hat,
        },
        ready_made=("batch_norm_backward", "batch_norm_gradients"),
        hint="first dgamma and dbeta; dx is made of dy, dbeta / M and x_hat * dgamma / M, times gamma / sqrt(...)",
    ),
    Exercise(
        "running_averages",
        solution=running_averages,
        outputs=("running_mean", "running_variance"),
        args=(np.array([8.0, 0]), np.array([4.0, 4]), np.array([4.0, 4]), np.array([3.0, 9]), 4, 0.25),
        more=((rng.normal(size=3), rng.random(3), rng.normal(size=3), rng.random(3), 10, 0.1),),
        mistakes={
            "the variance is too small: M / (M - 1) is missing": biased,
            "the variance was made smaller: the factor is M / (M - 1)": corrected_the_wrong_way,
            "momentum is the share of the new batch here, not of the old average": momentum_of_the_old,
            "the old average is missing": without_the_old,
        },
        ready_made=("update_running",),
        hint="(1 - momentum) * old + momentum * new, for both; the new variance times M / (M - 1)",
    ),
    Exercise(
        "fold_batch_norm",
        solution=fold_batch_norm,
        outputs=("weight", "bias"),
        args=FOLD_TINY,
        more=(fold_case(4, 3, 3, 3, 1e-5), fold_case(3, 3, 1, 2, 0.5)),
        mistakes={
            "the bias is not scaled: it goes through the normalisation like everything that the convolution puts out": (
                folded_bias_not_scaled
            ),
            "beta was scaled: it is added last": folded_beta_scaled,
            "the convolution's own bias is lost": folded_without_bias,
            "the mean is subtracted, not added": folded_mean_added,
            "the square root is missing in the factor": folded_without_root,
        },
        ready_made=("fold_batch_norm",),
        hint="write gamma * (weight * x + bias - mean) / sqrt(variance + epsilon) + beta as (...) * x + (...)",
    ),
    Exercise(
        "dropout_backward",
        solution=dropout_backward,
        outputs=("dx",),
        args=(
            np.array([[1.0, 2, 3], [4, 5, 6]]),
            DropoutCache(np.array([[True, False, True], [False, False, True]]), 0.75),
        ),
        more=((rng.normal(size=(2, 3, 4)), DropoutCache(rng.random((2, 3, 4)) < 0.7, 0.3)),),
        pair=(dropout_forward, (rng.normal(size=(2, 3, 4, 5)), 0.4, np.random.default_rng(5))),
        mistakes={
            "the factor is missing: what was kept was multiplied by 1 / (1 - rate)": lambda dy, cache: dy * cache.keep,
            "the mask is missing: what was dropped has no effect on y": lambda dy, cache: dy / (1 - cache.rate),
            "it divides by rate: the share that is kept is 1 - rate": lambda dy, cache: dy * cache.keep / cache.rate,
            "the gradient went to the elements that were dropped": lambda dy, cache: (
                dy * ~cache.keep / (1 - cache.rate)
            ),
        },
        ready_made=("dropout_backward", "dropout_gradient"),
        hint="y = x * keep / (1 - rate) is linear in x, so dx is the same with dy in place of x",
    ),
]

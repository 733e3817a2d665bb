"""Answers to the exercises of notebook 17."""

import numpy as np

from minunet.layers.batch_norm import batch_norm_backward, batch_norm_forward, fold_batch_norm
from minunet.layers.dropout import dropout_backward
from student_answers.common import RIGHT, SOLUTION


def y_channel_by_channel(x, gamma, beta, epsilon):
    y = np.empty(x.shape)
    for c in range(x.shape[1]):
        pixels = x[:, c].ravel().tolist()
        mean = sum(pixels) / len(pixels)
        variance = sum((p - mean) ** 2 for p in pixels) / len(pixels)
        y[:, c] = (x[:, c] - mean) / (variance + epsilon) ** 0.5 * gamma[c] + beta[c]
    return y


def y_in_place(x, gamma, beta, epsilon):
    x -= x.mean(axis=(0, 2, 3), keepdims=True)
    x /= np.sqrt((x**2).mean(axis=(0, 2, 3), keepdims=True) + epsilon)
    x *= gamma[:, None, None]
    x += beta[:, None, None]
    return x


def y_with_gamma_on_the_wrong_axis(x, gamma, beta, epsilon):
    x_hat = (x - x.mean(axis=(0, 2, 3), keepdims=True)) / np.sqrt(x.var(axis=(0, 2, 3), keepdims=True) + epsilon)
    return gamma * x_hat + beta


def y_without_gamma(x, gamma, beta, epsilon):
    return SOLUTION["batch_norm"](x, 1 + 0 * gamma, 0 * beta, epsilon)


def y_by_the_square(x, gamma, beta, epsilon):
    """The square where a root belongs: https://github.com/jax-ml/jax/issues/442."""
    mean, variance = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    return gamma[:, None, None] * (x - mean) / (variance + epsilon) ** 2 + beta[:, None, None]


def y_with_the_epsilon_that_is_usual(x, gamma, beta, epsilon):
    return SOLUTION["batch_norm"](x, gamma, beta, 1e-5)


def gradients_step_by_step(dy, cache):
    """The graph of the forward pass, walked back as in public courses."""
    x_hat, gamma, _, variance, epsilon = cache
    M = dy[:, 0].size
    std = np.sqrt(variance + epsilon)[:, None, None]
    centred = x_hat * std
    dx_hat = dy * gamma[:, None, None]
    dstd = -(dx_hat * centred).sum(axis=(0, 2, 3), keepdims=True) / std**2
    dcentred = dx_hat / std + centred * dstd / (M * std)
    dx = dcentred - dcentred.mean(axis=(0, 2, 3), keepdims=True)
    return [dx, (dy * x_hat).sum(axis=(0, 2, 3)), dy.sum(axis=(0, 2, 3))]


def gradients_with_twice_the_mean(dy, cache):
    """A term too much for the mean: https://github.com/apache/mxnet/issues/1053."""
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    M = dy[:, 0].size
    return dx + (cache.gamma * dbeta / np.sqrt(cache.variance + cache.epsilon) / M**2)[:, None, None], dgamma, dbeta


def gradients_with_means_of_an_image(dy, cache):
    single = [batch_norm_backward(dy[n : n + 1], cache._replace(x_hat=cache.x_hat[n : n + 1])) for n in range(len(dy))]
    return np.concatenate([one[0] for one in single]), sum(one[1] for one in single), sum(one[2] for one in single)


def gradients_over_the_batch_alone(dy, cache):
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dx, (dy * cache.x_hat).sum(axis=0), dy.sum(axis=0)


def gradients_without_epsilon(dy, cache):
    return batch_norm_backward(dy, cache._replace(epsilon=0.0))


def gradients_with_gamma_in_place(dy, cache):
    dy *= cache.gamma[:, None, None]
    dx, dgamma, dbeta = batch_norm_backward(dy, cache._replace(gamma=np.ones(len(cache.gamma))))
    return dx, dgamma / cache.gamma, dbeta / cache.gamma


def averages_one_by_one(running_mean, running_variance, mean, variance, M, momentum):
    means, variances = [], []
    for old_mean, old_variance, new_mean, new_variance in zip(
        running_mean, running_variance, mean, variance, strict=True
    ):
        means.append(old_mean + momentum * (new_mean - old_mean))
        variances.append(old_variance + momentum * (new_variance * M / (M - 1) - old_variance))
    return means, variances


def averages_in_place(running_mean, running_variance, mean, variance, M, momentum):
    running_mean += momentum * (mean - running_mean)
    running_variance += momentum * (variance * M / (M - 1) - running_variance)
    return running_mean, running_variance


def averages_of_deviations(running_mean, running_variance, mean, variance, M, momentum):
    deviation = (1 - momentum) * np.sqrt(running_variance) + momentum * np.sqrt(variance * M / (M - 1))
    return (1 - momentum) * running_mean + momentum * mean, deviation**2


def averages_with_the_mean_corrected(running_mean, running_variance, mean, variance, M, momentum):
    return SOLUTION["running_averages"](running_mean, running_variance, mean * M / (M - 1), variance, M, momentum)


def averages_with_all_of_the_variance_corrected(running_mean, running_variance, mean, variance, M, momentum):
    new = (1 - momentum) * running_variance + momentum * variance
    return (1 - momentum) * running_mean + momentum * mean, new * M / (M - 1)


def averages_of_a_quarter(running_mean, running_variance, mean, variance, M, momentum):
    return SOLUTION["running_averages"](running_mean, running_variance, mean, variance, 4, 0.25)


def folded_feature_by_feature(weight, bias, gamma, beta, mean, variance, epsilon):
    folded = [g / (v + epsilon) ** 0.5 * kernel for g, v, kernel in zip(gamma, variance, weight, strict=True)]
    biases = [
        g / (v + epsilon) ** 0.5 * (b - m) + t for g, v, b, m, t in zip(gamma, variance, bias, mean, beta, strict=True)
    ]
    return folded, biases


def folded_along_the_input_channels(weight, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    return weight * factor[None, :, None, None], factor * (bias - mean) + beta


def folded_on_the_last_axis(weight, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    return weight * factor, factor * (bias - mean) + beta


def folded_without_gamma(weight, bias, gamma, beta, mean, variance, epsilon):
    return fold_batch_norm(weight, bias, 1 + 0 * gamma, beta, mean, variance, epsilon)


def folded_in_place(weight, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    weight *= factor[:, None, None, None]
    return weight, factor * (bias - mean) + beta


def dropout_with_a_new_mask(dy, cache):
    keep = np.random.default_rng().random(dy.shape) >= cache.rate
    return dy * keep / (1 - cache.rate)


def dropout_by_index(dy, cache):
    dx = dy.copy()
    dx[~cache.keep] = 0
    return dx / (1 - cache.rate)


def dropout_in_place(dy, cache):
    dy[~cache.keep] = 0
    dy /= 1 - cache.rate
    return dy


ANSWERS = [
    ("batch_norm", y_channel_by_channel, RIGHT),
    ("batch_norm", lambda *args: batch_norm_forward(*args)[0], RIGHT),
    ("batch_norm", lambda *args: batch_norm_forward(*args), "y should be an array or a number, and is a tuple"),
    ("batch_norm", y_in_place, "it changes its argument x"),
    ("batch_norm", y_with_gamma_on_the_wrong_axis, "y differs"),
    ("batch_norm", y_without_gamma, "gamma and beta are missing"),
    ("batch_norm", y_by_the_square, "y differs"),
    ("batch_norm", y_with_the_epsilon_that_is_usual, "y differs"),
    ("batch_norm", lambda *args: SOLUTION["batch_norm"](args[0].astype(np.float32), *args[1:]), "or an epsilon?"),
    ("batch_norm_backward", gradients_step_by_step, RIGHT),
    ("batch_norm_backward", gradients_with_twice_the_mean, "dx differs"),
    ("batch_norm_backward", gradients_with_means_of_an_image, "dx differs"),
    ("batch_norm_backward", gradients_over_the_batch_alone, "dgamma has shape (2, 1, 2), expected (2,)"),
    ("batch_norm_backward", gradients_without_epsilon, "dx differs"),
    ("batch_norm_backward", gradients_with_gamma_in_place, "it changes its argument dy"),
    ("batch_norm_backward", lambda *args: batch_norm_backward(*args)[::-1], "dx has shape (2,)"),
    ("running_averages", averages_one_by_one, RIGHT),
    ("running_averages", lambda *args: np.array(SOLUTION["running_averages"](*args)), RIGHT),
    ("running_averages", averages_in_place, "it changes its argument running_mean"),
    ("running_averages", averages_of_deviations, "running_variance differs"),
    ("running_averages", averages_with_the_mean_corrected, "running_mean differs"),
    ("running_averages", averages_with_all_of_the_variance_corrected, "running_variance differs"),
    ("running_averages", averages_of_a_quarter, "the tiny case is right, but"),
    ("fold_batch_norm", folded_feature_by_feature, RIGHT),
    ("fold_batch_norm", folded_along_the_input_channels, "weight has shape"),
    ("fold_batch_norm", folded_on_the_last_axis, "weight has shape"),
    ("fold_batch_norm", folded_without_gamma, "weight differs"),
    ("fold_batch_norm", folded_in_place, "it changes its argument weight"),
    ("fold_batch_norm", lambda *args: fold_batch_norm(*args[:-1], 4.0), "the tiny case is right, but"),
    ("dropout_backward", dropout_by_index, RIGHT),
    ("dropout_backward", lambda dy, c: np.einsum("...,...->...", dy, c.keep / (1 - c.rate)).tolist(), RIGHT),
    ("dropout_backward", lambda dy, cache: dropout_backward(dy, cache), RIGHT),
    ("dropout_backward", dropout_in_place, "it changes its argument dy"),
    ("dropout_backward", dropout_with_a_new_mask, "dx differs"),
    ("dropout_backward", lambda dy, cache: dy * cache.keep * (1 - cache.rate), "dx differs"),
    ("dropout_backward", lambda dy, cache: dy * cache.keep / cache.keep.mean(), "0.5 times what it should"),
    ("dropout_backward", lambda dy, cache: np.where(cache.keep, 4 * dy, 0), "the tiny case is right, but"),
]

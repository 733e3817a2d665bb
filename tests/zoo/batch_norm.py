import numpy as np

from minunet import batch_norm_backward, batch_norm_forward
from zoo.bug import Cage

rng = np.random.default_rng(16)
x, gamma, beta = 2 + 3 * rng.standard_normal((2, 3, 5, 4)), rng.standard_normal(3), rng.standard_normal(3)
cage = Cage("batch norm", batch_norm_forward, batch_norm_backward, (x, gamma, beta))


def shaped(vector):
    return vector[:, None, None]


def std_of(cache):
    return np.sqrt(cache.variance + cache.epsilon)


def mean_over_pixels(array):
    return array.mean(axis=(0, 2, 3))


@cage.bug("wrong", "x")
def statistics_taken_for_constants(dy, cache):
    _, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dy * shaped(cache.gamma / std_of(cache)), dgamma, dbeta


@cage.bug("wrong", "x")
def gradient_of_the_mean_forgotten(dy, cache):
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dx + shaped(cache.gamma / std_of(cache) * mean_over_pixels(dy)), dgamma, dbeta


@cage.bug("wrong", "x")
def gradient_of_the_variance_forgotten(dy, cache):
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dx + cache.x_hat * shaped(cache.gamma / std_of(cache) * mean_over_pixels(dy * cache.x_hat)), dgamma, dbeta


@cage.bug("wrong", "x")
def gamma_forgotten_in_dx(dy, cache):
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dx / shaped(cache.gamma), dgamma, dbeta


@cage.bug("wrong", "x")
def divided_by_the_variance(dy, cache):
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dx / shaped(std_of(cache)), dgamma, dbeta


@cage.bug("wrong", "x")
def unbiased_variance(dy, cache):
    M = dy.size // len(cache.gamma)
    variance = cache.variance * M / (M - 1)
    return batch_norm_backward(dy, cache._replace(variance=variance))


@cage.bug("wrong", "gamma")
def dgamma_without_x_hat(dy, cache):
    dx, _, dbeta = batch_norm_backward(dy, cache)
    return dx, dbeta.copy(), dbeta


@cage.bug("wrong", "gamma")
def dgamma_is_a_mean(dy, cache):
    dx, _, dbeta = batch_norm_backward(dy, cache)
    return dx, mean_over_pixels(dy * cache.x_hat), dbeta


@cage.bug("wrong", "beta")
def dbeta_of_the_first_image(dy, cache):
    dx, dgamma, _ = batch_norm_backward(dy, cache)
    return dx, dgamma, dy[0].sum(axis=(1, 2))


@cage.bug("wrong", "x")
def statistics_of_each_image(dy, cache):
    """What `instance normalisation` does on the way back."""
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    one_by_one = [batch_norm_backward(dy[n : n + 1], cache._replace(x_hat=cache.x_hat[n : n + 1]))[0] for n in (0, 1)]
    return np.concatenate(one_by_one), dgamma, dbeta


@cage.forward_bug("wrong", "x")
def forward_without_epsilon_in_the_cache(x, gamma, beta):
    y, cache = batch_norm_forward(x, gamma, beta, epsilon=0.1)
    return y, cache._replace(epsilon=1e-5)

import numpy as np

from minunet import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from zoo.bug import Cage

rng = np.random.default_rng(16)
logits, labels, weights = rng.standard_normal((2, 3, 5, 4)), rng.integers(0, 3, (2, 5, 4)), rng.random((2, 5, 4))
cage = Cage("loss", softmax_cross_entropy_forward, softmax_cross_entropy_backward, (logits, labels, weights))


@cage.bug("wrong", "logits")
def sum_for_a_mean(dloss, cache):
    return softmax_cross_entropy_backward(dloss, cache) * cache.labels.size


@cage.bug("wrong", "logits")
def mean_over_the_batch_only(dloss, cache):
    return softmax_cross_entropy_backward(dloss, cache) * cache.labels[0].size


@cage.bug("wrong", "logits")
def weights_forgotten(dloss, cache):
    return softmax_cross_entropy_backward(dloss, cache._replace(weights=None))


@cage.bug("wrong", "logits")
def divided_by_the_sum_of_the_weights(dloss, cache):
    return softmax_cross_entropy_backward(dloss, cache) * cache.labels.size / cache.weights.sum()


@cage.bug("wrong", "logits")
def weights_counted_twice(dloss, cache):
    return softmax_cross_entropy_backward(dloss, cache) * cache.weights[:, None]


@cage.bug("wrong", "logits")
def dloss_ignored(dloss, cache):
    return softmax_cross_entropy_backward(np.ones(()), cache)


@cage.bug("wrong", "logits")
def sign(dloss, cache):
    return -softmax_cross_entropy_backward(dloss, cache)


@cage.bug("wrong", "logits")
def labels_off_by_one(dloss, cache):
    return softmax_cross_entropy_backward(dloss, cache._replace(labels=(cache.labels + 1) % 3))


@cage.bug("wrong", "logits")
def onehot_forgotten(dloss, cache):
    return dloss * cache.weights[:, None] * cache.p / cache.labels.size


@cage.bug("wrong", "logits")
def diagonal_of_the_softmax_jacobian_only(dloss, cache):
    p, labels, weights = cache
    onehot = labels[:, None] == np.arange(3)[:, None, None]
    return dloss * weights[:, None] * onehot * (p - 1) / labels.size


@cage.forward_bug("nonfinite", "y", args=(1000 * logits, labels, weights))
def exp_overflows(logits, labels, weights):
    with np.errstate(over="ignore", invalid="ignore"):
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    surprise = -np.log(np.take_along_axis(p, labels[:, None], axis=1)[:, 0] + 1e-300)
    return (surprise * weights).mean(), softmax_cross_entropy_forward(logits, labels, weights)[1]


@cage.bug("vacuous", args=(logits, labels, np.zeros_like(weights)))
def checked_where_every_weight_is_zero(dloss, cache):
    return np.zeros_like(cache.p)

import numpy as np

from minunet import dropout_backward, dropout_forward
from zoo.bug import Cage

x = np.random.default_rng(15).standard_normal((2, 3, 5, 4))
cage = Cage("dropout", dropout_forward, dropout_backward, (x, 0.3, np.random.default_rng(0)))


@cage.bug("wrong", "x")
def scale_forgotten(dy, cache):
    return dy * cache.keep


@cage.bug("wrong", "x")
def scaled_by_the_rate(dy, cache):
    return dy * cache.keep / cache.rate


@cage.bug("wrong", "x")
def mask_forgotten(dy, cache):
    return dy / (1 - cache.rate)


@cage.bug("wrong", "x")
def another_mask(dy, cache):
    return dropout_backward(dy, cache._replace(keep=np.random.default_rng(1).random(dy.shape) >= cache.rate))


@cage.bug("nondeterministic", "x")
def a_new_mask_each_time(dy, cache):
    return dropout_backward(dy, cache._replace(keep=np.random.default_rng().random(dy.shape) >= cache.rate))


@cage.forward_bug("nondeterministic")
def generator_not_the_one_given(x, rate, rng):
    return dropout_forward(x, rate, np.random.default_rng())
